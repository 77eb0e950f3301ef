"""Islands and holes of masks that are too small to mean anything."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.masks.packed import PackedMasks
from nital.masks.suppression import suppress_boxes

__all__ = ["clean_regions"]

TOUCHING = np.ones((3, 3), dtype=bool)


def clean_regions(masks: PackedMasks, smallest: int, box_nms_thresh: float) -> PackedMasks:
    """Fill holes and drop islands of fewer than ``smallest`` pixels; suppress duplicates anew.

    A mask that consists of small islands alone keeps the largest. Of two masks with the same box,
    one that did not need cleaning stays.
    """
    cleaned, boxes, changed = [], [], []
    for index in range(len(masks)):
        before = masks.mask(index)
        after = _without_small(before, smallest)
        rows, cols = (np.flatnonzero(after.any(axis)) for axis in (1, 0))
        box = [rows[0], cols[0], rows[-1] + 1, cols[-1] + 1]
        cleaned.append(after[box[0] : box[2], box[1] : box[3]])
        boxes.append(np.array(box) + np.tile(masks.boxes[index, :2], 2))
        changed.append(not np.array_equal(before, after))
    result = PackedMasks.pack(
        masks.shape,
        np.array(boxes).reshape(-1, 4),
        cleaned,
        scores=masks.scores,
        stability=masks.stability,
        points=masks.points,
    )
    untouched = 1.0 - np.array(changed, dtype=np.float64)
    return result.take(suppress_boxes(result.boxes - [0, 0, 1, 1], untouched, box_nms_thresh))


def _without_small(mask: NDArray[np.bool_], smallest: int) -> NDArray[np.bool_]:
    """One mask without small holes, then without small islands."""
    outside = np.pad(~mask, 1, constant_values=True)
    holes, _ = ndimage.label(outside, TOUCHING)
    areas = np.bincount(holes.ravel())
    fill = areas < smallest
    fill[[0, holes[0, 0]]] = False
    filled = mask | fill[holes][1:-1, 1:-1]
    islands, _ = ndimage.label(filled, TOUCHING)
    areas = np.bincount(islands.ravel())
    areas[0] = 0
    stays = areas >= smallest
    if not stays.any():
        stays[areas.argmax()] = True
    return np.asarray(stays[islands])
