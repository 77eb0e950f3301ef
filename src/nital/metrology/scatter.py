"""Scatter between image blocks, of which neighbours go together."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nital.metrology.intervals import Effect, Interval, student

__all__ = [
    "BlockScatter",
    "design_effect",
    "few_neighbours",
    "ratio_interval",
    "relative_errors",
]

Array = NDArray[np.float64]

_REACH = 2.0
_FEWEST_BLOCKS = 4
# What reaches beyond the neighbours falls with the number of blocks; so much of it, and that it
# suffices, is known from simulated tessellations (benchmarks/coverage.py).
_UNSEEN = 1.3
# The same for how few objects show their scatter.
_FEW = 5.0
_POISSON_BOUND = 3.6888794541139363


class BlockScatter:
    """Variance of sums over blocks, the covariance of neighbours included.

    What is cut by the border of two blocks makes their contents go together, so the sum of their
    squares is too small. Products of neighbours are added with the weights of Bartlett's kernel:
    1 for the block itself, 1/2 across a side, 1/4 across a corner (D. Andrews, Econometrica 59
    (1991) 817, in two dimensions). Taking off the mean makes any such sum too small again; what
    is left of it for independent blocks is known, and divided out, and gives the number of
    degrees of freedom.

    Parameters
    ----------
    shape
        (R, C) blocks of the image.
    used
        (R * C,) the blocks that hold anything; at least 2.
    """

    def __init__(self, shape: tuple[int, int], used: NDArray[np.bool_]) -> None:
        self.used = used
        self._kernel, self._factor, self.freedom = _kernel(*shape, used.tobytes())

    def variance(self, contributions: Array) -> float:
        """Variance of the sum of (R * C,) contributions that add up to nought."""
        return float(self.covariance(contributions[None])[0, 0])

    def covariance(self, contributions: Array) -> Array:
        """(k, k) covariance of the sums of (k, R * C) contributions that add up to nought."""
        chosen = contributions[:, self.used]
        return np.asarray(self._factor * (chosen @ self._kernel @ chosen.T))

    @property
    def t(self) -> float:
        """97.5 % point of Student's t, widened for what goes together beyond the neighbours."""
        return student(self.freedom) * (1.0 + _UNSEEN / int(self.used.sum()))


@lru_cache(maxsize=64)
def _kernel(rows: int, cols: int, used: bytes) -> tuple[Array, float, float]:
    """Weights of the products, factor that makes up for the mean, degrees of freedom."""
    row, col = np.divmod(np.flatnonzero(np.frombuffer(used, dtype=bool)), cols)
    kernel = np.ones((len(row), len(row)))
    for position in (row, col):
        apart = np.abs(position[:, None] - position)
        kernel *= np.clip(1.0 - apart / _REACH, 0.0, None)
    number = len(row)
    centred = kernel - kernel.mean(axis=0) - kernel.mean(axis=1)[:, None] + kernel.mean()
    left = float(np.trace(centred))
    return kernel, number / left, left**2 / float((centred**2).sum())


def relative_errors(parts: Array, wholes: Array) -> Array:
    """Contribution of each block to the relative error of sum(parts) / sum(wholes) > 0.

    Contributions of several ratios over the same blocks add up to those of the logarithm of
    their product.
    """
    residual = parts - wholes * (parts.sum() / wholes.sum())
    return np.asarray(residual / parts.sum())


def ratio_interval(parts: Array, wholes: Array, shape: tuple[int, int]) -> Interval | None:
    """95 % interval of sum(parts) / sum(wholes) >= 0, counts or lengths, from image blocks.

    Student's t on the logarithmic scale; the variance is that of a ratio estimator
    (W. G. Cochran, Sampling Techniques, section 6.4) over correlated blocks. Nothing counted
    gives 0 and the Poisson bound 3.69 / sum(wholes); a single block has no interval.

    Parameters
    ----------
    parts, wholes
        (R * C,) each.
    shape
        (R, C) blocks of the image.
    """
    total = float(wholes.sum())
    rate = float(parts.sum()) / total
    if rate <= 0.0:
        return 0.0, _POISSON_BOUND / total
    used = (wholes > 0) | (parts != 0)
    if used.sum() < 2:
        return None
    scatter = BlockScatter(shape, used)
    half = scatter.t * math.sqrt(max(scatter.variance(relative_errors(parts, wholes)), 0.0))
    return rate * math.exp(-half), rate * math.exp(half)


def design_effect(block: NDArray[np.int64], shape: tuple[int, int]) -> Effect:
    """How much more a statistic of objects scatters because neighbouring objects go together.

    The cells of a tessellation share the area, and sizes may change across a field: then n
    objects tell less than n independent ones.

    Parameters
    ----------
    block
        (n,) block of each object.
    shape
        (R, C) blocks of the image.
    """
    held = np.bincount(block, minlength=shape[0] * shape[1])
    used = held > 0

    def effect(residual: Array) -> float:
        alone = float((residual**2).sum())
        if used.sum() < _FEWEST_BLOCKS or alone <= 0.0:
            return 1.0
        scatter = BlockScatter(shape, used)
        sums = np.zeros(len(held))
        np.add.at(sums, block, residual)
        wider = (scatter.t / student(len(block) - 1)) ** 2
        return max(scatter.variance(sums) / alone * wider, 1.0)

    return effect


def few_neighbours(number: int) -> float:
    """How much more means and percentiles of so many neighbours scatter than these show."""
    return (1.0 + _FEW / max(number, 1)) ** 2
