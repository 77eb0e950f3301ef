"""Overlapping candidate masks at the decoder's resolution."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Instances"]


@dataclass(frozen=True)
class Instances:
    """N candidate masks, each on a small grid laid over a window of the image.

    Parameters
    ----------
    logits
        (N, G, G) float16, G at least 2; a mask is where they exceed 0.
    windows
        (N, 4) float32 top, left, bottom, right in image pixels, half-open; may reach outside.
    scores
        (N,) float32 predicted IoU, 0...1.
    points
        (N, 2) float32 row, column of the prompt.
    origin
        Where the prompts came from.
    """

    logits: NDArray[np.float16]
    windows: NDArray[np.float32]
    scores: NDArray[np.float32]
    points: NDArray[np.float32]
    origin: str = "grid"

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def empty(cls, grid: int) -> Instances:
        """No candidates."""
        return cls(
            np.zeros((0, grid, grid), np.float16),
            np.zeros((0, 4), np.float32),
            np.zeros(0, np.float32),
            np.zeros((0, 2), np.float32),
        )

    @classmethod
    def from_masks(
        cls,
        masks: Iterable[NDArray[np.bool_]],
        scores: NDArray[np.floating],
        grid: int = 64,
        origin: str = "masks",
    ) -> Instances:
        """Candidates from (H, W) masks of any source, each on a window half as large again.

        A cell is inside where most of it is; an empty mask gives an empty candidate.
        """
        logits, windows, points = [], [], []
        for mask in masks:
            places = np.argwhere(mask)
            low, high = (
                (places.min(0), places.max(0) + 1) if len(places) else (np.zeros(2), np.ones(2))
            )
            middle, half = (low + high) / 2, 0.75 * (high - low) + 0.5
            window = np.concatenate([middle - half, middle + half])
            logits.append(_shares(mask, window, grid) * 16 - 8)
            windows.append(window)
            points.append(middle)
        count = len(windows)
        return cls(
            np.asarray(logits, dtype=np.float16).reshape(count, grid, grid),
            np.asarray(windows, dtype=np.float32).reshape(count, 4),
            np.asarray(scores, dtype=np.float32).reshape(count),
            np.asarray(points, dtype=np.float32).reshape(count, 2),
            origin,
        )

    @classmethod
    def join(cls, parts: list[Instances]) -> Instances:
        """All candidates of several sets with the same grid."""
        return cls(
            np.concatenate([p.logits for p in parts]),
            np.concatenate([p.windows for p in parts]),
            np.concatenate([p.scores for p in parts]),
            np.concatenate([p.points for p in parts]),
            parts[0].origin,
        )

    def take(self, index: NDArray[np.generic]) -> Instances:
        """Some of the candidates, by a mask or by indices."""
        return Instances(
            self.logits[index],
            self.windows[index],
            self.scores[index],
            self.points[index],
            self.origin,
        )

    @property
    def cell_areas(self) -> NDArray[np.float32]:
        """(N,) area of one grid cell in square pixels."""
        sides = self.windows[:, 2:] - self.windows[:, :2]
        grid = self.logits.shape[1]
        return np.asarray(sides[:, 0] * sides[:, 1] / grid**2, dtype=np.float32)

    @property
    def areas(self) -> NDArray[np.float32]:
        """(N,) area of each mask in square pixels, at the grid's resolution."""
        return np.asarray((self.logits > 0).sum((1, 2)) * self.cell_areas, dtype=np.float32)

    @property
    def boxes(self) -> NDArray[np.float32]:
        """(N, 4) box of each mask in image pixels; zero height and width where it is empty."""
        masks = np.asarray(self.logits > 0)
        grid = masks.shape[1]
        edges = []
        for axis in (2, 1):
            any_cell = np.asarray(masks.any(axis))
            first = any_cell.argmax(1)
            last = grid - any_cell[:, ::-1].argmax(1)
            edges.append(np.where(any_cell.any(1), [first, last], 0))
        (top, bottom), (left, right) = edges
        cells = np.stack([top, left, bottom, right], 1) / grid
        sides = np.tile(self.windows[:, 2:] - self.windows[:, :2], 2)
        return np.asarray(np.tile(self.windows[:, :2], 2) + cells * sides, dtype=np.float32)

    def boxes_of(self, index: int) -> NDArray[np.float32]:
        """(4,) box of one mask in image pixels."""
        return np.asarray(self.take(np.array([index])).boxes[0], dtype=np.float32)


def _shares(
    mask: NDArray[np.bool_], window: NDArray[np.floating], grid: int
) -> NDArray[np.float32]:
    """(grid, grid) share of each cell of a window that a mask covers."""
    weights = []
    for axis in (0, 1):
        edges = window[axis] + np.arange(grid + 1) / grid * (window[axis + 2] - window[axis])
        starts = np.arange(mask.shape[axis])
        covered = np.minimum(edges[1:, None], starts + 1) - np.maximum(edges[:-1, None], starts)
        weights.append(np.clip(covered, 0, None).astype(np.float32) / (edges[1] - edges[0]))
    return np.asarray(weights[0] @ mask.astype(np.float32) @ weights[1].T, dtype=np.float32)
