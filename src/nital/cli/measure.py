"""``nital measure``: the tables of ``nital segment`` for any label image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from nital.cli.options import Jobs, Out, Overwrite, PixelSizeText, Resume, Target

if TYPE_CHECKING:
    from nital.run import MeasureJob

__all__ = ["MEASURE_EPILOG", "measure_labels"]

MEASURE_EPILOG = (
    "Examples:\n\n"
    "nital measure labels.tif --pixel-size 0.5um --target particles --out sizes\n\n"
    "nital measure 'masks/*.png' --target grains --out sizes"
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
    jobs: Jobs = 1,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Measure label images, Nital's or another tool's, with the same tables as nital segment."""

    def make_job(count: int) -> MeasureJob:
        from nital.io import parse_pixel_size
        from nital.run import MeasureJob

        size = None if pixel_size is None else parse_pixel_size(pixel_size)
        return MeasureJob(out=out, target=cast(Any, target.value), pixel_size=size, resume=resume)

    from nital.cli.running import run_and_show

    raise typer.Exit(run_and_show(labels, out, make_job, jobs, resume, overwrite))
