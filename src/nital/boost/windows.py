"""Means and variances under a moving window."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["window_mean", "window_moments"]

Floats = NDArray[np.float32]


def window_mean(values: Floats, window: int, mode: str = "nearest") -> Floats:
    """Mean under a pyramid: a moving average of ``window`` pixels, twice.

    Parameters
    ----------
    values
        (H, W).
    window
        Pixels of either average.
    mode
        What lies beyond the edge, as in :mod:`scipy.ndimage`.
    """
    for _ in range(2):
        values = ndimage.uniform_filter(values, window, mode=mode)
    return values


def window_moments(values: Floats, weight: Floats, window: int) -> tuple[Floats, Floats, Floats]:
    """Weighted mean and variance around each pixel, and the mean weight there.

    Parameters
    ----------
    values, weight
        (H, W); weights are 0 and more.
    window
        As in :func:`window_mean`.
    """
    mass = window_mean(weight, window)
    safe = np.maximum(mass, 1e-6)
    mean = np.asarray(window_mean(weight * values, window) / safe, dtype=np.float32)
    square = np.asarray(window_mean(weight * values**2, window) / safe, dtype=np.float32)
    return mean, np.maximum(square - mean**2, 0), mass
