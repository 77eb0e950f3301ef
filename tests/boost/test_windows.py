"""Means and variances under a moving window."""

from __future__ import annotations

import numpy as np
import pytest

from nital.boost.windows import window_mean, window_moments


def test_the_mean_is_a_pyramid_over_twice_the_window():
    values = np.zeros((21, 21), np.float32)
    values[10, 10] = 81.0
    mean = window_mean(values, 3)
    assert mean[10] == pytest.approx(np.r_[[0] * 8, 3, 6, 9, 6, 3, [0] * 8], abs=1e-4)
    assert mean.sum() == pytest.approx(81.0, rel=1e-5)


def test_moments_are_those_of_the_pixels_that_count():
    rng = np.random.default_rng(0)
    values = (5.0 + 2.0 * rng.standard_normal((400, 400))).astype(np.float32)
    weight = (rng.random(values.shape) < 0.3).astype(np.float32)
    values[weight == 0] = 1000.0
    mean, variance, mass = window_moments(values, weight, 101)
    assert mean[200, 200] == pytest.approx(5.0, abs=0.2)
    assert variance[200, 200] == pytest.approx(4.0, rel=0.1)
    assert mass[200, 200] == pytest.approx(0.3, abs=0.02)
