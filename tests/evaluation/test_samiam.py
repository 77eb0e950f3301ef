"""SAM-I-Am's metrics on strips of pixels counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from nital.errors import InputError
from nital.evaluation import samiam


def strip(*spans: tuple[int, int], length: int = 100) -> np.ndarray:
    """A one-row mask, true over the half-open spans."""
    mask = np.zeros((1, length), dtype=bool)
    for start, stop in spans:
        mask[:, start:stop] = True
    return mask


def test_equations_by_hand() -> None:
    truth = [strip((0, 40)), strip((40, 100))]
    masks = [
        strip((0, 40)),  # exact for the first
        strip((0, 20)),  # half of the first: superfluous
        strip((40, 85)),  # 0.75 of the second
        strip((0, 1)),  # IoU 0.025 with the first: below the gate
    ]
    scores = samiam.score_masks(truth, masks)
    assert scores.iou == pytest.approx(((1 + 0.5) / 2 + 0.75) / 2)
    hit, missed = (30 + 45) / 2, (10 + 15) / 2
    assert scores.recall == pytest.approx(hit / (hit + missed))
    assert scores.precision == 1
    assert scores.false_positive_rate == pytest.approx(0.5 / 2)
    assert scores.false_positive_sum == pytest.approx(0.5 / 2)


def test_the_sum_of_false_positives_grows_with_their_number_and_the_rate_does_not() -> None:
    masks = [strip((0, 40)), *[strip((0, 20))] * 3]
    scores = samiam.score_masks([strip((0, 40))], masks)
    assert scores.false_positive_rate == pytest.approx(0.5)
    assert scores.false_positive_sum == pytest.approx(1.5)


def test_precision_counts_what_spills_over() -> None:
    scores = samiam.score_masks([strip((0, 40))], [strip((0, 50))])
    assert scores.precision == pytest.approx(0.8)
    assert scores.recall == 1
    assert scores.false_positive_rate == 0


def test_easy_masks_weigh_ten_times() -> None:
    truth = [strip((0, 40)), strip((40, 100))]
    weights = (samiam.EASY_WEIGHT, samiam.HARD_WEIGHT)
    scores = samiam.score_masks(truth, [strip((0, 40))], weights)
    assert scores.iou == pytest.approx(10 / 11)
    assert scores.recall == pytest.approx(400 / 460)


def test_no_mask_at_all_scores_nothing() -> None:
    scores = samiam.score_masks([strip((0, 40))], [])
    assert (scores.iou, scores.recall, scores.precision) == (0, 0, 0)
    assert scores.false_positive_rate == 0


def test_boundary_mask_is_two_percent_of_the_diagonal_and_includes_the_image_edge() -> None:
    mask = np.zeros((300, 400), dtype=bool)
    mask[:100, 100:300] = True
    ring = samiam.boundary_mask(mask)
    assert ring[:10, 100:300].all()
    assert ring[50, 100:110].all()
    assert not ring[50, 110:290].any()
    assert ring.sum() == 100 * 200 - 80 * 180


def test_all_numbers_of_a_perfect_answer() -> None:
    labels = np.repeat(np.arange(3), 40)[None].repeat(60, axis=0)
    masks = samiam.masks_of(labels)
    assert len(masks) == 2
    scores = samiam.score_material_masks(masks, masks)
    for name, value in scores.items():
        assert value == (0 if "fpr" in name else 1), name
    assert len(scores) == 10


def test_bad_masks_are_refused() -> None:
    with pytest.raises(InputError, match="must have pixels"):
        samiam.score_masks([strip()], [strip((0, 5))])
    with pytest.raises(InputError, match="does not fit"):
        samiam.score_masks([strip((0, 5))], [strip((0, 5), length=50)])
    with pytest.raises(InputError, match="one per true mask"):
        samiam.score_masks([strip((0, 5))], [], weights=(1, 2))
