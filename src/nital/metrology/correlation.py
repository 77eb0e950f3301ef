"""How far a phase remembers itself: the correlation of a field, and blocks drawn as far apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nital.metrology.intervals import Interval, student

__all__ = ["Correlation", "bootstrap_interval", "correlate", "correlation_length"]

Array = NDArray[np.float64]

_LONGEST_SIDE = 512
_NEGLIGIBLE = 0.02
_BLOCK = 2.0  # side of a block of the bootstrap, in correlation lengths
_FEWEST_BLOCKS = 4.0
_BOOTSTRAPS, _MOST_DRAWN, _SEED = 999, 400, 20261121
# Blocks that overlap tell more of the scatter than as many side by side as cover the field.
_WORTH_OF_OVERLAP = 1.5
_LEAST_SHARE = 0.3
_LEAST_FREEDOM = 4.0
_NORMAL = 1.959963984540054
_TAILS = (0.025, 0.975)


@dataclass(frozen=True)
class Correlation:
    """The autocorrelation of a mask.

    Parameters
    ----------
    length
        Side in pixels of the square of field that is worth one independent point: the root of the
        integral range, the integral over all distances of the autocorrelation. The variance of
        an area fraction ``p`` over a large area ``A`` is ``p (1 - p) length^2 / A``
        (C. Lantuéjoul, J. Microsc. 161 (1991) 387). 0 for a mask that is all set or all unset;
        else at least 1, at most the root of the area.
    field
        (h, w) mean of the mask over squares of ``factor`` pixels.
    factor
        Side of these squares.
    values
        (2 k - 1, 2 k - 1) autocorrelation at the distances -k + 1 ... k - 1 along rows and
        columns, in such squares.
    area
        Of the mask, in pixels.
    reach
        Distance in pixels up to which the correlation was added up.
    """

    length: float
    field: Array
    factor: int
    values: Array
    area: int
    reach: float = 0.0

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the squared length, which is a spectrum at frequency nought.

        As many as areas over which the correlation was added up fit into the field
        (M. B. Priestley, Spectral Analysis and Time Series, sections 6.2 and 9.7).
        """
        return self.area / (math.pi * max(self.reach, 1.0) ** 2)

    def length_interval(self) -> Interval | None:
        """95 % interval of the length; ``None`` where the field shows too little of it."""
        from scipy.special import chdtri

        if self.length <= 0.0 or self.freedom < _LEAST_FREEDOM:
            return None
        low, high = (
            self.length * math.sqrt(self.freedom / float(chdtri(self.freedom, tail)))
            for tail in _TAILS
        )
        return low, high

    @property
    def points(self) -> float:
        """Number of independent points that the field is worth; length > 0."""
        return self.area / self.length**2


def correlation_length(mask: NDArray[np.bool_]) -> float:
    """Return the length of :func:`correlate`."""
    return correlate(mask).length


