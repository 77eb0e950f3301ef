"""Outlines of particles where their masks and the foreground that the network sees agree.

A mask is drawn on the cells of its own window, 16 or 32 across an object, so the outline of a large
particle is only as fine as a part of its size; the map of the foreground has the same resolution
everywhere, but does not tell objects apart. Where a mask is in doubt, the foreground decides.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nital.automatic.resample import resize_map
from nital.masks.flatten import Painted, paint
from nital.masks.instances import Instances

__all__ = ["paint_with_foreground"]

WEIGHT = 2.0  # of the logit of the foreground beside that of a mask
MOST = 2.0  # logit of the foreground at most, either way, so that it never overrules a sure mask
HALVES = 254  # steps of the foreground, an even number, so that 0.5 says nothing
ROWS = 256  # looked at together, so that large images take little memory


def paint_with_foreground(
    instances: Instances, foreground: NDArray[np.floating], shape: tuple[int, int]
) -> Painted:
    """Flatten masks, and judge each pixel of theirs by the foreground as well.

    Logits are added, as for independent evidence. Which mask claims a pixel is for the masks to
    say; whether it is claimed at all, for both.

    Parameters
    ----------
    instances
        Masks in coordinates of an (H, W) image.
    foreground
        (h, w) probability (0...1) of belonging to any object; resized to the image.
    shape
        (H, W) of the image.
    """
    faintest = 1 / (1 + np.exp(WEIGHT * MOST))
    painted = paint(instances, shape, level=float(faintest))
    likely = resize_map(foreground, shape)
    judged = _judgement()
    for top in range(0, shape[0], ROWS):
        rows = np.s_[top : top + ROWS]
        levels = np.round(HALVES * likely[rows].clip(0, 1)).astype(np.uint8)
        claimed = judged[painted.probability[rows], levels]
        unclaimed = claimed < round(255 * 0.5)
        painted.labels[rows][unclaimed] = 0
        painted.probability[rows] = np.where(unclaimed, 0, claimed)
    return painted


def _judgement() -> NDArray[np.uint8]:
    """255 times the probability, by 255 times the mask's and HALVES times the foreground's."""

    def logit(steps: int) -> NDArray[np.float64]:
        share = np.clip(np.arange(steps + 1) / steps, 1e-3, 1 - 1e-3)
        return np.asarray(np.log(share / (1 - share)))

    joint = logit(255)[:, None] + WEIGHT * np.clip(logit(HALVES), -MOST, MOST)[None, :]
    return np.round(255 / (1 + np.exp(-joint))).astype(np.uint8)
