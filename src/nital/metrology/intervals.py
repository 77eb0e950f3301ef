"""95 % intervals in closed form: the same data always gives the same interval.

All functions return ``None`` where the data cannot carry an interval, never a made-up one.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Interval",
    "count_interval",
    "fraction_interval",
    "log_interval",
    "mean_interval",
    "quantile",
    "quantile_interval",
    "relative_errors",
    "student",
]

Interval = tuple[float, float]
Array = NDArray[np.float64]

TAIL = 0.025
_NORMAL = 1.959963984540054


def mean_interval(values: Array, weights: Array | None = None) -> Interval | None:
    """Interval of the mean of independent, possibly skewed, positive values.

    Student's t after Hall's cubic transformation, which takes out the skewness that makes the
    plain t interval of sizes too short (P. Hall, J. R. Stat. Soc. B 54 (1992) 221, eq. 2.3).
    With weights, the mean is a ratio and its residuals take the place of the values
    (W. G. Cochran, Sampling Techniques, section 6.4). ``None`` for fewer than two values.
    """
    number = len(values)
    if number < 2:
        return None
    shares = np.full(number, 1.0) if weights is None else weights * (number / weights.sum())
    mean = float((shares * values).mean())
    residual = shares * (values - mean)
    deviation = float(residual.std(ddof=1))
    if deviation <= 1e-12 * abs(mean):
        return mean, mean
    skewness = float((residual**3).mean()) / deviation**3
    root = math.sqrt(number)
    t = student(number - 1)
    high = mean - deviation * _undo_hall(-t / root, skewness, number)
    low = mean - deviation * _undo_hall(t / root, skewness, number)
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
    values: Array, probability: float, weights: Array | None = None
) -> Interval | None:
    """Interval of a quantile of independent values.

    Without weights, or with equal ones, from order statistics, free of any assumption on the
    distribution (H. A. David, Order Statistics, section 7.1). ``None`` when even the extreme
    values do not bound the quantile at 95 %: below 6 values for the median, below 36 for the
    10 % and 90 % points. With weights, the exact binomial interval of the share below the
    quantile, for the number of equal values that would scatter as much, is read off the
    distribution (E. L. Korn and B. I. Graubard, Survey Methodology 24 (1998) 193); ``None``
    where it reaches into half the weight of an extreme value.
    """
    if weights is None or bool((weights == weights[:1]).all()):
        return _order_statistics(values, probability)
    from scipy.special import betaincinv

    number = len(values)
    if number < 3:
        return None
    point = quantile(values, probability, weights)
    share = weights / weights.sum()
    below = (values < point) + 0.5 * (values == point)
    variance = number / (number - 1) * float(((share * (below - probability)) ** 2).sum())
    alike = 1.0 / float((share**2).sum())
    if alike < 2.0:
        return None
    trials = probability * (1.0 - probability) / variance * (_NORMAL / student(alike - 1.0)) ** 2
    hits = probability * trials
    low = float(betaincinv(hits, trials - hits + 1.0, TAIL))
    high = float(betaincinv(hits + 1.0, trials - hits, 1.0 - TAIL))
    ordered, position = _shares(values, weights)
    if low < position[0] or high > position[-1]:
        return None
    return _at_share(ordered, position, low), _at_share(ordered, position, high)


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


def fraction_interval(parts: Array, wholes: Array) -> Interval | None:
    """Interval of sum(parts) / sum(wholes) in 0...1, from its scatter between image blocks.

    Student's t on the logit scale, so the interval stays within 0...1; the variance is that of a
    ratio estimator (W. G. Cochran, Sampling Techniques, section 6.4). A fraction of exactly 1
    has no width; one of 0, or a single block, has no interval.
    """
    fraction = float(parts.sum() / wholes.sum())
    if fraction >= 1.0:
        return 1.0, 1.0
    if fraction <= 0.0 or _used(parts, wholes) < 2:
        return None
    error = math.sqrt(float((relative_errors(parts, wholes) ** 2).sum()))
    logit = math.log(fraction / (1.0 - fraction))
    half = student(_used(parts, wholes) - 1) * error / (1.0 - fraction)
    return _logistic(logit - half), _logistic(logit + half)


def count_interval(parts: Array, wholes: Array) -> Interval | None:
    """Interval of sum(parts) / sum(wholes) >= 0, counts or lengths, from image blocks.

    As :func:`fraction_interval`, on the logarithmic scale. Nothing counted gives 0 and the
    Poisson bound 3.69 / sum(wholes).
    """
    total = float(wholes.sum())
    rate = float(parts.sum()) / total
    if rate <= 0.0:
        return 0.0, -math.log(TAIL) / total
    return log_interval(rate, relative_errors(parts, wholes), _used(parts, wholes))


def relative_errors(parts: Array, wholes: Array) -> Array:
    """Contribution of each block to the relative error of sum(parts) / sum(wholes) > 0.

    Their squares sum to the variance of the logarithm of the ratio. Contributions of several
    ratios over the same blocks add up to those of the logarithm of their product.
    """
    used = max(_used(parts, wholes), 2)
    residual = parts - wholes * (parts.sum() / wholes.sum())
    return np.asarray(math.sqrt(used / (used - 1.0)) * residual / parts.sum())


def log_interval(value: float, errors: Array, blocks: float) -> Interval | None:
    """Student's t interval on the logarithmic scale, from the relative errors of the blocks.

    Parameters
    ----------
    value
        > 0.
    errors
        As from :func:`relative_errors`.
    blocks
        Number of blocks that the value rests on; no interval below 2.
    """
    if blocks < 2:
        return None
    half = student(blocks - 1) * math.sqrt(float((errors**2).sum()))
    return value * math.exp(-half), value * math.exp(half)


def _used(parts: Array, wholes: Array) -> int:
    """Count the blocks with anything in them."""
    return int(np.count_nonzero((wholes > 0) | (parts != 0)))


def student(freedom: float) -> float:
    """Return the 97.5 % point of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 1.0 - TAIL))


def _logistic(value: float) -> float:
    if value >= 0.0:
        return 1.0 / (1.0 + math.exp(-value))
    return math.exp(value) / (1.0 + math.exp(value))
