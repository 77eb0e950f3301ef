"""Fields as they may truly be: what objects missed or invented and moved outlines do to a value."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nital.metrology.doubts import Doubts, shape_error
from nital.metrology.drawn_objects import LEAST_AREA, DrawnObjects
from nital.metrology.field import Field
from nital.metrology.quantity import Finding
from nital.metrology.shapes import LENGTHS, Shapes
from nital.metrology.sizes import edge_weights
from nital.segmentation import Target

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FRACTIONS", "MATRIX", "DrawnField", "is_number"]

Array = NDArray[np.float64]
MATRIX = 1
FRACTIONS = ("coverage", "phase_fraction", "phase_fraction_points")
_NUMBERS = ("astm_g_", "iso643")
_LOG_2 = math.log(2.0)
# What goes with the number of grains per area, and what with the length of boundaries: the power.
_OF_NUMBER = {
    "object_count": 1.0,
    "objects_per_area": 1.0,
    "grains_per_area": 1.0,
    "grain_area_mean": -1.0,
    "astm_g_planimetric": 1.0 / _LOG_2,
    "astm_g_jeffries": 1.0 / _LOG_2,
    "iso643_index": 1.0 / _LOG_2,
}
_OF_LENGTH = {
    "boundary_length_per_area": 1.0,
    "surface_per_volume": 1.0,
    "lineal_intercept_mean": -1.0,
    "astm_g_intercept": 2.0 / _LOG_2,
    "astm_g_hilliard": 2.0 / _LOG_2,
    "astm_g_abrams": 2.0 / _LOG_2,
}
_MEDIAN = "_median"
_MOST_SHAPES = 2000  # that tell how far a median moves
_PERCENTS = (10, 50, 90)
_WEIGHTED = {"": 0, "_area": 2, "_volume": 3}
# In a network of cells there are three boundaries to a cell, so one more or less changes their
# length by a third of what it changes the number; by half, where all cells are divided alike.
# In between, with logarithms, on simulated micrographs.
_LENGTH_PER_NUMBER = 0.4
_DIMENSION_OF_SIZES = {"object_area_mean": 2, "ecd_geometric_sd": 0}


def is_number(name: str) -> bool:
    """Whether a quantity is a grain size number, which changes with the logarithm of the scale."""
    return name.startswith(_NUMBERS) and name != "astm_g_difference"


class DrawnField:
    """What the doubts on objects and outlines, drawn together, do to each quantity of a field.

    Parameters
    ----------
    field, table, target
        What is measured, its objects, and what they are.
    doubts
        What may be wrong.
    shapes
        Of the particles, if there are any.
    """

    def __init__(
        self,
        field: Field,
        table: pd.DataFrame,
        target: Target,
        doubts: Doubts,
        shapes: Shapes | None = None,
    ) -> None:
        self._field, self._target, self._doubts = field, target, doubts
        self._shapes = shapes and shapes.some(_MOST_SHAPES)
        self._phase = table["phase"].to_numpy()
        self._area = field.objects.area() if field.count else np.zeros(0)
        self._weight = edge_weights(field) if field.count else np.zeros(0)
        self._perimeter = field.boundaries.perimeter[1:] if doubts.judged else self._area
        keys = (doubts.alone, doubts.together, doubts.real, self._perimeter, self._weight)
        self._drawn = DrawnObjects(
            doubts,
            self._area,
            self._perimeter,
            np.lexsort((*keys, self._area)),
            hidden=target == "grains",
        )
        self._sizes: dict[tuple[int | None, bool, bool], dict[str, Array]] = {}
        self._medians: dict[tuple[bool, bool], dict[str, Array]] = {}

    def displacement(
        self, found: Finding, *, objects: bool = True, outlines: bool = True
    ) -> Array | None:
        """How far each draw moves a finding.

        Parameters
        ----------
        found
            The finding.
        objects, outlines
            What is drawn; the other is taken for true.

        Returns
        -------
        (draws,) change of the value of a grain size number, of the logit of a fraction, and of the
        logarithm of all else; ``None`` where nothing moves it.
        """
        if not self._doubts.judged or not len(self._area):
            return None
        moved = self._moved(found, objects, outlines)
        return moved if moved is not None and np.ptp(moved) > 0.0 else None

    def _moved(self, found: Finding, objects: bool, outlines: bool) -> Array | None:
        name = found.name
        if name in FRACTIONS:
            return self._of_fraction(found, objects, outlines)
        if name in _OF_NUMBER:
            return _OF_NUMBER[name] * self._number(found.phase) if objects else None
        if name == "astm_g_difference":
            by_area, by_lines = _OF_NUMBER["astm_g_planimetric"], _OF_LENGTH["astm_g_intercept"]
            share = by_area - by_lines * _LENGTH_PER_NUMBER
            return share * self._number(None) if objects else None
        if self._target == "grains" and name in _OF_LENGTH:
            power = _OF_LENGTH[name] * _LENGTH_PER_NUMBER
            return power * self._number(None) if objects else None
        if name in _OF_LENGTH or name == "mean_free_path":
            return self._of_boundary(found, objects, outlines)
        if name == "layer_thickness_mean":
            return self._of_thickness(found) if outlines else None
        return self._of_sizes(found, objects, outlines)

    def _chosen(self, phase: int | None) -> NDArray[np.bool_]:
        return np.ones(len(self._phase), bool) if phase is None else self._phase == phase

    def _sum(
        self, values: Array, chosen: NDArray[np.bool_], objects: bool, dimension: int
    ) -> Array:
        """(draws,) sum over the chosen objects of their (n,) or (draws, n) values.

        ``dimension`` is 0 for counts, 1 for lengths and 2 for areas.
        """
        values = np.atleast_2d(values * chosen)
        if not objects:
            return np.asarray(values.sum(axis=1) + np.zeros(self._drawn.draws))
        missed = self._drawn.missed_size[:, 0] ** dimension

        def over(times: Array) -> Array:
            if len(values) == 1:
                return np.asarray(times @ values[0])
            return np.asarray(np.einsum("dn,dn->d", times, values))

        return np.asarray(over(self._drawn.there) + missed * over(self._drawn.missed))

    def _number(self, phase: int | None) -> Array:
        """(draws,) change of the logarithm of the number of objects."""
        chosen = self._chosen(phase)
        number = self._sum(np.ones(len(chosen)), chosen, True, 0)
        return _change(number, float(chosen.sum()))

    def _areas(self, chosen: NDArray[np.bool_], objects: bool, outlines: bool) -> Array:
        return self._sum(self._drawn.area if outlines else self._area, chosen, objects, 2)

    def _of_fraction(self, found: Finding, objects: bool, outlines: bool) -> Array | None:
        """Change of the logit; what is no object's belongs to the matrix."""
        fills = self._target == "grains" and found.phase is None
        if fills or not 0.0 < found.value < 1.0:
            return None
        chosen, is_matrix = self._inside(found.phase)
        share = float(self._area[chosen].sum()) / self._field.labels.size
        if not 0.0 < share < 1.0:
            return None
        drawn = self._areas(chosen, objects, outlines) / self._field.labels.size
        moved = (drawn - share) / (share * (1.0 - share))
        return -moved if is_matrix else moved

    def _inside(self, phase: int | None) -> tuple[NDArray[np.bool_], bool]:
        """The objects that make up a phase, or all that it is not: the matrix has none."""
        is_matrix = phase == MATRIX and not (self._phase == MATRIX).any()
        return self._chosen(None if is_matrix else phase), is_matrix

    def _of_boundary(self, found: Finding, objects: bool, outlines: bool) -> Array | None:
        """Change of what boundaries outside a network of grains give: L_A, S_V, chords, paths.

        An outline that moves outwards by d grows by 2 pi d, as any closed curve does.
        """
        chosen, is_matrix = self._inside(found.phase)
        length = self._perimeter
        total = float(length[chosen].sum())
        if outlines:
            length = np.maximum(length + 2.0 * math.pi * self._drawn.outward, LEAST_AREA * length)
        moved = _change(self._sum(length, chosen, objects, 1), total)
        if found.phase is None or found.name not in ("lineal_intercept_mean", "mean_free_path"):
            return moved
        inside = self._areas(chosen, objects, outlines)
        within = (found.name == "lineal_intercept_mean") != is_matrix
        size = self._field.labels.size
        area = inside if within else size - inside
        before = float(self._area[chosen].sum())
        return _change(area, before if within else size - before) - moved

    def _of_thickness(self, found: Finding) -> Array:
        """Both interfaces move by what the outline does."""
        chosen = self._field.names == found.object
        if found.object is None:
            chosen = self._chosen(found.phase)
        thicker = 2.0 * self._drawn.outward[:, chosen].mean(axis=1)
        return _change(max(found.value, 1.0) + thicker, max(found.value, 1.0))

    def _of_sizes(self, found: Finding, objects: bool, outlines: bool) -> Array | None:
        """Change of the logarithm of means and percentiles of sizes."""
        name = found.name
        if name.endswith(_MEDIAN):
            return self._of_shapes(name.removesuffix(_MEDIAN), objects, outlines)
        if not name.startswith(("ecd_", "object_area_mean")):
            return None
        key = found.phase, objects, outlines
        if key not in self._sizes:
            self._sizes[key] = self._size_changes(*key)
        return self._sizes[key].get(name)

    def _of_shapes(self, name: str, objects: bool, outlines: bool) -> Array | None:
        """Change of the logarithm of the median of a descriptor of shape."""
        if self._shapes is None or not self._shapes.chosen.any():
            return None
        key = objects, outlines
        if key not in self._medians:
            self._medians[key] = self._shape_changes(self._shapes, *key)
        return self._medians[key].get(name)

    def _shape_changes(self, shapes: Shapes, objects: bool, outlines: bool) -> dict[str, Array]:
        """Change of every median; objects not found have the ratios of those found."""
        chosen, drawn = shapes.chosen, self._drawn
        weight = self._weight[chosen][None]
        there, missed = weight, np.zeros_like(weight)
        if objects:
            there, missed = weight * drawn.there[:, chosen], weight * drawn.missed[:, chosen]
            none = there.sum(axis=1) + missed.sum(axis=1) <= 0.0
            there = np.where(none[:, None], weight, there)
        before = shapes.descriptors()
        after = shapes.descriptors(drawn.outward[:, chosen]) if outlines else before
        changes = {}
        for name, values in after.items():
            values, times = np.atleast_2d(values), there + missed
            if name in LENGTHS and missed.any():
                values = np.concatenate(
                    np.broadcast_arrays(values, values * drawn.missed_size), axis=1
                )
                times = np.concatenate([there, missed], axis=1)
            start = _medians(before[name][None], weight)
            changes[name] = np.log(_medians(values, times) / start)
            if outlines and name not in LENGTHS and self._doubts.missed is not None:
                mean, deviation = shape_error(name)
                changes[name] = changes[name] - mean + deviation * drawn.shape
        return changes

    def _size_changes(self, phase: int | None, objects: bool, outlines: bool) -> dict[str, Array]:
        """Change of every size of the objects of a phase, or of all."""
        chosen = self._chosen(phase) & (self._weight > 0)
        if not chosen.any():
            return {}
        weight, area = self._weight[chosen][None], self._area[chosen][None]
        before = _size_statistics(area, weight)
        if outlines:
            area = self._drawn.area[:, chosen]
        if objects:
            there, missed = self._drawn.there[:, chosen], self._drawn.missed[:, chosen]
            if self._target == "grains":
                hidden = self._area[chosen].mean() * self._drawn.missed_size**2
                area, there = _divided(area, there, missed, hidden, self._drawn.evenly)
                weight = np.concatenate([weight, weight], axis=1)
            elif missed.any():
                area = np.concatenate(
                    np.broadcast_arrays(area, area * self._drawn.missed_size**2), axis=1
                )
                weight = np.concatenate([weight, weight], axis=1)
                there = np.concatenate([there, missed], axis=1)
            weight = np.where(there.sum(axis=1, keepdims=True) > 0, weight * there, weight)
        after = _size_statistics(area, weight)
        changes = {name: np.log(values / before[name]) for name, values in after.items()}
        if objects and self._target == "grains":
            # Whether only some grains were divided or all look finer, the number does not tell.
            divided, finer = self._drawn.divided, self._number(phase)
            for name, change in changes.items():
                dimension = _DIMENSION_OF_SIZES.get(name, 1)
                change *= divided
                change -= (1.0 - divided) * finer * dimension / 2.0
        return changes


