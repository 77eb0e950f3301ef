"""Boundary metrics on lines whose distances are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nital.evaluation import boundaries
from nital.evaluation.contingency import contingency
from nital.evaluation.metrics import adjusted_rand_index, match_objects


def halves(column: int, size: int = 40) -> np.ndarray:
    """Two grains that meet between ``column - 1`` and ``column``."""
    return np.broadcast_to(1 + (np.arange(size) >= column), (size, size)).astype(np.int32)


def stroke(start: int, stop: int, size: int = 40) -> np.ndarray:
    """A vertical line over columns start...stop-1."""
    drawn = np.zeros((size, size), dtype=bool)
    drawn[:, start:stop] = True
    return drawn


def test_label_boundaries_lie_on_both_sides() -> None:
    assert np.flatnonzero(boundaries.label_boundaries(halves(20))[3]).tolist() == [19, 20]


def test_centre_line_runs_to_the_image_edge() -> None:
    line = boundaries.centre_line(stroke(15, 24))
    assert line.sum(axis=1).tolist() == [1] * 40
    assert set(np.nonzero(line)[1].tolist()) == {19}


@pytest.mark.parametrize("width", [1, 3, 5, 9])
def test_line_width(width: int) -> None:
    assert boundaries.line_width(stroke(10, 10 + width)) == width


def test_line_width_of_nothing_is_zero() -> None:
    assert boundaries.line_width(np.zeros((5, 5), dtype=bool)) == 0


def test_regions_are_four_connected_and_slivers_can_be_dropped() -> None:
    drawn = np.array([[0, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]], dtype=bool)
    assert boundaries.regions_between_lines(drawn).max() == 3
    labels = boundaries.regions_between_lines(drawn, smallest_area=2)
    assert labels[0, 0] == 0
    assert sorted(np.unique(labels).tolist()) == [0, 1, 2]


def test_boundary_f1_by_hand() -> None:
    truth, near, far = (stroke(at, at + 1) for at in (10, 13, 30))
    assert boundaries.boundary_f1(truth, near, 3) == (1, 1, 1)
    assert boundaries.boundary_f1(truth, near, 2) == (0, 0, 0)
    f1, precision, recall = boundaries.boundary_f1(truth, near | far, 3)
    assert (precision, recall) == (0.5, 1)
    assert f1 == pytest.approx(2 / 3)
    empty = np.zeros_like(truth)
    assert boundaries.boundary_f1(empty, empty, 3)[0] == 1
    assert boundaries.boundary_f1(truth, empty, 3)[0] == 0


@pytest.mark.parametrize("column", [16, 20, 23])
def test_grains_are_right_wherever_the_boundary_runs_within_the_stroke(column: int) -> None:
    table = boundaries.grain_table(stroke(15, 24), halves(column))
    assert adjusted_rand_index(table) == 1


def test_grains_are_wrong_where_the_boundary_leaves_the_stroke() -> None:
    assert adjusted_rand_index(boundaries.grain_table(stroke(15, 24), halves(30))) < 0.8


def test_drawn_maps_of_a_perfect_answer_agree() -> None:
    table, lines = boundaries.drawn_map_table(stroke(15, 24), halves(20))
    assert np.flatnonzero(lines[7]).tolist() == list(range(15, 24))
    assert adjusted_rand_index(table) == 1


def test_postprocessing_gives_lines_of_three_pixels_and_drops_dirt() -> None:
    drawn = stroke(15, 24)
    drawn[5:8, 2:5] = True
    lines = boundaries.postprocessed_map(drawn)
    assert np.flatnonzero(lines[20]).tolist() == [18, 19, 20]
    assert not lines[:, :10].any()
    assert not boundaries.postprocessed_map(np.zeros((9, 9), dtype=bool)).any()


def test_hausdorff_distance_of_two_points_and_of_a_shifted_square() -> None:
    first, second = np.zeros((2, 20, 20), dtype=bool)
    first[2, 3] = second[5, 7] = True
    assert boundaries.hausdorff_distance(first, second) == 5
    assert math.isnan(boundaries.hausdorff_distance(first, np.zeros_like(first)))


def test_mean_object_hausdorff_is_over_matched_pairs() -> None:
    truth, found = np.zeros((2, 30, 30), dtype=np.int32)
    truth[2:12, 2:12], found[2:12, 4:14] = 1, 2
    truth[20:28, 20:28], found[20:28, 20:28] = 2, 1
    matching = match_objects(contingency(truth, found))
    assert boundaries.mean_object_hausdorff(truth, found, matching) == pytest.approx((2 + 0) / 2)
    nothing = match_objects(contingency(truth, np.zeros_like(truth)))
    assert math.isnan(boundaries.mean_object_hausdorff(truth, truth, nothing))
