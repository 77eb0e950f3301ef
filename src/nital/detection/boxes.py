"""Boxes in numpy: anchors, box codes, suppression. The training's torch code defines the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["anchors_of", "decode_boxes", "level_of", "nms"]

Boxes = NDArray[np.float32]
CODE_WEIGHTS = np.array([10.0, 10.0, 5.0, 5.0], dtype=np.float32)
LARGEST_GROWTH = 4.135


def anchors_of(
    shape: tuple[int, int],
    strides: Sequence[int],
    sizes: Sequence[float],
    ratios: Sequence[float],
) -> Boxes:
    """Anchors (A, 4) of an image whose sides are multiples of the largest stride."""
    levels = []
    for stride in strides:
        half = stride / 2 * np.array([[s * r**0.5, s / r**0.5] for s in sizes for r in ratios])
        rows = (np.arange(shape[0] // stride) + 0.5) * stride
        columns = (np.arange(shape[1] // stride) + 0.5) * stride
        centre = np.stack(np.meshgrid(rows, columns, indexing="ij"), -1)[:, :, None]
        levels.append(np.concatenate([centre - half, centre + half], -1).reshape(-1, 4))
    return np.concatenate(levels).astype(np.float32)


def decode_boxes(codes: NDArray[np.float32], reference: Boxes) -> Boxes:
    """Boxes (N, 4) from shift and growth (N, 4) relative to reference boxes."""
    codes = codes / CODE_WEIGHTS
    sides = reference[:, 2:] - reference[:, :2]
    centre = (reference[:, :2] + reference[:, 2:]) / 2 + codes[:, :2] * sides
    half = sides * np.exp(np.minimum(codes[:, 2:], LARGEST_GROWTH)) / 2
    return np.asarray(np.concatenate([centre - half, centre + half], 1), dtype=np.float32)


def level_of(boxes: Boxes, strides: Sequence[int], level_side: float) -> NDArray[np.intp]:
    """(N,) which map serves each box: that whose stride is about its side over ``level_side``."""
    side = np.sqrt(np.maximum(boxes[:, 2:] - boxes[:, :2], 1).prod(1))
    level = np.floor(np.log2(side / level_side) + 0.5) - np.floor(np.log2(strides[0]))
    return np.asarray(np.clip(level, 0, len(strides) - 1), dtype=np.intp)


def nms(boxes: Boxes, scores: NDArray[np.float32], threshold: float) -> NDArray[np.intp]:
    """Indices of the boxes that survive, best score first.

    A box goes when a better survivor overlaps it by more than ``threshold`` (IoU).
    """
    order = np.argsort(-scores, kind="stable")
    ordered = boxes[order]
    areas = np.maximum(ordered[:, 2:] - ordered[:, :2], 0).prod(1)
    alive = np.ones(len(order), dtype=bool)
    for position in range(len(order)):
        if not alive[position]:
            continue
        rest = position + 1 + np.flatnonzero(alive[position + 1 :])
        low = np.maximum(ordered[position, :2], ordered[rest, :2])
        high = np.minimum(ordered[position, 2:], ordered[rest, 2:])
        shared = np.maximum(high - low, 0).prod(1)
        union = areas[position] + areas[rest] - shared
        alive[rest[shared > threshold * np.maximum(union, 1e-9)]] = False
    return order[alive]
