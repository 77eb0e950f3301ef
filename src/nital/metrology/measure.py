"""Measure a segmentation, or any label image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import nital
from nital.errors import InputError, UsageError
from nital.metrology.doubts import PIXEL_SIZE_ERROR, find_doubts
from nital.metrology.field import Field
from nital.metrology.layers import LayerProfile, Stack, trace_layers
from nital.metrology.objects import object_table
from nital.metrology.quantities import PRECISION, interval_statement, quantities
from nital.metrology.quantity import Quantity
from nital.micrograph import Micrograph, PixelSize
from nital.segmentation import Segmentation, Target

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Measurements", "default_phases", "measure", "measure_labels"]

SCHEMA = 1


@dataclass(frozen=True)
class Measurements:
    """The numbers of one image.

    Parameters
    ----------
    objects
        One row per object, the columns of ``objects.csv``. The centroid is in pixels, lengths in
        um or, without a pixel size, in pixels; ``mean_intensity`` in grey levels of the file;
        ``confidence`` 0...1.
    summary
        The content of ``summary.json``.
    quantities
        The same quantities as in the summary, as objects.
    layers
        For layers, the course of each one that lies between two interfaces, in pixels.
    """

    objects: pd.DataFrame
    summary: dict[str, Any]
    quantities: tuple[Quantity, ...]
    layers: tuple[LayerProfile, ...] = ()


def measure(
    segmentation: Segmentation,
    *,
    precision: float = PRECISION,
    pixel_size_error: float = PIXEL_SIZE_ERROR,
) -> Measurements:
    """Measure all objects and phases of a segmentation.

    The data bar is not part of the measured area. Objects that touch the edge of the image or
    the data bar are counted and cover area, but are left out of size statistics, which are
    corrected for that.

    Parameters
    ----------
    segmentation
        What to measure.
    precision
        Relative half width of the 95 % intervals of particle sizes that is asked for, 0...1: the
        number of particles still needed is forecast from it.
    pixel_size_error
        Relative standard uncertainty of the pixel size, 0...1.

    Raises
    ------
    UsageError
        The precision is not between 0 and 1, or the error of the pixel size not below 1.
    """
    _check_precision(precision, pixel_size_error)
    micrograph = segmentation.micrograph
    rows = micrograph.content_rows
    probability = segmentation.mask_probability
    compact, names = _compact(segmentation.labels[:rows])
    field = Field(
        compact,
        names,
        segmentation.phases[:rows],
        micrograph.content,
        segmentation.confidence[:rows],
        segmentation.parameters.get("min_confidence"),
        None if probability is None else probability[:rows],
        segmentation.parameters.get("found", {}).get("unclaimed"),
    )
    summary = {
        "image": _image_record(micrograph),
        "target": {"value": segmentation.target, "reason": segmentation.target_reason},
        "model": {"name": segmentation.model.name, "sha256": segmentation.model.sha256},
        "parameters": segmentation.parameters,
    }
    trust = Trust(precision, pixel_size_error, segmentation.model.sha256 is not None)
    return _measured(field, micrograph.pixel_size, summary, segmentation.warnings, trust)


def measure_labels(
    labels: NDArray[np.integer[Any]],
    *,
    target: Target,
    pixel_size: PixelSize | None = None,
    phases: NDArray[np.uint8] | None = None,
    micrograph: Micrograph | None = None,
    path: Path | None = None,
    sha256: str | None = None,
    warnings: tuple[str, ...] = (),
    precision: float = PRECISION,
    pixel_size_error: float = PIXEL_SIZE_ERROR,
) -> Measurements:
    """Measure a label image made by any tool.

    Parameters
    ----------
    labels
        (H, W) integers >= 0; 0 = no object. Gaps in the numbering are kept in the table.
    target
        What the labels are; decides the phases where none are given, see
        :func:`default_phases`.
    pixel_size
        Of the label image; ``None`` leaves lengths in pixels.
    phases
        (H, W) uint8 phase of each pixel.
    micrograph
        The image behind the labels, for ``mean_intensity`` and the data bar.
    path, sha256, warnings
        File of the labels, the hash of its bytes, and what a user should know about how it was
        read, for the record.
    precision, pixel_size_error
        As in :func:`measure`. The labels themselves are taken for true.

    Raises
    ------
    InputError
        Labels are not a non-empty (H, W) array of integers >= 0 below 2^31, or the shapes differ.
    UsageError
        The precision is not between 0 and 1, or the error of the pixel size not below 1.
    """
    _check_precision(precision, pixel_size_error)
    _check_labels(labels, "the label image" if path is None else str(path))
    for other, name in ((phases, "phase image"), (micrograph, "micrograph")):
        if other is not None and other.shape != labels.shape:
            raise InputError(
                f"the {name} is {other.shape} but the labels are {labels.shape}: "
                "give images of the same field"
            )
    if phases is None:
        phases = default_phases(labels, target)
    rows = labels.shape[0] if micrograph is None else micrograph.content_rows
    compact, names = _compact(labels[:rows])
    grey = None if micrograph is None else micrograph.content
    field = Field(compact, names, phases[:rows], grey, None)
    image = {
        "path": None if path is None else path.as_posix(),
        "sha256": sha256,
        "shape": list(labels.shape),
        "pixel_size": _pixel_size_record(pixel_size),
        "measured_rows": rows,
    }
    summary = {
        "image": image,
        "target": {"value": target, "reason": "given"},
        "model": {"name": "label image", "sha256": None},
        "parameters": {},
    }
    if field.count == 1 and _is_in_pieces(field.labels):
        warnings += (
            "there is only one label, in several pieces: if this is a mask, number its objects "
            "before measuring",
        )
    trust = Trust(precision, pixel_size_error, judged=False)
    return _measured(field, pixel_size, summary, warnings, trust)


@dataclass(frozen=True)
class Trust:
    """The precision asked for, and how far pixel size and confidence are to be trusted."""

    precision: float
    pixel_size_error: float
    judged: bool


def _measured(
    field: Field,
    pixel_size: PixelSize | None,
    summary: dict[str, Any],
    warnings: tuple[str, ...],
    trust: Trust,
) -> Measurements:
    scale = None if pixel_size is None else pixel_size.value
    table = object_table(field, scale)
    target: Target = summary["target"]["value"]
    stack = trace_layers(field, table) if target == "layers" else Stack()
    error = 0.0 if scale is None else trust.pixel_size_error
    doubts = find_doubts(field, table, target, trust.judged, error)
    found, more_warnings = quantities(field, table, target, stack, scale, trust.precision, doubts)
    return Measurements(
        objects=table,
        summary={
            "schema": SCHEMA,
            "nital": nital.__version__,
            **summary,
            "warnings": list(dict.fromkeys((*warnings, *more_warnings))),
            "pixel_size_error": error,
            "intervals": interval_statement(doubts, target),
            "quantities": [quantity.as_dict() for quantity in found],
        },
        quantities=found,
        layers=stack.profiles,
    )


def _check_precision(precision: float, pixel_size_error: float) -> None:
    if not 0.0 <= pixel_size_error < 1.0:
        raise UsageError(
            "the error of the pixel size must be a share below 1, such as 0.01, not "
            f"{pixel_size_error}"
        )
    if not 0.0 < precision < 1.0:
        raise UsageError(
            f"the precision asked for must lie between 0 and 1, such as 0.05, not {precision}"
        )


def _compact(labels: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Renumber labels to 1...n without gaps; return them and the original of each."""
    largest = int(labels.max())
    if largest <= labels.size:
        present = np.flatnonzero(np.bincount(labels.ravel(), minlength=largest + 1))
    else:
        present = np.unique(labels)
    names = present[present > 0].astype(np.int32)
    if len(names) == largest:
        return np.ascontiguousarray(labels, dtype=np.int32), names
    compact = np.searchsorted(names, labels.ravel()) + 1
    return np.where(labels > 0, compact.reshape(labels.shape), 0).astype(np.int32), names


