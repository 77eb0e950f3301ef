"""Numbers of label images without gaps."""

from __future__ import annotations

import numpy as np

from nital.masks.labels import consecutive


def test_numbers_have_no_gaps_and_keep_their_order() -> None:
    labels = np.array([[0, 7, 7], [3, 0, 12]], dtype=np.int32)
    np.testing.assert_array_equal(consecutive(labels), [[0, 2, 2], [1, 0, 3]])


def test_nothing_stays_nothing() -> None:
    assert not consecutive(np.zeros((2, 3), dtype=np.int32)).any()
