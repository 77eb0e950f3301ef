"""The probability that a particle found is one that an expert would outline so.

A logistic regression on what the model itself says of the object: its predicted IoU, foreground
and boundary maps inside and along the rim, and how much of its mask is left after others have
taken their pixels. Fitted to whether objects match the truth at IoU 0.5, by
``benchmarks/particle_certainty.py``; docs/particles.md has the figures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nital.models.dense_maps import DenseMaps

__all__ = ["FEATURES", "certainty", "object_features"]

FEATURES = ("score", "foreground", "rim", "inside", "visible")
"""Logit of the predicted IoU; mean foreground probability; mean boundary probability along the
rim and inside; share of the mask that is still visible."""

_MEAN = np.array([1.8023, 0.9278, 0.7339, 0.0653, 0.9538])
_WEIGHT = np.array([1.388, -0.2365, 6.975, -11.7408, 1.9908])
_BIAS = 3.3575


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
    rows, columns = (
        np.minimum(((np.arange(small) + 0.5) * large / small).astype(int), large - 1)
        for small, large in zip(shape, labels.shape, strict=True)
    )
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
    safe = np.clip(scores.astype(np.float64), 0.01, 0.99)
    return np.stack(
        [
            np.log(safe / (1 - safe)),
            foreground,
            along,
            inside,
            np.minimum(seen / np.maximum(areas, 1.0), 1.5),
        ],
        axis=1,
    )


def certainty(features: NDArray[np.float64]) -> NDArray[np.float32]:
    """(n,) probability of each object from its (n, 5) features."""
    logit = (features - _MEAN) @ _WEIGHT + _BIAS
    return np.asarray(1 / (1 + np.exp(-np.clip(logit, -30, 30))), dtype=np.float32)
