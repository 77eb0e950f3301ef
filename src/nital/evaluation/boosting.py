"""What the semantic booster gains: overlapping masks, raw and boosted, by SAM-I-Am's metrics."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nital.boost.booster import Boosted
from nital.evaluation import samiam
from nital.masks.instances import Instances

__all__ = ["raw_masks", "score_boosted", "score_raw"]


def raw_masks(instances: Instances, shape: tuple[int, int]) -> list[NDArray[np.bool_]]:
    """Each candidate as an (H, W) mask."""
    from nital.boost.crops import mask_on_raster

    masks = []
    for index in range(len(instances)):
        (top, left), part = mask_on_raster(instances, index, shape, 1.0)
        whole = np.zeros(shape, dtype=np.bool_)
        whole[top : top + part.shape[0], left : left + part.shape[1]] = part
        masks.append(whole)
    return masks


def score_raw(
    truth: NDArray[np.integer], instances: Instances, weights: list[float] | None = None
) -> dict[str, float]:
    """SAM-I-Am's metrics of masks that may overlap; truth 0 is no material."""
    shape = (truth.shape[0], truth.shape[1])
    masks = raw_masks(instances, shape)
    return samiam.score_material_masks(samiam.masks_of(truth), masks, weights)


def score_boosted(
    truth: NDArray[np.integer], boosted: Boosted, weights: list[float] | None = None
) -> dict[str, float]:
    """SAM-I-Am's metrics of the boosted materials; truth 0 is no material."""
    masks = samiam.masks_of(boosted.phases)
    return samiam.score_material_masks(samiam.masks_of(truth), masks, weights)
