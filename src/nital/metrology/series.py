"""Values along a line that are correlated: how many independent ones they are worth."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nital.metrology.intervals import Interval, student

__all__ = [
    "Series",
    "correlation_length_of",
    "deviation_interval",
    "mean_interval_of",
    "variance_of_correlation",
]

_NEGLIGIBLE = 0.05
_MOST_LOST = 0.5
_FALLEN = math.exp(-1.0)
_FEWEST_WORTH = 25.0


class Series:
    """A profile sampled at every pixel along an interface or a layer.

    Parameters
    ----------
    values
        (k,), k >= 2.
    fitted
        Number of parameters that were fitted to the values and taken off: 1 for their mean, which
        is taken off here, 2 for a straight line.
    """

    def __init__(self, values: NDArray[np.float64], fitted: int = 1) -> None:
        self.values = values
        self.mean = float(values.mean())
        self.variance = float(values.var(ddof=1))
        self.correlation = _restored(_correlation(values - self.mean), len(values), fitted)

    @property
    def worth(self) -> float:
        """Number of independent values that determine the mean as well."""
        return len(self.values) / max(1.0 + 2.0 * float(self.correlation[1:].sum()), 1.0)

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the variance of the mean, >= 1.

        No more than a spectrum at frequency nought has whose correlations up to lag m are added
        up: n / (2 m + 1), as they have to be estimated too (M. B. Priestley, Spectral Analysis
        and Time Series, section 6.2, rectangular lag window).
        """
        lags = 2 * len(self.correlation) - 1
        return max(min(self.worth - 1.0, len(self.values) / lags), 1.0)

    @property
    def worth_of_squares(self) -> float:
        """Number of independent values that determine the variance as well."""
        return len(self.values) / (1.0 + 2.0 * float((self.correlation[1:] ** 2).sum()))


def _restored(correlation: NDArray[np.float64], number: int, fitted: int) -> NDArray[np.float64]:
    """Autocorrelation before parameters were fitted.

    Each takes with it the share of the variance that one of the independent values has, and takes
    that off the covariance at every lag.
    """
    worth = number / max(1.0 + 2.0 * float(correlation[1:].sum()), 1.0)
    lost = min(fitted / worth, _MOST_LOST)
    return np.asarray((correlation + lost) / (1.0 + lost)) if len(correlation) > 1 else correlation


def _correlation(residual: NDArray[np.float64]) -> NDArray[np.float64]:
    """Autocorrelation at lags 0, 1 ... up to where it is first negligible."""
    from scipy import fft

    number = len(residual)
    size = fft.next_fast_len(2 * number - 1, real=True)
    products = fft.irfft(np.abs(fft.rfft(residual, size)) ** 2, size)[: max(number // 2, 1)]
    if products[0] <= 1e-12 * number:
        return np.ones(1)
    correlation = products / (number - np.arange(len(products))) * number / products[0]
    below = np.flatnonzero(correlation < _NEGLIGIBLE)
    return np.asarray(correlation[: below[0]] if len(below) else correlation)


def mean_interval_of(series: Series, rounding: float) -> Interval | None:
    """95 % interval of the mean.

    Parameters
    ----------
    series
        The values; ``None`` where they are worth fewer than 2 independent ones.
    rounding
        Standard error that rounding to whole pixels adds to the mean, joined as independent.
    """
    worth = series.worth
    if series.variance > 0.0 and worth < 2.0:
        return None
    scatter = student(series.freedom) * math.sqrt(series.variance / worth)
    half = math.hypot(scatter, 1.96 * rounding)
    return max(series.mean - half, 0.0), series.mean + half


def deviation_interval(series: Series, deviation: float) -> Interval | None:
    """95 % interval of a standard deviation, log-normal; ``None`` where it is nought."""
    worth = series.worth_of_squares
    if deviation <= 0.0 or worth < 2.0:
        return None
    half = student(worth - 1.0) / math.sqrt(2.0 * (worth - 1.0))
    return deviation * math.exp(-half), deviation * math.exp(half)


def correlation_length_of(series: Series) -> tuple[float, Interval | None]:
    """Distance at which the autocorrelation falls to 1/e, and its 95 % interval.

    0 for values that do not vary. The variance of the autocorrelation there is that of M. S.
    Bartlett (J. R. Stat. Soc. Suppl. 8 (1946) 27; Priestley, Spectral Analysis and Time Series,
    eq. 5.3.41), and that of the distance follows by the slope; log-normal, with Student's t.
    ``None`` where the values are worth fewer than 25 independent ones.
    """
    known = series.correlation
    below = np.flatnonzero(known < _FALLEN)
    if len(known) == 1 or not len(below):
        return float(len(known) - 1), None
    last = int(below[0]) - 1
    length = last + float((known[last] - _FALLEN) / (known[last] - known[last + 1]))
    worth = series.worth_of_squares
    if worth < _FEWEST_WORTH:
        return length, None
    apart = max(round(length), 1)
    reach = max(apart // 4, 1)
    before, after = apart - reach, min(apart + reach, len(known) - 1)
    slope = float(known[before] - known[after]) / (after - before)
    if slope <= 0.0:
        return length, None
    error = math.sqrt(variance_of_correlation(known, apart) / len(series.values)) / slope
    half = student(worth - 1.0) * error / length
    return length, (length * math.exp(-half), length * math.exp(half))


def variance_of_correlation(correlation: NDArray[np.float64], apart: int) -> float:
    """Variance of an estimated autocorrelation, times the number of values (Bartlett).

    Parameters
    ----------
    correlation
        (k,) at the distances 0...k - 1; 0 beyond.
    apart
        The distance.
    """
    reach = len(correlation) + apart
    both = np.zeros(2 * (reach + apart) + 1)
    middle = reach + apart
    both[middle : middle + len(correlation)] = correlation
    both[middle - len(correlation) + 1 : middle + 1] = correlation[::-1]
    lag = np.arange(-reach, reach + 1) + middle
    here, there, back = both[lag], both[lag + apart], both[lag - apart]
    at = both[middle + apart]
    terms = here**2 + there * back - 4.0 * at * here * back + 2.0 * at**2 * here**2
    return max(float(terms.sum()), 0.0)
