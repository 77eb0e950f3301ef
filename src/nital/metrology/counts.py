"""How many objects and how much boundary there is, for any target."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nital.metrology.field import Field
from nital.metrology.intervals import Interval
from nital.metrology.planimetric import rectangle_weights
from nital.metrology.quantity import Finding
from nital.metrology.scatter import ratio_interval

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FRAMED", "boundary_findings", "count_findings"]

FRAMED = (
    "the frame, and not the specimen, decides how much of a stack the field shows, so no 95 % "
    "interval"
)


def count_findings(
    field: Field, table: pd.DataFrame, phase: int | None, sampled: bool = True
) -> Iterator[Finding]:
    """Number of objects of a phase, or of all, and number per area.

    Parameters
    ----------
    field, table
        What is measured, and its objects.
    phase
        ``None`` for all.
    sampled
        Whether the field shows some of many objects, so that their number is uncertain.
    """
    block = field.block_of(table)
    chosen = np.ones(field.count) if phase is None else (table["phase"].to_numpy() == phase) * 1.0
    number = int(chosen.sum())
    area = field.blocks.area

    def rate(weights: NDArray[np.float64]) -> tuple[float, Interval | None]:
        parts = np.bincount(block, weights=weights, minlength=len(area)).astype(float)
        return float(weights.sum()) / field.labels.size, ratio_interval(parts, area, field.grid)

    scatter = f"95 %: log-normal t interval from the centroids in {field.grid_text}"
    if not sampled:
        scatter = FRAMED
    yield Finding(
        "object_count",
        number,
        0,
        None,
        number,
        "objects in the field, edge included; a count of what was found has no interval from "
        "other fields",
        phase=phase,
    )
    value, interval = rate(chosen * rectangle_weights(field.labels, field.count)[1:])
    yield Finding(
        "objects_per_area",
        value,
        -2,
        interval if sampled else None,
        number,
        "objects over measured area, those that touch the edge counting 1/2 and those in a "
        f"corner 1/4; {scatter}",
        phase=phase,
    )


def boundary_findings(
    field: Field,
    length: NDArray[np.float64],
    area: NDArray[np.float64],
    how: str,
    framed: bool = False,
    whole: NDArray[np.float64] | None = None,
) -> Iterator[Finding]:
    """Boundary length per area of the field, and surface of boundaries per volume.

    Parameters
    ----------
    field
        What is measured.
    length, area
        (blocks,) boundary length in each block, in pixels, and the area it was found in.
    how
        How the boundaries were measured.
    framed
        Whether the frame decides how much of them it shows, as with layers.
    whole
        (blocks,) length of the outlines of separate objects, each in the block of its centroid.
        Their scatter is the one between blocks: an outline cut by the border of two blocks makes
        these alike.
    """
    rate = float(length.sum() / area.sum())
    parts = length if whole is None else whole * (length.sum() / max(float(whole.sum()), 1e-9))
    interval = None if framed else ratio_interval(parts, area, field.grid)
    basis = FRAMED if framed else "too few image blocks for a 95 % interval"
    if interval is not None:
        by = "" if whole is None else ", outlines by their centroids"
        basis = f"95 %: log-normal t interval over {field.grid_text}{by}"
    yield Finding(
        "boundary_length_per_area",
        rate,
        -1,
        interval,
        field.count,
        f"{how}, each boundary once, image frame not counted; {basis}",
    )
    surface = 4.0 / math.pi
    yield Finding(
        "surface_per_volume",
        surface * rate,
        -1,
        None if interval is None else (surface * interval[0], surface * interval[1]),
        field.count,
        f"4 / pi times the boundary length per area; {basis}",
    )
