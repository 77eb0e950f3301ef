"""Boundaries from masks and back to grains, on drawn polycrystals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from nital.errors import InputError
from nital.evaluation.contingency import contingency
from nital.evaluation.metrics import adjusted_rand_index
from nital.polycrystals import boundaries_from_masks, close_gaps, grains_between, thin_lines

Voronoi = Callable[..., Any]
SHAPE = (150, 180)


def masks_of(labels: np.ndarray) -> list[np.ndarray]:
    return [labels == number for number in range(1, int(labels.max()) + 1)]


def is_one_pixel_wide(lines: np.ndarray) -> bool:
    """No 3 x 3 square of line pixels, and thinning changes nothing."""
    blocks = ndimage.binary_erosion(lines, np.ones((3, 3)))
    return not blocks.any() and np.array_equal(thin_lines(lines), lines)


class TestBoundariesFromMasks:
    def test_masks_that_meet_give_back_their_grains(self, voronoi: Voronoi) -> None:
        labels = voronoi(25, SHAPE)
        lines = boundaries_from_masks(masks_of(labels), SHAPE)
        assert is_one_pixel_wide(lines)
        grains = grains_between(lines)
        assert adjusted_rand_index(contingency(labels, grains)) > 0.93

    def test_ground_between_masks_is_one_line_in_its_middle(self) -> None:
        left, right = np.zeros((2, 60, 60), dtype=bool)
        left[:, :28], right[:, 33:] = True, True
        lines = boundaries_from_masks([left, right], (60, 60))
        assert (lines.sum(axis=1) == 1).all()
        assert set(np.flatnonzero(lines.any(axis=0))) <= {29, 30, 31}

    def test_overlapping_masks_do_not_double_the_line(self) -> None:
        left, right = np.zeros((2, 60, 60), dtype=bool)
        left[:, :32], right[:, 29:] = True, True
        lines = boundaries_from_masks([left, right], (60, 60))
        assert (lines.sum(axis=1) == 1).all()
        assert grains_between(lines).max() == 2

    def test_a_grain_that_no_mask_covers_is_a_grain(self) -> None:
        labels = np.repeat([1, 2, 3], 30)[None].repeat(60, axis=0)
        lines = boundaries_from_masks([labels == 1, labels == 3], labels.shape)
        assert grains_between(lines).max() == 3

    def test_the_edge_of_the_image_is_no_boundary(self) -> None:
        whole = np.ones((40, 50), dtype=bool)
        assert not boundaries_from_masks([whole], (40, 50)).any()

    def test_no_masks_no_boundaries(self) -> None:
        assert not boundaries_from_masks([], (40, 50)).any()
        assert not boundaries_from_masks([np.zeros((40, 50), dtype=bool)], (40, 50)).any()

    def test_a_mask_of_another_size_is_refused(self) -> None:
        with pytest.raises(InputError, match=r"a mask of \(3, 4\) does not fit an image of \(4, 4"):
            boundaries_from_masks([np.ones((3, 4), dtype=bool)], (4, 4))


class TestCloseGaps:
    @pytest.mark.parametrize("width", [1, 2, 4])
    def test_a_gap_is_closed_and_a_wider_one_is_not(self, width: int) -> None:
        for gap, count in ((6, 2), (12, 1)):
            lines = np.zeros((60, 80), dtype=bool)
            lines[30 : 30 + width] = True
            lines[:, 40 : 40 + gap] = False
            closed = close_gaps(lines, 6)
            assert is_one_pixel_wide(closed)
            assert ndimage.label(~closed)[1] == count

    def test_the_line_stays_where_it_is(self) -> None:
        lines = np.zeros((60, 80), dtype=bool)
        lines[29:32, 10:70] = True
        closed = close_gaps(lines, 6)
        assert set(np.flatnonzero(closed.any(axis=1))) == {30}
        assert abs(int(closed.sum()) - 60) <= 6

    def test_lines_run_on_to_the_edge(self) -> None:
        lines = np.zeros((60, 80), dtype=bool)
        lines[28:33] = True
        assert close_gaps(lines, 4)[:, [0, -1]].any(axis=0).all()

    def test_nothing_stays_nothing(self) -> None:
        assert not close_gaps(np.zeros((9, 9), dtype=bool)).any()


class TestGrainsBetween:
    @settings(max_examples=15, deadline=None)
    @given(seed=st.integers(0, 10**6), count=st.integers(2, 30))
    def test_every_pixel_belongs_to_a_grain(self, voronoi: Voronoi, seed: int, count: int) -> None:
        labels = voronoi(count, (60, 70), seed)
        lines = thin_lines(labels != ndimage.grey_erosion(labels, 3))
        grains = grains_between(lines, smallest=1)
        assert (grains > 0).all()
        assert len(np.unique(grains)) == grains.max()

    def test_a_line_that_ends_inside_a_grain_vanishes(self) -> None:
        lines = np.zeros((60, 60), dtype=bool)
        lines[:, 30] = True
        lines[20, 30:50] = True
        grains = grains_between(lines)
        assert grains.max() == 2
        assert (grains[:, :29] == 1).all()

    def test_lines_alone_are_one_grain(self) -> None:
        assert (grains_between(np.ones((10, 10), dtype=bool)) == 1).all()
