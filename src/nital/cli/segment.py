"""``nital segment``: from micrographs to labels, numbers and a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nital.cli.options import (
    CropClassifierFolder,
    Jobs,
    Keep,
    MagnificationText,
    MaterialNames,
    MinConfidence,
    NoBoost,
    Offline,
    Out,
    Overwrite,
    PixelSizeError,
    PixelSizeText,
    Resume,
    SegmentTarget,
    Specimens,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nital.micrograph import PixelSize
    from nital.run import SegmentJob
    from nital.segmentation import SegmentOptions

__all__ = ["SEGMENT_EPILOG", "segment_images"]

SEGMENT_EPILOG = (
    "Examples:\n\n"
    "nital segment steel.tif --out results\n\n"
    "nital segment series/ --out results --target grains --jobs 2\n\n"
    "nital segment 'series/**/*.tif' --out results --pixel-size 12.5nm --resume"
)

Model = Annotated[
    str,
    typer.Option(
        metavar="NAME|PATH",
        help="compact, which needs no network; the folder of a trained model or of transformers; a "
        "name of 'nital models list', such as sam-vit-b; or a sam_vit_*.pth.",
    ),
]
Method = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="In place of a model, a classical method: adaptive, canny, otsu, watershed, "
        "watershed-gradient. Needs a --target.",
        show_default=False,
    ),
]
CompleteBoundaries = Annotated[
    bool,
    typer.Option(
        "--complete-boundaries",
        help="Grains: lead boundaries that end in a grain on to the next one where the image "
        "shows them.",
    ),
]


def segment_images(
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE|FOLDER|GLOB...",
            help="Images; a folder stands for the images directly in it; a pattern in quotes, "
            "such as 'data/**/*.tif', reaches into subfolders.",
            show_default=False,
        ),
    ],
    out: Out,
    target: Annotated[
        SegmentTarget,
        typer.Option(
            help="What to look for. auto decides from the image and says why in the report."
        ),
    ] = SegmentTarget.auto,
    phases: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Number of phases or materials, matrix included; estimated when left out.",
            show_default=False,
        ),
    ] = None,
    model: Model = "compact",
    method: Method = None,
    materials: MaterialNames = None,
    crop_classifier: CropClassifierFolder = None,
    pixel_size: PixelSizeText = None,
    pixel_size_error: PixelSizeError = 0.01,
    no_boost: NoBoost = False,
    specimens: Specimens = None,
    complete_boundaries: CompleteBoundaries = False,
    min_confidence: MinConfidence = 0.5,
    magnification: MagnificationText = None,
    keep: Keep = None,
    offline: Offline = False,
    jobs: Jobs = 1,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Find the grains, phases, particles or layers in micrographs and measure them.

    Each image gets a folder with labels.tif, phases.tif, confidence.tif, objects.csv,
    summary.json and overlay.png; report.html shows them all.
    """

    def make_job(count: int) -> SegmentJob:
        from nital.report.page import picture_side
        from nital.run import SegmentJob

        chosen = model if method is None else _classical(method, model)
        named = (materials, crop_classifier, complete_boundaries, min_confidence)
        more = (_given_magnification(magnification), keep or ())
        options = _options(target.value, phases, chosen, not no_boost, *named, *more)
        return SegmentJob(
            out=out,
            options=options,
            model_sha256=_check_model(options),
            pixel_size=_given_size(pixel_size),
            resume=resume,
            picture_side=picture_side(count),
            pixel_size_error=pixel_size_error,
        )

    from nital.cli.running import run_and_show

    raise typer.Exit(run_and_show(images, out, make_job, jobs, resume, overwrite, specimens))


def _given_size(text: str | None) -> PixelSize | None:
    """The pixel size that was typed, if any."""
    from nital.io import parse_pixel_size

    return None if text is None else parse_pixel_size(text)


def _given_magnification(text: str | None) -> float | None:
    """The magnification that was typed, if any."""
    from nital.errors import UsageError
    from nital.io.magnification import parse_magnification

    value = None if text is None else parse_magnification(text)
    if text is not None and value is None:
        raise UsageError(f"--magnification {text!r} is no magnification; write 25000 or 25kx")
    return value


def _options(
    target: str,
    phases: int | None,
    model: str,
    boost: bool,
    materials: str | None,
    folder: Path | None,
    complete: bool,
    min_confidence: float,
    magnification: float | None,
    keep: Sequence[str],
) -> SegmentOptions:
    """What was typed as options of a segmentation."""
    from nital.segmentation import SegmentOptions

    names = tuple(name.strip() for name in (materials or "").split(",") if name.strip())
    recorded = None if folder is None else str(folder)
    rest = (complete, min_confidence, magnification, tuple(keep))
    return SegmentOptions(target, phases, model, boost, names, recorded, *rest)


def _classical(method: str, model: str) -> str:
    """The classical method asked for with ``--method``, which leaves no room for a model."""
    from nital.classical import CLASSICAL_METHODS
    from nital.errors import UsageError

    if method not in CLASSICAL_METHODS:
        raise UsageError(
            f"--method {method} is not one of {', '.join(CLASSICAL_METHODS)}; choose one of them"
        )
    if model != "compact":
        raise UsageError(f"--method {method} uses no model; leave --model {model} out")
    return method


def _check_model(options: SegmentOptions) -> str | None:
    """Refuse a model that cannot be used, before any work; return the hash of its weights."""
    from nital.classical import CLASSICAL_METHODS
    from nital.detection.scales import is_detector, load_detectors
    from nital.errors import MissingExtraError, ModelError, UsageError
    from nital.models import load_model
    from nital.semantic.model import find_semantic_model, load_semantic_model

    if options.model in CLASSICAL_METHODS:
        if options.target == "auto":
            raise UsageError(f"--model {options.model} cannot choose the --target: name one")
        return None
    folder = find_semantic_model(options.model)
    try:
        if options.materials:
            from nital.boost.crop_classifier import check_names

            check_names(options.materials, options.crop_classifier)
        if folder is not None:
            return load_semantic_model(folder).sha256
        if is_detector(options.model):
            return load_detectors(options.model).sha256
        return load_model(options.model).sha256
    except (MissingExtraError, ModelError) as error:
        raise UsageError(f"--model: {error}") from error
