"""Spreading within boundaries: fills what is enclosed, stops at boundaries, keeps what is sure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nital.boost.spread import spread_within_boundaries


def _disc(side: int, radius: float) -> np.ndarray:
    rows, cols = np.indices((side, side)) - side / 2 + 0.5
    return np.hypot(rows, cols) <= radius


def test_an_unsure_middle_takes_the_phase_of_its_surroundings_within_the_boundary() -> None:
    body, middle = _disc(64, 24), _disc(64, 16)
    rim = _disc(64, 26) & ~_disc(64, 24)
    second = np.where(body, 0.95, 0.05).astype(np.float32)
    second[middle] = 0.35
    result = spread_within_boundaries(np.stack([1 - second, second]), rim.astype(np.float32))
    assert (result[1][body] > 0.5).all()
    assert (result[1][~_disc(64, 26)] < 0.2).all()


def test_without_a_boundary_between_them_sure_neighbours_share_an_unsure_place() -> None:
    second = np.full((8, 60), 0.5, dtype=np.float32)
    second[:, :5], second[:, -5:] = 0.0, 1.0
    result = spread_within_boundaries(np.stack([1 - second, second]), np.zeros((8, 60)))
    assert (np.diff(result[1][4]) > -1e-3).all()
    assert result[1][4, 30] == pytest.approx(0.5, abs=0.1)


@settings(max_examples=15, derandomize=True, deadline=None)
@given(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**31))
def test_the_result_is_a_distribution_of_any_shape(
    count: int, rows: int, cols: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    raw = rng.random((count, rows, cols)).astype(np.float32) + 0.01
    probability = raw / raw.sum(0)
    result = spread_within_boundaries(probability, rng.random((rows, cols)))
    assert result.shape == probability.shape
    assert np.allclose(result.sum(0), 1, atol=1e-4)
    assert (result >= 0).all()


def test_one_phase_stays_as_it_is() -> None:
    one = np.ones((1, 5, 5), dtype=np.float32)
    assert spread_within_boundaries(one, np.zeros((5, 5))) is one
