"""Whole images through a model in overlapping tiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nital.errors import UsageError

__all__ = ["Tile", "middle", "standardise", "tiles_of"]

TILE = 1024
MARGIN = 96
STEP = 32  # positions at which the encoder sees the same image the same way are this far apart


@dataclass(frozen=True)
class Tile:
    """One tile: what is embedded, and the core that it answers for (half-open, whole image)."""

    top: int
    left: int
    bottom: int
    right: int
    core_top: int
    core_left: int
    core_bottom: int
    core_right: int

    @property
    def outer(self) -> tuple[slice, slice]:
        """Slices of the embedded part."""
        return np.s_[self.top : self.bottom, self.left : self.right]

    @property
    def core(self) -> tuple[slice, slice]:
        """Slices of the core in the whole image."""
        return np.s_[self.core_top : self.core_bottom, self.core_left : self.core_right]

    def holds(self, points: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Which (N, 2) whole-image points lie in the core; pixel centres are whole numbers."""
        rows, cols = points[:, 0] + 0.5, points[:, 1] + 0.5
        return np.asarray(
            (rows >= self.core_top)
            & (rows < self.core_bottom)
            & (cols >= self.core_left)
            & (cols < self.core_right)
        )


def tiles_of(shape: tuple[int, int], tile: int = TILE, margin: int = MARGIN) -> Iterator[Tile]:
    """Tiles whose cores cover an (H, W) image once; all inner edges are multiples of 32.

    Parameters
    ----------
    tile
        About the side of a core in pixels, at least 64.
    margin
        What a tile sees around its core, in pixels; a multiple of 32.

    Raises
    ------
    UsageError
        When the tile is too small or the margin no multiple of 32.
    """
    if tile < 2 * STEP or margin < 0 or margin % STEP:
        raise UsageError(
            f"a tile needs at least {2 * STEP} pixels and a margin that is a multiple of {STEP},"
            f" not {tile} and {margin}"
        )
    for top, bottom in _spans(shape[0], tile, margin):
        for left, right in _spans(shape[1], tile, margin):
            yield Tile(
                max(0, top - margin),
                max(0, left - margin),
                min(shape[0], bottom + margin),
                min(shape[1], right + margin),
                top,
                left,
                bottom,
                right,
            )


def _spans(length: int, tile: int, margin: int) -> list[tuple[int, int]]:
    """Core intervals of nearly equal length."""
    if length <= tile + 2 * margin:
        return [(0, length)]
    count = -(-length // tile)
    edges = [STEP * round(length * k / count / STEP) for k in range(count)] + [length]
    return list(pairwise(edges))


def standardise(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
    """(H, W) grey levels to float32 of zero mean and unit variance; a constant image to zeros."""
    image = pixels.astype(np.float32)
    low, high = np.percentile(image[:: max(1, image.shape[0] // 1024)], [0.05, 99.95])
    if high > low:
        np.clip(image, low, high, out=image)
    spread = float(image.std(dtype=np.float64))
    image -= np.float32(image.mean(dtype=np.float64))
    if spread > 0:
        image /= np.float32(spread)
    return image


def middle(image: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """The central part of an (H, W) image, at most ``side`` pixels a side."""
    top, left = (max(0, (length - side) // 2) for length in image.shape)
    return image[top : top + side, left : left + side]
