"""Prompts where the model's dense maps see the middle of an object."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["object_centres"]


def object_centres(
    foreground: NDArray[np.floating],
    boundary: NDArray[np.floating],
    distance: NDArray[np.floating],
    *,
    lowest: float = 0.3,
    smoothing: float = 1.0,
) -> NDArray[np.float32]:
    """Peaks of the distance map inside the foreground, off boundaries.

    Parameters
    ----------
    foreground, boundary, distance
        (h, w) maps at half resolution, 0...1.
    lowest
        A peak counts from this value of foreground x (1 - boundary) x distance.
    smoothing
        Sigma in map positions, to join peaks of one object.

    Returns
    -------
    ndarray
        (N, 2) float32 row, column in pixels of the image (twice the map), strongest first.
    """
    inside = np.asarray(foreground, dtype=np.float32) * (1 - np.asarray(boundary, np.float32))
    strength = ndimage.gaussian_filter(inside * np.asarray(distance, np.float32), smoothing)
    peaks = (strength == ndimage.maximum_filter(strength, 3)) & (strength > lowest)
    marked, count = ndimage.label(peaks, np.ones((3, 3)))
    if count == 0:
        return np.zeros((0, 2), dtype=np.float32)
    rows, cols = np.nonzero(peaks)
    _, first = np.unique(marked[rows, cols], return_index=True)
    rows, cols = rows[first], cols[first]
    order = np.argsort(-strength[rows, cols], kind="stable")
    return np.stack([2 * rows[order], 2 * cols[order]], axis=1).astype(np.float32) + 0.5
