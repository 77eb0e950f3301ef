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
    "quantile_limits",
    "share_residuals",
    "student",
    "weighted_mean",
]

Interval = tuple[float, float]
Array = NDArray[np.float64]
Effect = Callable[[Array], float]

TAIL = 0.025
_NORMAL = 1.959963984540054
_HALVINGS = 50


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
    below 36 for the 10 % and 90 % points. Otherwise from order statistics between those that there
    are (A. D. Hutson, J. Appl. Stat. 26 (1999) 343), for the number of equal values whose share
    below the quantile would scatter as much (E. L. Korn and B. I. Graubard, Survey Methodology 24
    (1998) 193); ``None`` where a few heavy values decide, so that no interval would hold what it
    promises.
    """
    weights = np.ones(len(values)) if weights is None else weights
    if effect is independent and _are_equal(weights):
        return _order_statistics(values, probability)
    number, share = len(values), weights / weights.sum()
    if number < 3 or not _tails_are_filled(share, probability):
        return None
    residual = share_residuals(values, share, probability)
    variance = number / (number - 1) * float((residual**2).sum()) * effect(residual)
    freedom = 1.0 / float((share**2).sum()) - 1.0
    return quantile_limits(values, share, probability, variance, freedom)[0]


def share_residuals(values: Array, share: Array, probability: float) -> Array:
    """Contribution of each value to the error of the share below a quantile: (n,).

    ``share`` holds the weights of the values, adding up to 1.
    """
    order = np.argsort(values, kind="stable")
    position = _shares(values, share)[1]
    residual = np.empty(len(values))
    residual[order] = share[order] * ((position < probability) - probability)
    return residual


def quantile_limits(
    values: Array, share: Array, probability: float, variance: float, freedom: float
) -> tuple[Interval, bool]:
    """Interval of a quantile whose share below is known with so much variance.

    The order statistic at the fractional place u (T + 1) of T equal values has a share below it
    that is beta distributed; the limits are those that lie beyond the quantile with a chance of
    2.5 % each (A. D. Hutson, J. Appl. Stat. 26 (1999) 343, eq. 2).

    Parameters
    ----------
    values, share
        (n,) each, the second adding up to 1.
    probability
        Of the quantile.
    variance, freedom
        Of the share below it, and its degrees of freedom.

    Returns
    -------
    interval, inside
        Whether both limits lie among the values.
    """
    ordered, position = _shares(values, share)
    number = 1.0 / float((share**2).sum())
    # The mean share below the i-th of n equal values is i / (n + 1).
    position = (position * number + 0.5) / (number + 1.0)
    wider = (_NORMAL / student(freedom)) ** 2
    trials = probability * (1.0 - probability) / max(variance, 1e-12) * wider
    low, high = (_place(trials, probability, chance) for chance in (1.0 - TAIL, TAIL))
    inside = low >= position[0] and high <= position[-1]
    return (_at_share(ordered, position, low), _at_share(ordered, position, high)), inside


def _place(trials: float, probability: float, chance: float) -> float:
    """Place 0...1 whose order statistic lies below the quantile with this chance."""
    from scipy.special import betainc

    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        place = (low + high) / 2.0
        below = betainc((trials + 1.0) * place, (trials + 1.0) * (1.0 - place), probability)
        low, high = (place, high) if below > chance else (low, place)
    return (low + high) / 2.0


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
