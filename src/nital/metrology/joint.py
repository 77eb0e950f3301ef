"""One interval from all that is uncertain: the field, objects, outlines and the pixel size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nital.metrology.doubts import Doubts, DrawnObjects
from nital.metrology.field import Field
from nital.metrology.intervals import Interval
from nital.metrology.quantity import Finding
from nital.metrology.sizes import edge_weights
from nital.segmentation import Target

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NUMBERS_OF_LENGTH", "NUMBER_PER_SCALE", "join_doubts", "widened"]

Array = NDArray[np.float64]

_NORMAL = 1.959963984540054
MATRIX = 1
# Grain size numbers change by this for a relative change of the pixel size by 1: 2 / ln 2.
NUMBER_PER_SCALE = 2.0 / math.log(2.0)
NUMBERS_OF_LENGTH = ("astm_g_", "iso643")
_NOT_OF_LENGTH = ("astm_g_difference",)

_COUNTS = (
    "object_count",
    "objects_per_area",
    "grains_per_area",
    "grain_area_mean",
    "astm_g_planimetric",
    "astm_g_jeffries",
    "iso643_index",
)
_LINES = (
    "boundary_length_per_area",
    "surface_per_volume",
    "lineal_intercept_mean",
    "astm_g_intercept",
    "astm_g_hilliard",
    "astm_g_abrams",
)
_FRACTIONS = ("coverage", "phase_fraction", "phase_fraction_points")
# Lengths whose median goes with that of the diameter.
_MEDIAN_LENGTHS = (
    "feret_max_median",
    "feret_min_median",
    "inscribed_diameter_median",
    "circumscribed_diameter_median",
)
_PERCENTS = (10, 50, 90)
_WEIGHTED = {"": 0, "_area": 2, "_volume": 3}
# In a network of cells, three boundaries meet at a point and there are three to a cell, so one more
# or less changes their number by 1 / n, but their length by a third of that.
_BOUNDARIES_PER_CELL = 3.0
_SMALLEST = 1e-12


def join_doubts(
    findings: Iterable[Finding], field: Field, table: pd.DataFrame, target: Target, doubts: Doubts
) -> Iterator[Finding]:
    """Widen the intervals of one field by what its labels and its scale leave in doubt.

    Parameters
    ----------
    findings
        Quantities with the interval that the scatter over the field gives.
    field, table, target
        What is measured, its objects, and what they are.
    doubts
        What may be wrong.
    """
    spread = Spread(field, table, target, doubts)
    for found in findings:
        parts = {
            "objects": spread.of(found, objects=True),
            "outlines": spread.of(found, objects=False),
            "pixel_size": _of_scale(found, doubts.pixel_size),
        }
        yield widened(found, {name: sd for name, sd in parts.items() if sd > _SMALLEST})


def widened(found: Finding, parts: dict[str, float]) -> Finding:
    """Join further standard uncertainties to the interval of a finding.

    Parameters
    ----------
    found
        Lengths, areas and rates are joined on the logarithmic scale, or as they are where the
        interval reaches nought; fractions on the logit scale, and grain size numbers as they are.
        What has no interval stays without, but for a count of the objects in the field, which only
        doubts on them make uncertain.
    parts
        Name of each source and its standard uncertainty on that scale.

    Returns
    -------
    The finding; its budget holds half the width of the interval that each source alone gives.
    """
    count = found.name == "object_count"
    if not parts or (found.interval is None and not count) or found.value == 0:
        return found
    forward, back = _scale_of(found)
    if forward is float and not _is_number(found.name):
        parts = {name: sd * abs(found.value) for name, sd in parts.items()}
    at = forward(found.value)
    low, high = (at, at) if found.interval is None else map(forward, found.interval)
    further = [_NORMAL * sd for sd in parts.values()]
    joined = back(at - math.hypot(at - low, *further)), back(at + math.hypot(high - at, *further))
    budget = {"field": 0.0 if found.interval is None else _half(found.interval)}
    for name, sd in parts.items():
        budget[name] = _half((back(at - _NORMAL * sd), back(at + _NORMAL * sd)))
    words = " and ".join(_WORDS[name] for name in parts)
    method = f"{found.method}; joined with the uncertainty of {words}"
    return replace(found, interval=joined, method=method, budget=budget)


_WORDS = {"objects": "objects", "outlines": "outlines", "pixel_size": "the pixel size"}


def _half(interval: Interval) -> float:
    return (interval[1] - interval[0]) / 2.0


def _scale_of(found: Finding) -> tuple[Callable[[float], float], Callable[[float], float]]:
    """To the scale on which uncertainties are joined, and back."""
    limits = (found.value, *(found.interval or ()))
    if found.name in _FRACTIONS and all(0.0 < limit < 1.0 for limit in limits):
        return _logit, _logistic
    if _is_number(found.name) or min(limits) <= 0.0:
        return float, float
    return math.log, math.exp


def _logit(share: float) -> float:
    return math.log(share / (1.0 - share))


def _logistic(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-value))


def _is_number(name: str) -> bool:
    return name.startswith(NUMBERS_OF_LENGTH) and name not in _NOT_OF_LENGTH


def _of_scale(found: Finding, pixel_size: float) -> float:
    """Standard uncertainty that the pixel size brings, on the scale of :func:`widened`."""
    if _is_number(found.name):
        return NUMBER_PER_SCALE * pixel_size
    return abs(found.dimension) * pixel_size


class Spread:
    """How far doubts on objects and outlines spread a quantity, from simulated fields.

    Parameters
    ----------
    field, table, target
        What is measured, its objects, and what they are.
    doubts
        What may be wrong.
    """

    def __init__(self, field: Field, table: pd.DataFrame, target: Target, doubts: Doubts) -> None:
        self._field, self._target, self._doubts = field, target, doubts
        self._phase = table["phase"].to_numpy()
        self._area = field.objects.area() if field.count else np.zeros(0)
        self._weight = edge_weights(field) if field.count else np.zeros(0)
        self._perimeter = field.boundaries.perimeter[1:] if doubts.judged else self._area
        keys = (doubts.alone, doubts.real, self._perimeter, self._weight, self._area)
        self._sizes: dict[tuple[int | None, bool], dict[str, float]] = {}
        self._drawn = DrawnObjects(doubts, self._area, self._perimeter, np.lexsort(keys))

    def of(self, found: Finding, *, objects: bool) -> float:
        """Standard uncertainty of a finding, on the scale of :func:`widened`.

        Parameters
        ----------
        found
            The finding.
        objects
            Of objects missed or invented; otherwise of the place of outlines.
        """
        if not self._doubts.judged or not len(self._area):
            return 0.0
        name = found.name
        if name in _COUNTS:
            spread = self._of_counts(found.phase) if objects else 0.0
            return spread / math.log(2.0) if _is_number(name) else spread
        if name in _LINES:
            spread = self._of_lines(found, objects)
            return 2.0 * spread / math.log(2.0) if _is_number(name) else spread
        if name in _FRACTIONS:
            return self._of_fraction(found, objects)
        if name == "layer_thickness_mean":
            return 0.0 if objects else self._of_thickness(found)
        return self._of_sizes(found, objects)

    def _chosen(self, phase: int | None) -> NDArray[np.bool_]:
        return np.ones(len(self._phase), bool) if phase is None else self._phase == phase

    def _of_counts(self, phase: int | None) -> float:
        return _spread(self._drawn.times @ self._chosen(phase).astype(float))

    def _of_lines(self, found: Finding, objects: bool) -> float:
        if self._target == "grains":
            return self._of_counts(None) / _BOUNDARIES_PER_CELL if objects else 0.0
        if found.phase is not None:
            return 0.0 if objects else self._relative_area(found.phase)
        return _spread(self._drawn.times @ self._perimeter) if objects else 0.0

    def _relative_area(self, phase: int) -> float:
        """Relative shift of the area of a phase by that of its outlines."""
        return _spread(self._areas(self._chosen(phase), objects=False))

    def _areas(self, chosen: NDArray[np.bool_], objects: bool) -> Array:
        """(draws,) area of some objects."""
        if objects:
            return np.asarray(self._drawn.times @ (self._area * chosen))
        return np.asarray(self._drawn.area @ chosen.astype(float))

    def _of_fraction(self, found: Finding, objects: bool) -> float:
        """Spread on the logit scale; what is no object's belongs to the matrix."""
        fills = self._target == "grains" and found.phase is None
        if fills or not 0.0 < found.value < 1.0:
            return 0.0
        matrix = found.phase == MATRIX and not (self._phase == MATRIX).any()
        chosen = self._chosen(None if matrix else found.phase)
        areas = self._areas(chosen, objects) / self._field.labels.size
        share = float(self._area[chosen].sum()) / self._field.labels.size
        if not 0.0 < share < 1.0:
            return 0.0
        return float(areas.std()) / (share * (1.0 - share))

    def _of_thickness(self, found: Finding) -> float:
        chosen = self._field.names == found.object
        if found.object is None:
            chosen = self._chosen(found.phase)
        return 2.0 * float(self._doubts.together[chosen].mean()) / max(found.value, 1.0)

    def _of_sizes(self, found: Finding, objects: bool) -> float:
        """Spread of means and percentiles of sizes, on the logarithmic scale."""
        name = "ecd_d50" if found.name in _MEDIAN_LENGTHS else found.name
        if not name.startswith(("ecd_", "object_area_mean")):
            return 0.0
        key = found.phase, objects
        if key not in self._sizes:
            self._sizes[key] = self._size_spreads(*key)
        return self._sizes[key].get(name, 0.0)

    def _size_spreads(self, phase: int | None, objects: bool) -> dict[str, float]:
        """Spread of every size of the objects of a phase, or of all."""
        chosen = self._chosen(phase) & (self._weight > 0)
        if not chosen.any():
            return {}
        drawn = self._drawn
        weight = np.broadcast_to(self._weight[chosen], (drawn.draws, int(chosen.sum())))
        if objects:
            weight = weight * drawn.times[:, chosen]
            weight = weight[weight.sum(axis=1) > 0]
            diameter = np.sqrt(self._area[chosen] * (4.0 / math.pi))[None]
        else:
            diameter = drawn.diameter[:, chosen]
        order = np.argsort(diameter, axis=1, kind="stable")
        diameter = np.take_along_axis(diameter, order, axis=1)
        weight = np.take_along_axis(weight, np.broadcast_to(order, weight.shape), axis=1)
        total = weight.sum(axis=1)
        spreads = {
            "object_area_mean": _spread((weight * diameter**2).sum(axis=1) / total),
            "ecd_mean": _spread((weight * diameter).sum(axis=1) / total),
            "ecd_geometric_sd": _spread(_deviations(diameter, weight)),
        }
        for suffix, power in _WEIGHTED.items():
            percentiles = _percentiles(diameter, weight * diameter**power)
            for percent, values in zip(_PERCENTS, percentiles.T, strict=True):
                spreads[f"ecd_d{percent}{suffix}"] = _spread(values)
        return spreads


def _spread(values: Array) -> float:
    """Standard deviation of the logarithm."""
    kept = values[values > 0]
    return float(np.log(kept).std()) if len(kept) > 1 else 0.0


def _deviations(diameter: Array, weight: Array) -> Array:
    """(draws,) geometric standard deviation."""
    logarithm, total = np.log(diameter), weight.sum(axis=1)
    mean = (weight * logarithm).sum(axis=1) / total
    variance = (weight * (logarithm - mean[:, None]) ** 2).sum(axis=1) / total
    return np.asarray(np.exp(np.sqrt(variance)))


def _percentiles(diameter: Array, weight: Array) -> Array:
    """(draws, 3) percentiles of each draw, of diameters that rise along the rows."""
    share = np.cumsum(weight, axis=1)
    total = share[:, -1:].copy()
    share -= weight / 2.0
    share /= total
    points = np.array(_PERCENTS) / 100.0
    rows = np.broadcast_to(diameter, weight.shape)
    return np.array([np.interp(points, at, of) for at, of in zip(share, rows, strict=True)])
