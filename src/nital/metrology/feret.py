"""Feret diameters of many objects at once, from their convex hulls."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nital.metrology.hulls import Hulls

__all__ = ["feret_diameters"]

_PAIRS_AT_ONCE = 2_000_000


def feret_diameters(hulls: Hulls) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the largest and smallest distance of parallel tangents, in pixels.

    Parameters
    ----------
    hulls
        Of the pixels' corners.

    Returns
    -------
    largest, smallest
        (n,) each. Pixels are squares: one pixel has sqrt(2) and 1, a rectangle its diagonal
        and its shorter side. Exact for the hull; the smallest is found on a hull edge.
    """
    bounds, following = hulls.bounds, hulls.following
    number = np.diff(bounds)
    count = len(number)
    pairs_before = np.concatenate([[0], np.cumsum(number**2)])
    largest, smallest = np.empty(count), np.empty(count)
    begin = 0
    while begin < count:
        reachable = int(np.searchsorted(pairs_before, pairs_before[begin] + _PAIRS_AT_ONCE)) - 1
        end = min(max(reachable, begin + 1), count)
        vertices = slice(bounds[begin], bounds[end])
        largest[begin:end], smallest[begin:end] = _calipers(
            hulls.row[vertices],
            hulls.col[vertices],
            following[vertices] - bounds[begin],
            number[begin:end],
        )
        begin = end
    return largest / hulls.resolution, smallest / hulls.resolution


def _calipers(
    row: NDArray[np.int64],
    col: NDArray[np.int64],
    following: NDArray[np.int64],
    number: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Largest vertex distance and smallest width over an edge, for objects of ``number`` vertices.

    ``following`` is the position of the next vertex around the same object.
    """
    begins = np.concatenate([[0], np.cumsum(number)[:-1]])
    partners = np.repeat(number, number)
    first = np.repeat(np.arange(len(row)), partners)
    pairs_begin = np.concatenate([[0], np.cumsum(partners)[:-1]])
    within = np.arange(len(first)) - np.repeat(pairs_begin, partners)
    second = np.repeat(np.repeat(begins, number), partners) + within
    down, across = row[second] - row[first], col[second] - col[first]
    edge_down = (row[following] - row).astype(float)
    edge_across = (col[following] - col).astype(float)
    farthest = np.maximum.reduceat(down**2 + across**2, pairs_begin)
    doubled_area = np.abs(edge_down[first] * across - edge_across[first] * down)
    width = np.maximum.reduceat(doubled_area, pairs_begin) / np.hypot(edge_down, edge_across)
    largest = np.sqrt(np.maximum.reduceat(farthest, begins))
    return largest, np.minimum.reduceat(width, begins)
