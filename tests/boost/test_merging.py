"""Boundaries between labels and their merging, against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nital.boost.merging import boundary_strengths, merge_pieces, merge_weak_boundaries

few = settings(derandomize=True, max_examples=40, deadline=None)


def brute_strengths(labels, boundary):
    """{(i, j): (sum, count)} over all pixel edges between two labels."""
    found = {}
    height, width = labels.shape
    for row in range(height):
        for col in range(width):
            for other in ((row + 1, col), (row, col + 1)):
                if other[0] == height or other[1] == width:
                    continue
                i, j = sorted((int(labels[row, col]), int(labels[other])))
                if i == j or i == 0:
                    continue
                total, count = found.get((i, j), (0.0, 0))
                value = max(float(boundary[row, col]), float(boundary[other]))
                found[i, j] = (total + value, count + 1)
    return found


def scene(seed, zeros=False):
    """Blocky labels and a boundary map in eighths, whose sums are exact."""
    rng = np.random.default_rng(seed)
    labels = np.kron(rng.integers(0 if zeros else 1, 7, (4, 5)), np.ones((2, 3)))
    boundary = rng.integers(0, 9, labels.shape) / 8
    return labels.astype(np.int32), boundary.astype(np.float32)


@few
@given(st.integers(0, 10**6), st.booleans())
def test_strengths_are_means_over_the_shared_edge(seed, zeros):
    labels, boundary = scene(seed, zeros)
    pairs, strength, length = boundary_strengths(labels, boundary)
    expected = brute_strengths(labels, boundary)
    assert [tuple(pair) for pair in pairs.tolist()] == sorted(expected)
    for pair, mean, count in zip(pairs.tolist(), strength, length, strict=True):
        total, edges = expected[tuple(pair)]
        assert count == edges
        assert mean == pytest.approx(total / edges)


@few
@given(st.integers(0, 10**6), st.floats(0.05, 0.95))
def test_after_merging_no_weak_boundary_is_left_and_strong_ones_stand(seed, threshold):
    labels, boundary = scene(seed)
    merged, merges = merge_weak_boundaries(labels, boundary, threshold)
    assert len(np.unique(labels)) - len(np.unique(merged)) == merges
    assert (boundary_strengths(merged, boundary)[1] >= threshold).all()
    for label in np.unique(merged):
        assert label == labels[merged == label].min()
    strength = boundary_strengths(labels, boundary)[1]
    if (strength >= threshold).all():
        assert np.array_equal(merged, labels)


@few
@given(st.integers(0, 10**6))
def test_the_weakest_goes_first_and_means_are_taken_anew(seed):
    labels, boundary = scene(seed)
    rng = np.random.default_rng(seed)
    boundary = (boundary + rng.uniform(0, 0.1, boundary.shape)).astype(np.float32)
    expected = labels.copy()
    while (found := brute_strengths(expected, boundary)) and min(
        total / count for total, count in found.values()
    ) < 0.5:
        low, high = min(found, key=lambda pair: found[pair][0] / found[pair][1])
        expected[expected == high] = low
    assert np.array_equal(merge_weak_boundaries(labels, boundary, 0.5)[0], expected)


def test_a_line_of_three_grains():
    labels = np.repeat(np.array([[1, 2, 3]], np.int32), 4, axis=1).repeat(3, axis=0)
    boundary = np.zeros(labels.shape, np.float32)
    boundary[:, 8] = 0.9
    merged, merges = merge_weak_boundaries(labels, boundary, 0.4)
    assert merges == 1
    assert merged[0].tolist() == [1] * 8 + [3] * 4


def test_ground_without_a_label_stays():
    labels = np.array([[0, 1, 0, 2, 2, 3]], np.int32)
    merged, merges = merge_weak_boundaries(labels, np.zeros(labels.shape), 0.5)
    assert merges == 1
    assert merged.tolist() == [[0, 1, 0, 2, 2, 2]]


@pytest.mark.parametrize("labels", [np.zeros((3, 4)), np.ones((1, 1)), np.ones((5, 5))])
def test_nothing_to_merge(labels):
    labels = labels.astype(np.int32)
    merged, merges = merge_weak_boundaries(labels, np.zeros(labels.shape), 0.5)
    assert merges == 0
    assert np.array_equal(merged, labels)


@few
@given(st.integers(0, 10**6), st.floats(0.0, 1.1))
def test_what_is_known_of_pieces_is_kept_in_sum_and_mean(seed, threshold):
    labels, boundary = scene(seed, zeros=True)
    rng = np.random.default_rng(seed)
    scores, areas = (rng.uniform(0.1, 1, 6).astype(np.float32) for _ in range(2))
    merged, mean, total = merge_pieces(labels, boundary, threshold, scores, areas)
    assert np.array_equal(merged, merge_weak_boundaries(labels, boundary, threshold)[0])
    assert np.array_equal(merged > 0, labels > 0)
    assert total.sum() == pytest.approx(areas.sum(), rel=1e-5)
    assert (mean * total).sum() == pytest.approx((scores * areas).sum(), rel=1e-5)
    for label in np.unique(merged[merged > 0]):
        pieces = np.unique(labels[merged == label]) - 1
        assert total[label - 1] >= areas[pieces].sum() - 1e-5
        assert scores.min() - 1e-5 <= mean[label - 1] <= scores.max() + 1e-5


def test_objects_that_do_not_touch_stay_apart():
    labels = np.array([[1, 0, 2]], dtype=np.int32)
    one = np.ones(2, dtype=np.float32)
    assert np.array_equal(merge_pieces(labels, np.zeros((1, 3)), 1.0, one, one)[0], labels)
