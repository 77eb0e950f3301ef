"""The metrics of SAM-I-Am (section 4.2): overlapping masks against the materials of an image.

They judge a mask generator, whose masks may overlap and repeat: every mask that touches a true
material enough takes part, so superfluous and partial masks cost. All sizes are pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.errors import InputError

__all__ = [
    "EASY_WEIGHT",
    "HARD_WEIGHT",
    "MaskScores",
    "boundary_mask",
    "masks_of",
    "score_masks",
    "score_material_masks",
]

EASY_WEIGHT, HARD_WEIGHT = 10.0, 1.0
"""Weights of true masks that experts call easy and hard to segment (section 4.3)."""


@dataclass(frozen=True)
class MaskScores:
    """Scores of one image; the paper's mIoU, mRecall, mPrecision and mFPR are means over images.

    ``false_positive_sum`` is no figure of the paper: it sums where equation 6 averages, so that it
    grows with the number of superfluous masks and may exceed 1.
    """

    iou: float
    recall: float
    precision: float
    false_positive_rate: float
    false_positive_sum: float


def score_masks(
    truth: Sequence[NDArray[np.bool_]],
    masks: Sequence[NDArray[np.bool_]],
    weights: Sequence[float] | None = None,
    gate: float = 0.05,
) -> MaskScores:
    """Score the masks of one image against its true masks (SAM-I-Am, equations 3 to 6).

    For each true mask, the masks whose IoU with it is at least ``gate`` take part. IoU is their
    mean IoU; the areas of true positive, false positive and false negative are likewise means over
    them, then over the true masks; recall and precision are ratios of those means. The false
    positive rate is the mean IoU of the masks that take part but are not the best one; the false
    positive sum adds those up, as the authors' program does. Where none takes part the paper is
    silent: here IoU and false positives are 0 and the whole true mask is a false negative, so that
    a missed material costs.

    Parameters
    ----------
    truth
        (H, W) masks of the materials, none empty.
    masks
        (H, W) predicted masks, in any number, overlapping or not.
    weights
        One per true mask, such as :data:`EASY_WEIGHT`; equal when ``None``.
    gate
        Smallest IoU with which a mask takes part.

    Raises
    ------
    InputError
        If there is no true mask, one is empty, or the weights are not one per mask.
    """
    if not truth or not all(mask.any() for mask in truth):
        raise InputError("every true mask must have pixels, and there must be one at least")
    shares = np.ones(len(truth)) if weights is None else np.asarray(weights, dtype=np.float64)
    if shares.size != len(truth) or shares.sum() <= 0 or (shares < 0).any():
        raise InputError(f"give {len(truth)} weights, one per true mask, none negative")
    shared, found_areas, true_areas = _areas(truth, masks)
    iou = shared / (found_areas[None, :] + true_areas[:, None] - shared)
    involved = iou >= gate
    count = np.maximum(involved.sum(axis=1), 1)
    hit = (shared * involved).sum(axis=1) / count
    false = ((found_areas[None, :] - shared) * involved).sum(axis=1) / count
    missed = ((true_areas[:, None] - shared) * involved).sum(axis=1) / count
    missed = np.where(involved.any(axis=1), missed, true_areas)
    others = np.where(involved, iou, 0).sum(axis=1) - iou.max(axis=1, initial=0) * involved.any(1)
    superfluous = others / np.maximum(involved.sum(axis=1) - 1, 1)
    mean = [
        float(np.average(each, weights=shares))
        for each in ((iou * involved).sum(axis=1) / count, hit, false, missed, superfluous, others)
    ]
    return MaskScores(
        iou=mean[0],
        recall=mean[1] / (mean[1] + mean[3]),
        precision=mean[1] / (mean[1] + mean[2]) if mean[1] + mean[2] else 0.0,
        false_positive_rate=mean[4],
        false_positive_sum=mean[5],
    )


def _areas(
    truth: Sequence[NDArray[np.bool_]], masks: Sequence[NDArray[np.bool_]]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(l, m) shared pixels, (m,) predicted and (l,) true areas; empty predictions are dropped."""
    stack = np.stack([mask.ravel() for mask in truth])
    shared, areas = [], []
    for mask in masks:
        if mask.shape != truth[0].shape:
            raise InputError(f"a mask of {mask.shape} does not fit an image of {truth[0].shape}")
        inside = np.flatnonzero(mask)
        if inside.size:
            shared.append(np.count_nonzero(stack[:, inside], axis=1))
            areas.append(inside.size)
    table = np.array(shared, dtype=np.float64).reshape(len(areas), len(truth)).T
    return table, np.array(areas, dtype=np.float64), stack.sum(axis=1).astype(np.float64)


def boundary_mask(mask: NDArray[np.bool_], fraction: float = 0.02) -> NDArray[np.bool_]:
    """Pixels of a mask within ``fraction`` of the image diagonal of its outline, from inside.

    Cheng et al., CVPR 2021 (boundary IoU); SAM-I-Am takes 2 %. The edge of the image counts as
    outline, as in Cheng's published code. At least one pixel wide.
    """
    width = max(1, round(fraction * math.hypot(*mask.shape)))
    depth = ndimage.distance_transform_cdt(np.pad(mask, 1), metric="chessboard")[1:-1, 1:-1]
    return np.asarray(mask & (depth <= width), dtype=np.bool_)


def masks_of(labels: NDArray[np.integer]) -> list[NDArray[np.bool_]]:
    """One mask per label above 0, rising."""
    return [labels == value for value in np.unique(labels) if value > 0]


def score_material_masks(
    truth: Sequence[NDArray[np.bool_]],
    masks: Sequence[NDArray[np.bool_]],
    weights: Sequence[float] | None = None,
) -> dict[str, float]:
    """All eight numbers of SAM-I-Am's figures 4 and 5 for one image, and the two sums beside them.

    ``samiam_iou``, ``samiam_recall``, ``samiam_precision``, ``samiam_fpr``, ``samiam_fpr_sum`` on
    whole masks and with ``samiam_boundary_`` on boundary masks of both, weighted by difficulty.
    """
    edges = [[boundary_mask(mask) for mask in group] for group in (truth, masks)]
    scores = {}
    for name, group in (("samiam", (truth, masks)), ("samiam_boundary", (edges[0], edges[1]))):
        result = score_masks(group[0], group[1], weights)
        scores[f"{name}_iou"] = result.iou
        scores[f"{name}_recall"] = result.recall
        scores[f"{name}_precision"] = result.precision
        scores[f"{name}_fpr"] = result.false_positive_rate
        scores[f"{name}_fpr_sum"] = result.false_positive_sum
    return scores
