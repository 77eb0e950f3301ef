"""Between masks at the image's size and candidates on small grids."""

from __future__ import annotations

import numpy as np

from nital.masks.instances import Instances
from nital.masks.packed import PackedMasks

__all__ = ["instances_of"]

CERTAIN = 8.0  # logit of a cell that lies in the mask as a whole


def instances_of(masks: PackedMasks, grid: int = 64) -> Instances:
    """The same masks on grids of ``grid`` x ``grid`` cells, each around its own box.

    A cell's logit says which share of it the mask holds, so the outline stays within a fraction of
    a cell. For the stages that take overlapping candidates, such as semantic boosting.
    """
    from PIL import Image

    logits = np.empty((len(masks), grid, grid), dtype=np.float16)
    windows = np.empty((len(masks), 4), dtype=np.float32)
    for index in range(len(masks)):
        top, left, bottom, right = masks.boxes[index].tolist()
        margin = [max(1, round(side / (grid - 2))) for side in (bottom - top, right - left)]
        rows, cols = margin
        framed = np.pad(masks.mask(index), ((rows, rows), (cols, cols)))
        source = Image.fromarray(framed.astype(np.float32))
        share = np.asarray(source.resize((grid, grid), Image.Resampling.BOX), dtype=np.float32)
        logits[index] = CERTAIN * (2 * share - 1)
        windows[index] = (top - rows, left - cols, bottom + rows, right + cols)
    return Instances(logits, windows, masks.scores, masks.points, "generator")
