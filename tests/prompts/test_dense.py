"""Prompts from dense maps of known geometry: one in the middle of each object."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from nital.prompts.dense import object_centres, uncovered_points


def discs(shape, centres, radii):
    """Foreground, boundary and distance of separate discs, as a perfect network gives them."""
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    distance = np.zeros(shape)
    for (row, col), radius in zip(centres, radii, strict=True):
        gap = np.hypot(rows - row, cols - col)
        distance = np.maximum(distance, 1 - gap / radius)
    return (distance > 0).astype(float), np.zeros(shape), distance


def test_one_peak_in_the_middle_of_each_disc():
    centres, radii = [(12, 14), (30, 40), (50, 10), (48, 55)], [8, 12, 6, 5]
    found = object_centres(*discs((64, 70), centres, radii))
    assert found.dtype == np.float32
    assert {tuple(point) for point in found} == {(2 * r + 0.5, 2 * c + 0.5) for r, c in centres}


def test_strongest_first():
    foreground, boundary, distance = discs((40, 80), [(20, 20), (20, 60)], [10, 10])
    distance[:, :40] *= 0.7
    assert object_centres(foreground, boundary, distance)[:, 1].tolist() == [120.5, 40.5]


def test_a_plateau_counts_once_in_its_middle():
    distance = np.zeros((40, 50))
    distance[10:25, 8:41] = 1
    assert object_centres(distance, np.zeros_like(distance), distance).tolist() == [[34.5, 48.5]]


def test_a_map_without_any_edge_is_one_object():
    whole = np.ones((5, 9))
    assert object_centres(whole, 0 * whole, whole).tolist() == [[4.5, 8.5]]


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 2)])
def test_tiny_maps(shape):
    whole = np.ones(shape)
    found = object_centres(whole, 0 * whole, whole)
    assert len(found) == 1
    assert (found[0] <= 2 * np.array(shape) - 1).all()


def test_a_shoulder_of_a_slope_is_no_peak():
    slope = np.tile(np.minimum(np.arange(30), 8).astype(float), (20, 1)) / 20
    slope[:, 12:] = slope[:, 12:] + np.minimum(np.arange(18), 9) / 20
    found = object_centres(np.ones_like(slope), np.zeros_like(slope), slope, smoothing=0)
    assert len(found) == 1
    assert found[0, 1] > 2 * 20


def test_background_and_boundaries_give_no_prompts():
    foreground, boundary, distance = discs((40, 40), [(20, 20)], [10])
    assert len(object_centres(0 * foreground, boundary, distance)) == 0
    assert len(object_centres(foreground, boundary + 1, distance)) == 0
    assert len(object_centres(foreground, boundary, 0.2 * distance)) == 0


@settings(max_examples=20, derandomize=True, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_prompt_is_a_local_maximum_and_none_is_given_twice(seed):
    rng = np.random.default_rng(seed)
    distance = ndimage.gaussian_filter(rng.random((40, 40)), 2)
    distance = (distance - distance.min()) / np.ptp(distance)
    foreground, boundary = np.ones((40, 40)), np.zeros((40, 40))
    found = object_centres(foreground, boundary, distance, lowest=0.3)
    cells = ((found - 0.5) / 2).astype(int)
    strength = ndimage.gaussian_filter(distance.astype(np.float32), 1.0)
    values = strength[cells[:, 0], cells[:, 1]]
    assert (values == ndimage.maximum_filter(strength, 3)[cells[:, 0], cells[:, 1]]).all()
    assert (values > 0.3).all()
    assert (np.diff(values) <= 0).all()
    assert len(np.unique(cells, axis=0)) == len(cells)


def test_each_uncovered_part_is_asked_for_once_deep_inside():
    foreground, boundary = np.zeros((40, 50)), np.zeros((40, 50))
    foreground[5:16, 5:16] = foreground[20:35, 20:31] = foreground[20:35, 34:45] = 1
    covered = np.zeros((40, 50), bool)
    covered[:18, :18] = True
    found = uncovered_points(foreground, boundary, covered)
    assert len(found) == 2
    for row, col in (found - 0.5) / 2:
        assert foreground[int(row), int(col)] == 1
        assert not covered[int(row), int(col)]
        assert 25 <= row <= 29
        assert col in (25, 39)


def test_boundaries_part_what_is_uncovered():
    foreground, boundary = np.ones((20, 41)), np.zeros((20, 41))
    boundary[:, 20] = 1
    assert len(uncovered_points(foreground, boundary, np.zeros((20, 41), bool))) == 2


def test_small_remains_and_covered_foreground_are_left_out():
    foreground, boundary = np.zeros((20, 20)), np.zeros((20, 20))
    foreground[2:5, 2:5] = 1
    nothing = np.zeros((20, 20), bool)
    assert len(uncovered_points(foreground, boundary, nothing)) == 0
    assert len(uncovered_points(foreground, boundary, nothing, smallest=9)) == 1
    assert len(uncovered_points(np.ones((20, 20)), boundary, ~nothing)) == 0
