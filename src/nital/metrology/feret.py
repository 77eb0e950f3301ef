"""Feret diameters of many objects at once, from the convex hulls of their pixels' corners."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nital.metrology.runs import Runs

__all__ = ["feret_diameters"]

_PAIRS_AT_ONCE = 2_000_000


def feret_diameters(
    runs: Runs, group: NDArray[np.int64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the largest and smallest distance of parallel tangents, in pixels.

    Parameters
    ----------
    runs
        The runs of all objects.
    group
        (k,) which object each run belongs to, 0...count - 1, each at least once.
    count
        Number of objects.

    Returns
    -------
    largest, smallest
        (count,) each. Pixels are squares: one pixel has sqrt(2) and 1, a rectangle its diagonal
        and its shorter side. Exact for the hull; the smallest is found on a hull edge.
    """
    if count == 0:
        return np.zeros(0), np.zeros(0)
    owner, row, col = _hull_vertices(*_outermost_corners(runs, group))
    bounds = np.searchsorted(owner, np.arange(count + 1))
    number = np.diff(bounds)
    following = np.arange(1, len(owner) + 1)
    following[bounds[1:] - 1] = bounds[:-1]
    pairs_before = np.concatenate([[0], np.cumsum(number**2)])
    largest, smallest = np.empty(count), np.empty(count)
    begin = 0
    while begin < count:
        reachable = int(np.searchsorted(pairs_before, pairs_before[begin] + _PAIRS_AT_ONCE)) - 1
        end = min(max(reachable, begin + 1), count)
        vertices = slice(bounds[begin], bounds[end])
        largest[begin:end], smallest[begin:end] = _calipers(
            row[vertices],
            col[vertices],
            following[vertices] - bounds[begin],
            number[begin:end],
        )
        begin = end
    return largest, smallest


def _outermost_corners(
    runs: Runs, group: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Object, row, leftmost and rightmost column of the pixel corners, for each row of corners."""
    stride = int(runs.row.max()) + 2
    above = group * stride + runs.row
    key = np.concatenate([above, above + 1])
    order = np.argsort(key, kind="stable")
    key = key[order]
    begins = np.flatnonzero(np.diff(key, prepend=-1))
    left = np.minimum.reduceat(np.tile(runs.start, 2)[order], begins)
    right = np.maximum.reduceat(np.tile(runs.stop, 2)[order], begins)
    owner, row = np.divmod(key[begins], stride)
    return owner, row, left, right


def _hull_vertices(
    owner: NDArray[np.int64],
    row: NDArray[np.int64],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Object, row and column of the hull vertices, in order around each object."""
    on_left = _lower_envelope(owner, row, left)
    on_right = _lower_envelope(owner, row, -right)
    chosen = np.concatenate([on_left, on_right])
    side = np.repeat([0, 1], [len(on_left), len(on_right)])
    along = np.concatenate([row[on_left], -row[on_right]])
    col = np.concatenate([left[on_left], right[on_right]])
    order = np.lexsort((along, side, owner[chosen]))
    return owner[chosen][order], row[chosen][order], col[order]


def _lower_envelope(
    owner: NDArray[np.int64], x: NDArray[np.int64], y: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Positions of the vertices of the lower convex envelope of y(x), for each object.

    Points that lie on or above the line through their neighbours are dropped until none is left.
    A vertex of the envelope lies below every line through two others of its object, so it is
    never dropped, whatever goes at the same time. Finished objects leave the loop.
    """
    active = np.arange(len(owner))
    finished = []
    unsettled = np.zeros(int(owner[-1]) + 1, dtype=bool)
    while active.size:
        who, at, height = owner[active], x[active], y[active]
        inner = (who[:-2] == who[1:-1]) & (who[1:-1] == who[2:])
        rise = (height[1:-1] - height[:-2]) * (at[2:] - at[:-2])
        chord = (height[2:] - height[:-2]) * (at[1:-1] - at[:-2])
        drop = np.zeros(active.size, dtype=bool)
        drop[1:-1] = inner & (rise >= chord)
        unsettled[:] = False
        unsettled[who[drop]] = True
        finished.append(active[~unsettled[who]])
        active = active[unsettled[who] & ~drop]
    return np.sort(np.concatenate(finished))


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