def _divided(
    area: Array, there: Array, missed: Array, hidden: Array, evenly: Array
) -> tuple[Array, Array]:
    """Area of grains and of those hidden in them, and how many of each there are.

    Grains fill the field. So the area of an invented one goes to one that is next to it in size,
    as the parts of a grain are of one size; and those hidden in a grain take their area from it.

    Parameters
    ----------
    area, there, missed
        (draws, n) of each grain, whether it is real, and how many are hidden in it.
    hidden
        (draws, 1) area of a grain that is hidden because it is small.
    evenly
        (draws, 1) how far they are parts of equal size instead.
    """
    order = np.argsort(area.mean(axis=0), kind="stable")
    whole = np.array(np.broadcast_to(area, there.shape))
    given = whole * (1.0 - there)
    whole[:, order[1:]] += given[:, order[:-1]]
    equal = whole / (missed + 1.0)
    part = evenly * equal + (1.0 - evenly) * np.minimum(hidden, equal)
    return (
        np.concatenate([whole - missed * part, part], axis=1),
        np.concatenate([there, there * missed], axis=1),
    )


def _change(drawn: Array, value: float) -> Array:
    """(draws,) change of the logarithm of an amount that is never quite used up."""
    return np.log(np.maximum(drawn, LEAST_AREA * value) / value)


