"""Painting of candidates: who gets which pixel, at any scale and place of the window."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nital.masks.flatten import paint
from nital.masks.instances import Instances

few = settings(derandomize=True, max_examples=30, deadline=None)


def disc_mask(shape, row, col, radius):
    """Pixels whose centres lie in a disc given by pixel edges."""
    rows, cols = np.mgrid[: shape[0], : shape[1]] + 0.5
    return np.hypot(rows - row, cols - col) < radius


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


@pytest.mark.parametrize("scale", [0.5, 1.0, 4.0, 9.7])
def test_a_disc_at_any_scale(candidates, scale):
    disc, window = np.array([20.0, 22.0, 9.0]), np.array([4.0, 6.0, 36.0, 38.0])
    one = candidates([disc], [window])
    large = Instances(one.logits, one.windows * np.float32(scale), one.scores, one.points)
    shape = (round(40 * scale), round(44 * scale))
    painted = paint(large, shape)
    assert painted.labels.dtype == np.int32
    assert painted.probability.dtype == np.uint8
    truth = disc_mask(shape, *(disc * scale))
    assert iou(painted.labels == 1, truth) > 0.95
    assert ((painted.labels > 0) == (painted.probability >= 128)).all()


def test_windows_that_reach_outside_are_cut(candidates):
    for row, col in [(0, 0), (0, 30), (30, 0), (30, 30), (-8, 15)]:
        one = candidates([[row, col, 12]], [[row - 20, col - 20, row + 20, col + 20]])
        painted = paint(one, (30, 30)).labels > 0
        assert iou(painted, disc_mask((30, 30), row, col, 12)) > 0.93


def test_a_window_beside_the_image_paints_nothing(candidates):
    one = candidates([[-50, 10, 9]], [[-60, 0, -40, 20]])
    assert not paint(one, (30, 30)).labels.any()


def test_nothing_is_painted_outside_the_window(candidates):
    full = candidates([[20, 20, 1000]], [[10, 12, 30, 28]], grid=4)
    expected = np.zeros((40, 40), bool)
    expected[10:30, 12:28] = True
    assert np.array_equal(paint(full, (40, 40)).labels > 0, expected)


def test_windows_smaller_than_a_pixel(candidates):
    on_centre = candidates([[5.5, 7.5, 1]], [[5.3, 7.3, 5.7, 7.7]])
    assert np.argwhere(paint(on_centre, (12, 12)).labels).tolist() == [[5, 7]]
    between = candidates([[5, 7, 1]], [[4.8, 6.8, 5.2, 7.2]])
    assert not paint(between, (12, 12)).labels.any()


def test_oblong_windows_keep_their_proportions(candidates):
    one = candidates([[20, 50, 1000]], [[15, 10, 25, 90]], grid=8)
    half = one.logits.copy()
    half[:, :, 4:] = -half[:, :, 4:]
    painted = paint(Instances(half, one.windows, one.scores, one.points), (40, 100)).labels > 0
    expected = np.zeros((40, 100), bool)
    expected[15:25, 10:50] = True
    assert np.array_equal(painted, expected)


def test_the_surer_candidate_takes_the_pixel_and_ties_go_to_the_earlier(candidates):
    window = [[0, 0, 30, 30]] * 2
    sure = candidates([[15, 10, 8], [15, 20, 8]], window, softness=2)
    painted = paint(sure, (30, 30)).labels
    assert painted[15, 10] == 1
    assert painted[15, 19] == 2
    left, right = (painted == 1), (painted == 2)
    assert np.array_equal(left[:, :15], right[:, :14:-1])
    same = candidates([[15, 15, 8]] * 2, window)
    assert set(np.unique(paint(same, (30, 30)).labels)) == {0, 1}


@few
@given(st.integers(0, 10**6), st.integers(0, 15))
def test_each_pixel_belongs_to_a_candidate_that_claims_it(random_discs, seed, count):
    instances = random_discs(seed, count)
    shape = (64, 60)
    painted = paint(instances, shape)
    alone = [paint(instances.take(np.array([k])), shape) for k in range(count)]
    claims = np.stack([np.zeros(shape, np.uint8), *(a.probability for a in alone)])
    assert np.array_equal(painted.probability, claims.max(0))
    assert np.array_equal(painted.labels, claims.argmax(0))
    for index, each in enumerate(alone, start=1):
        assert not (painted.labels == index)[each.labels == 0].any()


@few
@given(st.integers(0, 10**6))
def test_painting_what_was_painted_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((16, 16)) < 0.4
    logits = np.where(mask, 8, -8).astype(np.float16)[None]
    window = np.array([[3, 5, 19, 21]], np.float32)
    one = Instances(logits, window, np.ones(1, np.float32), np.zeros((1, 2), np.float32))
    labels = paint(one, (24, 24)).labels
    assert np.array_equal(labels[3:19, 5:21] == 1, mask)
    assert labels.sum() == mask.sum()
    again = Instances(
        np.where(labels[3:19, 5:21] == 1, 8, -8).astype(np.float16)[None],
        window,
        one.scores,
        one.points,
    )
    assert np.array_equal(paint(again, (24, 24)).labels, labels)


def test_the_level_decides_how_sure_a_claim_must_be(candidates):
    one = candidates([[20, 20, 10]], [[0, 0, 40, 40]], softness=2)
    areas = [int((paint(one, (40, 40), level).labels > 0).sum()) for level in (0.2, 0.5, 0.9)]
    assert areas[0] > areas[1] > areas[2] > 0


def test_no_candidates():
    painted = paint(Instances.empty(48), (5, 7))
    assert painted.labels.shape == (5, 7)
    assert not painted.labels.any()
    assert not painted.probability.any()
