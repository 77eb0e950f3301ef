"""Overlap metrics on cases computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nital.evaluation.contingency import contingency
from nital.evaluation.metrics import (
    adjusted_rand_index,
    aggregated_jaccard,
    area_under_roc,
    average_precision,
    best_assignment,
    expected_calibration_error,
    match_objects,
    panoptic_quality,
    variation_of_information,
)

# Three true objects of 4 pixels; predicted 1 covers the first exactly, 2 covers 3 of the second
# and 1 of the background, 3 lies on background alone, the third is missed.
TRUTH = np.array([[1, 1, 1, 1, 0, 2, 2, 2, 2, 0, 0, 3, 3, 3, 3, 0]])
FOUND = np.array([[1, 1, 1, 1, 2, 2, 2, 2, 0, 3, 3, 0, 0, 0, 0, 0]])


def test_adjusted_rand_index_by_hand() -> None:
    # The example of Hubert & Arabie's formula: 6 pixels, parts of 3 + 3 against 2 + 4.
    table = contingency(np.array([1, 1, 1, 2, 2, 2]), np.array([1, 1, 2, 2, 2, 2]))
    # sum of pairs: C(2,2) + C(1,2) + C(3,2) = 4; truth 6, predicted 7, all 15.
    expected = 6 * 7 / 15
    assert adjusted_rand_index(table) == pytest.approx((4 - expected) / (6.5 - expected))


def test_adjusted_rand_index_of_one_part_each_is_one() -> None:
    one = np.ones((3, 3), dtype=int)
    assert adjusted_rand_index(contingency(one, one * 7)) == 1.0


def test_variation_of_information_by_hand() -> None:
    table = contingency(np.array([1, 1, 1, 1]), np.array([1, 1, 2, 2]))
    assert variation_of_information(table) == (1.0, 0.0)
    table = contingency(np.array([1, 2, 3, 4]), np.array([1, 1, 1, 1]))
    assert variation_of_information(table) == (0.0, 2.0)


def test_best_assignment_maximises_the_sum() -> None:
    # Predicted 1 overlaps both truths; giving it to truth 1 leaves truth 2 with nothing.
    truth = np.array([1] * 6 + [2] * 4)
    found = np.array([1] * 3 + [2] * 3 + [1] * 4)
    result = best_assignment(contingency(truth, found))
    assert result.predicted.tolist() == [2, 1]
    np.testing.assert_allclose(result.iou, [3 / 6, 4 / 7])
    np.testing.assert_allclose(result.recall, [1 / 2, 1])
    np.testing.assert_allclose(result.precision, [1, 4 / 7])
    np.testing.assert_allclose(result.f1, [2 * 0.5 / 1.5, 2 * 4 / 11])
    assert result.mapped(found).tolist() == [2] * 3 + [1] * 3 + [2] * 4


def test_best_assignment_leaves_surplus_and_missing_labels_alone() -> None:
    result = best_assignment(contingency(np.array([1, 1, 2]), np.array([4, 4, 4])))
    assert result.predicted.tolist() == [4, -1]
    result = best_assignment(contingency(np.array([1, 1]), np.array([0, 3])), skip_predicted=(0,))
    assert result.predicted.tolist() == [3]
    assert result.iou.tolist() == [0.5]


def test_matching_and_scores_by_hand() -> None:
    table = contingency(TRUTH, FOUND)
    half, strict = match_objects(table, 0.5), match_objects(table, 0.75)
    assert sorted(zip(half.truth.tolist(), half.predicted.tolist(), strict=True)) == [
        (1, 1),
        (2, 2),
    ]
    assert half.accuracy == 2 / 4
    assert half.f1 == 2 * 2 / 6
    assert half.recall == half.precision == 2 / 3
    assert strict.accuracy == 1 / 5
    # Pairs of IoU 1 and 0.6: three thresholds (0.5, 0.55, 0.6) find both.
    assert average_precision(table) == pytest.approx((3 * 2 / 4 + 7 * 1 / 5) / 10)
    assert panoptic_quality(half) == pytest.approx(1.6 / 3)


def test_ignored_predictions_are_not_false() -> None:
    table = contingency(TRUTH, FOUND)
    ignored = np.isin(table.predicted_labels, [1, 3])
    assert match_objects(table, 0.5, ignored).accuracy == 2 / 3


def test_ties_at_one_half_match_once() -> None:
    table = contingency(np.array([1, 1]), np.array([1, 2]))
    matching = match_objects(table, 0.5)
    assert matching.truth.size == 1
    assert matching.accuracy == 1 / 2


def test_aggregated_jaccard_by_hand() -> None:
    table = contingency(TRUTH, FOUND)
    # Intersections 4 + 3; unions 4 + 5; missed 4; false 2.
    assert aggregated_jaccard(table) == pytest.approx(7 / 15)
    assert aggregated_jaccard(table, one_to_one=False) == pytest.approx(7 / 15)


def test_aggregated_jaccard_reuses_a_prediction_and_the_plus_form_does_not() -> None:
    table = contingency(np.array([1, 1, 1, 2, 2]), np.array([7, 7, 7, 7, 7]))
    assert aggregated_jaccard(table, one_to_one=False) == pytest.approx((3 + 2) / (5 + 5))
    assert aggregated_jaccard(table) == pytest.approx(3 / (5 + 2))


def test_nothing_against_nothing_is_right_and_against_something_wrong() -> None:
    nothing = np.zeros((2, 2), dtype=int)
    empty, missed = contingency(nothing, nothing), contingency(nothing + 1, nothing)
    assert match_objects(empty).accuracy == aggregated_jaccard(empty) == 1.0
    assert match_objects(missed).accuracy == aggregated_jaccard(missed) == 0.0
    assert panoptic_quality(match_objects(missed)) == 0.0


def test_calibration_error_by_hand() -> None:
    confidence = np.array([0.95, 0.95, 0.15, 0.15])
    correct = np.array([True, False, False, False])
    assert expected_calibration_error(confidence, correct) == pytest.approx(
        (2 * abs(0.95 - 0.5) + 2 * 0.15) / 4
    )
    assert math.isnan(expected_calibration_error(np.zeros(0), np.zeros(0)))
    assert expected_calibration_error(np.array([1.0]), np.array([1.0])) == 0.0


def test_area_under_roc_by_hand() -> None:
    score = np.array([0.9, 0.8, 0.8, 0.1])
    correct = np.array([True, True, False, False])
    # Pairs: (0.9, 0.8) and (0.9, 0.1) right, (0.8, 0.8) half, (0.8, 0.1) right.
    assert area_under_roc(score, correct) == pytest.approx(3.5 / 4)
    assert math.isnan(area_under_roc(score, np.ones(4, dtype=bool)))


@settings(derandomize=True, max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_renumbering_changes_nothing_and_a_perfect_answer_scores_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, found = rng.integers(0, 6, (2, 8, 8))
    names = np.concatenate(([0], rng.permutation(np.arange(1, 6)) * 11))
    plain, renamed = contingency(truth, found), contingency(truth, names[found])
    for metric in (adjusted_rand_index, aggregated_jaccard, average_precision):
        assert metric(plain) == pytest.approx(metric(renamed), abs=1e-12)
        assert metric(contingency(truth, names[truth])) == pytest.approx(1)
