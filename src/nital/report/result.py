"""The files of one result: a folder that appears complete, or not at all."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nital.errors import OutputError
from nital.io import atomic_write, write_label_tiff
from nital.metrology import Measurements, measure
from nital.report.decisions import number_figure, write_decisions
from nital.report.figures import figure_of, write_figure
from nital.report.overlay import draw_overlay
from nital.segmentation import Segmentation

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RESULT_FILES", "TABLE_FILES", "save_result", "write_result", "write_tables"]

TABLE_FILES = ("objects.csv", "summary.json")
RESULT_FILES = ("labels.tif", "phases.tif", "confidence.tif", "overlay.png", *TABLE_FILES)

# The last file moved into a folder that exists already: with it, the result is complete.
_LAST = "summary.json"


def save_result(segmentation: Segmentation, folder: str | Path) -> Path:
    """Measure a segmentation and write all its files.

    Parameters
    ----------
    segmentation
        What to save.
    folder
        Made with its parents when missing. Files of an earlier result are replaced, others kept.

    Returns
    -------
    The folder.

    Raises
    ------
    OutputError
        Something cannot be written; then a new folder does not appear.
    """
    overlay = draw_overlay(segmentation)
    return write_result(segmentation, measure(segmentation), overlay, Path(folder), {})


def write_result(
    segmentation: Segmentation,
    measurements: Measurements,
    overlay: NDArray[np.uint8],
    folder: Path,
    extra: Mapping[str, Any],
) -> Path:
    """Write all files of one result; ``extra`` is added to ``summary.json``."""
    pixel_size = segmentation.micrograph.pixel_size
    images: dict[str, NDArray[Any]] = {
        "labels.tif": segmentation.labels,
        "phases.tif": segmentation.phases,
        "confidence.tif": segmentation.confidence,
    }

    def write(temporary: Path) -> None:
        for name, image in images.items():
            write_label_tiff(temporary / name, image, pixel_size)
        atomic_write(temporary / "overlay.png", lambda path: _write_png(path, overlay))
        write_decisions(temporary, segmentation.boost_log)
        _write_table_files(temporary, measurements, extra)

    return _write_folder(folder, write)


def write_tables(
    measurements: Measurements,
    overlay: NDArray[np.uint8] | None,
    folder: Path,
    extra: Mapping[str, Any],
) -> Path:
    """Write the tables, and the overlay if there is one, for labels that are a file already."""

    def write(temporary: Path) -> None:
        if overlay is not None:
            _write_png(temporary / "overlay.png", overlay)
        _write_table_files(temporary, measurements, extra)

    return _write_folder(folder, write)


def _write_table_files(folder: Path, measurements: Measurements, extra: Mapping[str, Any]) -> None:
    summary = {**measurements.summary, **extra}
    text = json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    for figure in (figure_of(measurements), number_figure(summary["parameters"])):
        if figure is not None:
            write_figure(folder, figure)
    atomic_write(folder / "objects.csv", lambda path: _write_csv(path, measurements.objects))
    atomic_write(folder / "summary.json", lambda path: path.write_text(text, encoding="utf-8"))


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    table.to_csv(path, index=False, float_format="%.8g", lineterminator="\n")


def _write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    from PIL import Image

    Image.fromarray(picture).save(path, format="PNG", compress_level=1)


def _write_folder(folder: Path, write: Callable[[Path], None]) -> Path:
    """Fill a temporary folder, then put it, or its files, in place."""
    temporary = folder.with_name(f".{folder.name[:80]}-{secrets.token_hex(4)}.part")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        write(temporary)
        if folder.exists():
            _replace_files(temporary, folder)
        else:
            temporary.rename(folder)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        reason = error.strerror or error
        raise OutputError(
            f"{folder}: cannot be written, {reason}; choose another folder"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(temporary)
    return folder


def _replace_files(source: Path, folder: Path) -> None:
    """Move files into a folder; without ``summary.json`` until all others are there."""
    (folder / _LAST).unlink(missing_ok=True)
    for path in sorted(source.iterdir(), key=lambda path: path.name == _LAST):
        path.replace(folder / path.name)
