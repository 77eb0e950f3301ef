"""Votes within enclosed regions: plain boxes whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nital.boost.vote import enclosed_regions, vote


def four_rooms(shape=(20, 30)):
    """A boundary map with a wall along the middle row and the middle column."""
    boundary = np.zeros(shape, np.float32)
    boundary[shape[0] // 2] = boundary[:, shape[1] // 2] = 0.9
    return boundary


def test_walls_part_rooms_and_belong_to_one_of_them():
    regions = enclosed_regions(four_rooms())
    assert regions.dtype == np.int32
    assert (regions > 0).all()
    corners = {regions[0, 0], regions[0, -1], regions[-1, 0], regions[-1, -1]}
    assert set(np.unique(regions)) == corners
    assert len(corners) == 4


def test_a_door_joins_two_rooms_and_a_weak_wall_does_as_well():
    for boundary in (four_rooms(), four_rooms()):
        boundary[3, 15] = 0.1
        assert len(np.unique(enclosed_regions(boundary))) == 3
    faint = four_rooms()
    faint[:10, 15] = 0.35
    assert len(np.unique(enclosed_regions(faint))) == 3


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_map_without_structure_is_one_region(level):
    assert (enclosed_regions(np.full((7, 9), level, np.float32)) == 1).all()


def test_a_region_that_largely_agrees_goes_to_one_phase():
    regions = np.repeat(np.array([[1, 2]], np.int32), 10, axis=1)
    first = np.full((1, 20), 0.9, np.float32)
    first[0, 3] = 0.2
    first[0, 10:] = 0.5
    result = vote(np.stack([first, 1 - first]), regions)
    assert result[0, 0, :10].tolist() == [1] * 10
    np.testing.assert_array_equal(result[:, :, 10:], np.stack([first, 1 - first])[:, :, 10:])


@settings(derandomize=True, max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.floats(0.3, 0.95))
def test_probabilities_stay_probabilities(seed, count, agreement):
    rng = np.random.default_rng(seed)
    raw = rng.random((count, 8, 9)).astype(np.float32) ** 4
    probability = raw / raw.sum(0)
    regions = np.kron(rng.integers(0, 5, (4, 3)), np.ones((2, 3))).astype(np.int32)
    before = probability.copy()
    result = vote(probability, regions, agreement)
    assert np.array_equal(probability, before)
    np.testing.assert_allclose(result.sum(0), 1, atol=1e-5)
    for label in np.unique(regions):
        inside = regions == label
        means = probability[:, inside].mean(1)
        if means.max() >= agreement + 1e-4:
            assert (result[means.argmax(), inside] == 1).all()
        elif means.max() < agreement - 1e-4:
            assert np.array_equal(result[:, inside], probability[:, inside])