def correlate(mask: NDArray[np.bool_]) -> Correlation:
    """Autocorrelation of an (H, W) mask.

    The integral of its length runs to the distance at which the radial mean of the correlation is
    first below 2 %. Large masks are averaged over squares first, which leaves it as it is.
    """
    from scipy import fft

    fraction = float(mask.mean())
    factor = -(-max(mask.shape) // _LONGEST_SIDE)
    if not 0.0 < fraction < 1.0:
        return Correlation(0.0, np.full((1, 1), fraction), factor, np.zeros((1, 1)), mask.size)
    field = _averaged(mask, factor)
    residual = field - fraction
    shape = [fft.next_fast_len(2 * side - 1, real=True) for side in field.shape]
    products = fft.irfft2(np.abs(fft.rfft2(residual, shape)) ** 2, shape)
    reach = max(1, min(field.shape) // 2)
    reach = min(reach, min(field.shape) - 1)
    lag = np.arange(-reach, reach + 1)
    overlap = np.outer(field.shape[0] - np.abs(lag), field.shape[1] - np.abs(lag))
    covariance = products[np.ix_(lag, lag)] / overlap
    radius = np.rint(np.hypot(lag[:, None], lag)).astype(np.int64)
    number = np.bincount(radius.ravel())
    total = np.bincount(radius.ravel(), weights=covariance.ravel())
    below = np.flatnonzero(total[: reach + 1] / number[: reach + 1] < _NEGLIGIBLE * total[0])
    stop = int(below[0]) if len(below) else reach + 1
    variance = fraction * (1.0 - fraction)
    integral = float(total[:stop].sum()) * factor**2 / variance
    length = min(max(math.sqrt(max(integral, 0.0)), 1.0), math.sqrt(mask.size))
    return Correlation(length, field, factor, covariance / variance, mask.size, stop * factor)


def bootstrap_interval(found: Correlation) -> tuple[Interval, int] | None:
    """95 % interval of the share of a field that is set, by a bootstrap of blocks.

    As many blocks of twice the correlation length as make up the field (of more than 400, so many,
    and the scatter scaled) are drawn at random from
    all places, overlapping ones included, 999 times (H. Künsch, Ann. Stat. 17 (1989) 1217); their
    means scatter as fields would, once two things are made up for, both known: a block sees only
    part of the integral range, and few blocks scatter less about their own mean than about the
    truth. The same mask gives the same interval.

    Returns
    -------
    interval, side of the blocks in pixels
        ``None`` where the field has room for fewer than four blocks.
    """
    height, width = found.field.shape
    side = max(round(_BLOCK * found.length / found.factor), 1)
    blocks = found.area / (side * found.factor) ** 2
    if found.length <= 0.0 or blocks < _FEWEST_BLOCKS or side > min(height, width) / 2.0:
        return None
    means = _block_means(found.field, side)
    rng = np.random.default_rng(_SEED)
    number = min(max(round(blocks), 2), _MOST_DRAWN)
    drawn = means[rng.integers(0, len(means), (_BOOTSTRAPS, number))].mean(axis=1) - means.mean()
    left = (1.0 - 1.0 / blocks) * min(max(_share_seen(found, side), _LEAST_SHARE), 1.0)
    wider = math.sqrt(number / blocks / left)
    wider *= student(_WORTH_OF_OVERLAP * blocks - 1.0) / _NORMAL
    share = float(found.field.mean())
    low, high = np.quantile(drawn, _TAILS) * wider / (share * (1.0 - share))
    at = math.log(share / (1.0 - share))
    return (_logistic(at + low), _logistic(at + high)), side * found.factor


def _block_means(field: Array, side: int) -> Array:
    """(k,) mean of the squares of this side, at places a quarter of it apart."""
    sums = np.zeros((field.shape[0] + 1, field.shape[1] + 1))
    sums[1:, 1:] = field.cumsum(axis=0).cumsum(axis=1)
    rows, cols = (np.arange(0, length - side + 1, max(1, side // 4)) for length in field.shape)
    corner = sums[np.ix_(rows, cols)] + sums[np.ix_(rows + side, cols + side)]
    corner -= sums[np.ix_(rows + side, cols)] + sums[np.ix_(rows, cols + side)]
    return np.asarray(corner.ravel() / side**2)


def _share_seen(found: Correlation, side: int) -> float:
    """Share of the integral range that decides how means of blocks of this side scatter."""
    reach = min(side, (len(found.values) + 1) // 2)
    lag = np.arange(-reach + 1, reach)
    middle = len(found.values) // 2
    weight = 1.0 - np.abs(lag) / side
    seen = float(
        (found.values[np.ix_(lag + middle, lag + middle)] * np.outer(weight, weight)).sum()
    )
    return seen * found.factor**2 / found.length**2


def _logistic(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-value))


def _averaged(mask: NDArray[np.bool_], factor: int) -> Array:
    """Mean over squares of ``factor`` pixels; those cut by the edge are over what they hold."""
    if factor == 1:
        return mask.astype(float)
    starts = [np.arange(0, side, factor) for side in mask.shape]
    sums = np.add.reduceat(mask, starts[0], axis=0, dtype=np.int32)
    sums = np.add.reduceat(sums, starts[1], axis=1)
    sizes = [np.diff(start, append=side) for start, side in zip(starts, mask.shape, strict=True)]
    return np.asarray(sums / np.outer(*sizes))
