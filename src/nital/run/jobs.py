"""What is done with one input of a run: segment an image, or measure a label image."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nital
from nital.errors import InputError
from nital.micrograph import PixelSize
from nital.report import RESULT_FILES, TABLE_FILES
from nital.run.batch import Progress, State
from nital.run.inputs import Item
from nital.segmentation import SegmentOptions, Target

__all__ = ["MeasureJob", "SegmentJob", "fragment_path"]


def fragment_path(out: Path, folder: str) -> Path:
    """Return where the part of the report about one image is kept."""
    return out / ".report" / f"{folder}.html"


@dataclass(frozen=True)
class SegmentJob:
    """Segment one image, measure it and write its files.

    Parameters
    ----------
    out
        The folder of the run.
    options
        What to look for and how.
    model_sha256
        Hash of the model's weights, so that a run with others does not resume.
    pixel_size
        Overrides what the file says; ``None`` to take that.
    resume
        Leave a complete result of the same input, options and version as it is.
    picture_side
        Longest side of the pictures in the report.
    """

    out: Path
    options: SegmentOptions
    model_sha256: str | None = None
    pixel_size: PixelSize | None = None
    resume: bool = False
    picture_side: int = 1600

    def request(self) -> dict[str, Any]:
        """Return what was asked for, as recorded in ``summary.json`` and compared on resume."""
        return {
            "command": "segment",
            **asdict(self.options),
            "model_sha256": self.model_sha256,
            "pixel_size_um": None if self.pixel_size is None else self.pixel_size.value,
        }

    def __call__(self, item: Item, progress: Progress | None) -> tuple[State, str]:
        """Process one image; see :class:`nital.run.batch.Job`."""
        folder, fragment = self.out / item.folder, fragment_path(self.out, item.folder)
        request = self.request()
        if self.resume and _is_complete(item.path, folder, fragment, RESULT_FILES, request):
            return "unchanged", "result is there already"
        micrograph = nital.read(item.path, pixel_size=self.pixel_size)
        segmentation = nital.segment(
            micrograph,
            target=self.options.target,
            phases=self.options.phases,
            model=self.options.model,
            boost=self.options.boost,
            progress=progress,
        )
        if progress is not None:
            progress("measuring and writing", 1.0)
        from nital.metrology import measure
        from nital.report import draw_overlay, write_result
        from nital.report.page import write_fragment

        measurements = measure(segmentation)
        overlay = draw_overlay(segmentation)
        write_fragment(fragment, item.folder, measurements, segmentation, self.picture_side)
        write_result(segmentation, measurements, overlay, folder, {"request": request})
        return "done", _found(measurements.summary)


@dataclass(frozen=True)
class MeasureJob:
    """Measure one label image and write its tables.

    Parameters
    ----------
    out
        The folder of the run.
    target
        What the labels are.
    pixel_size
        Overrides what the file says; ``None`` to take that.
    resume
        Leave a complete result of the same input, options and version as it is.
    """

    out: Path
    target: Target
    pixel_size: PixelSize | None = None
    resume: bool = False

    def request(self) -> dict[str, Any]:
        """Return what was asked for, as recorded in ``summary.json`` and compared on resume."""
        size = None if self.pixel_size is None else self.pixel_size.value
        return {"command": "measure", "target": self.target, "pixel_size_um": size}

    def __call__(self, item: Item, progress: Progress | None) -> tuple[State, str]:
        """Process one label image; see :class:`nital.run.batch.Job`."""
        folder, fragment = self.out / item.folder, fragment_path(self.out, item.folder)
        request = self.request()
        if self.resume and _is_complete(item.path, folder, fragment, TABLE_FILES, request):
            return "unchanged", "result is there already"
        from nital.io import read_labels, read_pixel_size
        from nital.metrology import measure_labels
        from nital.report import write_tables
        from nital.report.page import write_fragment

        labels = read_labels(item.path)
        given = self.pixel_size
        pixel_size, warnings = (given, ()) if given else read_pixel_size(item.path)
        measurements = measure_labels(
            labels,
            target=self.target,
            pixel_size=pixel_size,
            path=item.path,
            sha256=_sha256(item.path),
            warnings=warnings,
        )
        write_fragment(fragment, item.folder, measurements, None, 0)
        write_tables(measurements, folder, {"request": request})
        return "done", _found(measurements.summary)


def _found(summary: dict[str, Any]) -> str:
    from nital.report.numbers import headline

    count = next(row["n"] for row in summary["quantities"] if row["name"] == "object_count")
    nouns = {"grains": "grains", "phases": "regions", "particles": "particles", "layers": "layers"}
    noun = nouns[summary["target"]["value"]]
    words = f"{count} {noun if count != 1 else noun[:-1]}"
    result = headline(summary)
    return f"{words}, {result}" if result else words


def _is_complete(
    path: Path, folder: Path, fragment: Path, files: tuple[str, ...], request: dict[str, Any]
) -> bool:
    """Whether a folder holds the whole result of this very file, request and version."""
    if not (fragment.is_file() and all((folder / name).is_file() for name in files)):
        return False
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        recorded = (summary["nital"], summary["request"], summary["image"]["sha256"])
    except (OSError, ValueError, LookupError, TypeError):
        return False
    return recorded == (nital.__version__, request, _sha256(path))


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{path}: cannot be read, {reason}; check its permissions") from error
