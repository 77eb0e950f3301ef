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

    def sum(self, image: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(R * C,) number of pixels that are set in each block of an (H, W) mask."""
        bands = [
            image[top:bottom].sum(axis=0, dtype=np.int64)
            for top, bottom in zip(self.row_edges, self.row_edges[1:], strict=False)
        ]
        cells = np.add.reduceat(np.stack(bands), self.col_edges[:-1], axis=1)
        return cells.ravel().astype(float)


def divide(shape: tuple[int, int], object_side: float) -> Blocks:
    """Divide an image into blocks that hold several objects each.

    For n objects there are about ``1.5 sqrt(n)`` blocks: the more objects, the more blocks to tell
    the scatter from, and the larger each, so that less of what it holds is cut.

    Parameters
    ----------
    shape
        (H, W) of the image.
    object_side
        Typical side of an object in pixels, weighted by area. Blocks are near-square, and 9 to
        about 256 in number as far as the image has that many pixels.
    """
    height, width = shape
    wanted = 1.5 * math.sqrt(height * width) / max(object_side, 1.0)
    number = min(max(wanted, FEWEST), MOST)
    bands = _near(math.sqrt(number * height / width), height)
    columns = _near(math.ceil(number / bands), width)
    bands = _near(math.ceil(number / columns), height)
    return Blocks(_edges(height, bands), _edges(width, columns))


def _near(number: float, largest: int) -> int:
    return min(max(round(number), 1), largest)


def _edges(length: int, parts: int) -> NDArray[np.int64]:
    return np.round(np.linspace(0, length, parts + 1)).astype(np.int64)
