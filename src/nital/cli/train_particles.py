"""``nital train particles``: train the particle detector, or the U-Net to compare it with."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nital.cli.options import Out
from nital.cli.training import check_installed, exit_status

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["TRAIN_PARTICLES_EPILOG", "train_particles"]

HELD = 0.75
TRAIN_PARTICLES_EPILOG = (
    "Examples:\n\n"
    "nital train particles --out runs/powder --data sets/ --initial compact.safetensors\n\n"
    "nital train particles --out runs/paper --data sets/ --backbone resnet50 "
    "--initial resnet50.pth\n\n"
    "nital train particles --out runs/unet --data sets/ --network unet"
)


class Network(StrEnum):
    """What is trained."""

    detector = "detector"
    unet = "unet"


class LengthScale(StrEnum):
    """Which magnifications it is for."""

    both = "both"
    low = "low"
    high = "high"


class Backbone(StrEnum):
    """What looks at the image first."""

    compact = "compact"
    resnet50 = "resnet50"


Data = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        file_okay=False,
        metavar="FOLDER",
        help="Folder of licensed real sets (emps_train, rock_grains); simulated micrographs "
        "alone when left out.",
        show_default=False,
    ),
]
NetworkKind = Annotated[
    Network,
    typer.Option(
        help="Mask R-CNN with an uncertainty head, or a U-Net of foreground and border, "
        "split by a watershed, to compare it with."
    ),
]
Initial = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        metavar="FILE",
        help="Weights of the backbone to start from: weights.safetensors of nital train "
        "compact, or those of a ResNet-50 (.pth or .safetensors).",
        show_default=False,
    ),
]
HeldShare = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        metavar="SHARE",
        help="Share of the training in which the backbone is held and the heads learn alone, "
        "which is several times faster; 0.75 when left out with --initial for the compact "
        "encoder, else 0.",
        show_default=False,
    ),
]
Scale = Annotated[
    LengthScale,
    typer.Option(
        help="Of the detector: all magnifications, or small particles (below 10,000x) or large "
        "ones alone. A folder with both models as low/ and high/ is a pair for --model."
    ),
]
BackboneKind = Annotated[
    Backbone,
    typer.Option(
        help="Of the detector: Nital's compact encoder, or ResNet-50 with a feature pyramid."
    ),
]


def train_particles(
    out: Out,
    data: Data = None,
    network: NetworkKind = Network.detector,
    backbone: BackboneKind = Backbone.compact,
    initial: Initial = None,
    steps: Annotated[int, typer.Option(min=1, metavar="N", help="Optimiser steps.")] = 4000,
    batch: Annotated[int, typer.Option(min=1, metavar="N", help="Crops a step.")] = 4,
    size: Annotated[
        int, typer.Option(min=64, metavar="PX", help="Side of the crops, a multiple of 64.")
    ] = 256,
    minutes: Annotated[
        float,
        typer.Option(min=0, metavar="M", help="Stop after M minutes of processor time; 0: never."),
    ] = 0.0,
    held: HeldShare = None,
    length_scale: Scale = LengthScale.both,
    width: Annotated[
        int, typer.Option(min=4, metavar="N", help="Channels of the U-Net at half resolution.")
    ] = 16,
    seed: Annotated[int, typer.Option(min=0, help="Decides weights and crops.")] = 0,
) -> None:
    """Train a detector or a U-Net on particles, and export it.

    Goes on where DIR holds a checkpoint. DIR/log.csv has every part of the loss; at the end
    DIR/model is a folder for **nital segment --model**, which needs no torch.
    """
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    numbers = {"steps": steps, "batch": batch, "size": size, "minutes": minutes, "seed": seed}
    if held is None:
        held = HELD if initial is not None and backbone is Backbone.compact else 0.0

    def work() -> None:
        check_installed()
        if network is Network.unet:
            if initial is not None or backbone is Backbone.resnet50:
                from nital.errors import UsageError

                raise UsageError("--initial and --backbone are the detector's; leave them out")
            _train_unet(console, out, data, {**numbers, "width": width})
        else:
            settings = {**numbers, "held": held, "length_scale": length_scale.value}
            _train_detector(console, out, data, initial, backbone.value, settings)

    raise typer.Exit(exit_status(console, out, work))


def _train_detector(
    console: Console,
    out: Path,
    data: Path | None,
    initial: Path | None,
    backbone: str,
    settings: dict[str, Any],
) -> None:
    from dataclasses import asdict

    from nital.training.detector.export import export_detector
    from nital.training.detector.loop import DetectorOptions, load_detector, train_detector
    from nital.training.detector.network import DetectorConfig

    options, config = DetectorOptions(**settings), DetectorConfig.of(backbone)

    def show(step: int, total: int, means: dict[str, float]) -> None:
        _show(console, step, total, means)

    weights = train_detector(out, options, config=config, data=data, initial=initial, report=show)
    with console.status("exporting"):
        card = {"training": asdict(options)}
        difference = export_detector(load_detector(weights, config), out / "model", card=card)
    _finish(console, out, difference)


def _train_unet(console: Console, out: Path, data: Path | None, settings: dict[str, Any]) -> None:
    from nital.semantic.particle_unet import ParticleUNetOptions, export_particle_unet, train_unet

    options = ParticleUNetOptions(**settings)

    def show(step: int, total: int, means: dict[str, float]) -> None:
        _show(console, step, total, means)

    train_unet(out, options, data=data, report=show)
    with console.status("exporting"):
        difference = export_particle_unet(out, options)
    _finish(console, out, difference)


def _show(console: Console, step: int, total: int, means: dict[str, float]) -> None:
    parts = ", ".join(f"{name} {value:.3f}" for name, value in means.items())
    console.print(f"step {step} of {total}: {parts}", markup=False)


def _finish(console: Console, out: Path, difference: float) -> None:
    console.print(f"ONNX differs from torch by {difference:.1g} at most")
    console.print(f"use it with --model {out / 'model'}", markup=False)
