"""A second look at each mask, in a window that fits it.

The model decodes a mask on 48 x 48 cells of a window, for a lone point three times as large as it
takes the object to be: 16 cells across it. The box of that first mask gives a window that fits: 32
cells across.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nital.masks.instances import Instances
from nital.masks.overlap import agreement
from nital.models.compact import CompactModel
from nital.models.protocol import Embedding
from nital.prompts import PromptSet

__all__ = ["look_again"]

LOOKS = 2
LEAST_SCORE = 0.5  # predicted IoU of masks worth another look
MOVED = 0.1  # of its shorter side: a box that moved by less is not asked for again
SAME = 0.92  # IoU of both looks from which they show the same object
MARGIN = 0.02  # of a box on each side, since a mask hardly leaves the box it is asked for with
LEAST_SIDE = 2.0  # pixels of a box


def look_again(model: CompactModel, embedding: Embedding, found: Instances) -> Instances:
    """The same objects, decoded once more with the box of each mask beside its point.

    Where the second mask is another object, as where a box takes in a neighbour, the first one
    stays. Predicted IoUs are kept: they were calibrated for points.

    Parameters
    ----------
    embedding
        Of the image or tile in whose coordinates the masks are.
    found
        Decoded from one point each.
    """
    asked = np.zeros((len(found), 4), dtype=np.float32)
    for _ in range(LOOKS):
        boxes = _boxes_within(found, embedding.shape)
        sides = (boxes[:, 2:] - boxes[:, :2]).min(1)
        moved = abs(boxes - asked).max(1) > MOVED * sides
        chosen = np.flatnonzero(moved & (sides >= LEAST_SIDE) & (found.scores >= LEAST_SCORE))
        if not len(chosen):
            break
        found = _decoded_in_boxes(model, embedding, found, chosen, boxes[chosen])
        asked[chosen] = boxes[chosen]
    return found


def _decoded_in_boxes(
    model: CompactModel,
    embedding: Embedding,
    found: Instances,
    chosen: NDArray[np.intp],
    boxes: NDArray[np.float32],
) -> Instances:
    """Masks with the chosen ones decoded in the box of each, where that shows the same object."""
    points = PromptSet.from_points(found.points[chosen], found.origin)
    decoded = model.decode(embedding, replace(points, boxes=boxes), "object")
    first = found.take(chosen)
    second = replace(
        first, logits=decoded.logits[:, 0].astype(np.float16), windows=decoded.windows[:, 0]
    )
    same = agreement(second, first) >= SAME
    logits, windows = found.logits.copy(), found.windows.copy()
    logits[chosen[same]], windows[chosen[same]] = second.logits[same], second.windows[same]
    return replace(found, logits=logits, windows=windows)


def _boxes_within(found: Instances, shape: tuple[int, int]) -> NDArray[np.float32]:
    """(N, 4) boxes of the masks with a margin, cut off at the edges of the image."""
    boxes = found.boxes
    margin = MARGIN * (boxes[:, 2:] - boxes[:, :2])
    wider = np.concatenate([boxes[:, :2] - margin, boxes[:, 2:] + margin], axis=1)
    ends = np.tile(np.array(shape, dtype=np.float32), 2)
    return np.asarray(np.clip(wider, 0, ends), dtype=np.float32)
