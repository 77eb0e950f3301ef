"""From overlapping masks at the image's size to one label a pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nital.masks.packed import PackedMasks

__all__ = ["stack_labels"]


def stack_labels(masks: PackedMasks, *, smallest: int = 1) -> NDArray[np.int32]:
    """Lay the masks on each other, the largest first, so that a part lies on its whole.

    Of equally large masks the one with the better score lies on top. What is left in sight of a
    mask is its object, also in several pieces.

    Parameters
    ----------
    smallest
        Masks of which fewer pixels stay in sight are given up: their pixels go back to the masks
        below.

    Returns
    -------
    ndarray
        (H, W) int32; 0 where no mask lies, else 1 + index of the mask.
    """
    order = np.lexsort((masks.scores, -masks.areas))
    while True:
        labels = np.zeros(masks.shape, dtype=np.int32)
        for index in order:
            labels[masks.place(index)][masks.mask(index)] = index + 1
        seen = np.bincount(labels.ravel(), minlength=len(masks) + 1)[1:]
        hidden = (seen[order] > 0) & (seen[order] < smallest)
        if not hidden.any():
            return labels
        order = order[~hidden]
