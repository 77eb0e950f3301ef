"""95 % intervals in closed form: the same data always gives the same interval.

All functions return ``None`` where the data cannot carry an interval, never a made-up one.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Effect",
    "Interval",
    "binomial_interval",
    "independent",
    "logit_interval",
    "mean_interval",
    "quantile",
    "quantile_interval",
    "student",
    "weighted_mean",
]

Interval = tuple[float, float]
Array = NDArray[np.float64]
Effect = Callable[[Array], float]

TAIL = 0.025
_NORMAL = 1.959963984540054


def weighted_mean(values: Array, weights: Array | None = None) -> float:
    """Mean of values, each taken as often as its weight says; equal weights change no digit."""
    if weights is None or _are_equal(weights):
        return float(values.mean())
    return float((weights * values).sum() / weights.sum())


def _are_equal(weights: Array) -> bool:
    return bool((weights == weights[:1]).all())


def independent(residual: Array) -> float:
    """Design effect of independent values: 1."""
    return 1.0


def mean_interval(
    values: Array, weights: Array | None = None, effect: Effect = independent
) -> Interval | None:
    """Interval of the mean of possibly skewed, positive values.

    Student's t after Hall's cubic transformation, which takes out the skewness that makes the
    plain t interval of sizes too short (P. Hall, J. R. Stat. Soc. B 54 (1992) 221, eq. 2.3).
    With weights, the mean is a ratio and its residuals take the place of the values
    (W. G. Cochran, Sampling Techniques, section 6.4). ``None`` for fewer than two values.

    Parameters
    ----------
    values, weights
        (n,) each.
    effect
        Given the (n,) contributions of the values to the error of the result, how many times
        larger its variance is than if they were independent.
    """
    number = len(values)
    if number < 2:
        return None
    mean = weighted_mean(values, weights)
    residual = values - mean
    if weights is not None:
        residual *= weights * (number / weights.sum())
    deviation = float(residual.std(ddof=1))
    if deviation <= 1e-12 * abs(mean):
        return mean, mean
    skewness = float((residual**3).mean()) / deviation**3
    root = math.sqrt(number)
    t = student(number - 1)
    wider = deviation * math.sqrt(effect(residual))
    high = mean - wider * _undo_hall(-t / root, skewness, number)
    low = mean - wider * _undo_hall(t / root, skewness, number)
    return max(low, 0.0), high


def _undo_hall(transformed: float, skewness: float, number: int) -> float:
    """Solve Hall's transformation for the studentised mean divided by the root of n."""
    if abs(skewness) < 1e-6:
        return transformed
    shifted = transformed - skewness / (6.0 * number)
    return (3.0 / skewness) * (math.cbrt(1.0 + skewness * shifted) - 1.0)


def quantile(values: Array, probability: float, weights: Array | None = None) -> float:
    """Return the point that splits the weight as asked.

    The distribution rises by half the weight of each value below it and half above, and linearly
    between the values (Hazen's rule).
    """
    return _at_share(*_shares(values, weights), probability)


