"""The probability that a particle found is one that an expert would outline so.

A logistic regression on what the model itself says of the object: its predicted IoU, the boundary
map inside and along the rim, how much of its mask is left after others have taken their pixels, and
how much of what surrounds it is background. Fitted to whether objects match the truth at IoU 0.5,
by ``benchmarks/particle_certainty.py``; docs/particles.md has the figures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.masks.labels import pixels_at
from nital.models.dense_maps import DenseMaps

__all__ = ["FEATURES", "certainty", "object_features"]

FEATURES = ("score", "rim", "inside", "visible", "alone")
"""Logit of the predicted IoU; mean boundary probability along the rim, and inside, where from
``MOST_INSIDE`` on it says no more; share of the mask that is still visible; share of its
surroundings that is background."""

MOST_INSIDE = 0.07  # objects of other kinds than the fitted ones have rims inside and are right
RING = 2  # pixels of the maps

_MEAN = np.array([1.8595, 0.7115, 0.0388, 0.9102, 0.6412])
_WEIGHT = np.array([1.3802, 6.5132, -28.2679, 5.603, 1.2947])
_BIAS = 1.9281


def object_features(
    labels: NDArray[np.int32],
    scores: NDArray[np.float32],
    areas: NDArray[np.float32],
    maps: DenseMaps,
) -> NDArray[np.float64]:
    """What the model says of each object, (n, 5) in the order of :data:`FEATURES`.

    Parameters
    ----------
    labels
        (H, W) int32; label k is the k-th object.
    scores, areas
        (n,) predicted IoU, and area of the mask in pixels of the model's scale before others took
        some of it.
    maps
        Dense maps at half the model's scale.
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

    along, inside = mean(maps.boundary, edge)[1:], mean(maps.boundary, ~edge)[1:]
    seen = 4.0 * np.bincount(flat, minlength=count + 1)[1:]
    safe = np.clip(scores.astype(np.float64), 0.01, 0.99)
    return np.stack(
        [
            np.log(safe / (1 - safe)),
            along,
            np.minimum(inside, MOST_INSIDE),
            np.minimum(seen / np.maximum(areas, 1.0), 1.5),
            _alone(small_labels, count),
        ],
        axis=1,
    )


def _alone(labels: NDArray[np.int32], count: int) -> NDArray[np.float64]:
    """(n,) share of the surroundings of each object that is background and no other object."""
    size = 2 * RING + 1
    around = ndimage.maximum_filter(labels, size, mode="nearest")  # of two, the later one's
    background = np.bincount(around[labels == 0], minlength=count + 1)
    lowest = ndimage.minimum_filter(np.where(labels > 0, labels, count + 1), size, mode="nearest")
    touching = (labels > 0) & ((lowest < labels) | (around > labels))
    other = np.bincount(labels[touching], minlength=count + 1)
    return np.asarray((background / np.maximum(background + other, 1))[1:])


def certainty(features: NDArray[np.float64]) -> NDArray[np.float32]:
    """(n,) probability of each object from its (n, 5) features."""
    logit = (features - _MEAN) @ _WEIGHT + _BIAS
    return np.asarray(1 / (1 + np.exp(-np.clip(logit, -30, 30))), dtype=np.float32)
