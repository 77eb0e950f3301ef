"""``nital measure``: the tables of ``nital segment`` for any label image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nital.cli.running import run_and_show
from nital.io import parse_pixel_size
from nital.run import MeasureJob
from nital.segmentation import Target

__all__ = ["measure_command"]


def measure_command(
    labels: Sequence[str],
    out: Path,
    *,
    target: Target,
    pixel_size: str | None,
    jobs: int,
    resume: bool,
    overwrite: bool,
) -> int:
    """Measure all label images; return the exit status."""

    def make_job(count: int) -> MeasureJob:
        size = None if pixel_size is None else parse_pixel_size(pixel_size)
        return MeasureJob(out=out, target=target, pixel_size=size, resume=resume)

    return run_and_show(labels, out, make_job, jobs=jobs, resume=resume, overwrite=overwrite)
