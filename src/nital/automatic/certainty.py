"""The probability that a particle found is one that an expert would outline so.

A logistic regression on what the model itself says of the object: its predicted IoU, foreground
and boundary maps inside and along the rim, and how much of its mask is left after others have
taken their pixels. Fitted to whether objects match the truth at IoU 0.5, by
``benchmarks/particle_certainty.py``; docs/particles.md has the figures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.masks.labels import label_moments, pixels_at
from nital.models.dense_maps import DenseMaps

__all__ = ["FEATURES", "certainty", "object_features"]

FEATURES = ("score", "foreground", "rim", "inside", "visible", "contrast", "alone")
"""Logit of the predicted IoU; mean foreground probability; mean boundary probability along the
rim and inside; share of the mask that is still visible; contrast to the background around it in
standard deviations, positive where it has the sign of most sure objects'; share of its surroundings
that is background."""

SURE = 0.8  # predicted IoU of the objects that say which contrast is usual
LARGEST_CONTRAST = 3.0
RING = 2  # pixels of the maps

_MEAN = np.array([1.8239, 0.9027, 0.603, 0.053, 0.8919, 2.2741, 0.6704])
_WEIGHT = np.array([1.8499, 4.216, 3.1089, -3.1552, 7.5392, 0.2524, 1.4847])
_BIAS = 1.5073


def object_features(
    labels: NDArray[np.int32],
    scores: NDArray[np.float32],
    areas: NDArray[np.float32],
    maps: DenseMaps,
    image: NDArray[np.float32],
) -> NDArray[np.float64]:
    """What the model says of each object, (n, 7) in the order of :data:`FEATURES`.

    Parameters
    ----------
    labels
        (H, W) int32; label k is the k-th object.
    scores, areas
        (n,) predicted IoU, and area of the mask in pixels of the model's scale before others took
        some of it.
    maps
        Dense maps at half the model's scale.
    image
        (H, W) grey levels.
    """
    count = len(scores)
    shape = maps.foreground.shape
    rows, columns = pixels_at(shape, labels.shape)
    small_labels = labels[np.ix_(rows, columns)]
    padded = np.pad(small_labels, 1, mode="edge")
    rim = np.zeros(shape, dtype=bool)
    for down, right in ((0, 1), (2, 1), (1, 0), (1, 2)):
        rim |= padded[down : down + shape[0], right : right + shape[1]] != small_labels
    flat, edge = small_labels.ravel(), rim.ravel()

    def mean(values: NDArray[np.float16], where: NDArray[np.bool_]) -> NDArray[np.float64]:
        total = np.bincount(flat[where], values.ravel()[where].astype(np.float64), count + 1)
        return np.asarray(total / np.maximum(np.bincount(flat[where], minlength=count + 1), 1))

    everywhere = np.ones(flat.size, dtype=bool)
    foreground = mean(maps.foreground, everywhere)[1:]
    along, inside = mean(maps.boundary, edge)[1:], mean(maps.boundary, ~edge)[1:]
    seen = 4.0 * np.bincount(flat, minlength=count + 1)[1:]
    contrast, alone = _surroundings(small_labels, image[np.ix_(rows, columns)], count)
    sure = np.flatnonzero(scores >= SURE)
    usual = np.sign(np.median(contrast[sure])) if len(sure) else 1.0
    safe = np.clip(scores.astype(np.float64), 0.01, 0.99)
    return np.stack(
        [
            np.log(safe / (1 - safe)),
            foreground,
            along,
            inside,
            np.minimum(seen / np.maximum(areas, 1.0), 1.5),
            usual * contrast,
            alone,
        ],
        axis=1,
    )


def _surroundings(
    labels: NDArray[np.int32], grey: NDArray[np.float32], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Contrast of each object to the background around it, and how much of that is background."""
    size = 2 * RING + 1
    around = ndimage.maximum_filter(labels, size, mode="nearest")  # of two, the later one's
    ring = (labels == 0) & (around > 0)
    _, inside, own = label_moments(labels, grey, count)
    background, level, scatter = label_moments(around[ring], grey[ring], count)
    contrast = (inside - level) / np.sqrt(np.maximum(0.5 * (own + scatter), 1e-6))
    contrast[background == 0] = 0
    lowest = ndimage.minimum_filter(np.where(labels > 0, labels, count + 1), size, mode="nearest")
    touching = (labels > 0) & ((lowest < labels) | (around > labels))
    other = np.bincount(labels[touching], minlength=count + 1)
    alone = background / np.maximum(background + other, 1)
    return np.clip(contrast[1:], -LARGEST_CONTRAST, LARGEST_CONTRAST), alone[1:]


def certainty(features: NDArray[np.float64]) -> NDArray[np.float32]:
    """(n,) probability of each object from its (n, 7) features."""
    logit = (features - _MEAN) @ _WEIGHT + _BIAS
    return np.asarray(1 / (1 + np.exp(-np.clip(logit, -30, 30))), dtype=np.float32)
