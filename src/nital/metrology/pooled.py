"""Sizes of all objects of several fields together, as one distribution."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nital.metrology.intervals import (
    Interval,
    quantile,
    quantile_limits,
    share_residuals,
    student,
    weighted_mean,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FieldSizes", "field_sizes", "is_percentile", "pooled_interval", "pooled_value"]

Array = NDArray[np.float64]

_WEIGHTS = {"": 0, "_area": 2, "_volume": 3}


@dataclass(frozen=True)
class FieldSizes:
    """The whole objects of one field.

    Parameters
    ----------
    diameter
        (n,) of the circle of equal area, in the unit of all fields.
    weight
        (n,) edge weight over the area of the field, so that fields count by what they show.
    phase
        (n,) phase of each.
    certain
        (n,) whether its confidence reaches the bar.
    """

    diameter: Array
    weight: Array
    phase: NDArray[np.int64]
    certain: NDArray[np.bool_]

    def of(self, phase: int | None, certain: bool) -> tuple[Array, Array]:
        """Diameters and weights of a phase, or of all; of certain objects alone if asked."""
        chosen = np.ones(len(self.phase), bool) if phase is None else self.phase == phase
        if certain:
            chosen &= self.certain
        return self.diameter[chosen], self.weight[chosen]


def field_sizes(objects: pd.DataFrame, summary: Mapping[str, Any]) -> FieldSizes:
    """Take the objects of a field that do not touch its edge, with their edge weights.

    The bounding box, which the weights need, is that of the ellipse with the object's Feret
    diameters and orientation.

    Parameters
    ----------
    objects, summary
        The content of ``objects.csv`` and of ``summary.json``.
    """
    image = summary["image"]
    unit, side = ("px", 1.0)
    if image["pixel_size"] is not None:
        unit, side = "um", float(image["pixel_size"]["value"])
    objects = objects[~objects["touches_edge"].astype(bool)]
    longest, shortest = (objects[f"feret_{end}_{unit}"] / side for end in ("max", "min"))
    angle = np.deg2rad(objects["orientation_deg"].fillna(0.0))
    high = np.hypot(longest * np.sin(angle), shortest * np.cos(angle))
    wide = np.hypot(longest * np.cos(angle), shortest * np.sin(angle))
    height, width = image["measured_rows"], image["shape"][1]
    places = np.maximum(height - high - 1.0, 1.0) * np.maximum(width - wide - 1.0, 1.0)
    bar = summary["parameters"].get("min_confidence") or 0.0
    return FieldSizes(
        diameter=objects[f"ecd_{unit}"].to_numpy(float),
        weight=(1.0 / places).to_numpy(float),
        phase=objects["phase"].to_numpy(np.int64),
        certain=objects["confidence"].to_numpy(float) >= bar - 0.5 / 255,
    )


def pooled_value(fields: Sequence[FieldSizes], name: str, phase: int | None) -> float | None:
    """Value of a size quantity over the objects of all fields.

    Parameters
    ----------
    fields
        At least one.
    name
        Such as ``"ecd_d50"``, ``"ecd_d90_volume"``, ``"object_area_mean"``, ``"ecd_mean_certain"``.
    phase
        ``None`` for all.

    Returns
    -------
    ``None`` where there are no objects, or the name is that of no size.
    """
    plain = name.removesuffix("_certain")
    diameter, weight, _ = _together(fields, name, phase)
    if not len(diameter):
        return None
    if plain == "object_area_mean":
        return weighted_mean(math.pi / 4.0 * diameter**2, weight)
    if plain == "ecd_mean":
        return weighted_mean(diameter, weight)
    if plain == "ecd_geometric_sd":
        return _geometric_deviation(diameter, weight)
    percentile = _percentile(name)
    if percentile is None:
        return None
    return quantile(diameter, percentile[0], weight * diameter ** percentile[1])


def _together(
    fields: Sequence[FieldSizes], name: str, phase: int | None
) -> tuple[Array, Array, NDArray[np.int64]]:
    """Diameter, weight and field of the objects that a quantity is of."""
    parts = [field.of(phase, name.endswith("_certain")) for field in fields]
    diameter, weight = (np.concatenate(of) for of in zip(*parts, strict=True))
    return diameter, weight, np.repeat(np.arange(len(parts)), [len(of) for of, _ in parts])


def is_percentile(name: str) -> bool:
    """Whether a quantity is a percentile of sizes."""
    return _percentile(name) is not None


def _percentile(name: str) -> tuple[float, int] | None:
    """Share below, and power of the diameter that weighs; ``None`` for what is no percentile."""
    plain = name.removesuffix("_certain")
    percent, _, weighting = plain.removeprefix("ecd_d").partition("_")
    suffix = f"_{weighting}" if weighting else ""
    if not plain.startswith("ecd_d") or not percent.isdigit() or suffix not in _WEIGHTS:
        return None
    return int(percent) / 100.0, _WEIGHTS[suffix]


def _geometric_deviation(diameter: Array, weight: Array) -> float:
    number, logarithm = len(diameter), np.log(diameter)
    bessel = number / (number - 1.0) if number > 1 else 1.0
    variance = weighted_mean((logarithm - weighted_mean(logarithm, weight)) ** 2, weight)
    return math.exp(math.sqrt(bessel * variance))


def pooled_interval(
    fields: Sequence[FieldSizes], name: str, phase: int | None, scale: float
) -> Interval | None:
    """95 % interval of :func:`pooled_value`, from how the fields differ.

    Means and deviations by the jackknife over fields (J. Tukey, Ann. Math. Stat. 29 (1958) 614),
    on the logarithmic scale, with Student's t for one less than their number: objects of a field
    go together. The jackknife fails for percentiles (R. G. Miller, Biometrika 61 (1974) 1, section
    2.2); theirs is read off the distribution at the limits of the share below, whose variance is
    that between fields (R. S. Woodruff, J. Am. Stat. Assoc. 47 (1952) 635).

    Parameters
    ----------
    scale
        Standard uncertainty of the logarithm of the value that the pixel size adds, which all
        fields share.

    Returns
    -------
    ``None`` for one field, where a value is missing without one of them, or where the objects do
    not reach beyond a percentile's limits.
    """
    number = len(fields)
    value = pooled_value(fields, name, phase)
    if number < 2 or value is None or value <= 0.0:
        return None
    percentile = _percentile(name)
    if percentile is not None:
        limits = _percentile_interval(*_together(fields, name, phase), number, *percentile)
        if limits is None:
            return None
        ends = (math.hypot(math.log(end / value), student(1e9) * scale) for end in limits)
        below, above = ends
        return value * math.exp(-below), value * math.exp(above)
    without = [
        pooled_value([*fields[:left], *fields[left + 1 :]], name, phase) for left in range(number)
    ]
    if any(part is None or part <= 0.0 for part in without):
        return None
    logarithm = np.log(np.array(without, dtype=float))
    variance = (number - 1.0) / number * float(((logarithm - logarithm.mean()) ** 2).sum())
    half = math.hypot(student(number - 1) * math.sqrt(variance), student(1e9) * scale)
    return value * math.exp(-half), value * math.exp(half)


def _percentile_interval(
    diameter: Array,
    weight: Array,
    field: NDArray[np.int64],
    fields: int,
    probability: float,
    power: int,
) -> Interval | None:
    """Interval of a percentile of objects in several fields; ``None`` where it reaches too far."""
    share = weight * diameter**power
    share /= share.sum()
    residual = share_residuals(diameter, share, probability)
    error = np.bincount(field, residual, minlength=fields)
    variance = fields / (fields - 1.0) * float(((error - error.mean()) ** 2).sum())
    limits, inside = quantile_limits(diameter, share, probability, variance, fields - 1.0)
    value = quantile(diameter, probability, share)
    return (min(limits[0], value), max(limits[1], value)) if inside else None
