"""Size, shape and grey level of every object, from runs: no loop over objects or pixels.

Definitions (pixels are unit squares):

- ``row, col``: centroid, pixel centres at integers.
- ``ecd``: diameter of the circle of the same area.
- ``feret_max, feret_min``: largest and smallest distance of parallel tangents to the pixels'
  corners.
- ``circularity``: 4 pi A / P^2 (ISO 9276-6 form factor, squared) with the Crofton perimeter
  of :mod:`nital.metrology.boundaries`, holes included; values above 1, which come from the
  discrete grid, are set to 1.
- ``aspect_ratio``: major over minor axis of the ellipse with the same second moments, each pixel
  contributing its own 1/12.
- ``orientation_deg``: angle of that major axis to the rows, counter-clockwise as seen on screen,
  -90 <= angle < 90; 0 where no direction is preferred.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nital.metrology.feret import feret_diameters
from nital.metrology.field import Field
from nital.metrology.runs import ObjectRuns, sum_over_runs

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["object_table"]


def object_table(field: Field, scale: float | None) -> pd.DataFrame:
    """Measure every object of a field.

    Parameters
    ----------
    field
        What to measure.
    scale
        Pixel size in um; ``None`` leaves lengths in pixels.

    Returns
    -------
    DataFrame
        One row per label, rising; the columns of ``objects.csv``: ``area_um2``, ``ecd_um``,
        ``feret_max_um`` and ``feret_min_um`` with a scale, ``ecd_px`` and so on without.
    """
    import pandas as pd

    unit, factor = ("px", 1.0) if scale is None else ("um", scale)
    objects = field.objects
    area = objects.area()
    row, col, aspect_ratio, orientation = _ellipses(objects)
    empty = (np.zeros(0), np.zeros(0))
    largest, smallest = feret_diameters(field.hulls) if field.count else empty
    perimeter = field.boundaries.perimeter[1:]
    form = 4.0 * math.pi * area / np.where(perimeter > 0, perimeter, 1.0) ** 2
    columns: dict[str, NDArray[np.generic]] = {
        "label": field.names,
        "phase": _majority_phase(objects),
        "row": row,
        "col": col,
        "area_px": area.astype(np.int64),
    }
    if scale is not None:
        columns["area_um2"] = area * factor**2
    columns |= {
        f"ecd_{unit}": np.sqrt(area * (4.0 / math.pi)) * factor,
        f"feret_max_{unit}": largest * factor,
        f"feret_min_{unit}": smallest * factor,
        "circularity": np.minimum(form, 1.0),
        "aspect_ratio": aspect_ratio,
        "orientation_deg": orientation,
        "mean_intensity": _means(field.grey, field, area),
        "confidence": _means(field.confidence, field, area) / 255.0,
        "touches_edge": _touches_edge(objects, field.labels.shape),
    }
    return pd.DataFrame(columns)


def _means(
    image: NDArray[np.generic] | None, field: Field, area: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean of an image over each object; NaN where there is no image."""
    if image is None:
        return np.full(field.count, np.nan)
    objects = field.objects
    return objects.sum(sum_over_runs(image, field.runs)[objects.order]) / area


def _ellipses(objects: ObjectRuns) -> tuple[NDArray[np.float64], ...]:
    """Centroid row and column, axis ratio and orientation of each object."""
    runs, owner = objects.runs, objects.owner
    length = runs.length.astype(float)
    middle = (runs.start + runs.stop - 1) / 2.0
    area = objects.sum(length)
    row, col = objects.sum(length * runs.row) / area, objects.sum(length * middle) / area
    down, across = runs.row - row[owner], middle - col[owner]
    within_run = (length**2 - 1.0) / 12.0
    rows = objects.sum(length * down**2) / area + 1.0 / 12.0
    cols = objects.sum(length * (across**2 + within_run)) / area + 1.0 / 12.0
    mixed = objects.sum(length * down * across) / area
    half_sum, half_difference = (cols + rows) / 2.0, (cols - rows) / 2.0
    radius = np.hypot(half_difference, mixed)
    radius[radius < 1e-9 * half_sum] = 0.0
    aspect_ratio = np.sqrt((half_sum + radius) / (half_sum - radius))
    angle = np.degrees(np.arctan2(-mixed, half_difference)) / 2.0
    angle[(radius == 0.0)] = 0.0
    angle[angle >= 90.0 - 1e-9] -= 180.0
    return row, col, aspect_ratio, np.maximum(angle, -90.0)


def _majority_phase(objects: ObjectRuns) -> NDArray[np.int64]:
    """Return the phase with the most pixels in each object; the lower one of equals."""
    runs, count = objects.runs, len(objects.begins)
    phases = int(runs.phase.max(initial=0)) + 1
    joint = objects.owner * phases + runs.phase
    areas = np.bincount(joint, weights=runs.length, minlength=count * phases)
    return np.asarray(areas.reshape(count, phases).argmax(axis=1), dtype=np.int64)


def _touches_edge(objects: ObjectRuns, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Whether an object reaches the frame of the measured field."""
    top, left, bottom, right = objects.boxes()
    outside = (top == 0) | (left == 0) | (bottom == shape[0]) | (right == shape[1])
    return np.asarray(outside)
