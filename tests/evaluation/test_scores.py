"""The score tables: perfect answers, permuted names, partial truth."""

from __future__ import annotations

import numpy as np
import pytest

from nital.evaluation import score_boundaries, score_instances, score_phases


def test_phases_under_any_naming() -> None:
    truth = np.ones((20, 20), dtype=np.uint8)
    truth[:10] = 2
    swapped = (3 - truth).astype(np.uint8)
    scores = score_phases(truth, swapped)
    assert scores["iou_mean"] == scores["iou_foreground"] == scores["boundary_f1"] == 1
    assert scores["phase_fraction_error"] == 0


def test_phases_by_hand() -> None:
    truth = np.array([[1, 1, 1, 1, 2, 2, 2, 2, 0, 0]])
    found = np.array([[1, 1, 1, 1, 1, 2, 2, 2, 2, 1]])
    scores = score_phases(truth, found)
    assert scores["iou_mean"] == pytest.approx((4 / 5 + 3 / 4) / 2)
    assert scores["iou_of_class_1"] == pytest.approx(4 / 5)
    assert scores["iou_of_class_2"] == scores["iou_foreground"] == scores["recall"] == 0.75
    named = score_phases(truth, found, names={2: "Oxide (grown)", 5: "absent"})
    assert {name for name in named if name.startswith("iou_of_")} == {
        "iou_of_class_1",
        "iou_of_oxide_grown",
    }
    assert scores["precision"] == 1
    assert scores["f1"] == pytest.approx(6 / 7)
    assert scores["pixel_accuracy"] == pytest.approx(7 / 8)
    assert scores["phase_fraction_error"] == pytest.approx(1 / 8)


def test_unassigned_pixels_are_no_phase_unless_told() -> None:
    truth = np.array([[1, 1, 2, 2]])
    found = np.array([[0, 0, 1, 1]])
    assert score_phases(truth, found)["iou_mean"] == 0.5
    assert score_phases(truth, found, unassigned=None)["iou_mean"] == 1


def two_squares() -> np.ndarray:
    labels = np.zeros((40, 40), dtype=np.int32)
    labels[5:15, 5:15], labels[22:34, 20:32] = 1, 2
    return labels


def test_perfect_instances() -> None:
    scores = score_instances(two_squares(), two_squares() * 3)
    for name in ("ap50", "ap75", "ap", "aji", "aji_plus", "pq", "f1", "recall", "precision", "ari"):
        assert scores[name] == pytest.approx(1), name
    assert scores["iou_foreground"] == scores["boundary_f1"] == 1
    assert scores["hausdorff_mean"] == scores["vi_split"] == scores["count_error"] == 0


def test_unlabelled_objects_of_a_partial_truth_are_not_false() -> None:
    truth = two_squares()
    found = truth.copy()
    truth[truth == 2] = 0
    assert score_instances(truth, found)["ap50"] == 0.5
    scores = score_instances(truth, found, partial=True)
    assert scores["ap50"] == scores["aji_plus"] == scores["precision"] == 1
    assert "iou_foreground" not in scores
    assert "count_error" not in scores


def test_nothing_found() -> None:
    scores = score_instances(two_squares(), np.zeros((40, 40), dtype=np.int32))
    assert scores["ap50"] == scores["aji_plus"] == scores["f1"] == scores["boundary_f1"] == 0
    assert "hausdorff_mean" not in scores


def cross() -> tuple[np.ndarray, np.ndarray]:
    """Four grains and their boundaries drawn five pixels wide."""
    row, column = np.indices((80, 80))
    labels = (1 + 2 * (row >= 40) + (column >= 40)).astype(np.int32)
    drawn = (abs(row - 40) <= 2) | (abs(column - 40) <= 2)
    return drawn, labels


def test_perfect_grains() -> None:
    scores = score_boundaries(*cross())
    assert scores["ari"] == scores["boundary_f1"] == scores["ap50"] == 1
    assert scores["ari_matsam"] > 0.9
    assert scores["ari_matsam_postprocessed"] > 0.92
    assert scores["f1"] > 0.6
    assert scores["grain_area_error"] == 0


def test_merged_and_split_grains_are_told_apart() -> None:
    drawn, labels = cross()
    merged = score_boundaries(drawn, (labels + 1) // 2)
    split = score_boundaries(drawn, labels * 2 + (np.indices(labels.shape)[1] % 40 >= 20))
    assert merged["vi_merge"] == pytest.approx(1, abs=1e-3)
    assert merged["vi_split"] == 0
    assert split["vi_split"] > 0.9
    assert split["vi_merge"] == 0
    assert merged["boundary_precision"] == 1 > merged["boundary_recall"]
    assert split["boundary_recall"] == 1 > split["boundary_precision"]
    assert split["astm_g_error"] == pytest.approx(np.log2(3))
    assert merged["ari_matsam"] < 0.7
