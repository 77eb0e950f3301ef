"""One interval from all that is uncertain: the field, objects, outlines and the pixel size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nital.metrology.doubts import Doubts
from nital.metrology.drawn import FRACTIONS, DrawnField, is_number
from nital.metrology.field import Field
from nital.metrology.intervals import Interval
from nital.metrology.quantity import Finding
from nital.metrology.shapes import RATIOS, Shapes
from nital.segmentation import Target

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NUMBER_PER_SCALE", "Displacements", "join_doubts", "joined"]

Array = NDArray[np.float64]

# Grain size numbers change by this for a relative change of the pixel size by 1: 2 / ln 2.
NUMBER_PER_SCALE = 2.0 / math.log(2.0)
_NORMAL = 1.959963984540054
_DRAWS = 16_384
_TAILS = (0.025, 0.975)
_SEED = 20261122
_ROUNDING = 1e-6
_AT_MOST_ONE = tuple(f"{name}_median" for name in RATIOS)
_WORDS = {"objects": "objects", "outlines": "outlines", "pixel_size": "the pixel size"}


@dataclass(frozen=True)
class Displacements:
    """What doubts on labels and scale do to one finding, on the scale of :func:`joined`.

    Parameters
    ----------
    labels
        (draws,) with objects and outlines drawn together; ``None`` where they change nothing.
    objects, outlines
        Standard deviation of either drawn alone, for the budget.
    pixel_size
        Standard deviation that the pixel size gives.
    """

    labels: Array | None = None
    objects: float = 0.0
    outlines: float = 0.0
    pixel_size: float = 0.0

    @property
    def parts(self) -> dict[str, float]:
        """Name and standard deviation of each source that does anything."""
        found = {
            "objects": self.objects,
            "outlines": self.outlines,
            "pixel_size": self.pixel_size,
        }
        return {name: sd for name, sd in found.items() if sd > 0.0}


def join_doubts(
    findings: Iterable[Finding],
    field: Field,
    table: pd.DataFrame,
    target: Target,
    doubts: Doubts,
    shapes: Shapes | None = None,
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
    shapes
        Of the particles, if there are any.
    """
    drawn = DrawnField(field, table, target, doubts, shapes)
    together = Together()
    for found in findings:
        displaced = Displacements(
            drawn.displacement(found),
            _deviation(drawn.displacement(found, outlines=False)),
            _deviation(drawn.displacement(found, objects=False)),
            _of_scale(found, doubts.pixel_size),
        )
        yield joined(found, displaced, together)


def _deviation(moved: Array | None) -> float:
    return 0.0 if moved is None else float(moved.std())


def _of_scale(found: Finding, pixel_size: float) -> float:
    if is_number(found.name):
        return NUMBER_PER_SCALE * pixel_size
    return abs(found.dimension) * pixel_size


class Together:
    """The draws of the field and of the pixel size, in an order that does not go together.

    Normal deviates in equal steps of probability (a Latin hypercube: M. McKay, R. Beckman and
    W. Conover, Technometrics 21 (1979) 239), so that either alone has the quantiles it should.
    """

    @cached_property
    def _deviates(self) -> tuple[Array, Array]:
        from scipy.special import ndtri

        even = np.asarray(ndtri((np.arange(_DRAWS) + 0.5) / _DRAWS))
        rng = np.random.default_rng(_SEED)
        return rng.permutation(even), rng.permutation(even)

    def sample(self, below: float, above: float, displaced: Displacements) -> Array:
        """(_DRAWS,) errors of a value, all sources drawn together.

        Parameters
        ----------
        below, above
            How far the interval from the field alone reaches down and up from the value.
        displaced
            What the others do.
        """
        field, scale = self._deviates
        error = np.where(field < 0.0, below, above) / _NORMAL * field
        if displaced.pixel_size:
            error += displaced.pixel_size * scale
        if displaced.labels is not None:
            error += np.resize(displaced.labels, _DRAWS)
        return error


def joined(found: Finding, displaced: Displacements, together: Together | None = None) -> Finding:
    """Join all that makes a finding uncertain in one Monte Carlo.

    Each draw takes a field, objects, outlines and a pixel size, and adds up what they do to the
    value; the interval holds the middle 95 % of the draws (as JCGM 101:2008, Supplement 1 to the
    Guide to the expression of uncertainty in measurement, propagates distributions).

    Parameters
    ----------
    found
        Errors of lengths, areas and rates add up on the logarithmic scale, or as they are where
        the interval reaches nought; those of fractions on the logit scale, and of grain size
        numbers as they are. What has no interval stays without, but for a count of the objects in
        the field, which only doubts on them make uncertain.
    displaced
        What labels and scale do to it, on that scale.
    together
        Draws to share between findings; made anew when ``None``.

    Returns
    -------
    The finding; its budget holds half the width of the interval that each source alone gives.
    """
    parts = displaced.parts
    count = found.name == "object_count"
    if not parts or (found.interval is None and not count) or found.value == 0:
        return found
    forward, back = _scale_of(found)
    absolute = forward is not float or _is_difference_of_logarithms(found.name)
    unit = 1.0 if absolute else abs(found.value)
    at = forward(found.value)
    low, high = (at, at) if found.interval is None else map(forward, found.interval)
    below, above = (at - low) / unit, (high - at) / unit
    error = unit * np.quantile(
        (together or Together()).sample(below, above, displaced), _TAILS, overwrite_input=True
    )
    interval = back(at + min(float(error[0]), 0.0)), back(at + max(float(error[1]), 0.0))
    if found.name in _AT_MOST_ONE:
        interval = interval[0], min(interval[1], 1.0)
    if count:
        interval = math.floor(interval[0] + _ROUNDING), math.ceil(interval[1] - _ROUNDING)
    budget = {"field": 0.0 if found.interval is None else _half(found.interval)}
    for name, sd in parts.items():
        budget[name] = _half((back(at - _NORMAL * sd * unit), back(at + _NORMAL * sd * unit)))
    words = " and ".join(_WORDS[name] for name in parts)
    method = f"{found.method}; joined with the uncertainty of {words}"
    return replace(found, interval=interval, method=method, budget=budget)


def _half(interval: Interval) -> float:
    return (interval[1] - interval[0]) / 2.0


def _scale_of(found: Finding) -> tuple[Callable[[float], float], Callable[[float], float]]:
    """To the scale on which errors are added up, and back."""
    limits = (found.value, *(found.interval or ()))
    if found.name in FRACTIONS and all(0.0 < limit < 1.0 for limit in limits):
        return _logit, _logistic
    if _is_difference_of_logarithms(found.name) or min(limits) <= 0.0:
        return float, float
    return math.log, math.exp


def _is_difference_of_logarithms(name: str) -> bool:
    return is_number(name) or name == "astm_g_difference"


def _logit(share: float) -> float:
    return math.log(share / (1.0 - share))


def _logistic(value: float) -> float:
    return 0.5 * (1.0 + math.tanh(value / 2.0))
