"""``nital segment``: from micrographs to labels, numbers and a report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nital.cli.running import run_and_show
from nital.io import parse_pixel_size
from nital.report.page import picture_side
from nital.run import SegmentJob

__all__ = ["segment_command"]


def segment_command(
    images: Sequence[str],
    out: Path,
    *,
    target: str,
    phases: int | None,
    model: str,
    pixel_size: str | None,
    boost: bool,
    jobs: int,
    resume: bool,
    overwrite: bool,
) -> int:
    """Segment and measure all images; return the exit status."""

    def make_job(count: int) -> SegmentJob:
        return SegmentJob(
            out=out,
            target=target,
            phases=phases,
            model=model,
            boost=boost,
            pixel_size=None if pixel_size is None else parse_pixel_size(pixel_size),
            resume=resume,
            picture_side=picture_side(count),
        )

    return run_and_show(images, out, make_job, jobs=jobs, resume=resume, overwrite=overwrite)
