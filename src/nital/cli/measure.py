"""``nital measure``: the tables of ``nital segment`` for any label image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from nital.cli.options import (
    Jobs,
    Out,
    Overwrite,
    PixelSizeError,
    PixelSizeText,
    Resume,
    Specimens,
    Target,
)

if TYPE_CHECKING:
    from nital.run import MeasureJob

__all__ = ["MEASURE_EPILOG", "measure_labels"]

MEASURE_EPILOG = (
    "Examples:\n\n"
    "nital measure labels.tif --pixel-size 0.5um --target particles --out sizes\n\n"
    "nital measure 'masks/*.png' --target grains --out sizes --micrograph images"
)


def measure_labels(
    labels: Annotated[
        list[str],
        typer.Argument(
            metavar="LABELS...",
            help="Label images of any tool: 0 is background, each object has its own number. "
            "Folders and patterns as in nital segment.",
            show_default=False,
        ),
    ],
    out: Out,
    target: Annotated[Target, typer.Option(help="What the labels are.", show_default=False)],
    pixel_size: PixelSizeText = None,
    pixel_size_error: PixelSizeError = 0.01,
    micrograph: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|DIR",
            help="Micrograph of the label image, or a folder with one of the same name for each: "
            "for the grey level of objects, the data bar, the pixel size and the overlay.",
            show_default=False,
        ),
    ] = None,
    precision: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            help="Half width of the 95 % intervals of particle sizes that is asked for: says how "
            "many more particles it needs.",
        ),
    ] = 0.05,
    specimens: Specimens = None,
    jobs: Jobs = 1,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Measure label images, Nital's or another tool's, with the same tables as nital segment."""

    def make_job(count: int) -> MeasureJob:
        from nital.errors import UsageError
        from nital.io import parse_pixel_size
        from nital.report.page import picture_side
        from nital.run import MeasureJob

        size = None if pixel_size is None else parse_pixel_size(pixel_size)
        if not 0.0 < precision < 1.0:
            raise UsageError(f"--precision must lie between 0 and 1, such as 0.05, not {precision}")
        _check_micrograph(micrograph, count)
        return MeasureJob(
            out=out,
            target=cast(Any, target.value),
            pixel_size=size,
            precision=precision,
            micrograph=micrograph,
            resume=resume,
            picture_side=picture_side(count),
            pixel_size_error=pixel_size_error,
        )

    from nital.cli.running import run_and_show

    raise typer.Exit(run_and_show(labels, out, make_job, jobs, resume, overwrite, specimens))


def _check_micrograph(micrograph: Path | None, count: int) -> None:
    from nital.errors import UsageError

    if micrograph is None:
        return
    if not micrograph.exists():
        raise UsageError(f"--micrograph {micrograph} does not exist")
    if count > 1 and not micrograph.is_dir():
        raise UsageError(
            f"--micrograph {micrograph} is one file for {count} label images: give a folder with "
            "a micrograph of the same name for each"
        )
