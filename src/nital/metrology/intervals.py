"""95 % intervals in closed form: the same data always gives the same interval.

All functions return ``None`` where the data cannot carry an interval, never a made-up one.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["Interval", "count_interval", "fraction_interval", "mean_interval", "quantile_interval"]

Interval = tuple[float, float]

TAIL = 0.025


def mean_interval(values: NDArray[np.float64]) -> Interval | None:
    """Interval of the mean of independent, possibly skewed, positive values.

    Student's t after Hall's cubic transformation, which takes out the skewness that makes the
    plain t interval of sizes too short (P. Hall, J. R. Stat. Soc. B 54 (1992) 221, eq. 2.3).
    ``None`` for fewer than two values.
    """
    number = len(values)
    if number < 2:
        return None
    mean, deviation = float(values.mean()), float(values.std(ddof=1))
    if deviation <= 1e-12 * abs(mean):
        return mean, mean
    skewness = float(((values - mean) ** 3).mean()) / deviation**3
    root = math.sqrt(number)
    t = _student(number - 1)
    high = mean - deviation * _undo_hall(-t / root, skewness, number)
    low = mean - deviation * _undo_hall(t / root, skewness, number)
    return max(low, 0.0), high


def _undo_hall(transformed: float, skewness: float, number: int) -> float:
    """Solve Hall's transformation for the studentised mean divided by the root of n."""
    if abs(skewness) < 1e-6:
        return transformed
    shifted = transformed - skewness / (6.0 * number)
    return (3.0 / skewness) * (math.cbrt(1.0 + skewness * shifted) - 1.0)


def quantile_interval(values: NDArray[np.float64], probability: float) -> Interval | None:
    """Interval of a quantile of independent values, from order statistics.

    Free of any assumption on the distribution (H. A. David, Order Statistics, section 7.1).
    ``None`` when even the extreme values do not bound the quantile at 95 %: below 6 values for
    the median, below 36 for the 10 % and 90 % points.
    """
    from scipy.special import bdtr

    number = len(values)
    below = bdtr(np.arange(number + 1), number, probability)
    low = int(np.searchsorted(below, TAIL, side="right"))
    high = int(np.searchsorted(below, 1.0 - TAIL)) + 1
    if low < 1 or high > number:
        return None
    ordered = np.sort(values)
    return float(ordered[low - 1]), float(ordered[high - 1])


def fraction_interval(parts: NDArray[np.float64], wholes: NDArray[np.float64]) -> Interval | None:
    """Interval of sum(parts) / sum(wholes) in 0...1, from its scatter between image blocks.

    Student's t on the logit scale, so the interval stays within 0...1; the variance is that of a
    ratio estimator (W. G. Cochran, Sampling Techniques, section 6.4). A fraction of exactly 1
    has no width; one of 0, or a single block, has no interval.
    """
    spread = _ratio_spread(parts, wholes)
    fraction = float(parts.sum() / wholes.sum())
    if fraction >= 1.0:
        return 1.0, 1.0
    if spread is None or fraction <= 0.0:
        return None
    logit = math.log(fraction / (1.0 - fraction))
    half = _student(len(parts) - 1) * spread / (fraction * (1.0 - fraction))
    return _logistic(logit - half), _logistic(logit + half)


def count_interval(parts: NDArray[np.float64], wholes: NDArray[np.float64]) -> Interval | None:
    """Interval of sum(parts) / sum(wholes) >= 0, counts or lengths, from image blocks.

    As :func:`fraction_interval`, on the logarithmic scale. Nothing counted gives 0 and the
    Poisson bound 3.69 / sum(wholes).
    """
    total = float(wholes.sum())
    rate = float(parts.sum()) / total
    if rate <= 0.0:
        return 0.0, -math.log(TAIL) / total
    spread = _ratio_spread(parts, wholes)
    if spread is None:
        return None
    half = _student(len(parts) - 1) * spread / rate
    return rate * math.exp(-half), rate * math.exp(half)


def _ratio_spread(parts: NDArray[np.float64], wholes: NDArray[np.float64]) -> float | None:
    """Standard error of sum(parts) / sum(wholes), or ``None`` for a single block."""
    number = len(parts)
    if number < 2:
        return None
    residual = parts - wholes * (parts.sum() / wholes.sum())
    variance = number / (number - 1) * float((residual**2).sum())
    return math.sqrt(variance) / float(wholes.sum())


def _student(freedom: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 1.0 - TAIL))


def _logistic(value: float) -> float:
    if value >= 0.0:
        return 1.0 / (1.0 + math.exp(-value))
    return math.exp(value) / (1.0 + math.exp(value))
