"""Certainty of particles: features of known geometry, and a probability that follows them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nital.automatic.certainty import FEATURES, MOST_INSIDE, certainty, object_features
from nital.models.dense_maps import DenseMaps


def maps_of(foreground: np.ndarray, boundary: np.ndarray) -> DenseMaps:
    half = [values.astype(np.float16) for values in (foreground, boundary)]
    nothing = np.zeros_like(half[0])
    return DenseMaps(half[0], half[1], nothing, nothing, nothing, nothing[None][:0])


def square(side: int = 40) -> np.ndarray:
    """One square of 20 pixels in the middle."""
    labels = np.zeros((side, side), dtype=np.int32)
    labels[10:30, 10:30] = 1
    return labels


def test_features_of_a_square() -> None:
    labels = square()
    inner = labels[::2, ::2] > 0
    scores, areas = np.array([0.8], np.float32), np.array([800.0], np.float32)
    maps = maps_of(inner, np.full(inner.shape, 0.0625))
    features = object_features(labels, scores, areas, maps)
    found = dict(zip(FEATURES, features[0], strict=True))
    assert np.isclose(found["score"], np.log(4), atol=1e-4)
    assert found["rim"] == found["inside"] == 0.0625
    assert np.isclose(found["visible"], 0.5)
    assert found["alone"] == 1
    parted = object_features(labels, scores, areas, maps_of(inner, np.ones(inner.shape)))
    assert parted[0, FEATURES.index("inside")] == MOST_INSIDE


def test_neighbours_are_no_background() -> None:
    labels = np.zeros((40, 80), dtype=np.int32)
    labels[10:30, 8:28], labels[10:30, 28:48], labels[10:30, 56:76] = 1, 2, 3
    maps = maps_of(np.zeros((20, 40)), np.zeros((20, 40)))
    scores, areas = np.array([0.9, 0.9, 0.5], np.float32), np.full(3, 400, np.float32)
    alone = object_features(labels, scores, areas, maps)[:, FEATURES.index("alone")]
    assert (alone[:2] < 0.9).all()
    assert (alone[:2] > 0.5).all()
    assert alone[2] == 1


def test_an_object_that_lost_all_its_pixels_has_finite_features() -> None:
    maps = maps_of(np.zeros((20, 20)), np.zeros((20, 20)))
    scores, areas = np.array([0.9, 0.9], np.float32), np.array([400.0, 9.0], np.float32)
    features = object_features(square(), scores, areas, maps)
    assert np.isfinite(features).all()
    assert features.shape == (2, len(FEATURES))


def test_no_object_no_certainty() -> None:
    maps = maps_of(np.zeros((20, 20)), np.zeros((20, 20)))
    none = np.zeros(0, np.float32)
    features = object_features(np.zeros((40, 40), np.int32), none, none, maps)
    assert certainty(features).shape == (0,)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6))
def test_certainty_is_a_probability_that_rises_with_the_predicted_iou(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = rng.uniform(0, 1, (5, len(FEATURES)))
    features[:, FEATURES.index("inside")] *= MOST_INSIDE
    better = features.copy()
    better[:, FEATURES.index("score")] += 1
    low, high = certainty(features), certainty(better)
    assert ((low >= 0) & (high <= 1)).all()
    assert (high > low).all()
