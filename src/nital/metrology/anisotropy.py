"""Stretch of a structure and its direction, from intercepts counted along several directions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nital.metrology.intervals import Interval
from nital.metrology.lines import Intercepts
from nital.metrology.scatter import BlockScatter, relative_errors

__all__ = ["Anisotropy", "Direction", "anisotropy", "find_direction"]

_FEWEST_BLOCKS = 4
_NO_STRETCH = 1e-9


@dataclass(frozen=True)
class Direction:
    """Direction in which intercepts are longest.

    Parameters
    ----------
    degrees
        Counter-clockwise from the rows, -90 <= degrees < 90.
    interval
        95 % interval, which may reach beyond; ``None`` where it is not known.
    shown
        Whether the data show at 95 % that there is a preferred direction at all.
    """

    degrees: float
    interval: Interval | None
    shown: bool


@dataclass(frozen=True)
class Anisotropy:
    """How much longer intercepts are along a direction than across it.

    Parameters
    ----------
    index, interval
        Mean intercept along over that across, >= 1, and its 95 % interval.
    direction
        The direction.
    """

    index: float
    interval: Interval | None
    direction: Direction


def find_direction(
    number: NDArray[np.float64],
    length: NDArray[np.float64],
    degrees: NDArray[np.float64],
    shape: tuple[int, int],
) -> Direction | None:
    """Find the direction of a stretch.

    A structure without preferred direction, stretched by ``k`` along ``t``, has intercepts per
    length whose square is ``p - q cos 2 (direction - t)`` with ``k = sqrt((p + q) / (p - q))``.
    This is fitted; the fit of any other structure has its symmetry, if it has an axis.

    Parameters
    ----------
    number, length
        (D, blocks) intercepts and length of line.
    degrees
        (D,) directions of the lines, evenly spaced over half a turn.
    shape
        (R, C) blocks of the image.

    Returns
    -------
    ``None`` where no grain is intercepted in some direction. The interval is that of the
    jackknife over blocks, neighbours going together.
    """
    left_out = length.sum(axis=1, keepdims=True) - length
    if not bool((number.sum(axis=1) > 0).all()) or not bool((left_out > 0).all()):
        return None
    turn = np.radians(2.0 * degrees)
    whole = _second_harmonic(number.sum(axis=1) / length.sum(axis=1), turn)
    strength = float(np.hypot(*whole))
    angle = math.degrees(math.atan2(whole[1], whole[0])) / 2.0
    angle = (angle + 180.0) % 180.0 - 90.0
    used = length.sum(axis=0) > 0
    if used.sum() < _FEWEST_BLOCKS or strength < _NO_STRETCH:
        return Direction(angle, None, shown=False)
    rates = (number.sum(axis=1, keepdims=True) - number) / left_out
    parts = np.stack([_second_harmonic(rate, turn) for rate in rates.T], axis=1)
    scatter = BlockScatter(shape, used)
    share = 1.0 - 1.0 / int(used.sum())
    covariance = scatter.covariance(share * (parts - parts[:, used].mean(axis=1, keepdims=True)))
    if np.linalg.det(covariance) <= 0.0:
        return Direction(angle, None, shown=False)
    across = np.array([-whole[1], whole[0]]) / strength
    error = math.sqrt(float(across @ covariance @ across)) / strength
    half = math.degrees(scatter.t * error) / 2.0
    shown = _is_shown(whole, covariance, scatter.freedom)
    return Direction(angle, (angle - half, angle + half), shown)


def anisotropy(
    direction: Direction, count: Callable[[float], Intercepts], shape: tuple[int, int]
) -> Anisotropy | None:
    """Compare the mean intercepts along a direction and across it (ASTM E112).

    Parameters
    ----------
    direction
        As found.
    count
        Counts along lines in a direction given in degrees.
    shape
        (R, C) blocks of the image.

    Returns
    -------
    ``None`` where no grain is intercepted. Where no preferred direction is shown, the lower end
    of the interval is 1.
    """
    along, across = count(direction.degrees), count(direction.degrees + 90.0)
    if along.number.sum() <= 0.0 or across.number.sum() <= 0.0:
        return None
    per_length = [float(found.number.sum() / found.length.sum()) for found in (across, along)]
    index = max(per_length[0] / per_length[1], 1.0)
    used = (along.length > 0) & (across.length > 0)
    if used.sum() < _FEWEST_BLOCKS:
        return Anisotropy(index, None, direction)
    scatter = BlockScatter(shape, used)
    errors = relative_errors(across.number, across.length)
    errors = errors - relative_errors(along.number, along.length)
    half = scatter.t * math.sqrt(max(scatter.variance(errors), 0.0))
    low = max(index * math.exp(-half), 1.0) if direction.shown else 1.0
    return Anisotropy(index, (low, index * math.exp(half)), direction)


def _second_harmonic(rate: NDArray[np.float64], turn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosine and sine parts of the squared rate over its mean."""
    square = rate**2
    harmonics = np.array([square @ np.cos(turn), square @ np.sin(turn)])
    return np.asarray(2.0 * harmonics / square.sum())


def _is_shown(vector: NDArray[np.float64], covariance: NDArray[np.float64], freedom: float) -> bool:
    """Hotelling's test at 95 % that a two-dimensional mean is not nought."""
    from scipy.special import fdtri

    if freedom <= 1.0:
        return False
    squared = float(vector @ np.linalg.solve(covariance, vector))
    limit = 2.0 * freedom / (freedom - 1.0) * float(fdtri(2, freedom - 1.0, 0.95))
    return squared > limit