def quantile_interval(
    values: Array,
    probability: float,
    weights: Array | None = None,
    effect: Effect = independent,
) -> Interval | None:
    """Interval of a quantile; ``effect`` as in :func:`mean_interval`.

    Of independent values without weights, or with equal ones, from order statistics, free of any
    assumption on the distribution (H. A. David, Order Statistics, section 7.1). ``None`` when
    even the extreme values do not bound the quantile at 95 %: below 6 values for the median,
    below 36 for the 10 % and 90 % points. Otherwise the binomial interval of the share below the
    quantile, for the number of equal values that would scatter as much (E. L. Korn and B. I.
    Graubard, Survey Methodology 24 (1998) 193), is read off the distribution; ``None`` where a
    few heavy values decide, so that no interval would hold what it promises. That number is no
    whole one and the distribution is continuous, so it is Jeffreys' interval, which holds 95 % on
    average over the shares, and not the exact one, which holds 95 % at the worst of them
    (L. Brown, T. Cai and A. DasGupta, Statist. Sci. 16 (2001) 101).
    """
    weights = np.ones(len(values)) if weights is None else weights
    if effect is independent and _are_equal(weights):
        return _order_statistics(values, probability)
    from scipy.special import betaincinv

    number, share = len(values), weights / weights.sum()
    if number < 3 or not _tails_are_filled(share, probability):
        return None
    ordered, position = _shares(values, weights)
    order = np.argsort(values, kind="stable")
    residual = np.empty(number)
    residual[order] = share[order] * ((position < probability) - probability)
    variance = number / (number - 1) * float((residual**2).sum()) * effect(residual)
    wider = (_NORMAL / student(1.0 / float((share**2).sum()) - 1.0)) ** 2
    trials = probability * (1.0 - probability) / variance * wider
    hits = probability * trials
    low = float(betaincinv(hits + 0.5, trials - hits + 0.5, TAIL))
    high = float(betaincinv(hits + 0.5, trials - hits + 0.5, 1.0 - TAIL))
    return _at_share(ordered, position, low), _at_share(ordered, position, high)


def _tails_are_filled(share: Array, probability: float) -> bool:
    """Whether enough values share the weight beyond the quantile, on either side.

    They are counted as Kish does, for log-normal weights that scatter as these do: the weights
    in the tail themselves would say yes just when the heaviest values happen to be missing. 4
    are asked for, as for order statistics, and 8 where the weights scatter by a factor of e.
    """
    from scipy.special import ndtr, ndtri

    scatter = float(np.log(share).std())
    at = float(ndtri(probability)) - scatter
    alike = len(share) * math.exp(-(scatter**2))
    beyond = min(
        alike * probability**2 / max(float(ndtr(at)), 1e-12),
        alike * (1.0 - probability) ** 2 / max(float(ndtr(-at)), 1e-12),
    )
    return beyond >= 4.0 + 4.0 * min(scatter, 1.0)


def _shares(values: Array, weights: Array | None) -> tuple[Array, Array]:
    """Values in rising order, and the share of the weight up to the middle of each."""
    order = np.argsort(values, kind="stable")
    weight = np.ones(len(values)) if weights is None else weights[order]
    return values[order], (np.cumsum(weight) - weight / 2.0) / weight.sum()


def _at_share(ordered: Array, position: Array, share: float) -> float:
    return float(np.interp(share, position, ordered))


def _order_statistics(values: Array, probability: float) -> Interval | None:
    from scipy.special import bdtr

    number = len(values)
    below = bdtr(np.arange(number + 1), number, probability)
    low = int(np.searchsorted(below, TAIL, side="right"))
    high = int(np.searchsorted(below, 1.0 - TAIL)) + 1
    if low < 1 or high > number:
        return None
    ordered = np.sort(values)
    return float(ordered[low - 1]), float(ordered[high - 1])


def logit_interval(fraction: float, points: float) -> Interval | None:
    """Interval of a fraction, 0 < fraction < 1, seen at this many independent points.

    Student's t on the logit scale, so that it stays within 0...1. ``None`` for fewer than two
    points.
    """
    if points < 2.0:
        return None
    half = student(points - 1.0) / math.sqrt(fraction * (1.0 - fraction) * points)
    logit = math.log(fraction / (1.0 - fraction))
    return _logistic(logit - half), _logistic(logit + half)


def binomial_interval(hits: int, points: int) -> Interval:
    """Exact interval of a probability after so many hits (C. Clopper and E. Pearson, 1934)."""
    from scipy.special import betaincinv

    low = float(betaincinv(hits, points - hits + 1, TAIL)) if hits else 0.0
    high = float(betaincinv(hits + 1, points - hits, 1.0 - TAIL)) if hits < points else 1.0
    return low, high


def student(freedom: float) -> float:
    """Return the 97.5 % point of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 1.0 - TAIL))


def _logistic(value: float) -> float:
    if value >= 0.0:
        return 1.0 / (1.0 + math.exp(-value))
    return math.exp(value) / (1.0 + math.exp(value))
