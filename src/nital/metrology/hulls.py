"""Convex hulls of many objects at once, without a loop over objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nital.metrology.runs import Runs

__all__ = ["Hulls", "corner_hulls", "edge_hulls"]


@dataclass(frozen=True)
class Hulls:
    """Vertices of convex hulls, in order around each object, one object after the other.

    Parameters
    ----------
    row, col
        (v,) integers: pixel corners, in units of ``1 / resolution`` pixels.
    bounds
        (n + 1,) the vertices of object i are ``bounds[i]...bounds[i + 1] - 1``.
    resolution
        1 or 2.
    """

    row: NDArray[np.int64]
    col: NDArray[np.int64]
    bounds: NDArray[np.int64]
    resolution: int = 1

    @property
    def following(self) -> NDArray[np.int64]:
        """(v,) position of the next vertex around the same object."""
        following = np.arange(1, len(self.row) + 1)
        following[self.bounds[1:] - 1] = self.bounds[:-1]
        return following

    def perimeter(self) -> NDArray[np.float64]:
        """(n,) length of each outline in pixels."""
        following = self.following
        sides = np.hypot(self.row[following] - self.row, self.col[following] - self.col)
        return np.add.reduceat(sides, self.bounds[:-1]) / self.resolution

    def area(self) -> NDArray[np.float64]:
        """(n,) area of each hull in square pixels."""
        following = self.following
        twice = self.row * self.col[following] - self.row[following] * self.col
        return np.abs(np.add.reduceat(twice, self.bounds[:-1])) / (2.0 * self.resolution**2)


def corner_hulls(runs: Runs, owner: NDArray[np.int64], count: int) -> Hulls:
    """Hulls of the pixels' corners: what lies around the object on all sides.

    Parameters
    ----------
    runs
        The runs of all objects.
    owner
        (k,) which object each run belongs to, 0...count - 1, each at least once.
    count
        Number of objects, at least 1.
    """
    row = np.concatenate([runs.row, runs.row + 1])
    return _hulls(np.tile(owner, 2), row, np.tile(runs.start, 2), np.tile(runs.stop, 2), count, 1)


def edge_hulls(runs: Runs, owner: NDArray[np.int64], count: int) -> Hulls:
    """Hulls of the middles of the pixels' edges, where a smooth outline passes on average.

    The corner hull of a disc is too large by half a pixel all around; this one is not. Parameters
    as in :func:`corner_hulls`.
    """
    row = np.concatenate([2 * runs.row, 2 * runs.row + 1, 2 * runs.row + 2])
    left = np.concatenate([2 * runs.start + 1, 2 * runs.start, 2 * runs.start + 1])
    right = np.concatenate([2 * runs.stop - 1, 2 * runs.stop, 2 * runs.stop - 1])
    return _hulls(np.tile(owner, 3), row, left, right, count, 2)


def _hulls(
    owner: NDArray[np.int64],
    row: NDArray[np.int64],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    count: int,
    resolution: int,
) -> Hulls:
    owner, row, left, right = _outermost(owner, row, left, right)
    on_left = _lower_envelope(owner, row, left)
    on_right = _lower_envelope(owner, row, -right)
    chosen = np.concatenate([on_left, on_right])
    side = np.repeat([0, 1], [len(on_left), len(on_right)])
    along = np.concatenate([row[on_left], -row[on_right]])
    col = np.concatenate([left[on_left], right[on_right]])
    order = np.lexsort((along, side, owner[chosen]))
    bounds = np.searchsorted(owner[chosen][order], np.arange(count + 1))
    return Hulls(row[chosen][order], col[order], bounds, resolution)


def _outermost(
    owner: NDArray[np.int64],
    row: NDArray[np.int64],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
) -> tuple[NDArray[np.int64], ...]:
    """Object, row, leftmost and rightmost point of each object on each row, in order."""
    stride = int(row.max()) + 1
    key = owner * stride + row
    order = np.argsort(key, kind="stable")
    key = key[order]
    begins = np.flatnonzero(np.diff(key, prepend=-1))
    owner, row = np.divmod(key[begins], stride)
    lowest = np.minimum.reduceat(left[order], begins)
    highest = np.maximum.reduceat(right[order], begins)
    return owner, row, lowest, highest


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