def _check_labels(labels: NDArray[np.integer[Any]], name: str) -> None:
    if labels.ndim != 2 or labels.size == 0 or labels.dtype.kind not in "iu":
        raise InputError(
            f"{name}: labels must be a non-empty (H, W) array of whole numbers, "
            f"not {labels.shape} of {labels.dtype}"
        )
    if int(labels.min()) < 0 or int(labels.max()) >= 2**31:
        raise InputError(f"{name}: labels must lie between 0 and 2147483647; renumber them")


def _is_in_pieces(labels: NDArray[np.int32]) -> bool:
    from scipy import ndimage

    return bool(ndimage.label(labels, np.ones((3, 3)))[1] > 1)


def default_phases(labels: NDArray[np.integer[Any]], target: Target) -> NDArray[np.uint8]:
    """Phase of each pixel where none is known.

    Parameters
    ----------
    labels
        (H, W), 0 = no object.
    target
        What they are: objects are phase 2 in a matrix of phase 1 for particles and phases, and
        phase 1 for grains and layers.
    """
    inside, outside = (2, 1) if target in ("particles", "phases") else (1, 0)
    return np.where(labels > 0, inside, outside).astype(np.uint8)


def _image_record(micrograph: Micrograph) -> dict[str, Any]:
    return {
        "path": micrograph.name if micrograph.path is None else micrograph.path.as_posix(),
        "sha256": micrograph.sha256,
        "shape": list(micrograph.shape),
        "pixel_size": _pixel_size_record(micrograph.pixel_size),
        "measured_rows": micrograph.content_rows,
    }


def _pixel_size_record(pixel_size: PixelSize | None) -> dict[str, Any] | None:
    if pixel_size is None:
        return None
    return {"value": pixel_size.value, "unit": "um", "source": pixel_size.source}
