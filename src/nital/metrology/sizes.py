"""Size distributions: by number, by area and by volume, corrected for objects cut by the edge."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from nital.metrology.field import Field
from nital.metrology.intervals import (
    Effect,
    Interval,
    independent,
    mean_interval,
    quantile,
    quantile_interval,
    student,
    weighted_mean,
)
from nital.metrology.quantity import Finding
from nital.metrology.scatter import design_effect, few_neighbours

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "EDGE_RULE",
    "Sample",
    "Weighting",
    "edge_weights",
    "geometric_deviation",
    "select",
    "size_findings",
]

EDGE_RULE = (
    "objects at the edge left out, the others weighted by the inverse of their chance to lie "
    "inside (Miles-Lantuéjoul)"
)
Weighting = Literal["area", "volume"]

_DIAMETER = "the equivalent circle diameter"
_PERCENTS = (10, 50, 90)
_FEWEST_OF_DEVIATION = 5
_NORMAL = 1.959963984540054
_WIDEST = 3.0  # half an interval of a logarithm that says nothing: a factor of 20 either way
_WEIGHTINGS: dict[Weighting, tuple[int, str]] = {
    "area": (2, "by area"),
    "volume": (3, "by volume, each object taken for a sphere of this diameter"),
}
_WITH_PRECISION = {
    "ecd_mean": "the mean diameter",
    "ecd_d50": "the median diameter by number",
    "ecd_d50_volume": "the median diameter by volume",
}


@dataclass(frozen=True)
class Sample:
    """The objects whose sizes are counted.

    Parameters
    ----------
    chosen
        (n,) which rows of the table they are.
    weight
        (k,) edge weight of each chosen object.
    phase
        The phase they are of; ``None`` for all.
    block
        (k,) image block of each, where neighbours go together; ``None`` where the objects are
        taken for independent.
    grid
        (R, C) blocks of the image.
    """

    chosen: NDArray[np.bool_]
    weight: NDArray[np.float64]
    phase: int | None
    block: NDArray[np.int64] | None
    grid: tuple[int, int]

    def effect(self, order: NDArray[np.int64]) -> Effect:
        """How neighbours widen the intervals of values in this order."""
        if self.block is None:
            return independent
        return design_effect(self.block[order], self.grid)

    @property
    def few(self) -> float:
        """How much more the variance is than so few neighbours show."""
        return 1.0 if self.block is None else few_neighbours(len(self.weight))


def edge_weights(field: Field) -> NDArray[np.float64]:
    """Inverse of the chance of each object to lie inside, had the frame been placed at random.

    Large objects are cut by the edge more often than small ones, so leaving out those that are
    cut makes the rest too small. Weighting by ``H W / ((H - h - 1) (W - w - 1))`` for a bounding
    box h x w makes all means and distributions unbiased (C. Lantuéjoul, J. Microsc. 95 (1980)
    293; R. E. Miles 1974). 0 for the objects that touch the edge.
    """
    top, left, bottom, right = field.objects.boxes()
    height, width = field.labels.shape
    inside = (top > 0) & (left > 0) & (bottom < height) & (right < width)
    places = (height - (bottom - top) - 1) * (width - (right - left) - 1)
    return np.where(inside, height * width / np.maximum(places, 1), 0.0)


def select(field: Field, table: pd.DataFrame, phase: int | None, together: bool) -> Sample:
    """Choose the objects of a phase, or of all, that do not touch the edge.

    Parameters
    ----------
    field, table
        What is measured, and its objects.
    phase
        ``None`` for all.
    together
        Whether neighbours go together: cells that share the area, but not separate particles.
    """
    weights = edge_weights(field)
    chosen = weights > 0
    if phase is not None:
        chosen &= table["phase"].to_numpy() == phase
    block = field.block_of(table)[chosen] if together else None
    return Sample(chosen, weights[chosen], phase, block, field.grid)


def size_findings(
    table: pd.DataFrame, sample: Sample, weightings: tuple[Weighting, ...], precision: float
) -> Iterator[Finding]:
    """Mean area, and mean, percentiles and geometric deviation of the diameter.

    Parameters
    ----------
    table
        The objects.
    sample
        Which of them to take; nothing is found in an empty one.
    weightings
        The distributions to give besides that by number.
    precision
        Half width of the 95 % interval, relative to the value, that is asked for; 0 to not ask.
    """
    number = len(sample.weight)
    if number == 0:
        return
    area = table["area_px"].to_numpy()[sample.chosen].astype(float)
    # A fixed order, so that renumbering the objects does not change the last digit of a sum.
    order = np.lexsort((sample.weight, area))
    area, weight = area[order], sample.weight[order]
    diameter = np.sqrt(area * (4.0 / math.pi))
    plain, few = sample.effect(order), sample.few
    effect = plain if plain is independent else lambda residual: few * plain(residual)
    found = [
        _mean("object_area_mean", 2, area, weight, effect, "mean over objects"),
        _mean("ecd_mean", 1, diameter, weight, effect, f"mean over objects of {_DIAMETER}"),
        *_percentiles(diameter, weight, effect, "", "by number of objects"),
        _deviation(diameter, weight, plain),
    ]
    for weighting in weightings:
        power, what = _WEIGHTINGS[weighting]
        found += _percentiles(diameter, weight * diameter**power, effect, f"_{weighting}", what)
    if precision > 0:
        found += list(_objects_needed(found, diameter, weight, precision))
    yield from (replace(entry, phase=sample.phase) for entry in found)


def _entry(
    name: str, dimension: int, value: float, interval: Interval | None, n: int, what: str, how: str
) -> Finding:
    basis = f"95 %: {how}" if interval else "too few objects for a 95 % interval"
    return Finding(name, value, dimension, interval, n, f"{what}; {EDGE_RULE}; {basis}")


def _mean(
    name: str,
    dimension: int,
    values: NDArray[np.float64],
    weight: NDArray[np.float64],
    effect: Effect,
    what: str,
) -> Finding:
    mean = weighted_mean(values, weight)
    how = f"t interval after Hall's skewness correction{_together(effect)}"
    interval = mean_interval(values, weight, effect)
    return _entry(name, dimension, mean, interval, len(values), what, how)


def _together(effect: Effect) -> str:
    return "" if effect is independent else ", widened for neighbours that go together"


def _percentiles(
    diameter: NDArray[np.float64],
    weight: NDArray[np.float64],
    effect: Effect,
    suffix: str,
    by: str,
) -> Iterator[Finding]:
    for percent in _PERCENTS:
        point = quantile(diameter, percent / 100, weight)
        interval = quantile_interval(diameter, percent / 100, weight, effect)
        what = f"{percent} % point of {_DIAMETER}, {by}"
        how = f"order statistics about the share below it{_together(effect)}"
        yield _entry(f"ecd_d{percent}{suffix}", 1, point, interval, len(diameter), what, how)


def _deviation(
    diameter: NDArray[np.float64], weight: NDArray[np.float64], effect: Effect
) -> Finding:
    value, interval = geometric_deviation(diameter, weight, effect)
    what = f"geometric standard deviation of {_DIAMETER}, by number of objects"
    how = f"Bonett's interval, from the kurtosis of the logarithms{_together(effect)}"
    return _entry("ecd_geometric_sd", 0, value, interval, len(diameter), what, how)


def _objects_needed(
    found: list[Finding],
    diameter: NDArray[np.float64],
    weight: NDArray[np.float64],
    precision: float,
) -> Iterator[Finding]:
    """How many more objects bring mean and medians to the precision asked for."""
    for entry in found:
        if entry.name not in _WITH_PRECISION or entry.interval is None:
            continue
        reached = (entry.interval[1] - entry.interval[0]) / 2.0 / entry.value
        if entry.name == "ecd_mean":
            # Without the correction for skewness, which goes with the number of objects.
            residual = weight * (diameter - entry.value) / weight.sum()
            error = math.sqrt(entry.n / (entry.n - 1) * float((residual**2).sum()))
            reached = student(entry.n - 1) * error / entry.value
        needed = math.ceil(entry.n * (reached / precision) ** 2)
        yield Finding(
            f"more_objects_for_{entry.name}",
            max(needed - entry.n, 0),
            0,
            None,
            entry.n,
            f"so that {_WITH_PRECISION[entry.name]} is known to ±{100 * precision:g} % (95 %), now "
            f"±{100 * reached:.2g} %: it falls with the root of the number of objects; a "
            "forecast, without interval",
            "ISO 13322-1",
        )


def geometric_deviation(
    values: NDArray[np.float64], weight: NDArray[np.float64], effect: Effect
) -> tuple[float, Interval | None]:
    """Geometric standard deviation, and its interval; >= 1.

    The interval of the standard deviation of the logarithms is that of D. G. Bonett (Comput.
    Stat. Data Anal. 50 (2006) 775, eq. 6), which takes the kurtosis about a trimmed mean, so that
    few values with long tails do not show too little of it. ``None`` for fewer than 5 values.

    Parameters
    ----------
    values, weight
        (n,) each, values > 0.
    effect
        Given contributions to the error, how many times larger its variance is than that of
        independent values.
    """
    share = weight / weight.sum()
    logarithm = np.log(values)
    residual = logarithm - float((share * logarithm).sum())
    number = len(values)
    bessel = number / (number - 1.0) if number > 1 else 1.0
    squared = float((share * residual**2).sum())
    deviation = math.sqrt(bessel * squared)
    if number < _FEWEST_OF_DEVIATION or squared <= 1e-18:
        return math.exp(deviation), None
    middle = residual - _trimmed_mean(residual, share)
    kurtosis = float((share * middle**4).sum()) / squared**2
    few = number / (number - _NORMAL)
    variance = max(kurtosis - (number - 3.0) / number, 0.0) / (number - 1.0)
    variance *= number * float((share**2).sum()) * effect(share * (residual**2 - squared))
    centre, half = math.log(few) / 2.0, _NORMAL * few * math.sqrt(variance) / 2.0
    if half > _WIDEST:
        return math.exp(deviation), None
    return math.exp(deviation), (
        math.exp(deviation * math.exp(min(centre - half, 0.0))),
        math.exp(deviation * math.exp(centre + half)),
    )


def _trimmed_mean(values: NDArray[np.float64], share: NDArray[np.float64]) -> float:
    """Mean without the share 1 / (2 sqrt(n - 4)) of either tail; n >= 5."""
    order = np.argsort(values, kind="stable")
    position = np.cumsum(share[order]) - share[order] / 2.0
    trimmed = 0.5 / math.sqrt(len(values) - 4.0)
    kept = order[(position > trimmed) & (position < 1.0 - trimmed)]
    if not len(kept):
        return float(np.interp(0.5, position, values[order]))
    return float((share[kept] * values[kept]).sum() / share[kept].sum())
