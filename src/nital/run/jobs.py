"""What is done with one input of a run: segment an image, or measure a label image."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import nital
from nital.errors import InputError
from nital.exchange import LabelField, image_name, read_fields
from nital.io import FOLDER_SUFFIXES, IMAGE_SUFFIXES
from nital.io.hashing import sha256_of
from nital.micrograph import Micrograph, PixelSize
from nital.report import RESULT_FILES, TABLE_FILES
from nital.run.batch import Progress, State
from nital.run.inputs import Item
from nital.segmentation import ModelInfo, Segmentation, SegmentOptions, Target

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
    pixel_size_error
        Relative standard uncertainty of the pixel size.
    """

    out: Path
    options: SegmentOptions
    model_sha256: str | None = None
    pixel_size: PixelSize | None = None
    resume: bool = False
    picture_side: int = 1600
    pixel_size_error: float = 0.01

    def request(self) -> dict[str, Any]:
        """Return what was asked for, as recorded in ``summary.json`` and compared on resume."""
        return {
            "command": "segment",
            **asdict(self.options),
            "materials": list(self.options.materials),  # as JSON reads it back
            "keep": list(self.options.keep),
            "model_sha256": self.model_sha256,
            "pixel_size_um": None if self.pixel_size is None else self.pixel_size.value,
            "pixel_size_error": self.pixel_size_error,
        }

    def __call__(self, item: Item, progress: Progress | None) -> tuple[State, str]:
        """Process one image; see :class:`nital.run.batch.Job`."""
        folder, fragment = self.out / item.folder, fragment_path(self.out, item.folder)
        request = self.request()
        if self.resume and _is_complete(item.path, folder, fragment, RESULT_FILES, request):
            return "unchanged", "result is there already"
        micrograph = nital.read(item.path, pixel_size=self.pixel_size)
        segmentation = nital.segment(micrograph, **asdict(self.options), progress=progress)
        if progress is not None:
            progress("measuring and writing", 1.0)
        from nital.metrology import measure
        from nital.report import draw_overlay, write_result
        from nital.report.page import write_fragment

        measurements = measure(segmentation, pixel_size_error=self.pixel_size_error)
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
        Overrides what the files say; ``None`` to take that.
    resume
        Leave a complete result of the same input, options and version as it is.
    picture_side
        Longest side of the pictures in the report.
    precision
        Relative half width of the intervals of particle sizes that is asked for, 0...1.
    micrograph
        The micrograph behind the labels, or a folder with one of the same stem for each label
        image: for the mean grey level, the data bar, the pixel size and the overlay.
    pixel_size_error
        Relative standard uncertainty of the pixel size.
    """

    out: Path
    target: Target
    pixel_size: PixelSize | None = None
    resume: bool = False
    picture_side: int = 1600
    precision: float = 0.05
    micrograph: Path | None = None
    pixel_size_error: float = 0.01

    def request(self) -> dict[str, Any]:
        """Return what was asked for, as recorded in ``summary.json`` and compared on resume."""
        return {
            "command": "measure",
            "target": self.target,
            "pixel_size_um": None if self.pixel_size is None else self.pixel_size.value,
            "pixel_size_error": self.pixel_size_error,
            "precision": self.precision,
            "micrograph": None if self.micrograph is None else self.micrograph.as_posix(),
        }

    def __call__(self, item: Item, progress: Progress | None) -> tuple[State, str]:
        """Process one label image; see :class:`nital.run.batch.Job`."""
        folder, fragment = self.out / item.folder, fragment_path(self.out, item.folder)
        request = self.request()
        files = TABLE_FILES if self.micrograph is None else ("overlay.png", *TABLE_FILES)
        if self.resume and _is_complete(item.path, folder, fragment, files, request):
            return "unchanged", "result is there already"
        from nital.metrology import measure_labels
        from nital.report import draw_overlay, write_tables
        from nital.report.page import write_fragment

        micrograph = self._micrograph(item.path)
        field = self._labels(item.path, micrograph)
        pixel_size, warnings = self._pixel_size(field, micrograph)
        measurements = measure_labels(
            field.labels,
            target=self.target,
            pixel_size=pixel_size,
            phases=field.phases,
            micrograph=micrograph,
            path=item.path,
            sha256=sha256_of(item.path),
            warnings=warnings,
            precision=self.precision,
            pixel_size_error=self.pixel_size_error,
        )
        shown = None if micrograph is None else self._segmentation(field, micrograph)
        overlay = None if shown is None else draw_overlay(shown)
        write_fragment(fragment, item.folder, measurements, shown, self.picture_side)
        write_tables(measurements, overlay, folder, {"request": request})
        return "done", _found(measurements.summary)

    def _labels(self, path: Path, micrograph: Micrograph | None) -> LabelField:
        """Read the labels of a file, which hold one field of the shape of its micrograph."""
        fields = read_fields(path, None if micrograph is None else micrograph.shape)
        if len(fields) != 1:
            raise InputError(
                f"{path}: holds {len(fields)} images; write a label image of each by nital export "
                f"{path.name} --format labels, and measure those"
            )
        if micrograph is not None and micrograph.shape != fields[0].shape:
            raise InputError(
                f"{path}: the labels are {fields[0].shape} but the micrograph {micrograph.path} "
                f"is {micrograph.shape}; give images of the same field"
            )
        return fields[0]

    def _micrograph(self, labels: Path) -> Micrograph | None:
        """Read the micrograph of a label image."""
        if self.micrograph is None:
            return None
        path = self.micrograph
        if path.is_dir() and path.suffix.lower() not in FOLDER_SUFFIXES:
            images = [i for i in sorted(path.iterdir()) if i.suffix.lower() in IMAGE_SUFFIXES]
            same = [image for image in images if image.stem == labels.stem]
            same = same or [image for image in images if image.stem == image_name(labels)]
            if len(same) != 1:
                found = "no image" if not same else f"{len(same)} images"
                raise InputError(
                    f"{labels}: {path} holds {found} of that name; give one micrograph for it"
                )
            path = same[0]
        return nital.read(path)

    def _pixel_size(
        self, field: LabelField, micrograph: Micrograph | None
    ) -> tuple[PixelSize | None, tuple[str, ...]]:
        """Pixel size as given, else of the label file, else of the micrograph."""
        if self.pixel_size is not None:
            return self.pixel_size, field.warnings
        if field.pixel_size is None and micrograph is not None:
            return micrograph.pixel_size, (*field.warnings, *micrograph.warnings)
        return field.pixel_size, field.warnings

    def _segmentation(self, field: LabelField, micrograph: Micrograph) -> Segmentation:
        """Labels as the pictures show them: without the data bar."""
        from nital.metrology import default_phases

        shown = field.labels.copy()
        shown[micrograph.content_rows :] = 0
        return Segmentation(
            micrograph=micrograph,
            labels=shown,
            phases=default_phases(shown, self.target) if field.phases is None else field.phases,
            confidence=np.full(shown.shape, 255, dtype=np.uint8),
            target=self.target,
            target_reason="given",
            model=ModelInfo("label image", None),
        )


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
    return recorded == (nital.__version__, request, sha256_of(path))
