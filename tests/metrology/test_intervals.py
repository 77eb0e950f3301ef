"""Intervals: they hold the truth as often as they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from nital.metrology.intervals import (
    binomial_interval,
    logit_interval,
    mean_interval,
    quantile,
    quantile_interval,
    quantile_limits,
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


def test_too_little_data_has_no_interval():
    assert mean_interval(np.array([1.0])) is None
    assert quantile_interval(np.arange(5.0), 0.5) is None
    assert quantile_interval(np.arange(6.0), 0.5) == (0, 5)
    assert quantile_interval(np.arange(35.0), 0.9) is None
    assert quantile_interval(np.arange(36.0), 0.9) is not None
    assert logit_interval(0.5, 1.9) is None


def test_equal_values_have_no_width():
    assert mean_interval(np.full(5, 2.5)) == (2.5, 2.5)


def test_fractions_stay_between_nought_and_one():
    low, high = logit_interval(1 / 9, 3.0)
    assert 0 < low < 1 / 9 < high < 1


@pytest.mark.parametrize(("hits", "points"), [(0, 10), (10, 10), (3, 10), (50, 400)])
def test_exact_binomial_limits(hits, points):
    expected = stats.binomtest(hits, points).proportion_ci(method="exact")
    assert binomial_interval(hits, points) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(
    ("spread", "power", "probability", "number"),
    [(0.3, 0.2, 0.5, 25), (0.5, 3, 0.5, 1000), (0.4, 2, 0.9, 1000), (0.3, 2, 0.1, 60)],
)
def test_weighted_quantiles(spread, power, probability, number):
    """Log-normal sizes weighted by a power of the size are log-normal again, and larger."""
    truth = math.exp(power * spread**2 + spread * stats.norm.ppf(probability))

    def interval(values):
        return quantile_interval(values, probability, values**power)

    inside = share_inside(lambda rng: np.exp(spread * rng.standard_normal(number)), interval, truth)
    assert 0.92 <= inside <= 0.985


def test_weighted_means():
    """Weights that undo a bias of selection give back the mean, and an interval that holds it."""

    def draw(rng):
        values = np.exp(0.5 * rng.standard_normal(200))
        return values[rng.random(200) < 1 / (1 + values)]

    inside = share_inside(draw, lambda x: mean_interval(x, 1 + x), math.exp(0.125))
    assert 0.90 <= inside <= 0.98


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_either_limit_of_a_quantile_misses_one_time_in_forty(probability):
    """Also in the tails, where few values lie beyond."""
    rng, truth = np.random.default_rng(4), math.exp(0.3 * stats.norm.ppf(probability))
    share, below, above = np.full(100, 0.01), 0, 0
    for _ in range(1000):
        values = np.exp(0.3 * rng.standard_normal(100))
        variance = probability * (1.0 - probability) / 100
        (low, high), inside = quantile_limits(values, share, probability, variance, 1e9)
        assert inside
        below += truth > high
        above += truth < low
    assert 10 <= below <= 42
    assert 10 <= above <= 42


def test_limits_are_those_of_the_beta_distribution_of_an_order_statistic():
    """With T = 19 the (20 u)-th of them: beta (20 u, 20 (1 - u)) at the median."""
    values = np.arange(1.0, 20.0)
    (low, high), inside = quantile_limits(values, np.full(19, 1 / 19), 0.5, 0.25 / 19, 1e9)
    assert inside
    assert stats.beta(low, 20 - low).cdf(0.5) == pytest.approx(0.975, abs=1e-3)
    assert low + high == pytest.approx(20)
    _, inside = quantile_limits(values[:5], np.full(5, 0.2), 0.5, 0.05, 1e9)
    assert not inside


def test_where_a_few_heavy_values_decide_there_is_no_interval():
    sizes = np.exp(0.7 * np.random.default_rng(0).standard_normal(200))
    assert quantile_interval(sizes, 0.5) is not None
    assert quantile_interval(sizes, 0.5, sizes**3) is None


def test_the_quantile_splits_the_weight():
    assert quantile(np.array([3.0, 1.0, 2.0]), 0.5) == 2
    assert quantile(np.array([1.0, 2.0, 3.0]), 0.5, np.array([1.0, 1.0, 4.0])) == pytest.approx(2.6)


def test_a_design_effect_widens():
    values = np.exp(np.random.default_rng(0).standard_normal(80))
    weights = np.linspace(1.0, 1.1, 80)
    for interval in (mean_interval, lambda *a: quantile_interval(a[0], 0.5, *a[1:])):
        alone, four_times = (interval(values, weights, lambda _, e=e: e) for e in (1.0, 4.0))
        widening = (four_times[1] - four_times[0]) / (alone[1] - alone[0])
        assert 1.5 < widening < 2.6
