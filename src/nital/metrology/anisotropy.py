"""Stretch of a structure and its direction, from intercepts counted along several directions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nital.metrology.intervals import Interval
from nital.metrology.scatter import BlockScatter

__all__ = ["Anisotropy", "anisotropy"]

_STRONGEST = 0.9999
_FEWEST_BLOCKS = 4


@dataclass(frozen=True)
class Anisotropy:
    """An affine stretch.

    Parameters
    ----------
    index, index_interval
        Mean intercept along the stretch over that across it, >= 1.
    direction, direction_interval
        Of the stretch in degrees, counter-clockwise from the rows, -90 <= direction < 90; the
        interval may reach beyond. ``None`` where the data do not show that there is one.
    """

    index: float
    index_interval: Interval | None
    direction: float | None
    direction_interval: Interval | None


def anisotropy(
    number: NDArray[np.float64],
    length: NDArray[np.float64],
    degrees: NDArray[np.float64],
    shape: tuple[int, int],
) -> Anisotropy | None:
    """Fit a stretch to the intercepts per length along several directions.

    A structure without preferred direction, stretched by ``k`` along ``t``, has intercepts per
    length whose square is ``p - q cos 2 (direction - t)`` with ``k = sqrt((p + q) / (p - q))``:
    exact for any such structure, elongated or banded.

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
    jackknife over blocks, neighbours going together; where it cannot tell the stretch from none
    at 95 %, its lower end is 1.
    """
    left_out = length.sum(axis=1, keepdims=True) - length
    if not bool((number.sum(axis=1) > 0).all()) or not bool((left_out > 0).all()):
        return None
    turn = np.radians(2.0 * degrees)
    whole = _second_harmonic(number.sum(axis=1) / length.sum(axis=1), turn)
    strength = min(float(np.hypot(*whole)), _STRONGEST)
    used = length.sum(axis=0) > 0
    rates = (number.sum(axis=1, keepdims=True) - number) / left_out
    parts = np.stack([_second_harmonic(rate, turn) for rate in rates.T], axis=1)
    if used.sum() < _FEWEST_BLOCKS or strength < 1e-9:
        return Anisotropy(_ratio(strength), None, None, None)
    scatter = BlockScatter(shape, used)
    share = 1.0 - 1.0 / int(used.sum())
    covariance = scatter.covariance(share * (parts - parts[:, used].mean(axis=1, keepdims=True)))
    if np.linalg.det(covariance) <= 0.0:
        return Anisotropy(_ratio(strength), None, None, None)
    along = whole / float(np.hypot(*whole))
    across = np.array([-along[1], along[0]])
    half = scatter.t * math.sqrt(float(along @ covariance @ along))
    shown = _is_shown(whole, covariance, scatter.freedom)
    low = max(strength - half, 0.0) if shown else 0.0
    interval = (_ratio(low), _ratio(min(strength + half, _STRONGEST)))
    if not shown:
        return Anisotropy(_ratio(strength), interval, None, None)
    direction = math.degrees(math.atan2(whole[1], whole[0])) / 2.0
    direction = (direction + 180.0) % 180.0 - 90.0
    half = math.degrees(scatter.t * math.sqrt(float(across @ covariance @ across)) / strength / 2.0)
    return Anisotropy(_ratio(strength), interval, direction, (direction - half, direction + half))


def _second_harmonic(rate: NDArray[np.float64], turn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosine and sine parts of the squared rate over its mean."""
    square = rate**2
    harmonics = np.array([square @ np.cos(turn), square @ np.sin(turn)])
    return np.asarray(2.0 * harmonics / square.sum())


def _ratio(strength: float) -> float:
    return math.sqrt((1.0 + strength) / (1.0 - strength))


def _is_shown(vector: NDArray[np.float64], covariance: NDArray[np.float64], freedom: float) -> bool:
    """Hotelling's test at 95 % that a two-dimensional mean is not nought."""
    from scipy.special import fdtri

    squared = float(vector @ np.linalg.solve(covariance, vector))
    limit = 2.0 * freedom / (freedom - 1.0) * float(fdtri(2, freedom - 1.0, 0.95))
    return squared > limit
