"""Crops inside masks (SAM-I-Am, section 3.3.2): K of m x m pixels, seeded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nital.masks.instances import Instances

__all__ = ["SIDES", "crops_inside", "mask_on_raster"]

SIDES = (1.0, 0.8, 0.6, 0.4, 0.25)
"""Sides tried, of the side asked for, until a mask has room for a crop."""


def mask_on_raster(
    instances: Instances, index: int, shape: tuple[int, int], step: float
) -> tuple[tuple[int, int], NDArray[np.bool_]]:
    """A mask on square cells of ``step`` pixels over an image.

    Parameters
    ----------
    instances, index
        Which mask.
    shape
        (h, w) of the raster; cell (0, 0) has the image's first pixel in its corner.
    step
        Pixels a cell.

    Returns
    -------
    corner
        Row and column of the part's first cell.
    part
        (a, b) bool, the cells around the mask's box whose centres lie in it, its logits being
        interpolated.
    """
    box = instances.boxes_of(index) / step
    window = instances.windows[index] / step
    grid = instances.logits.shape[1]
    corner, weights = [], []
    for axis in (0, 1):
        low, high = float(window[axis]), float(window[axis + 2])
        cell = (high - low) / grid
        first, last = max(box[axis] - cell / 2, low), min(box[axis + 2] + cell / 2, high)
        start = int(np.clip(np.floor(first), 0, shape[axis]))
        stop = int(np.clip(np.ceil(last), start, shape[axis]))
        place = ((np.arange(start, stop) + 0.5 - low) / max(cell, 1e-9) - 0.5).clip(0, grid - 1)
        base = np.minimum(place.astype(int), grid - 2)
        weight = np.zeros((stop - start, grid), dtype=np.float32)
        weight[np.arange(stop - start), base] = 1 - (place - base)
        weight[np.arange(stop - start), base + 1] = place - base
        corner.append(start)
        weights.append(weight)
    logits = weights[0] @ instances.logits[index].astype(np.float32) @ weights[1].T
    return (corner[0], corner[1]), np.asarray(logits > 0, dtype=np.bool_)


def crops_inside(
    part: NDArray[np.bool_],
    side: int,
    count: int,
    rng: np.random.Generator,
    inside: float = 0.9,
) -> NDArray[np.int64]:
    """Random squares of which enough lies in a mask.

    The side is the largest of :data:`SIDES` times the one asked for that has room, so small masks
    are described by smaller crops; a mask with no room for any gives the square around its most
    interior place. Fewer than ``count`` places give each place once.

    Parameters
    ----------
    part
        (a, b) mask.
    side
        Of a square, in its cells.
    count
        Squares wanted.
    rng
        Chooses among the places.
    inside
        Share of a square that lies in the mask.

    Returns
    -------
    ndarray
        (n, 4) top, left, bottom, right in cells, n up to ``count``; (0, 4) for an empty mask.
    """
    if not part.any():
        return np.zeros((0, 4), dtype=np.int64)
    total = np.pad(part.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    length = 1
    for share in SIDES:
        length = max(1, round(side * share))
        if length > min(part.shape):
            continue
        held = _held(total, length)
        places = np.flatnonzero(held >= inside * length**2 - 1e-9)
        if len(places):
            chosen = rng.choice(places, min(count, len(places)), replace=False)
            return _boxes(np.sort(chosen), held.shape[1], length)
    length = min(length, *part.shape)
    held = _held(total, length)
    return _boxes(np.array([int(held.argmax())]), held.shape[1], length)


def _held(total: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Cells of the mask in every square, from its summed-area table."""
    upper, lower = total[:-length], total[length:]
    held = lower[:, length:] - upper[:, length:] - lower[:, :-length] + upper[:, :-length]
    return np.asarray(held, dtype=np.int64)


def _boxes(places: NDArray[np.integer], width: int, length: int) -> NDArray[np.int64]:
    rows, cols = places // width, places % width
    return np.stack([rows, cols, rows + length, cols + length], axis=1).astype(np.int64)
