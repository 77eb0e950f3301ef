"""Whole images through a model in overlapping tiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Tile", "standardise", "tiles_of"]

TILE = 1024
MARGIN = 96


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
        """Which (N, 2) whole-image points lie in the core."""
        rows, cols = points[:, 0], points[:, 1]
        return np.asarray(
            (rows >= self.core_top)
            & (rows < self.core_bottom)
            & (cols >= self.core_left)
            & (cols < self.core_right)
        )


def tiles_of(shape: tuple[int, int], tile: int = TILE, margin: int = MARGIN) -> Iterator[Tile]:
    """Tiles whose cores cover an (H, W) image once; core edges lie on even pixels."""
    for top, bottom in _spans(shape[0], tile, margin):
        for left, right in _spans(shape[1], tile, margin):
            yield Tile(
                max(0, top - margin) if top else 0,
                max(0, left - margin) if left else 0,
                min(shape[0], bottom + margin),
                min(shape[1], right + margin),
                top,
                left,
                bottom,
                right,
            )


def _spans(length: int, tile: int, margin: int) -> list[tuple[int, int]]:
    """Core intervals of nearly equal even length."""
    if length <= tile + 2 * margin:
        return [(0, length)]
    count = -(-length // tile)
    edges = [2 * round(length * k / count / 2) for k in range(count)] + [length]
    return list(zip(edges[:-1], edges[1:], strict=True))


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
