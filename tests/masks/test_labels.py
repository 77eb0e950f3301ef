"""Numbers of label images without gaps, and grey levels of each label."""

from __future__ import annotations

import numpy as np

from nital.masks.labels import consecutive, label_moments, pixels_at


def test_numbers_have_no_gaps_and_keep_their_order() -> None:
    labels = np.array([[0, 7, 7], [3, 0, 12]], dtype=np.int32)
    np.testing.assert_array_equal(consecutive(labels), [[0, 2, 2], [1, 0, 3]])


def test_nothing_stays_nothing() -> None:
    assert not consecutive(np.zeros((2, 3), dtype=np.int32)).any()


def test_moments_are_those_of_the_pixels_of_each_label():
    rng = np.random.default_rng(5)
    labels, values = rng.integers(0, 5, (30, 20)), rng.standard_normal((30, 20))
    labels[labels == 3] = 0
    number, mean, variance = label_moments(labels, values, 5)
    for label in (0, 1, 2, 4):
        own = values[labels == label]
        assert number[label] == len(own)
        np.testing.assert_allclose([mean[label], variance[label]], [own.mean(), own.var()])
    for label in (3, 5):
        assert number[label] == mean[label] == variance[label] == 0


def test_a_coarser_view_takes_the_middle_of_each_cell():
    rows, cols = pixels_at((3, 4), (9, 4))
    assert rows.tolist() == [1, 4, 7]
    assert cols.tolist() == [0, 1, 2, 3]
    rows, _ = pixels_at((5, 1), (2, 1))
    assert rows.tolist() == [0, 0, 1, 1, 1]
