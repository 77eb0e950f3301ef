"""``nital train crops``: a classifier of crops of named materials, from simulated images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nital.cli.options import Out, Width
from nital.cli.training import check_installed, exit_status

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["CROPS_EPILOG", "crops", "train_crops_command"]

CROPS_EPILOG = (
    "Examples: nital train crops --materials SrTiO3,Ge --out runs/crops · "
    "nital train crops --network resnet18 --initial resnet18.safetensors --out runs/resnet"
)


def crops(
    out: Out,
    materials: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME...",
            help="What to tell apart, of SrTiO3, La:SrTiO3, Nb:SrTiO3, Ge, Si, LaFeO3, "
            "La0.8Sr0.2FeO3, LaMnO3, WO3, Pt, C, Pt/C; all of them when left out.",
            show_default=False,
        ),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, metavar="N", help="Optimiser steps.")] = 800,
    batch: Annotated[int, typer.Option(min=2, metavar="N", help="Crops a step.")] = 48,
    side: Annotated[
        int, typer.Option(min=16, max=256, metavar="PIXELS", help="Side of a crop.")
    ] = 60,
    seed: Annotated[int, typer.Option(min=0, help="Decides weights and crops.")] = 0,
    network: Annotated[
        str, typer.Option(metavar="compact|resnet18|fenet", help="What is trained.")
    ] = "compact",
    initial: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            metavar="FILE",
            help="Weights to start from: for resnet18 and fenet the .safetensors of a ResNet-18 "
            "that you have, with the names of torchvision or timm; for compact the "
            "weights.safetensors of nital train texture. A random start when left out.",
            show_default=False,
        ),
    ] = None,
    width: Width = 1.0,
) -> None:
    """Train a classifier of crops on simulated STEM images of named materials.

    Goes on where DIR holds a checkpoint, whatever --initial says. At the end DIR/model holds
    crops.onnx and crops.json for nital segment --crop-classifier.
    """
    settings = {
        "network": network,
        "steps": steps,
        "batch": batch,
        "side": side,
        "seed": seed,
        "width": width,
        "initial": initial,
    }
    raise typer.Exit(train_crops_command(out, materials, settings))


def train_crops_command(out: Path, materials: str | None, settings: dict[str, Any]) -> int:
    """Train and export; return the exit status."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)

    def work() -> None:
        check_installed()
        _train(console, out, materials, settings)

    return exit_status(console, out, work)


def _train(console: Console, out: Path, materials: str | None, settings: dict[str, Any]) -> None:
    from nital.simulate.stem_crystals import MATERIALS
    from nital.training.crop_classifier import CropTraining, export_crops, train_crops
    from nital.training.curve import plot_curve

    names = (
        tuple(name.strip() for name in (materials or "").split(",") if name.strip()) or MATERIALS
    )
    options = CropTraining(names, **settings)

    def show(step: int, total: int, means: dict[str, float]) -> None:
        left = (total - step) * means["seconds_per_step"] / 60
        console.print(
            f"step {step} of {total}: loss {means['total']:.3f}, new crops named rightly "
            f"{100 * means['accuracy']:.0f} %, about {left:.0f} min left"
        )

    trained = train_crops(out, options, show)
    plot_curve(out / "log.csv", out / "curve.png")
    difference = export_crops(trained, out / "model", options)
    console.print(
        f"exported to {out / 'model'}; ONNX differs from torch by {difference:.1g} at most",
        markup=False,
    )
