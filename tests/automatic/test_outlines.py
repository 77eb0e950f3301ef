"""Outlines where masks and foreground agree: finer than the masks, and never against a sure one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nital.automatic import outlines
from nital.automatic.outlines import paint_with_foreground
from nital.automatic.resample import resize_map
from nital.masks.flatten import paint
from nital.masks.instances import Instances

SHAPE = (300, 280)


def gear() -> np.ndarray:
    """A disc with teeth too fine for the cells of a mask."""
    rows, columns = np.indices(SHAPE) - 140
    angle = np.arctan2(rows, columns)
    return np.hypot(rows, columns) < 100 + 10 * np.sign(np.sin(24 * angle))


def mask_of(*truths: np.ndarray, grid: int = 12) -> Instances:
    """Coarse masks of true shapes, less sure towards their outlines."""
    return Instances.from_masks(truths, np.full(len(truths), 0.9, np.float32), grid)


def iou(first: np.ndarray, second: np.ndarray) -> float:
    return np.count_nonzero(first & second) / np.count_nonzero(first | second)


def test_details_finer_than_a_cell_come_from_the_foreground():
    truth = gear()
    foreground = resize_map(truth.astype(np.float32), (SHAPE[0] // 2, SHAPE[1] // 2))
    plain = paint(mask_of(truth), SHAPE).labels == 1
    agreed = paint_with_foreground(mask_of(truth), foreground, SHAPE)
    assert iou(plain, truth) < 0.92
    assert iou(agreed.labels == 1, truth) > 0.96
    assert np.array_equal(agreed.labels > 0, agreed.probability >= 128)


@given(st.integers(0, 10_000))
def test_where_the_foreground_says_nothing_the_masks_decide(seed):
    rng = np.random.default_rng(seed)
    middles = rng.uniform(10, 90, (3, 2))
    discs = [np.hypot(*(np.indices((100, 100)) - m[:, None, None])) < 20 for m in middles]
    masks = mask_of(*discs)
    agreed = paint_with_foreground(masks, np.full((50, 50), 0.5), (100, 100))
    assert np.array_equal(agreed.labels, paint(masks, (100, 100)).labels)


def test_a_sure_mask_is_not_overruled_and_nothing_comes_of_foreground_alone():
    truth = gear()
    masks = mask_of(truth)
    sure = paint(masks, SHAPE, level=0.99).labels
    dark = paint_with_foreground(masks, np.zeros((150, 140)), SHAPE).labels
    bright = paint_with_foreground(masks, np.ones((150, 140)), SHAPE).labels
    assert 0 < np.count_nonzero(dark) < np.count_nonzero(bright)
    assert (dark[sure > 0] == 1).all()
    assert not bright[paint(masks, SHAPE, level=0.01).labels == 0].any()


def test_which_of_two_masks_has_a_pixel_is_for_the_masks_to_say():
    left, right = np.zeros((2, 80, 80), dtype=bool)
    left[20:60, 10:40], right[20:60, 40:70] = True, True
    masks = mask_of(left, right)
    plain = paint(masks, (80, 80)).labels
    agreed = paint_with_foreground(masks, np.ones((40, 40)), (80, 80)).labels
    assert np.array_equal(agreed[plain > 0], plain[plain > 0])


@pytest.mark.parametrize("rows", [1, 7, 4096])
def test_rows_looked_at_together_do_not_matter(monkeypatch, rows):
    masks, foreground = mask_of(gear()), np.random.default_rng(0).random((150, 140))
    expected = paint_with_foreground(masks, foreground, SHAPE)
    monkeypatch.setattr(outlines, "ROWS", rows)
    found = paint_with_foreground(masks, foreground, SHAPE)
    assert np.array_equal(found.labels, expected.labels)
    assert np.array_equal(found.probability, expected.probability)


def test_no_mask_gives_no_label():
    painted = paint_with_foreground(Instances.empty(12), np.ones((4, 4)), (8, 8))
    assert not painted.labels.any()
    assert not painted.probability.any()
