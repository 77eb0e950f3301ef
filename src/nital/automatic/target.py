"""Which target an image shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nital.automatic.resample import rescale
from nital.models.compact import TARGETS, CompactModel
from nital.models.tiles import middle

__all__ = ["choose_target"]

LOOK = 640  # longest side of the image looked at as a whole


def choose_target(model: CompactModel, image: NDArray[np.float32]) -> tuple[str, str]:
    """The most probable target of a standardised (H, W) image, and the reason in words."""
    probability = np.zeros(len(TARGETS))
    views = [rescale(image, min(1.0, LOOK / max(image.shape)))]
    if max(image.shape) > LOOK:
        views.append(middle(image, LOOK))
    for view in views:
        probability += model.embed(view, "auto").maps["target_probability"] / len(views)
    order = np.argsort(-probability)
    best, second = TARGETS[order[0]], TARGETS[order[1]]
    reason = (
        f"the image looks like {best} ({100 * probability[order[0]]:.0f} %;"
        f" {second} {100 * probability[order[1]]:.0f} %)"
    )
    return best, reason
