"""Overlapping masks of a cross-section as SAM+ makes them: the compact model asked on a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nital.automatic.resample import rescale
from nital.boost.crops import mask_on_raster
from nital.masks.instances import Instances
from nital.masks.overlap import suppress
from nital.masks.packed import PackedMasks
from nital.models.compact import CompactModel
from nital.prompts import PromptSet, regular_grid

__all__ = ["GridOptions", "grid_masks", "packed_layer_masks"]

Field = NDArray[np.float32]
SIDE = 256  # longest side at which the compact model sees cross-sections: columns blur, layers stay
GRID = 128  # cells a side of a mask
MARGIN = 32  # mirrored around what the model sees, as it takes the edge of an image for one


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
    options = options or GridOptions()
    factor = min(1.0, SIDE / max(image.shape))
    view = rescale(image, factor)
    margin = min(MARGIN, (min(view.shape) - 1) // 2 * 2)
    embedded = model.embed(np.pad(view, margin, mode="reflect"), "layers")
    points = regular_grid((view.shape[0], view.shape[1]), max(view.shape) / options.points).points
    prompts = PromptSet.from_points(points[:, 0] + margin)
    found = []
    for level in ("object", "phase"):
        decoded = model.decode(embedded, prompts, level)
        windows = decoded.windows[:, 0] - margin
        logits = _over_image(decoded.logits[:, 0], windows, view.shape)
        window = np.tile(np.array([0, 0, *image.shape], np.float32), (len(points), 1))
        found.append(Instances(logits, window, decoded.scores[:, 0], points[:, 0] / factor, "grid"))
    masks = Instances.join(found)
    masks = masks.take((masks.scores >= options.lowest_score) & (masks.areas > 0))
    sure, wide = (masks.logits > 1).sum((1, 2)), (masks.logits > -1).sum((1, 2))
    masks = masks.take(sure >= options.stability * np.maximum(wide, 1))
    masks = masks.take(np.sort(suppress(masks, options.duplicates, 1.0)))
    rows, cols = (slice(margin // 2, margin // 2 - (-side // 2)) for side in view.shape)
    unit = (float(model.description["phase_scale"]) / _threshold(model)) ** 0.5
    return masks, np.float32(unit) * embedded.maps["embedding"][0][:, rows, cols]


def packed_layer_masks(model: CompactModel, image: Field) -> tuple[PackedMasks, Field]:
    """The masks of :func:`grid_masks` at the image's size, and the phase maps."""
    found, phase_maps = grid_masks(model, image)
    shape = (image.shape[0], image.shape[1])
    boxes, masks, kept = [], [], []
    for index in range(len(found)):
        (top, left), part = mask_on_raster(found, index, shape, 1.0)
        if part.any():
            rows, cols = np.flatnonzero(part.any(1)), np.flatnonzero(part.any(0))
            boxes.append([top + rows[0], left + cols[0], top + rows[-1] + 1, left + cols[-1] + 1])
            masks.append(part[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1])
            kept.append(index)
    packed = PackedMasks.pack(
        shape,
        np.array(boxes, dtype=np.int32).reshape(-1, 4),
        masks,
        scores=found.scores[kept],
        points=found.points[kept],
    )
    return packed, phase_maps


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
