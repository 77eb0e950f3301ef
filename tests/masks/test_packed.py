"""Packed masks: every bit comes back, and counting bytes is counting pixels."""

from __future__ import annotations

import tracemalloc

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nital.masks.convert import instances_of
from nital.masks.flatten import paint
from nital.masks.packed import PackedMasks, packed_overlaps
from nital.masks.stack import stack_labels
from nital.masks.suppression import new_boxes, suppress_boxes, suppress_masks

SHAPE = (37, 53)


@st.composite
def some_masks(draw: st.DrawFn) -> tuple[np.ndarray, PackedMasks]:
    """Random boolean masks on the whole image, and the same packed in random boxes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    whole, boxes, windows = [], [], []
    for _ in range(draw(st.integers(0, 6))):
        top, bottom = np.sort(rng.choice(SHAPE[0] + 1, 2, replace=False))
        left, right = np.sort(rng.choice(SHAPE[1] + 1, 2, replace=False))
        window = rng.random((bottom - top, right - left)) < rng.random()
        mask = np.zeros(SHAPE, bool)
        mask[top:bottom, left:right] = window
        whole.append(mask)
        boxes.append([top, left, bottom, right])
        windows.append(window)
    scores = rng.integers(0, 4, len(whole)) / 4
    packed = PackedMasks.pack(SHAPE, np.array(boxes).reshape(-1, 4), windows, scores=scores)
    return np.array(whole).reshape(-1, *SHAPE), packed


def unpacked(masks: PackedMasks) -> np.ndarray:
    whole = np.zeros((len(masks), *masks.shape), bool)
    for index in range(len(masks)):
        whole[index][masks.place(index)] = masks.mask(index)
    return whole


@given(some_masks())
def test_every_bit_comes_back(given: tuple[np.ndarray, PackedMasks]) -> None:
    whole, packed = given
    np.testing.assert_array_equal(unpacked(packed), whole)
    np.testing.assert_array_equal(packed.areas, whole.sum((1, 2)))


@given(some_masks())
def test_overlaps_are_those_of_the_pixels(given: tuple[np.ndarray, PackedMasks]) -> None:
    whole, packed = given
    pairs, shared = packed_overlaps(packed)
    found = {(int(i), int(j)): int(n) for (i, j), n in zip(pairs, shared, strict=True)}
    expected = {
        (i, j): int((whole[i] & whole[j]).sum())
        for i in range(len(whole))
        for j in range(i + 1, len(whole))
    }
    assert found == {pair: n for pair, n in expected.items() if n > 0}


@given(some_masks(), st.integers(0, 2**32 - 1))
def test_taking_and_joining(given: tuple[np.ndarray, PackedMasks], seed: int) -> None:
    whole, packed = given
    chosen = np.random.default_rng(seed).random(len(packed)) < 0.5
    parts = [packed.take(chosen), packed.take(np.flatnonzero(~chosen))]
    joined = PackedMasks.join(parts)
    np.testing.assert_array_equal(unpacked(joined), np.concatenate([whole[chosen], whole[~chosen]]))
    np.testing.assert_array_equal(
        joined.scores, np.concatenate([packed.scores[chosen], packed.scores[~chosen]])
    )


@given(some_masks(), st.floats(0.05, 0.9))
def test_suppression_leaves_the_best_of_each(
    given: tuple[np.ndarray, PackedMasks], threshold: float
) -> None:
    whole, packed = given
    kept = suppress_masks(packed, threshold)

    def iou(i: int, j: int) -> float:
        either = (whole[i] | whole[j]).sum()
        return float((whole[i] & whole[j]).sum() / either) if either else 0.0

    for i in kept:
        assert all(iou(i, j) <= threshold for j in kept if j != i)
    for i in set(range(len(whole))) - set(kept.tolist()):
        assert any(iou(i, j) > threshold and packed.scores[j] >= packed.scores[i] for j in kept)


def test_labels_and_back() -> None:
    labels = np.zeros((20, 30), np.int32)
    labels[2:9, 3:17] = 1
    labels[5:7, 6:8] = 3
    packed = PackedMasks.of_labels(labels)
    assert packed.boxes.tolist() == [[2, 3, 9, 17], [5, 6, 7, 8]]
    np.testing.assert_array_equal(packed.areas, [7 * 14 - 4, 4])


class TestBoxes:
    def test_the_worse_of_two_that_overlap_goes(self) -> None:
        boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30]])
        kept = suppress_boxes(boxes, np.array([0.8, 0.9, 0.1]), 0.7)
        assert kept.tolist() == [1, 2]

    def test_an_iou_at_the_threshold_stays(self) -> None:
        boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 5]])
        assert len(suppress_boxes(boxes, np.ones(2), 0.5)) == 2
        assert len(suppress_boxes(boxes, np.ones(2), 0.49)) == 1

    def test_what_was_suppressed_suppresses_nothing(self) -> None:
        boxes = np.array([[0, 0, 10, 10], [0, 3, 10, 13], [0, 6, 10, 16]])
        kept = suppress_boxes(boxes, np.array([0.9, 0.8, 0.7]), 0.5)
        assert kept.tolist() == [0, 2]

    def test_none(self) -> None:
        assert len(suppress_boxes(np.zeros((0, 4)), np.zeros(0), 0.5)) == 0

    def test_a_new_box_is_none_of_those_before_it(self) -> None:
        before = np.array([[0, 0, 10, 10]])
        boxes = np.array([[0, 0, 10, 9], [20, 20, 30, 30], [20, 20, 30, 29], [0, 0, 10, 4]])
        assert new_boxes(boxes, before, 0.5).tolist() == [False, True, False, True]
        assert new_boxes(boxes, before[:0], 0.5).tolist() == [True, True, False, True]
        assert new_boxes(boxes[:0], before, 0.5).shape == (0,)

    @given(some_masks())
    def test_nothing_is_new_the_second_time(self, masks: tuple[np.ndarray, PackedMasks]) -> None:
        boxes = masks[1].boxes
        assert not new_boxes(boxes, boxes, 0.7).any()
        assert new_boxes(boxes, boxes[:0], 1.0).all()


def test_crossing_needles_are_two_by_pixels_and_one_by_boxes() -> None:
    diagonal = np.eye(40, dtype=bool)
    boxes = np.array([[0, 0, 40, 40], [0, 0, 40, 40]])
    needles = PackedMasks.pack((40, 40), boxes, [diagonal, diagonal[::-1]])
    assert len(suppress_boxes(needles.boxes, needles.scores, 0.7)) == 1
    assert len(suppress_masks(needles, 0.7)) == 2


class TestStack:
    def test_a_part_lies_on_its_whole(self) -> None:
        boxes = np.array([[4, 4, 8, 8], [0, 0, 20, 20]])
        masks = PackedMasks.pack((24, 24), boxes, [np.ones((4, 4), bool), np.ones((20, 20), bool)])
        labels = stack_labels(masks)
        assert (labels[4:8, 4:8] == 1).all()
        assert (labels == 1).sum() == 16
        assert (labels == 2).sum() == 400 - 16

    def test_a_mask_that_hardly_shows_gives_its_pixels_back(self) -> None:
        large, upper = np.ones((10, 10), bool), np.ones((9, 10), bool)
        boxes = np.array([[0, 0, 10, 10], [0, 0, 9, 10]])
        masks = PackedMasks.pack((10, 10), boxes, [large, upper])
        assert (stack_labels(masks, smallest=11)[:9] == 2).all()
        assert (stack_labels(masks, smallest=11)[9:] == 0).all()

    def test_none(self) -> None:
        assert not stack_labels(PackedMasks.empty((3, 4))).any()


def test_5000_masks_on_4096_pixels_take_little_memory() -> None:
    rng = np.random.default_rng(0)
    side, disc = 80, np.hypot(*np.mgrid[-1:1:80j, -1:1:80j]) < 1
    corners = rng.integers(0, 4096 - side, (5000, 2))
    boxes = np.concatenate([corners, corners + side], axis=1)
    tracemalloc.start()
    masks = PackedMasks.pack((4096, 4096), boxes, [disc] * 5000, scores=rng.random(5000))
    assert masks.bits.nbytes < 5000 * 80 * 12
    kept = suppress_masks(masks, 0.5)
    labels = stack_labels(masks.take(kept))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 2000 < len(np.unique(labels)) - 1 <= len(kept)
    assert peak < 0.5e9


def test_masks_on_small_grids_keep_their_areas_and_places() -> None:
    rows, cols = np.mgrid[:200, :300]
    bodies = [
        np.hypot((rows - 90) / 60, (cols - 140) / 110) < 1,
        np.hypot(rows - 20, cols - 270) < 7,
    ]
    masks = PackedMasks.of_labels(bodies[0] + 2 * bodies[1])
    candidates = instances_of(masks)
    np.testing.assert_allclose(candidates.areas, masks.areas, rtol=0.03)
    np.testing.assert_allclose(candidates.boxes, masks.boxes, atol=4)
    drawn = paint(candidates, (200, 300)).labels
    for number, body in enumerate(bodies, 1):
        assert ((drawn == number) & body).sum() / ((drawn == number) | body).sum() > 0.97
