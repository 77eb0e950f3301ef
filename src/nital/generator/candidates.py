"""Masks at the decoder's resolution: judged there, and enlarged only when they stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nital.models.protocol import Selected

__all__ = ["Candidates", "judge"]

LIMIT = 3e4  # logits stay within float16
BLOCK = 256  # columns interpolated at once


@dataclass(frozen=True)
class Candidates:
    """N masks of one crop, each cut out of its decoder's grid with a margin of one cell.

    Parameters
    ----------
    logits
        N arrays (h, w) float16; a mask is where they exceed 0.
    corners
        (N, 2) row, column of each array in its grid.
    grids
        (N, 2) rows, columns of each grid.
    windows
        (N, 4) float32 top, left, bottom, right of each grid in pixels of the crop.
    boxes
        (N, 4) int32 box of each mask in pixels of the crop, half-open; interpolated, so within a
        pixel of that of the enlarged mask.
    areas
        (N,) float32 square pixels.
    scores, stability
        (N,) float32, 0...1.
    points
        (N, 2) float32 row, column of the prompts in the crop.
    """

    logits: tuple[NDArray[np.float16], ...]
    corners: NDArray[np.intp]
    grids: NDArray[np.intp]
    windows: NDArray[np.float32]
    boxes: NDArray[np.int32]
    areas: NDArray[np.float32]
    scores: NDArray[np.float32]
    stability: NDArray[np.float32]
    points: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def join(cls, parts: Sequence[Candidates]) -> Candidates:
        """All candidates of several batches, at least one."""
        names = ("corners", "grids", "windows", "boxes", "areas", "scores", "stability", "points")
        joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
        return cls(tuple(each for part in parts for each in part.logits), **joined)

    def take(self, index: NDArray[np.generic]) -> Candidates:
        """Some of them, by a boolean array or by indices."""
        chosen = np.arange(len(self))[index]
        names = ("corners", "grids", "windows", "boxes", "areas", "scores", "stability", "points")
        taken = {name: getattr(self, name)[chosen] for name in names}
        return Candidates(tuple(self.logits[i] for i in chosen), **taken)

    def enlarge(self, index: int) -> NDArray[np.bool_]:
        """One mask at the crop's resolution, inside its box: linear between the cells' centres."""
        top, left, bottom, right = (int(edge) for edge in self.boxes[index])
        rows, row_shares = self._between(index, 0, top, bottom)
        cols, col_shares = self._between(index, 1, left, right)
        logits = self.logits[index].astype(np.float32)
        upright = logits[rows] * (1 - row_shares)[:, None] + logits[rows + 1] * row_shares[:, None]
        mask = np.empty((bottom - top, right - left), dtype=bool)
        for start in range(0, right - left, BLOCK):
            some = slice(start, start + BLOCK)
            first, last = cols[some][0], cols[some][-1] + 2
            matrix = np.zeros((last - first, len(cols[some])), dtype=np.float32)
            order = np.arange(matrix.shape[1])
            matrix[cols[some] - first, order] = 1 - col_shares[some]
            matrix[cols[some] - first + 1, order] += col_shares[some]
            mask[:, some] = upright[:, first:last] @ matrix > 0
        return mask

    def _between(
        self, index: int, axis: int, start: int, stop: int
    ) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """The cell before each pixel centre, in the cut-out array, and the share of the next."""
        low, high = self.windows[index, axis], self.windows[index, axis + 2]
        grid = self.grids[index, axis]
        place = (np.arange(start, stop) + 0.5 - low) / (high - low) * grid - 0.5
        place = place.clip(0, grid - 1) - self.corners[index, axis]
        cell = np.clip(np.floor(place).astype(np.intp), 0, self.logits[index].shape[axis] - 2)
        return cell, (place - cell).clip(0, 1).astype(np.float32)


def judge(
    selected: Selected,
    points: NDArray[np.float32],
    shape: tuple[int, int],
    *,
    offset: float,
    lowest_stability: float,
) -> Candidates:
    """Keep the stable masks of a batch, with their boxes.

    Parameters
    ----------
    points
        (P, 2) row, column of the prompts in the crop.
    shape
        (H, W) of the crop; cells whose centres lie outside do not count.
    offset
        Stability is the area at logits above this over the area above its negative.
    lowest_stability
        Masks are kept with a stability above this, and an area above 0.
    """
    logits, windows = selected.logits, selected.windows
    inside = _inside(windows, logits.shape[1:], shape)
    seen = logits if inside.all() else np.where(inside, logits, -np.inf)
    certain = np.count_nonzero(seen > offset, axis=(1, 2))
    possible = np.count_nonzero(seen > -offset, axis=(1, 2))
    stability = certain / np.maximum(possible, 1)
    areas = np.count_nonzero(seen > 0, axis=(1, 2))
    stays = np.flatnonzero((stability > lowest_stability) & (areas > 0))
    seen, windows = seen[stays], windows[stays]
    sides = (windows[:, 2:] - windows[:, :2]) / logits.shape[1:]
    raw = logits[stays]
    cells = [_first(seen, raw), _first(seen.transpose(0, 2, 1), raw.transpose(0, 2, 1))]
    seen, raw = seen[:, ::-1, ::-1], raw[:, ::-1, ::-1]
    cells.append(seen.shape[1] - _first(seen, raw))
    cells.append(seen.shape[2] - _first(seen.transpose(0, 2, 1), raw.transpose(0, 2, 1)))
    edges = np.stack(cells, axis=1) * np.tile(sides, 2)
    edges += np.tile(windows[:, :2], 2) - 0.5
    boxes = np.concatenate([np.floor(edges[:, :2]) + 1, np.ceil(edges[:, 2:])], axis=1)
    boxes = np.clip(boxes, 0, np.tile(shape, 2)).astype(np.int32)
    there = (boxes[:, 2:] > boxes[:, :2]).all(1)
    stays, boxes, sides = stays[there], boxes[there], sides[there]
    cut = [_cut(logits[index]) for index in stays]
    grid = np.array(logits.shape[1:], dtype=np.intp)
    return Candidates(
        tuple(piece for piece, _ in cut),
        np.array([corner for _, corner in cut], dtype=np.intp).reshape(-1, 2),
        np.tile(grid, (len(stays), 1)),
        selected.windows[stays],
        boxes,
        (areas[stays] * sides.prod(1)).astype(np.float32),
        selected.scores[stays],
        stability[stays].astype(np.float32),
        points[selected.prompts[stays]],
    )


def _inside(
    windows: NDArray[np.float32], grid: tuple[int, ...], shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """(N or 1, h, w) whether the centres of the cells lie in the image."""
    if len(windows) and (windows == windows[0]).all():
        windows = windows[:1]
    axes = []
    for axis in (0, 1):
        low, high = windows[:, axis, None], windows[:, axis + 2, None]
        centres = low + (np.arange(grid[axis]) + 0.5) / grid[axis] * (high - low)
        axes.append((centres > 0) & (centres < shape[axis]))
    return axes[0][:, :, None] & axes[1][:, None, :]


def _first(seen: NDArray[np.float32], logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """(N,) where masks begin along the rows, in cells from the edge of the grid.

    Between the last row of cells without mask and the first with it the logits are linear, so the
    edge is where the first of their columns crosses 0. ``seen`` lacks the cells outside the crop,
    ``logits`` has them: a mask goes on there.
    """
    number = np.arange(len(seen))
    first = (seen > 0).any(2).argmax(1)
    inner = seen[number, first].astype(np.float64)
    outer = np.clip(logits[number, np.maximum(first - 1, 0)], -LIMIT, 0).astype(np.float64)
    crossing = np.where(inner > 0, outer / np.minimum(outer - inner, -1e-9), 1.0)
    return np.where(first > 0, first - 0.5 + crossing.min(1, initial=1.0), 0.0)


def _cut(logits: NDArray[np.float32]) -> tuple[NDArray[np.float16], tuple[int, int]]:
    """The part of a grid around its mask, at least 2 x 2 cells, and where it begins."""
    spans = []
    for axis in (1, 0):
        filled = np.flatnonzero((logits > 0).any(axis))
        side = logits.shape[1 - axis]
        low, high = max(int(filled[0]) - 1, 0), min(int(filled[-1]) + 2, side)
        spans.append((min(low, side - 2), max(high, 2)))
    (top, bottom), (left, right) = spans
    piece = np.clip(logits[top:bottom, left:right], -LIMIT, LIMIT)
    return piece.astype(np.float16), (top, left)
