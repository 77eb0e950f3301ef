"""Crops of masks: inside, seeded, smaller where the mask is small."""

from __future__ import annotations

import numpy as np
import pytest

from nital.boost.crops import SIDES, crops_inside, mask_on_raster


def test_a_rectangle_is_drawn_to_the_pixel_but_for_its_corners(boxes_as_masks):
    masks = boxes_as_masks([(10, 20, 50, 100)])
    (top, left), part = mask_on_raster(masks, 0, (64, 128), 1.0)
    whole = np.zeros((64, 128), dtype=bool)
    whole[top : top + part.shape[0], left : left + part.shape[1]] = part
    truth = np.zeros_like(whole)
    truth[10:50, 20:100] = True
    assert (whole != truth).sum() <= 4
    assert (whole[11:49, 20:100] == truth[11:49, 20:100]).all()


def test_a_coarse_raster_counts_the_same_area(boxes_as_masks):
    masks = boxes_as_masks([(16, 16, 112, 80)])
    _, part = mask_on_raster(masks, 0, (32, 32), 4.0)
    assert part.sum() == pytest.approx(96 * 64 / 16, rel=0.05)


def test_a_mask_that_reaches_outside_is_cut_at_the_edge(boxes_as_masks):
    masks = boxes_as_masks([(-20, -20, 30, 30)])
    corner, part = mask_on_raster(masks, 0, (64, 64), 1.0)
    assert corner == (0, 0)
    assert part.sum() == pytest.approx(30 * 30, abs=1)


def test_enough_of_every_crop_lies_inside_and_none_repeats():
    rows, cols = np.indices((60, 60))
    disc = np.hypot(rows - 30, cols - 30) < 25
    boxes = crops_inside(disc, 15, 10, np.random.default_rng(0))
    assert boxes.shape == (10, 4)
    assert len({tuple(box) for box in boxes.tolist()}) == 10
    for top, left, bottom, right in boxes:
        assert (bottom - top, right - left) == (15, 15)
        assert disc[top:bottom, left:right].mean() >= 0.9


def test_the_seed_decides_the_crops():
    mask = np.ones((40, 40), dtype=bool)
    one, same, other = (
        crops_inside(mask, 10, 5, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert (one == same).all()
    assert (one != other).any()


@pytest.mark.parametrize("width", [4, 6, 9])
def test_small_masks_have_smaller_crops(width):
    mask = np.zeros((40, 40), dtype=bool)
    mask[10 : 10 + width] = True
    boxes = crops_inside(mask, 15, 10, np.random.default_rng(0))
    sides = boxes[:, 2] - boxes[:, 0]
    fitting = max(round(15 * share) for share in SIDES if round(15 * share) * 0.9 <= width)
    assert (sides == fitting).all()


def test_a_mask_without_room_gives_its_most_interior_place():
    line = np.eye(30, dtype=bool)
    boxes = crops_inside(line, 15, 10, np.random.default_rng(0))
    assert boxes.shape == (1, 4)
    top, left, bottom, right = boxes[0]
    assert line[top:bottom, left:right].any()


def test_an_empty_mask_has_no_crops():
    boxes = crops_inside(np.zeros((9, 9), dtype=bool), 4, 10, np.random.default_rng(0))
    assert boxes.shape == (0, 4)


def test_few_places_give_each_once():
    mask = np.ones((10, 11), dtype=bool)
    boxes = crops_inside(mask, 10, 10, np.random.default_rng(0), inside=1.0)
    assert boxes.tolist() == [[0, 0, 10, 10], [0, 1, 10, 11]]
