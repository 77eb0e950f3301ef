"""Layers of overlapping crops, and the grid of points on each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Crop", "crops_of", "grid_points", "touches_inner_edge"]

NEAR = 20.0  # pixels within which a box touches the edge of a crop


@dataclass(frozen=True)
class Crop:
    """A half-open part of the image, and the layer that it belongs to; layer 0 is the whole."""

    top: int
    left: int
    bottom: int
    right: int
    layer: int = 0

    @property
    def place(self) -> tuple[slice, slice]:
        """Slices of the crop in the image."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the crop."""
        return self.bottom - self.top, self.right - self.left

    @property
    def corner(self) -> NDArray[np.float32]:
        """Row and column of its first pixel."""
        return np.array([self.top, self.left], dtype=np.float32)


def crops_of(shape: tuple[int, int], layers: int, overlap_ratio: float) -> list[Crop]:
    """The whole (H, W) image, then 2^i x 2^i crops for each layer i, none of them empty."""
    height, width = shape
    crops = [Crop(0, 0, height, width)]
    for layer in range(1, layers + 1):
        count = 2**layer
        overlap = int(overlap_ratio * min(shape) * 2 / count)
        rows, cols = (math.ceil((overlap * (count - 1) + side) / count) for side in shape)
        for left in (index * (cols - overlap) for index in range(count)):
            for top in (index * (rows - overlap) for index in range(count)):
                bottom, right = min(top + rows, height), min(left + cols, width)
                if bottom > top and right > left:
                    crops.append(Crop(top, left, bottom, right, layer))
    return crops


def grid_points(shape: tuple[int, int], per_side: int) -> NDArray[np.float32]:
    """(per_side^2, 2) row, column of the middles of equal cells, in SAM's coordinates.

    SAM counts from the corner of the image here and from the middle of the first pixel elsewhere;
    its grid is kept, half a pixel off the middles, so that the same points are asked.
    """
    steps = np.linspace(1 / (2 * per_side), 1 - 1 / (2 * per_side), per_side)
    rows, cols = (np.minimum(steps * side, side - 0.5) for side in shape)
    grid = np.stack(np.meshgrid(rows, cols, indexing="ij"), axis=-1)
    return grid.reshape(-1, 2).astype(np.float32)


def touches_inner_edge(
    boxes: NDArray[Any], crop: Crop, shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """(N,) whether boxes, in the crop's pixels, reach an edge that is not the image's.

    What a crop cuts off is whole in a larger crop.
    """
    placed = boxes - [0, 0, 1, 1] + np.tile(crop.corner, 2)
    cut = np.abs(placed - [crop.top, crop.left, crop.bottom, crop.right]) <= NEAR
    real = np.abs(placed - [0, 0, *shape]) <= NEAR
    return np.asarray((cut & ~real).any(1))
