"""Pairwise overlaps of candidates, for those pairs only whose boxes meet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nital.masks.instances import Instances

__all__ = ["agreement", "overlaps", "suppress", "touching_pairs"]

CHUNK = 2048


def touching_pairs(boxes: NDArray[np.float32]) -> NDArray[np.intp]:
    """(M, 2) pairs i < j of (N, 4) boxes that share area.

    A sweep over the rows: linear in the number of pairs that overlap along the rows.
    """
    order = np.argsort(boxes[:, 0], kind="stable")
    sorted_boxes = boxes[order]
    ends = np.searchsorted(sorted_boxes[:, 0], sorted_boxes[:, 2], side="left")
    counts = np.maximum(ends - np.arange(len(boxes)) - 1, 0)
    first = np.repeat(np.arange(len(boxes)), counts)
    starts = np.cumsum(counts) - counts
    second = np.arange(counts.sum()) - np.repeat(starts, counts) + first + 1
    left, right = sorted_boxes[first], sorted_boxes[second]
    high, low = np.maximum(left[:, :2], right[:, :2]), np.minimum(left[:, 2:], right[:, 2:])
    meet = (high < low).all(1)
    pairs = np.stack([order[first[meet]], order[second[meet]]], 1)
    pairs.sort(axis=1)
    return pairs


def _cells_in(
    masks: NDArray[np.bool_],
    windows: NDArray[np.float32],
    others: NDArray[np.bool_],
    other_windows: NDArray[np.float32],
) -> NDArray[np.int64]:
    """(N,) cells of each (G, G) mask whose middles lie in the other one of its pair."""
    grid = masks.shape[1]
    steps = (np.arange(grid) + 0.5) / grid
    picks = []
    for axis in (0, 1):
        low, high = windows[:, axis, None], windows[:, axis + 2, None]
        position = low + steps * (high - low)
        base, top = other_windows[:, axis, None], other_windows[:, axis + 2, None]
        picks.append(np.floor((position - base) / (top - base) * grid).astype(int))
    rows, cols = picks
    inside = ((rows >= 0) & (rows < grid))[:, :, None] & ((cols >= 0) & (cols < grid))[:, None]
    rows, cols = rows.clip(0, grid - 1), cols.clip(0, grid - 1)
    which = np.arange(len(masks))[:, None, None]
    other = others[which, rows[:, :, None], cols[:, None]]
    return np.asarray((masks & other & inside).sum((1, 2)))


def agreement(instances: Instances, others: Instances) -> NDArray[np.float32]:
    """(N,) IoU of each mask with the one at the same place of ``others``; 0 where both are empty.

    Areas are measured on the cells of ``instances``, which should be the finer ones.
    """
    masks = np.asarray(instances.logits > 0)
    shared = instances.cell_areas * _cells_in(
        masks, instances.windows, np.asarray(others.logits > 0), others.windows
    )
    union = instances.areas + others.areas - shared
    return np.asarray(shared / np.maximum(union, 1e-6), dtype=np.float32)


def overlaps(instances: Instances) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Pairs that overlap and the area they share.

    The area is measured on the cells of the finer grid of each pair; of two equally fine grids, on
    the one that lies first in the image, so that the order of the candidates does not matter.
    Candidates on one and the same window are compared by one product of matrices.

    Returns
    -------
    pairs
        (M, 2) indices i < j.
    shared
        (M,) square pixels, > 0.
    """
    pairs = touching_pairs(instances.boxes)
    if len(pairs) == 0:
        return pairs, np.zeros(0, np.float32)
    cells = instances.cell_areas
    windows = instances.windows
    fineness = np.argsort(np.lexsort((*windows.T, cells)))
    swap = fineness[pairs[:, 0]] > fineness[pairs[:, 1]]
    fine = np.where(swap, pairs[:, 1], pairs[:, 0])
    coarse = np.where(swap, pairs[:, 0], pairs[:, 1])
    masks = instances.logits > 0
    if len(masks) <= CHUNK and (windows == windows[0]).all():
        flat = masks.reshape(len(masks), -1).astype(np.float32)
        shared = (flat @ flat.T)[pairs[:, 0], pairs[:, 1]] * cells[0]
        return pairs[shared > 0], shared[shared > 0]
    shared = np.empty(len(pairs), dtype=np.float32)
    for start in range(0, len(pairs), CHUNK):
        i, j = fine[start : start + CHUNK], coarse[start : start + CHUNK]
        shared[start : start + CHUNK] = _cells_in(masks[i], windows[i], masks[j], windows[j])
    shared *= cells[fine]
    keep = shared > 0
    return pairs[keep], shared[keep]


def suppress(
    instances: Instances, iou_threshold: float = 0.5, cover_threshold: float = 0.8
) -> NDArray[np.intp]:
    """Indices of the candidates that survive, best score first.

    A candidate goes when a better one overlaps it with an IoU above ``iou_threshold`` or covers
    more than ``cover_threshold`` of it; of equal scores, the earlier candidate is the better.
    """
    pairs, shared = overlaps(instances)
    areas = instances.areas
    order = np.argsort(-instances.scores, kind="stable")
    rank = np.empty(len(order), dtype=int)
    rank[order] = np.arange(len(order))
    better_first = np.where((rank[pairs[:, 0]] < rank[pairs[:, 1]])[:, None], pairs, pairs[:, ::-1])
    better, worse = better_first[:, 0], better_first[:, 1]
    union = areas[better] + areas[worse] - shared
    hit = (shared > iou_threshold * union) | (shared > cover_threshold * areas[worse])
    better, worse = better[hit], worse[hit]
    by_better = np.argsort(rank[better], kind="stable")
    better, worse = better[by_better], worse[by_better]
    alive = np.ones(len(instances), dtype=bool)
    starts = np.searchsorted(rank[better], np.arange(len(instances) + 1))
    for position in range(len(order)):
        index = order[position]
        if alive[index]:
            alive[worse[starts[position] : starts[position + 1]]] = False
    return order[alive[order]]
