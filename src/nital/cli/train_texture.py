"""``nital train texture``: the network that tells materials apart by their texture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nital.cli.options import Out, Width
from nital.cli.training import check_installed, exit_status

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["TEXTURE_EPILOG", "texture", "train_texture_command"]

NETWORKS = ("compact", "resnet18", "fenet")
TEXTURE_EPILOG = (
    "Examples: nital train texture --out runs/texture · "
    "nital train texture --out runs/fenet --network fenet --data sets/"
)


def texture(
    out: Out,
    data: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            metavar="FOLDER",
            help="Folder of licensed real sets (pnnl_stem, nasa_ebc3, rock_grains, emps_train), "
            "whose patches serve as textures without their labels; simulated textures alone when "
            "left out.",
            show_default=False,
        ),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, metavar="N", help="Optimiser steps.")] = 1500,
    groups: Annotated[
        int, typer.Option(min=1, metavar="N", help="Images whose crops make a step.")
    ] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Decides weights and crops.")] = 0,
    network: Annotated[
        str,
        typer.Option(
            metavar="|".join(NETWORKS),
            help="compact is what Nital uses; resnet18 and fenet are trained alike, to compare.",
        ),
    ] = "compact",
    width: Width = 1.0,
) -> None:
    """Train the texture network: crops of one material near, of different materials far.

    Goes on where DIR holds a checkpoint. At the end DIR/model holds texture-local.onnx,
    texture-head.onnx and texture.json (compact only), DIR/curve.png shows how the loss fell.
    """
    raise typer.Exit(train_texture_command(out, data, steps, groups, seed, network, width))


def train_texture_command(
    out: Path,
    data: Path | None,
    steps: int,
    groups: int,
    seed: int,
    network: str,
    width: float = 1.0,
) -> int:
    """Train, export and draw the curve; return the exit status."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)

    def work() -> None:
        check_installed()
        _train(console, out, data, (steps, groups, seed), network, width)

    return exit_status(console, out, work)


def _train(
    console: Console,
    out: Path,
    data: Path | None,
    numbers: tuple[int, int, int],
    network: str,
    width: float,
) -> None:
    from nital.training.curve import plot_curve
    from nital.training.texture_export import export_texture
    from nital.training.texture_loop import TextureTraining, train_texture

    def show(step: int, total: int, means: dict[str, float]) -> None:
        left = (total - step) * means["seconds_per_step"] / 60
        console.print(
            f"step {step} of {total}: loss {means['total']:.3f}, nearest crop of the same material "
            f"{100 * means['accuracy']:.0f} %, about {left:.0f} min left"
        )

    steps, groups, seed = numbers
    options = TextureTraining(steps, groups, seed=seed, network=network, width=width)
    weights = train_texture(out, options, data=data, report=show)
    plot_curve(out / "log.csv", out / "curve.png")
    if network != "compact":
        console.print(f"weights in {weights}; only the compact network is exported", markup=False)
        return
    difference = export_texture(weights, out / "model", {"training": {"steps": steps}}, width)
    console.print(
        f"exported to {out / 'model'}; ONNX differs from torch by {difference:.1g} at most",
        markup=False,
    )
