"""Outlines along the sides of pixels, exact both ways: labels to polygons, polygons to pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Polygon", "fill_rings", "join_holes", "trace_outlines"]

Ring = NDArray[np.float64]

# Steps (row, column) to the right, down, left and up.
_STEPS = np.array([(0, 1), (1, 0), (0, -1), (-1, 0)])


@dataclass(frozen=True)
class Polygon:
    """One connected piece of an object.

    Parameters
    ----------
    outer
        (k, 2) x, y of the corners, in pixels from the top left corner of the image, where pixel
        (row, col) is the square from (col, row) to (col + 1, row + 1); not closed; clockwise as
        seen on screen.
    holes
        The same of each hole, counter-clockwise.
    """

    outer: Ring
    holes: tuple[Ring, ...]


def trace_outlines(labels: NDArray[np.int32]) -> dict[int, tuple[Polygon, ...]]:
    """Outline every object: its pieces joined by pixel sides, each with its holes.

    Rings run along the sides of pixels, so filling them gives the same pixels again. They are
    simple: none touches itself, and a hole touches its outer ring in single corners at most.

    Returns
    -------
    Polygons by label; labels rise.
    """
    from skimage.measure import label

    if not labels.any():
        return {}
    pieces = label(labels, background=0, connectivity=1)
    start, step, piece = _edges(pieces.astype(np.int64))
    rings: dict[int, list[tuple[float, Ring]]] = {}
    for corners, owner in _rings(start, step, piece, labels.shape[1] + 1):
        rings.setdefault(owner, []).append((_signed_area(corners), corners))
    names = np.zeros(int(pieces.max()) + 1, dtype=np.int64)
    names[pieces] = labels
    found: dict[int, list[Polygon]] = {}
    for owner, of_piece in sorted(rings.items(), key=lambda item: (names[item[0]], item[0])):
        outer = [ring for area, ring in of_piece if area > 0]
        holes = tuple(ring for area, ring in of_piece if area < 0)
        assert len(outer) == 1
        found.setdefault(int(names[owner]), []).append(Polygon(outer[0], holes))
    return {name: tuple(polygons) for name, polygons in found.items()}


def _edges(
    pieces: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Sides between different pieces: start corner (flat), step, piece on the right of it."""
    padded = np.pad(pieces, 1)
    middle = padded[1:-1, 1:-1]
    around = (padded[:-2, 1:-1], padded[1:-1, 2:], padded[2:, 1:-1], padded[1:-1, :-2])
    corner = ((0, 0), (0, 1), (1, 1), (1, 0))
    width = pieces.shape[1] + 1
    starts, steps, owners = [], [], []
    for step, (neighbour, (down, right)) in enumerate(zip(around, corner, strict=True)):
        rows, cols = np.nonzero((middle != neighbour) & (middle > 0))
        starts.append((rows + down) * width + cols + right)
        steps.append(np.full(len(rows), step))
        owners.append(middle[rows, cols])
    return np.concatenate(starts), np.concatenate(steps), np.concatenate(owners)


def _rings(
    start: NDArray[np.int64], step: NDArray[np.int64], piece: NDArray[np.int64], width: int
) -> list[tuple[Ring, int]]:
    """Follow the sides of each piece around; corners where a ring turns, and the piece."""
    order = np.lexsort((step, start, piece))
    start, step, piece = start[order], step[order], piece[order]
    ends = start + _STEPS[step, 0] * width + _STEPS[step, 1]
    size = int(ends.max()) + 1
    key = piece * size + start
    first = np.searchsorted(key, piece * size + ends, side="left")
    second = np.minimum(first + 1, len(key) - 1)
    # Two sides of a piece begin where its pixels meet at a corner: turning left joins them.
    forked = key[second] == key[first]
    left = (step - 1) % 4
    following = np.where(forked & (step[second] == left), second, first).tolist()
    turns = (step[following] != step).tolist()
    seen = np.zeros(len(start), dtype=bool)
    rows, cols = np.divmod(ends, width)
    rings = []
    for begin in range(len(start)):
        if seen[begin]:
            continue
        path, at = [], begin
        while not seen[at]:
            seen[at] = True
            if turns[at]:
                path.append(at)
            at = following[at]
        corners = np.stack([cols[path], rows[path]], axis=1).astype(np.float64)
        rings.append((corners, int(piece[begin])))
    return rings


def _signed_area(ring: Ring) -> float:
    x, y = ring[:, 0], ring[:, 1]
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum()) / 2.0


def fill_rings(rings: Sequence[Ring], shape: tuple[int, int]) -> NDArray[np.int64]:
    """Flat indices of the pixels whose middle lies inside an odd number of rings.

    Parameters
    ----------
    rings
        (k, 2) x, y of each, as in :class:`Polygon`, closed or not, in any direction. Parts
        outside the image are cut off.
    """
    height, width = shape
    if not rings:
        return np.zeros(0, dtype=np.int64)
    corners = np.concatenate(rings)
    top = max(int(np.floor(corners[:, 1].min())), 0)
    bottom = min(int(np.ceil(corners[:, 1].max())), height)
    if bottom <= top:
        return np.zeros(0, dtype=np.int64)
    crossings = [_crossings(np.asarray(ring, dtype=float), top, bottom) for ring in rings]
    row = np.concatenate([part[0] for part in crossings])
    across = np.concatenate([part[1] for part in crossings])
    order = np.lexsort((across, row))
    row, across = row[order], across[order]
    # Rings are closed, so each row is crossed an even number of times.
    begin = np.clip(np.ceil(across[::2] - 0.5), 0, width).astype(np.int64)
    stop = np.clip(np.ceil(across[1::2] - 0.5), 0, width).astype(np.int64)
    length = np.maximum(stop - begin, 0)
    first = np.repeat(row[::2] * width + begin, length)
    offset = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    return np.asarray(first + offset)


def _crossings(ring: Ring, top: int, bottom: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Rows whose middle a ring crosses, and the x where it does."""
    x0, y0 = ring[:, 0], ring[:, 1]
    x1, y1 = np.roll(x0, -1), np.roll(y0, -1)
    low, high = np.minimum(y0, y1), np.maximum(y0, y1)
    first = np.clip(np.ceil(low - 0.5), top, bottom).astype(np.int64)
    stop = np.clip(np.ceil(high - 0.5), top, bottom).astype(np.int64)
    number = stop - first
    side = np.repeat(np.arange(len(ring)), number)
    row = np.repeat(first, number) + (
        np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    )
    share = (row + 0.5 - y0[side]) / (y1[side] - y0[side])
    return row, x0[side] + share * (x1[side] - x0[side])


def join_holes(polygon: Polygon) -> Ring:
    """One ring for a polygon with holes: each is reached by a cut of no width.

    For formats whose polygons have no holes; filled by the even-odd rule it gives the same pixels.
    """
    ring = polygon.outer
    for hole in sorted(polygon.holes, key=lambda hole: float(hole[:, 0].min())):
        begin = int(hole[:, 0].argmin())
        turned = np.roll(hole, -begin, axis=0)
        distance = ((ring - turned[0]) ** 2).sum(axis=1)
        at = int(distance.argmin())
        ring = np.concatenate([ring[: at + 1], turned, turned[:1], ring[at:]])
    return ring
