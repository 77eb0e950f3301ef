"""How far a phase remembers itself: the correlation length of a field."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["correlation_length"]

_LONGEST_SIDE = 512
_NEGLIGIBLE = 0.02


def correlation_length(mask: NDArray[np.bool_]) -> float:
    """Side in pixels of the square of field that is worth one independent point.

    The root of the integral range, the integral over all distances of the autocorrelation of the
    mask: the variance of an area fraction ``p`` over a large area ``A`` is
    ``p (1 - p) length^2 / A`` (C. Lantuéjoul, J. Microsc. 161 (1991) 387). The integral runs to
    the distance at which the radial mean of the correlation is first below 2 %.

    Parameters
    ----------
    mask
        (H, W). Large ones are averaged over squares first, which leaves the integral as it is.

    Returns
    -------
    At least 1, at most the root of the area; 0 for a mask that is all set or all unset.
    """
    from scipy import fft

    fraction = float(mask.mean())
    if not 0.0 < fraction < 1.0:
        return 0.0
    factor = -(-max(mask.shape) // _LONGEST_SIDE)
    field = _averaged(mask, factor) - fraction
    shape = [fft.next_fast_len(2 * side - 1, real=True) for side in field.shape]
    products = fft.irfft2(np.abs(fft.rfft2(field, shape)) ** 2, shape)
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
    return min(max(math.sqrt(max(integral, 0.0)), 1.0), math.sqrt(mask.size))


def _averaged(mask: NDArray[np.bool_], factor: int) -> NDArray[np.float64]:
    """Mean over squares of ``factor`` pixels; those cut by the edge are over what they hold."""
    if factor == 1:
        return mask.astype(float)
    starts = [np.arange(0, side, factor) for side in mask.shape]
    sums = np.add.reduceat(mask, starts[0], axis=0, dtype=np.int32)
    sums = np.add.reduceat(sums, starts[1], axis=1)
    sizes = [np.diff(start, append=side) for start, side in zip(starts, mask.shape, strict=True)]
    return np.asarray(sums / np.outer(*sizes))
