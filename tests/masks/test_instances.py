"""Areas and boxes of masks on windows, against analytic shapes."""

from __future__ import annotations

import numpy as np
import pytest

from nital.masks.instances import Instances


@pytest.mark.parametrize("window", [(0, 0, 40, 40), (-10, 5, 50, 65), (3.2, 1.7, 99.9, 70.1)])
def test_area_and_box_of_a_disc(candidates, window):
    one = candidates([[20, 30, 9]], [window])
    cell = max(window[2] - window[0], window[3] - window[1]) / 48
    assert one.areas[0] == pytest.approx(np.pi * 81, rel=0.05)
    np.testing.assert_allclose(one.boxes[0], [11, 21, 29, 39], atol=cell)


def test_a_full_window_is_its_own_box(candidates):
    one = candidates([[0, 0, 1000]], [[-2, 4, 10, 28]])
    assert one.boxes.tolist() == [[-2, 4, 10, 28]]
    assert one.areas.tolist() == [12 * 24]
    assert one.cell_areas[0] == pytest.approx(12 * 24 / 48**2)


def test_an_empty_mask_has_no_area_and_a_flat_box(candidates):
    one = candidates([[500, 500, 1]], [[0, 0, 10, 10]])
    assert one.areas.tolist() == [0]
    assert (one.boxes[:, :2] == one.boxes[:, 2:]).all()


def test_no_candidates():
    none = Instances.empty(16)
    assert len(none) == 0
    assert none.areas.shape == (0,)
    assert none.boxes.shape == (0, 4)


def test_join_and_take_keep_rows_together(random_discs):
    first, second = random_discs(1, 4), random_discs(2, 3)
    both = Instances.join([first, second])
    assert len(both) == 7
    part = both.take(np.array([5, 1]))
    for name in ("logits", "windows", "scores", "points"):
        expected = np.stack([getattr(second, name)[1], getattr(first, name)[1]])
        assert np.array_equal(getattr(part, name), expected)
    chosen = both.take(both.scores > 0.4)
    assert np.array_equal(chosen.scores, both.scores[both.scores > 0.4])
    assert chosen.origin == "test"


def test_masks_of_any_source_keep_their_area_and_box():
    rows, cols = np.indices((80, 100))
    disc = np.hypot(rows - 40, cols - 30) < 20
    bar = (rows > 70) & (cols > 90)
    masks = Instances.from_masks([disc, bar, np.zeros_like(disc)], np.array([0.9, 0.8, 0.7]))
    assert masks.areas[:2] == pytest.approx([disc.sum(), bar.sum()], rel=0.05)
    assert masks.areas[2] == 0
    assert masks.boxes[0] == pytest.approx([21, 11, 60, 50], abs=1.5)
    assert len(Instances.from_masks([], np.zeros(0))) == 0