def _size_statistics(area: Array, weight: Array) -> dict[str, Array]:
    """(draws,) mean area and diameter, percentiles and geometric deviation of the diameter.

    ``area`` and ``weight`` are (draws, n), or (1, n) where all draws have the same.
    """
    order = np.argsort(area, axis=1, kind="stable")
    diameter = np.sqrt(np.take_along_axis(area, order, axis=1) * (4.0 / math.pi))
    draws = max(len(area), len(weight))
    if len(order) == 1:
        weight = weight[:, order[0]]
    else:
        weight = np.take_along_axis(np.broadcast_to(weight, order.shape), order, axis=1)
    total = weight.sum(axis=1)

    def mean(values: Array) -> Array:
        if len(values) == 1:
            return np.asarray(weight @ values[0] / total)
        summed = np.einsum("dn,dn->d", np.broadcast_to(weight, values.shape), values)
        return np.asarray(summed / total)

    logarithm = np.log(diameter)
    variance = np.maximum(mean(logarithm**2) - mean(logarithm) ** 2, 0.0)
    found = {
        "object_area_mean": mean(diameter**2) * (math.pi / 4.0),
        "ecd_mean": mean(diameter),
        "ecd_geometric_sd": np.exp(np.sqrt(variance)),
    }
    for suffix, power in _WEIGHTED.items():
        shares = np.broadcast_to(weight * diameter**power, (draws, diameter.shape[1]))
        percentiles = _percentiles(np.broadcast_to(diameter, shares.shape), shares)
        for percent, values in zip(_PERCENTS, percentiles.T, strict=True):
            found[f"ecd_d{percent}{suffix}"] = values
    return found


def _medians(values: Array, weight: Array) -> Array:
    """(draws,) weighted median of (draws, n) values > 0; either may be (1, n) for all draws."""
    order = np.argsort(values, axis=1, kind="stable")
    values = np.take_along_axis(values, order, axis=1)
    if len(order) == 1:
        weight = weight[:, order[0]]
    else:
        weight = np.take_along_axis(np.broadcast_to(weight, order.shape), order, axis=1)
    share = np.cumsum(weight, axis=1)
    middle = (share - weight / 2.0) / share[:, -1:]
    values = np.broadcast_to(values, middle.shape)
    return np.array([np.interp(0.5, at, of) for at, of in zip(middle, values, strict=True)])


def _percentiles(diameter: Array, weight: Array) -> Array:
    """(draws, 3) percentiles of each draw, of diameters that rise along the rows."""
    share = np.cumsum(weight, axis=1)
    total = share[:, -1:].copy()
    share -= weight / 2.0
    share /= total
    points = np.array(_PERCENTS) / 100.0
    return np.array([np.interp(points, at, of) for at, of in zip(share, diameter, strict=True)])
