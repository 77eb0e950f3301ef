"""From overlapping candidates to one label a pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nital.masks.instances import Instances

__all__ = ["Painted", "paint"]


@dataclass(frozen=True)
class Painted:
    """Survivors drawn at the image's size.

    Parameters
    ----------
    labels
        (H, W) int32; 0 where no mask holds the pixel, else 1 + index of the candidate.
    probability
        (H, W) uint8; 255 times the mask's probability there.
    """

    labels: NDArray[np.int32]
    probability: NDArray[np.uint8]


def paint(instances: Instances, shape: tuple[int, int], level: float = 0.5) -> Painted:
    """Give each pixel of an (H, W) image to the candidate that claims it most.

    Each candidate is enlarged inside its own box and window only; ties go to the earlier one.

    Parameters
    ----------
    level
        Probability from which a mask claims a pixel.
    """
    labels = np.zeros(shape, dtype=np.int32)
    best = np.zeros(shape, dtype=np.uint8)
    boxes = instances.boxes
    grid = instances.logits.shape[1]
    lowest = max(1, round(255 * level))
    for index in range(len(instances)):
        window = instances.windows[index]
        top, bottom = _pixels(boxes[index, ::2], window[::2], grid, shape[0])
        left, right = _pixels(boxes[index, 1::2], window[1::2], grid, shape[1])
        if bottom <= top or right <= left:
            continue
        rows = _interpolation(top, bottom, window[::2], grid)
        cols = _interpolation(left, right, window[1::2], grid)
        logits = rows @ instances.logits[index].astype(np.float32) @ cols.T
        value = (255 / (1 + np.exp(-np.clip(logits, -30, 30)))).astype(np.uint8)
        here = best[top:bottom, left:right]
        wins = (value > here) & (value >= lowest)
        here[wins] = value[wins]
        labels[top:bottom, left:right][wins] = index + 1
    return Painted(labels, best)


def _pixels(
    box: NDArray[np.float32], window: NDArray[np.float32], grid: int, side: int
) -> tuple[int, int]:
    """Rows or columns of the image that a mask may claim: in its window, at most a cell off."""
    if box[1] <= box[0]:
        return 0, 0
    low, high = float(window[0]), float(window[1])
    cell = (high - low) / grid
    start = np.ceil(max(low, float(box[0]) - cell) - 0.5)
    stop = np.ceil(min(high, float(box[1]) + cell) - 0.5)
    return max(0, int(start)), min(side, int(stop))


def _interpolation(
    start: int, stop: int, window: NDArray[np.float32], grid: int
) -> NDArray[np.float32]:
    """(stop - start, G) matrix of linear weights from grid cells to pixel centres."""
    low, high = float(window[0]), float(window[1])
    position = (np.arange(start, stop) + 0.5 - low) / (high - low) * grid - 0.5
    position = position.clip(0, grid - 1)
    base = np.minimum(position.astype(int), grid - 2)
    share = (position - base).astype(np.float32)
    matrix = np.zeros((stop - start, grid), dtype=np.float32)
    index = np.arange(stop - start)
    matrix[index, base] = 1 - share
    matrix[index, base + 1] = share
    return matrix
