"""Prompts where the model's dense maps see the middle of an object."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["object_centres", "uncovered_points"]


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
        Sigma in map positions, to join peaks of one object; a plateau counts once, in its middle.

    Returns
    -------
    ndarray
        (N, 2) float32 row, column in pixels of the image (twice the map), strongest first.
    """
    from skimage.morphology import local_maxima

    inside = np.asarray(foreground, dtype=np.float32) * (1 - np.asarray(boundary, np.float32))
    strength = ndimage.gaussian_filter(inside * np.asarray(distance, np.float32), smoothing)
    framed = np.pad(strength, 1, constant_values=-1.0)
    peaks = local_maxima(framed)[1:-1, 1:-1] & (strength > lowest)
    if not peaks.any():
        return np.zeros((0, 2), dtype=np.float32)
    rows, cols = _middles(peaks)
    order = np.argsort(-strength[rows, cols], kind="stable")
    return np.stack([2 * rows[order], 2 * cols[order]], axis=1).astype(np.float32) + 0.5


def _middles(peaks: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Of each 8-connected plateau of peaks, the position nearest to its centre of mass."""
    marked, _ = ndimage.label(peaks, np.ones((3, 3)))
    rows, cols = np.nonzero(peaks)
    plateau = marked[rows, cols] - 1
    sizes = np.bincount(plateau)
    row_gap = rows - (np.bincount(plateau, rows) / sizes)[plateau]
    col_gap = cols - (np.bincount(plateau, cols) / sizes)[plateau]
    nearest = np.lexsort((row_gap**2 + col_gap**2, plateau))
    _, first = np.unique(plateau[nearest], return_index=True)
    chosen = nearest[first]
    return rows[chosen], cols[chosen]


def uncovered_points(
    foreground: NDArray[np.floating],
    boundary: NDArray[np.floating],
    covered: NDArray[np.bool_],
    *,
    smallest: int = 12,
) -> NDArray[np.float32]:
    """One point in the middle of each part of the foreground that no mask holds yet.

    Parameters
    ----------
    foreground, boundary
        (h, w) maps at half resolution, 0...1.
    covered
        (h, w) bool, what accepted masks hold.
    smallest
        Parts with fewer map positions are left out.

    Returns
    -------
    ndarray
        (N, 2) float32 row, column in pixels of the image, the most interior of each part.
    """
    missing = (np.asarray(foreground) > 0.5) & (np.asarray(boundary) < 0.5) & ~covered
    parts, count = ndimage.label(missing)
    if count == 0:
        return np.zeros((0, 2), dtype=np.float32)
    index = np.flatnonzero(np.bincount(parts.ravel())[1:] >= smallest) + 1
    depth = ndimage.distance_transform_edt(np.pad(missing, 1))[1:-1, 1:-1]
    places = ndimage.maximum_position(depth, parts, index)
    return (2 * np.array(places, dtype=np.float32).reshape(-1, 2) + 0.5).astype(np.float32)
