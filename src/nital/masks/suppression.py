"""Of candidates that show the same object, the best: by their boxes or by their pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nital.masks.packed import PackedMasks, packed_overlaps

__all__ = ["new_boxes", "suppress_boxes", "suppress_masks"]


def suppress_boxes(
    boxes: NDArray[np.floating] | NDArray[np.integer],
    scores: NDArray[np.floating],
    iou_threshold: float,
) -> NDArray[np.intp]:
    """Greedy non-maximum suppression of (N, 4) boxes; indices of what stays, best score first.

    A box goes when one with a better score overlaps it with an IoU above ``iou_threshold``; of
    equal scores the earlier box is the better.
    """
    order = np.argsort(-scores, kind="stable")
    waiting = boxes[order].astype(np.float64)
    areas = (waiting[:, 2] - waiting[:, 0]) * (waiting[:, 3] - waiting[:, 1])
    kept = []
    while len(order):
        kept.append(order[0])
        high = np.maximum(waiting[0, :2], waiting[1:, :2])
        low = np.minimum(waiting[0, 2:], waiting[1:, 2:])
        sides = np.maximum(low - high, 0)
        shared = sides[:, 0] * sides[:, 1]
        stays = shared <= iou_threshold * (areas[0] + areas[1:] - shared)
        order, waiting, areas = order[1:][stays], waiting[1:][stays], areas[1:][stays]
    return np.array(kept, dtype=np.intp)


def new_boxes(
    boxes: NDArray[np.integer], before: NDArray[np.integer], iou_threshold: float
) -> NDArray[np.bool_]:
    """(N,) whether a box is new: its IoU with all boxes before it is at most ``iou_threshold``.

    Before it are all of ``before``, (M, 4), and those that stand earlier in ``boxes``, (N, 4).
    """
    known = np.concatenate([before, boxes]).astype(np.float64)
    these = known[len(before) :]
    high = np.maximum(these[:, None, :2], known[:, :2])
    low = np.minimum(these[:, None, 2:], known[:, 2:])
    shared = np.maximum(low - high, 0).prod(2)
    areas = (known[:, 2:] - known[:, :2]).prod(1)
    same = shared > iou_threshold * (areas[len(before) :, None] + areas - shared)
    earlier = np.arange(len(known)) < np.arange(len(before), len(known))[:, None]
    return np.asarray(~(same & earlier).any(1))


def suppress_masks(
    masks: PackedMasks, iou_threshold: float, scores: NDArray[np.floating] | None = None
) -> NDArray[np.intp]:
    """Greedy suppression by the IoU of the masks themselves; indices, best score first.

    Boxes call two crossing needles or a ring and its filling the same object; pixels do not.

    Parameters
    ----------
    scores
        (N,) what decides which mask is the better; the predicted IoU when ``None``.
    """
    ranked = masks.scores if scores is None else scores
    order = np.argsort(-ranked, kind="stable")
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(len(order))
    pairs, shared = packed_overlaps(masks, iou_threshold)
    areas = masks.areas
    same = shared > iou_threshold * (areas[pairs].sum(1) - shared)
    pairs = pairs[same]
    beaten: dict[int, list[int]] = {}
    for first, second in pairs:
        better, worse = (first, second) if rank[first] < rank[second] else (second, first)
        beaten.setdefault(int(better), []).append(int(worse))
    alive = np.ones(len(masks), dtype=bool)
    for index in order:
        if alive[index]:
            alive[beaten.get(int(index), [])] = False
    return np.asarray(order[alive[order]], dtype=np.intp)
