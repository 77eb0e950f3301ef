"""``nital train particles``: train the particle detector."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nital.cli.options import Out

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["TRAIN_PARTICLES_EPILOG", "train_particles"]

ALL_DONE, SOME_FAILED, BAD_USAGE, INTERRUPTED = 0, 1, 2, 130
NEEDED = ("torch", "safetensors", "onnx", "onnxscript")
TRAIN_PARTICLES_EPILOG = (
    "Examples:\n\n"
    "nital train particles --out runs/powder --data sets/ --initial compact.safetensors\n\n"
    "nital train particles --out runs/paper --data sets/ --backbone resnet50 "
    "--initial resnet50.pth"
)


class Backbone(StrEnum):
    """What looks at the image first."""

    compact = "compact"
    resnet50 = "resnet50"


def train_particles(
    out: Out,
    data: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            metavar="FOLDER",
            help="Folder of licensed real sets (emps_train, rock_grains); simulated micrographs "
            "alone when left out.",
            show_default=False,
        ),
    ] = None,
    backbone: Annotated[
        Backbone,
        typer.Option(help="Nital's compact encoder, or ResNet-50 with a feature pyramid."),
    ] = Backbone.compact,
    initial: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            metavar="FILE",
            help="Weights of the backbone to start from: weights.safetensors of nital train "
            "compact, or those of a ResNet-50 (.pth or .safetensors).",
            show_default=False,
        ),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, metavar="N", help="Optimiser steps.")] = 4000,
    batch: Annotated[int, typer.Option(min=1, metavar="N", help="Crops a step.")] = 4,
    size: Annotated[
        int, typer.Option(min=64, metavar="PX", help="Side of the crops, a multiple of 64.")
    ] = 256,
    minutes: Annotated[
        float,
        typer.Option(min=0, metavar="M", help="Stop after M minutes of processor time; 0: never."),
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Decides weights and crops.")] = 0,
) -> None:
    """Train Mask R-CNN with an uncertainty head on particles, and export it.

    Goes on where DIR holds a checkpoint. DIR/log.csv has every part of the loss; at the end
    DIR/model is a folder for **nital segment --model**, which needs no torch.
    """
    from rich.console import Console

    from nital.errors import NitalError, UsageError

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        _train(console, out, data, backbone.value, initial, (steps, batch, size, seed), minutes)
    except NitalError as error:
        console.print(f"error: {error}", style="red", markup=False)
        raise typer.Exit(BAD_USAGE if isinstance(error, UsageError) else SOME_FAILED) from error
    except KeyboardInterrupt:
        console.print("stopped; the same command goes on from the last checkpoint")
        raise typer.Exit(INTERRUPTED) from None


def _train(
    console: Console,
    out: Path,
    data: Path | None,
    backbone: str,
    initial: Path | None,
    numbers: tuple[int, int, int, int],
    minutes: float,
) -> None:
    from importlib.util import find_spec

    from nital.errors import MissingExtraError

    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f'training needs {", ".join(missing)}; run: pip install "nital[train]"'
        )
    from nital.training.detector.export import export_detector
    from nital.training.detector.loop import DetectorOptions, load_detector, train_detector
    from nital.training.detector.network import DetectorConfig

    steps, batch, size, seed = numbers
    options = DetectorOptions(steps=steps, batch=batch, size=size, seed=seed, minutes=minutes)
    config = DetectorConfig.of(backbone)

    def show(step: int, total: int, means: dict[str, float]) -> None:
        parts = ", ".join(f"{name} {value:.3f}" for name, value in means.items())
        console.print(f"step {step} of {total}: {parts}", markup=False)

    weights = train_detector(out, options, config=config, data=data, initial=initial, report=show)
    with console.status("exporting"):
        difference = export_detector(load_detector(weights, config), out / "model")
    console.print(f"ONNX differs from torch by {difference:.1g} at most")
    console.print(f"use it with --model {out / 'model'}", markup=False)
