"""Resampling keeps sizes, means and positions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nital.automatic.resample import rescale, resize_map


@settings(derandomize=True, max_examples=30, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.floats(0.2, 3.0))
def test_the_shape_is_the_scaled_one_and_never_empty(height, width, factor):
    image = np.random.default_rng(0).random((height, width)).astype(np.float32)
    result = rescale(image, factor)
    assert result.shape == tuple(max(1, round(side * factor)) for side in image.shape)
    assert result.dtype == np.float32
    assert image.min() - 1e-6 <= result.min() <= result.max() <= image.max() + 1e-6


def test_nothing_happens_at_scale_one():
    image = np.random.default_rng(0).random((7, 9)).astype(np.float32)
    assert rescale(image, 1.0) is image


def test_shrinking_averages():
    noise = np.random.default_rng(0).standard_normal((400, 400)).astype(np.float32)
    assert rescale(noise, 0.2).std() < 0.25


@pytest.mark.parametrize("factor", [0.25, 0.5, 2.0, 3.0])
def test_positions_stay_in_place(factor):
    rows, cols = np.mgrid[:80, :96].astype(np.float32)
    spot = np.exp(-((rows - 30) ** 2 + (cols - 60) ** 2) / 50).astype(np.float32)
    result = rescale(spot, factor)
    centre = [(np.indices(result.shape)[k] * result).sum() / result.sum() + 0.5 for k in range(2)]
    np.testing.assert_allclose(centre, [30.5 * factor, 60.5 * factor], atol=0.1)


def test_float16_maps_become_float32():
    result = resize_map(np.ones((4, 5), np.float16), (9, 3))
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, np.ones((9, 3)), rtol=1e-6)
