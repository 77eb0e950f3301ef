"""The division of an image into blocks, from whose scatter the intervals of fractions come."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Blocks", "divide"]

FEWEST, MOST = 9, 256


@dataclass(frozen=True)
class Blocks:
    """Rectangular blocks that tile an image.

    Parameters
    ----------
    row_edges, col_edges
        (R + 1,) and (C + 1,) rising, from 0 to H and to W.
    """

    row_edges: NDArray[np.int64]
    col_edges: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, int]:
        """(R, C) number of blocks along the rows and columns."""
        return len(self.row_edges) - 1, len(self.col_edges) - 1

    @property
    def area(self) -> NDArray[np.float64]:
        """(R * C,) area of each block in pixels."""
        return np.outer(np.diff(self.row_edges), np.diff(self.col_edges)).ravel().astype(float)

    def index(self, row: NDArray[np.integer], col: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return the block, 0...R * C - 1, of each pixel position."""
        rows, cols = self.shape
        band = np.repeat(np.arange(rows) * cols, np.diff(self.row_edges))
        column = np.repeat(np.arange(cols), np.diff(self.col_edges))
        return np.asarray(band[row] + column[col], dtype=np.int64)


def divide(shape: tuple[int, int], object_side: float) -> Blocks:
    """Divide an image into blocks twice as wide as its objects.

    Parameters
    ----------
    shape
        (H, W) of the image.
    object_side
        Typical side of an object in pixels, weighted by area. Blocks are near-square, and 9 to
        about 256 in number as far as the image has that many pixels.
    """
    height, width = shape
    wanted = height * width / max(2.0 * object_side, 1.0) ** 2
    number = min(max(wanted, FEWEST), MOST)
    bands = _near(math.sqrt(number * height / width), height)
    columns = _near(math.ceil(number / bands), width)
    bands = _near(math.ceil(number / columns), height)
    return Blocks(_edges(height, bands), _edges(width, columns))


def _near(number: float, largest: int) -> int:
    return min(max(round(number), 1), largest)


def _edges(length: int, parts: int) -> NDArray[np.int64]:
    return np.round(np.linspace(0, length, parts + 1)).astype(np.int64)
