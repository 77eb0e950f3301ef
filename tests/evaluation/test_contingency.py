"""The contingency table against counting by hand."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nital.errors import InputError
from nital.evaluation.contingency import contingency

TRUTH = np.array([[0, 0, 1, 1], [0, 0, 1, 5]])
PREDICTED = np.array([[0, 2, 2, 2], [0, 0, 2, 2]])


def test_counts_by_hand() -> None:
    table = contingency(TRUTH, PREDICTED)
    pairs = zip(
        table.truth_labels[table.rows],
        table.predicted_labels[table.columns],
        table.counts,
        strict=True,
    )
    assert [tuple(map(int, pair)) for pair in pairs] == [(0, 0, 3), (0, 2, 1), (1, 2, 3), (5, 2, 1)]
    assert table.truth_areas.tolist() == [4, 3, 1]
    assert table.predicted_areas.tolist() == [3, 5]
    assert table.total == 8
    np.testing.assert_allclose(table.iou, [3 / 4, 1 / 8, 3 / 5, 1 / 5])


def test_pixels_left_out() -> None:
    table = contingency(TRUTH, PREDICTED, where=TRUTH > 0)
    assert table.truth_labels.tolist() == [1, 5]
    assert table.total == 4
    assert contingency(TRUTH, PREDICTED, where=TRUTH > 9).total == 0


def test_boolean_and_unsigned_labels() -> None:
    table = contingency(TRUTH > 0, PREDICTED.astype(np.uint8))
    assert table.truth_labels.tolist() == [0, 1]
    assert table.total == 8


@settings(derandomize=True, max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 5))
def test_agrees_with_counting_every_pair(seed: int, first: int, second: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, first, (7, 9))
    predicted = rng.integers(0, second, (7, 9))
    table = contingency(truth, predicted)
    dense = np.zeros((first, second), dtype=int)
    dense[table.truth_labels[table.rows], table.predicted_labels[table.columns]] = table.counts
    expected = [
        [int(((truth == i) & (predicted == j)).sum()) for j in range(second)] for i in range(first)
    ]
    assert dense.tolist() == expected


def test_bad_labels_are_named() -> None:
    with pytest.raises(InputError, match="differ in size"):
        contingency(TRUTH, PREDICTED[:1])
    with pytest.raises(InputError, match="negative"):
        contingency(TRUTH - 1, PREDICTED)
    with pytest.raises(InputError, match="whole numbers"):
        contingency(TRUTH.astype(float), PREDICTED)  # type: ignore[arg-type]


@pytest.mark.slow
def test_thousands_of_objects_in_three_seconds() -> None:
    row, column = np.indices((4096, 4096), dtype=np.int32)
    truth = row // 75 * 55 + column // 75 + 1
    predicted = (row + 20) // 76 * 55 + (column + 11) // 76 + 1
    start = time.perf_counter()
    table = contingency(truth, predicted)
    assert time.perf_counter() - start < 3
    assert table.total == 4096 * 4096
    assert table.truth_labels.size > 3000
