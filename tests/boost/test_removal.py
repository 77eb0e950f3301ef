"""Each rule of the removal on rectangles of known shares, and what its choices mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nital.boost.removal import RemovalOptions, remove_superfluous
from nital.errors import UsageError
from nital.masks.instances import Instances

SHAPE = (400, 400)
few = settings(derandomize=True, max_examples=25, deadline=None)


def reasons(result):
    return {entry["mask"]: (entry["reason"], entry["other"]) for entry in result.log}


def test_masks_side_by_side_all_stay(boxes_as_masks):
    masks = boxes_as_masks([(0, 0, 200, 400), (200, 0, 400, 200), (200, 200, 400, 400)])
    result = remove_superfluous(masks, SHAPE)
    assert result.kept.tolist() == [0, 1, 2]
    assert result.log == ()


def test_of_duplicates_the_largest_stays(boxes_as_masks):
    masks = boxes_as_masks(
        [(2, 0, 200, 200), (0, 0, 200, 200), (0, 1, 199, 200)], scores=[0.99, 0.5, 0.9]
    )
    result = remove_superfluous(masks, SHAPE)
    assert result.kept.tolist() == [1]
    assert reasons(result) == {0: ("redundant", 1), 2: ("redundant", 1)}
    assert all(entry["share"] > 0.98 for entry in result.log)


def test_of_equal_duplicates_the_better_score_stays_then_the_earlier(boxes_as_masks):
    box = (0, 0, 200, 200)
    better = remove_superfluous(boxes_as_masks([box, box], scores=[0.6, 0.8]), SHAPE)
    assert better.kept.tolist() == [1]
    earlier = remove_superfluous(boxes_as_masks([box, box, box]), SHAPE)
    assert earlier.kept.tolist() == [0]


def test_a_chain_of_duplicates_keeps_what_repeats_no_kept_mask(boxes_as_masks):
    # The middle repeats both ends; the ends share 0.85 of each other.
    masks = boxes_as_masks([(0, 0, 200, 200), (15, 0, 214, 200), (30, 0, 228, 200)])
    result = remove_superfluous(masks, SHAPE)
    assert result.kept.tolist() == [0, 2]


@pytest.mark.parametrize(("side", "stays"), [(42, False), (48, True)])
def test_a_child_below_a_twentieth_of_its_parent_goes(boxes_as_masks, side, stays):
    # 42^2 / 200^2 = 4.4 %, 48^2 / 200^2 = 5.8 %
    masks = boxes_as_masks([(100, 100, 300, 300), (150, 150, 150 + side, 150 + side)])
    result = remove_superfluous(masks, SHAPE)
    assert result.kept.tolist() == ([0, 1] if stays else [0])
    if not stays:
        assert reasons(result) == {1: ("tiny child", 0)}
        assert result.log[0]["share"] == pytest.approx(side**2 / 200**2, abs=2e-3)


@pytest.mark.parametrize(("covered", "stays"), [(60, True), (80, False)])
def test_a_parent_goes_when_its_children_cover_most_of_it(boxes_as_masks, covered, stays):
    half = covered // 2
    parent, first = (0, 0, 100, 400), (0, 0, half, 400)
    masks = boxes_as_masks([parent, first, (half, 0, covered, 400)])
    result = remove_superfluous(masks, SHAPE)
    assert result.kept.tolist() == ([0, 1, 2] if stays else [1, 2])


def test_children_that_overlap_count_once(boxes_as_masks):
    # Two children of half the parent that share most of their area: 56 % together, not 100 %.
    masks = boxes_as_masks([(0, 0, 100, 400), (0, 0, 50, 400), (6, 0, 56, 400)])
    masks.logits[1, :12] = -8  # below 90 % in common, so neither is redundant
    result = remove_superfluous(masks, SHAPE)
    assert 0 in result.kept


def test_a_child_counts_towards_compound_only_from_a_twentieth(boxes_as_masks):
    # 24 of 25 squares of 20 x 20, each 4 % of the parent: they cover 96 %, and none counts.
    squares = [(r, c, r + 20, c + 20) for r in range(0, 100, 20) for c in range(0, 100, 20)][:24]
    result = remove_superfluous(boxes_as_masks([(0, 0, 100, 100), *squares]), SHAPE)
    assert result.kept.tolist() == [0]
    assert {entry["reason"] for entry in result.log} == {"tiny child"}


def test_a_thin_layer_outlives_the_mask_over_everything(boxes_as_masks):
    # Judged at once, the thin layer would go as a tiny child of a parent that goes itself.
    whole, thin = (0, 0, 400, 400), (195, 0, 205, 400)
    masks = boxes_as_masks([whole, (0, 0, 195, 400), thin, (205, 0, 400, 400)])
    result = remove_superfluous(masks, SHAPE)
    assert result.kept.tolist() == [1, 2, 3]
    assert reasons(result) == {0: ("compound", None)}


def test_a_compound_child_does_not_cover_its_parent(boxes_as_masks):
    # The child of 75 % is compound itself; what it leaves covers 60 % of the parent only.
    masks = boxes_as_masks([(0, 0, 100, 400), (0, 0, 75, 400), (0, 0, 30, 400), (30, 0, 60, 400)])
    result = remove_superfluous(masks, SHAPE)
    assert result.kept.tolist() == [0, 2, 3]
    assert reasons(result) == {1: ("compound", None)}


def test_a_tiny_island_goes_and_a_tiny_neighbour_stays(boxes_as_masks):
    island, neighbour = (40, 40, 50, 50), (300, 205, 310, 215)
    masks = boxes_as_masks([(250, 215, 400, 400), (250, 0, 400, 205), island, neighbour])
    result = remove_superfluous(masks, SHAPE)
    assert reasons(result) == {2: ("tiny island", None)}
    large = remove_superfluous(boxes_as_masks([(40, 40, 80, 80)]), SHAPE)
    assert large.kept.tolist() == [0]


def test_empty_masks_and_no_masks():
    nothing = remove_superfluous(Instances.empty(8), SHAPE)
    assert len(nothing.instances) == 0
    assert nothing.log == ()
    blank = Instances(
        np.full((1, 8, 8), -1, np.float16),
        np.array([[0, 0, 50, 50]], np.float32),
        np.ones(1, np.float32),
        np.zeros((1, 2), np.float32),
    )
    assert remove_superfluous(blank, SHAPE).log[0]["reason"] == "empty"


def test_shares_outside_the_unit_interval_are_refused():
    with pytest.raises(UsageError, match="compound is a share between 0 and 1, not 70"):
        RemovalOptions(compound=70)


places = st.tuples(*[st.integers(0, 360)] * 2, *[st.integers(8, 200)] * 2)


@few
@given(st.lists(places, min_size=1, max_size=14), st.randoms(use_true_random=False))
def test_the_order_of_the_masks_does_not_matter_and_each_goes_once(
    boxes_as_masks, corners, shuffle
):
    boxes = [(r, c, r + h, c + w) for r, c, h, w in dict.fromkeys(corners)]
    scores = np.linspace(0.5, 0.9, len(boxes))
    masks = boxes_as_masks(boxes, scores)
    result = remove_superfluous(masks, SHAPE)
    removed = [entry["mask"] for entry in result.log]
    assert sorted([*removed, *result.kept]) == list(range(len(boxes)))
    order = list(range(len(boxes)))
    shuffle.shuffle(order)
    other = remove_superfluous(masks.take(np.array(order)), SHAPE)
    assert sorted(order[k] for k in other.kept) == result.kept.tolist()


@few
@given(st.lists(places, min_size=1, max_size=10))
def test_nothing_is_left_to_remove_of_duplicates_and_tiny_children(boxes_as_masks, corners):
    boxes = [(r, c, r + h, c + w) for r, c, h, w in dict.fromkeys(corners)]
    masks = boxes_as_masks(boxes, np.linspace(0.5, 0.9, len(boxes)))
    options = RemovalOptions(tiny_island=0)
    once = remove_superfluous(masks, SHAPE, options).instances
    again = remove_superfluous(once, SHAPE, replace(options, compound=1.0))
    assert again.log == ()
