"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "CropClassifierFolder",
    "Jobs",
    "Keep",
    "MagnificationText",
    "MaterialNames",
    "MinConfidence",
    "NoBoost",
    "Offline",
    "Out",
    "Overwrite",
    "PixelSizeError",
    "PixelSizeText",
    "Resume",
    "SegmentTarget",
    "Specimens",
    "Target",
    "Width",
]


class Target(StrEnum):
    """What the objects are."""

    grains = "grains"
    phases = "phases"
    particles = "particles"
    layers = "layers"


class SegmentTarget(StrEnum):
    """What to look for."""

    auto = "auto"
    grains = "grains"
    phases = "phases"
    particles = "particles"
    layers = "layers"


Out = Annotated[
    Path,
    typer.Option(
        "--out",
        "-o",
        metavar="DIR",
        help="Folder for the results, made when missing.",
        show_default=False,
    ),
]
PixelSizeText = Annotated[
    str | None,
    typer.Option(
        "--pixel-size",
        metavar="LENGTH",
        help="Side of a pixel with its unit, such as 12.5nm or 0.5um; overrides what the files "
        "say. Without either, lengths are in pixels.",
        show_default=False,
    ),
]
PixelSizeError = Annotated[
    float,
    typer.Option(
        "--pixel-size-error",
        min=0.0,
        max=0.5,
        metavar="SHARE",
        help="Standard uncertainty of the pixel size, as a share of it: it widens the intervals of "
        "all lengths and grain sizes. Say yours, if the calibration was checked.",
    ),
]
Specimens = Annotated[
    str | None,
    typer.Option(
        "--specimens",
        metavar="folder|CSV",
        help="Join the fields of each specimen into one result: folder takes the images of one "
        "folder for a specimen; a CSV file has the columns image, specimen and, to compare, "
        "condition.",
        show_default=False,
    ),
]
Width = Annotated[
    float,
    typer.Option(
        min=0.1,
        max=8,
        metavar="FACTOR",
        help="Channels of the network over its own: 0.5 halves them, to compare sizes.",
    ),
]
NoBoost = Annotated[bool, typer.Option("--no-boost", help="Keep the raw masks, for comparison.")]
MinConfidence = Annotated[
    float,
    typer.Option(
        min=0.0,
        max=1.0,
        metavar="P",
        help="Particles of less confidence than P are uncertain: drawn red, and every size is "
        "given with and without them.",
    ),
]
MagnificationText = Annotated[
    str | None,
    typer.Option(
        metavar="X",
        help="Magnification, such as 25000 or 25kx, where the file states none: it is compared "
        "with the pixel size, and of two detectors for particles the one below or above 10,000x "
        "is taken.",
        show_default=False,
    ),
]
Keep = Annotated[
    list[str] | None,
    typer.Option(
        "--keep",
        metavar="FEATURE=LOW..HIGH",
        help="Keep only objects in this range, such as area=0.5..20um2 or circularity=0.6..; "
        "features: area (px or um2), intensity, circularity, extent, texture. May be given "
        "several times.",
        show_default=False,
    ),
]


def _set_offline(asked: bool) -> bool:
    """Forbid the network as soon as the option is read."""
    from nital.models.store import forbid_network

    if asked:
        forbid_network()
    return asked


Offline = Annotated[
    bool,
    typer.Option(
        "--offline",
        callback=_set_offline,
        help="Open no connection, not even to fetch a model.",
    ),
]
Jobs = Annotated[
    int,
    typer.Option(min=1, metavar="N", help="Images to work on at the same time."),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on with the run in DIR: images whose result is complete, from the same file "
        "and options, are left as they are.",
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Redo the images even where DIR holds their results."),
]

MaterialNames = Annotated[
    str | None,
    typer.Option(
        "--materials",
        metavar="NAME,NAME...",
        help="Materials of the layers of an atomic-resolution STEM image, such as "
        "SrTiO3,Ge,Pt/C: each layer is named by a classifier of its crops.",
        show_default=False,
    ),
]

CropClassifierFolder = Annotated[
    Path | None,
    typer.Option(
        "--crop-classifier",
        exists=True,
        file_okay=False,
        metavar="FOLDER",
        help="Classifier for --materials, of nital train crops; else the one that ships.",
        show_default=False,
    ),
]
