"""Shape of particles: the descriptors of ISO 9276-6, and the limits of what pixels can show."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nital.metrology.circles import circumscribed_diameters, inscribed_diameters
from nital.metrology.feret import feret_diameters
from nital.metrology.field import Field
from nital.metrology.hulls import edge_hulls
from nital.metrology.intervals import Interval, quantile, quantile_interval
from nital.metrology.quantity import Finding
from nital.metrology.sizes import EDGE_RULE, Sample

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LOWER_LIMIT_PX", "particle_findings", "particle_warnings", "shape_descriptors"]

LOWER_LIMIT_PX = 5.0
_MANY_BELOW = 0.05

# name: dimension, what it is
_DESCRIPTORS = {
    "feret_max": (1, "largest distance of parallel tangents"),
    "feret_min": (1, "smallest distance of parallel tangents"),
    "inscribed_diameter": (1, "diameter of the largest circle inside"),
    "circumscribed_diameter": (1, "diameter of the smallest circle around"),
    "circularity": (0, "4 pi A / P^2, the form factor of the standard"),
    "feret_ratio": (0, "smallest over largest Feret diameter, the aspect ratio of the standard"),
    "solidity": (0, "area over that of the convex hull"),
    "convexity": (0, "perimeter of the convex hull over the perimeter"),
    "inscribed_ratio": (0, "inscribed over circumscribed circle, the irregularity of the standard"),
}


def shape_descriptors(
    field: Field, table: pd.DataFrame, chosen: NDArray[np.bool_]
) -> dict[str, NDArray[np.float64]]:
    """Shape of each chosen object, lengths in pixels.

    Ratios that the pixel grid would put above 1 are set to 1.

    Parameters
    ----------
    field, table
        What is measured, and its objects.
    chosen
        (n,) which of them.
    """
    if not chosen.any():
        return {name: np.zeros(0) for name in _DESCRIPTORS}
    objects = field.objects
    area = objects.area()[chosen]
    perimeter = field.boundaries.perimeter[1:][chosen]
    largest, smallest = (values[chosen] for values in feret_diameters(field.hulls))
    around = circumscribed_diameters(field.hulls)[chosen]
    inside = inscribed_diameters(field.labels, objects, np.flatnonzero(chosen))
    inside = np.minimum(inside, smallest)
    hulls = edge_hulls(objects.runs, objects.owner, field.count)
    return {
        "feret_max": largest,
        "feret_min": smallest,
        "inscribed_diameter": inside,
        "circumscribed_diameter": around,
        "circularity": table["circularity"].to_numpy()[chosen],
        "feret_ratio": smallest / largest,
        "solidity": np.minimum(area / np.maximum(hulls.area()[chosen], 0.5), 1.0),
        "convexity": np.minimum(hulls.perimeter()[chosen] / perimeter, 1.0),
        "inscribed_ratio": inside / around,
    }


def particle_findings(field: Field, table: pd.DataFrame, sample: Sample) -> Iterator[Finding]:
    """Medians of the shape descriptors, and the lower size limit.

    Parameters
    ----------
    field, table
        What is measured, and its objects.
    sample
        Which of them to take.
    """
    number = len(sample.weight)
    if number:
        for name, values in shape_descriptors(field, table, sample.chosen).items():
            dimension, what = _DESCRIPTORS[name]
            order = np.lexsort((sample.weight, values))
            values, weight = values[order], sample.weight[order]
            median, interval = quantile(values, 0.5, weight), quantile_interval(values, 0.5, weight)
            basis = "95 %: binomial limits of the share below it"
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
