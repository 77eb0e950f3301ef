"""Medians of the shape of particles (ISO 9276-6), and the limits of what pixels can show."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from nital.metrology.field import Field
from nital.metrology.intervals import Interval, quantile, quantile_interval
from nital.metrology.quantity import Finding
from nital.metrology.shapes import LENGTHS, RATIOS, Shapes
from nital.metrology.sizes import EDGE_RULE, Sample

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LOWER_LIMIT_PX", "particle_findings", "particle_warnings"]

LOWER_LIMIT_PX = 5.0
_MANY_BELOW = 0.05


def particle_findings(
    field: Field, table: pd.DataFrame, sample: Sample, shapes: Shapes
) -> Iterator[Finding]:
    """Medians of the shape descriptors, and the lower size limit.

    Parameters
    ----------
    field, table
        What is measured, and its objects.
    sample, shapes
        Which of them to take, and their shapes.
    """
    number = len(sample.weight)
    if number:
        for name, values in shapes.descriptors().items():
            dimension, what = (1, LENGTHS[name]) if name in LENGTHS else (0, RATIOS[name])
            order = np.lexsort((sample.weight, values))
            values, weight = values[order], sample.weight[order]
            median, interval = quantile(values, 0.5, weight), quantile_interval(values, 0.5, weight)
            basis = "95 %: order statistics about the share below it"
            if dimension and interval is not None:
                interval = _rounded(median, interval)
                basis += ", joined with half a pixel of rounding"
            yield Finding(
                f"{name}_median",
                median,
                dimension,
                interval,
                number,
                f"median over objects of the {what}; {EDGE_RULE}; "
                + (basis if interval else "too few objects for a 95 % interval"),
                "ISO 9276-6",
                phase=sample.phase,
            )
    if field.count and sample.phase is None:
        below = _below_limit(table)
        yield Finding(
            "ecd_lower_limit",
            LOWER_LIMIT_PX,
            1,
            None,
            field.count,
            f"diameter of {LOWER_LIMIT_PX:g} pixels: the area of smaller discs scatters by more "
            f"than 5 % with their place on the pixel grid; {below} of {field.count} objects are "
            "smaller, and are kept; a limit has no interval",
            "ISO 13322-1",
        )


def _rounded(value: float, interval: Interval) -> Interval:
    """Join half a pixel, by which lengths between pixels may be off together."""
    below, above = value - interval[0], interval[1] - value
    return max(value - math.hypot(below, 0.5), 0.0), value + math.hypot(above, 0.5)


def particle_warnings(table: pd.DataFrame) -> Iterator[str]:
    """Say where many objects are too small for their pixels."""
    below = _below_limit(table)
    if len(table) and below > _MANY_BELOW * len(table):
        yield (
            f"{below} of {len(table)} objects are less than {LOWER_LIMIT_PX:g} pixels across, so "
            "their sizes are uncertain and smaller ones may be missing: use a higher magnification"
        )


def _below_limit(table: pd.DataFrame) -> int:
    return int((table["area_px"].to_numpy() < math.pi / 4.0 * LOWER_LIMIT_PX**2).sum())
