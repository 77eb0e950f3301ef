"""Intervals: they hold the truth as often as they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage, stats

from nital.metrology.blocks import divide
from nital.metrology.intervals import (
    count_interval,
    fraction_interval,
    mean_interval,
    quantile_interval,
)

REPEATS = 500


def share_inside(draw, interval, truth):
    rng = np.random.default_rng(7)
    found = [interval(draw(rng)) for _ in range(REPEATS)]
    return np.mean([low <= truth <= high for low, high in found])


@pytest.mark.parametrize(("spread", "number"), [(0.3, 12), (0.5, 30), (0.9, 60)])
def test_the_mean_of_skewed_sizes(spread, number):
    inside = share_inside(
        lambda rng: np.exp(spread * rng.standard_normal(number)),
        mean_interval,
        math.exp(spread**2 / 2),
    )
    assert 0.915 <= inside <= 0.98


@pytest.mark.parametrize(("probability", "number"), [(0.1, 60), (0.5, 15), (0.9, 200)])
def test_quantiles(probability, number):
    inside = share_inside(
        lambda rng: np.exp(rng.standard_normal(number)),
        lambda values: quantile_interval(values, probability),
        math.exp(stats.norm.ppf(probability)),
    )
    assert 0.94 <= inside <= 0.99


def test_fractions_of_random_structures():
    """Discs thrown at random: the area they cover has a known mean (Boolean model)."""
    side, radius, number = 160, 5, 120
    disc = np.hypot(*np.mgrid[-radius : radius + 1, -radius : radius + 1]) <= radius
    truth = 1 - math.exp(-number * disc.sum() / side**2)
    blocks = divide((side, side), 2.0 * radius)

    def draw(rng):
        points = rng.random((side, side)) < number / side**2
        covered = ndimage.convolve(points.astype(np.uint8), disc.astype(np.uint8), mode="wrap") > 0
        rows, cols = np.nonzero(covered)
        return np.bincount(blocks.index(rows, cols), minlength=len(blocks.area)).astype(float)

    rng = np.random.default_rng(3)
    found = [fraction_interval(draw(rng), blocks.area) for _ in range(150)]
    assert 0.88 <= np.mean([low <= truth <= high for low, high in found]) <= 0.99


def test_counts_per_block():
    wholes = np.full(25, 4.0)
    inside = share_inside(
        lambda rng: rng.poisson(8.0, 25).astype(float),
        lambda parts: count_interval(parts, wholes),
        2.0,
    )
    assert 0.92 <= inside <= 0.98


def test_too_little_data_has_no_interval():
    assert mean_interval(np.array([1.0])) is None
    assert quantile_interval(np.arange(5.0), 0.5) is None
    assert quantile_interval(np.arange(6.0), 0.5) == (0, 5)
    assert quantile_interval(np.arange(35.0), 0.9) is None
    assert quantile_interval(np.arange(36.0), 0.9) is not None
    assert fraction_interval(np.array([3.0]), np.array([10.0])) is None
    assert fraction_interval(np.zeros(9), np.ones(9)) is None
    assert count_interval(np.array([3.0]), np.array([10.0])) is None


def test_equal_values_have_no_width():
    assert mean_interval(np.full(5, 2.5)) == (2.5, 2.5)
    assert fraction_interval(np.ones(9), np.ones(9)) == (1, 1)


def test_nothing_counted_leaves_the_poisson_bound():
    low, high = count_interval(np.zeros(9), np.full(9, 2.0))
    assert low == 0
    assert high == pytest.approx(stats.poisson.isf(0.5, 0) + 3.689 / 18, rel=1e-3)


def test_fractions_stay_between_nought_and_one():
    parts = np.array([1.0, 0, 0, 0, 0, 0, 0, 0, 0])
    low, high = fraction_interval(parts, np.ones(9))
    assert 0 < low < 1 / 9 < high < 1
