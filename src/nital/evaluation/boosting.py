"""What the semantic booster gains: overlapping masks of a grid of prompts, raw and boosted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nital.boost.booster import Boosted
from nital.evaluation import samiam
from nital.masks.instances import Instances
from nital.masks.overlap import suppress
from nital.models.compact import CompactModel
from nital.prompts import regular_grid

__all__ = ["GridOptions", "grid_masks", "raw_masks", "score_boosted", "score_raw"]

Field = NDArray[np.float32]
SIDE = 256  # longest side at which the compact model sees cross-sections: columns blur, layers stay
GRID = 128  # cells a side of a mask


@dataclass(frozen=True)
class GridOptions:
    """How a grid of prompts makes masks, as SAM+ does.

    Parameters
    ----------
    points
        Prompts along the longer side of the image.
    lowest_score
        Predicted IoU below which a mask goes.
    stability
        Masks go whose IoU between a logit of -1 and one of 1 is lower.
    duplicates
        IoU above which the mask of lower predicted IoU goes.
    """

    points: int = 16
    lowest_score: float = 0.5
    stability: float = 0.6
    duplicates: float = 0.7


def grid_masks(
    model: CompactModel, image: Field, options: GridOptions | None = None
) -> tuple[Instances, Field]:
    """Ask a compact model at a grid of points, at both of its levels.

    Parameters
    ----------
    model
        The model.
    image
        (H, W) float32, standardised.
    options
        The grid and what is left out.

    Returns
    -------
    masks
        Overlapping candidates in pixels of the image, on windows over the whole image.
    phase_maps
        (E, h, w) phase embedding in units of its calibrated distance.
    """
    from nital.automatic.resample import rescale

    options = options or GridOptions()
    factor = min(1.0, SIDE / max(image.shape))
    view = rescale(image, factor)
    embedded = model.embed(view, "layers")
    prompts = regular_grid((view.shape[0], view.shape[1]), max(view.shape) / options.points)
    found = []
    for level in ("object", "phase"):
        decoded = model.decode(embedded, prompts, level)
        logits = _over_image(decoded.logits[:, 0], decoded.windows[:, 0], view.shape)
        window = np.tile(np.array([0, 0, *image.shape], np.float32), (len(prompts), 1))
        found.append(
            Instances(logits, window, decoded.scores[:, 0], prompts.points[:, 0] / factor, "grid")
        )
    masks = Instances.join(found)
    masks = masks.take((masks.scores >= options.lowest_score) & (masks.areas > 0))
    sure, wide = (masks.logits > 1).sum((1, 2)), (masks.logits > -1).sum((1, 2))
    masks = masks.take(sure >= options.stability * np.maximum(wide, 1))
    masks = masks.take(np.sort(suppress(masks, options.duplicates, 1.0)))
    rows, cols = (-(-side // 2) for side in view.shape)
    unit = (float(model.description["phase_scale"]) / _threshold(model)) ** 0.5
    return masks, np.float32(unit) * embedded.maps["embedding"][0][:, :rows, :cols]


def _threshold(model: CompactModel) -> float:
    return max(float(model.description["phase_threshold"]), 1e-6)


def _over_image(
    logits: Field, windows: Field, shape: tuple[int, ...], outside: float = -8.0
) -> NDArray[np.float16]:
    """(N, GRID, GRID) logits over the whole image from those of windows, interpolated."""
    result = np.full((len(logits), GRID, GRID), outside, dtype=np.float16)
    for index, (values, window) in enumerate(zip(logits, windows, strict=True)):
        weights, where = [], []
        for axis in (0, 1):
            centres = (np.arange(GRID) + 0.5) * shape[axis] / GRID
            low, high, cells = window[axis], window[axis + 2], values.shape[axis]
            inside = np.flatnonzero((centres >= low) & (centres < high))
            place = (centres[inside] - low) / (high - low) * cells - 0.5
            place = place.clip(0, cells - 1)
            base = np.minimum(place.astype(int), cells - 2)
            weight = np.zeros((len(inside), cells), dtype=np.float32)
            weight[np.arange(len(inside)), base] = 1 - (place - base)
            weight[np.arange(len(inside)), base + 1] = place - base
            weights.append(weight)
            where.append(inside)
        result[index][np.ix_(*where)] = weights[0] @ values @ weights[1].T
    return result


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
