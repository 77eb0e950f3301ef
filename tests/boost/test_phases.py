"""Clusters of an embedding: how many, which, and independent of order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nital.boost.phases import assign_phases, find_phases

SCALE, THRESHOLD = 1.0, 2.0
"""Two pixels are of one phase below a distance of sqrt(2)."""


def clusters(seed, number, *, gap=4.0, spread=0.3, dimensions=6, each=120):
    """Samples around centres that are ``gap`` apart or more, and the true cluster of each."""
    rng = np.random.default_rng(seed)
    centres = gap * np.eye(max(dimensions, number), dtype=np.float32)[:number]
    truth = np.repeat(np.arange(number), each)
    noise = spread * rng.standard_normal((len(truth), centres.shape[1]))
    order = rng.permutation(len(truth))
    return (centres[truth] + noise).astype(np.float32)[order], truth[order], centres


def of_samples(samples, model):
    phases, probability = assign_phases(samples.T[:, :, None].astype(np.float16), model)
    return phases[:, 0], probability[:, 0]


def same_partition(a, b):
    pairs = set(zip(a.tolist(), b.tolist(), strict=True))
    return len(pairs) == len(set(a.tolist())) == len(set(b.tolist()))


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("told", [True, False])
def test_separate_clusters_are_found_and_counted(number, told):
    samples, truth, centres = clusters(number, number)
    model = find_phases(
        samples,
        np.ones(len(samples), np.float32),
        scale=SCALE,
        threshold=THRESHOLD,
        number=number if told else None,
    )
    assert len(model.centres) == number
    gaps = np.linalg.norm(model.centres[:, None] - centres[None], axis=2)
    assert (gaps.min(0) < 0.2).all()
    assert same_partition(of_samples(samples, model)[0], truth)
    assert model.separation > 1
    assert model.curve[-1][0] == number
    assert model.curve[-1][1] == pytest.approx(samples.shape[1] * 0.3**2, rel=0.2)


def test_clusters_nearer_than_the_threshold_are_one_phase():
    samples, _, _ = clusters(0, 2, gap=0.8, spread=0.1)
    weights = np.ones(len(samples), np.float32)
    assert len(find_phases(samples, weights, scale=1.0, threshold=2.0).centres) == 1
    asked = find_phases(samples, weights, scale=1.0, threshold=2.0, number=2)
    assert len(asked.centres) == 2
    assert asked.separation < 1


@settings(derandomize=True, max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6))
def test_the_order_of_samples_and_centres_does_not_matter(seed, number):
    samples, _, _ = clusters(seed, number)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(samples))
    weights = rng.uniform(0.2, 1, len(samples)).astype(np.float32)
    options = {"scale": SCALE, "threshold": THRESHOLD}
    first = find_phases(samples, weights, **options)
    second = find_phases(samples[order], weights[order], **options)
    phases, probability = of_samples(samples, first)
    other_phases, other_probability = of_samples(samples, second)
    assert same_partition(phases, other_phases)
    np.testing.assert_allclose(probability, other_probability, atol=1e-3)
    assert len(first.centres) == number


def test_the_same_seed_gives_the_same_centres():
    samples, _, _ = clusters(5, 4, gap=1.0, spread=0.5)
    weights = np.ones(len(samples), np.float32)
    runs = [find_phases(samples, weights, scale=1.0, threshold=2.0, number=3) for _ in range(2)]
    assert runs[0].centres.tobytes() == runs[1].centres.tobytes()


def test_weights_move_the_centre():
    samples = np.array([[0, 0], [1, 0]], np.float32)
    weights = np.array([3, 1], np.float32)
    model = find_phases(samples, weights, scale=1.0, threshold=2.0)
    np.testing.assert_allclose(model.centres, [[0.25, 0]], atol=1e-6)


@pytest.mark.parametrize("number", [None, 1, 5])
def test_a_single_sample_is_one_phase(number):
    sample = np.array([[1, 2, 3]], np.float32)
    model = find_phases(sample, np.ones(1, np.float32), scale=1.0, threshold=2.0, number=number)
    assert model.centres.tolist() == [[1, 2, 3]]
    assert model.separation == float("inf")
    assert model.curve == ((1, 0.0, np.inf),)


def test_fewer_samples_than_phases_asked_for():
    samples = 10 * np.eye(3, dtype=np.float32)
    model = find_phases(samples, np.ones(3, np.float32), scale=1.0, threshold=2.0, number=7)
    assert sorted(model.centres.tolist()) == sorted(samples.tolist())
    assert model.curve[-1][0] == 3


def test_fewer_different_samples_than_phases_asked_for():
    samples = np.repeat(10 * np.eye(2, dtype=np.float32), 20, axis=0)
    model = find_phases(samples, np.ones(40, np.float32), scale=1.0, threshold=2.0, number=5)
    assert sorted(model.centres.tolist()) == [[0, 10], [10, 0]]
    assert model.curve[-1][0] == 2


def test_assignment_is_the_nearest_centre_with_a_softmax_probability():
    samples, _, _ = clusters(2, 3)
    model = find_phases(
        samples, np.ones(len(samples), np.float32), scale=0.5, threshold=2.0, number=3
    )
    embedding = np.random.default_rng(0).normal(0, 3, (6, 5, 7)).astype(np.float16)
    phases, probability = assign_phases(embedding, model)
    flat = embedding.reshape(6, -1).T.astype(np.float64)
    logits = -0.5 * ((flat[:, None] - model.centres[None]) ** 2).sum(2)
    expected = np.exp(logits - logits.max(1, keepdims=True))
    expected /= expected.sum(1, keepdims=True)
    assert np.array_equal(phases.ravel(), logits.argmax(1))
    np.testing.assert_allclose(probability.ravel(), expected.max(1), rtol=1e-3)
    assert phases.dtype == np.uint8
    assert phases.shape == probability.shape == (5, 7)
