"""Phases: structures whose fraction, chords and correlation are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats

from nital.metrology import measure
from nital.metrology.correlation import bootstrap_interval, correlate, correlation_length
from nital.metrology.phases import Cover, fraction_findings


def of_mask(wrap, mask, **changes):
    labels, _ = ndimage.label(mask)
    phases = np.where(mask, 2, 1).astype(np.uint8)
    return measure(wrap(labels, phases, **({"scale": 0.5, "target": "phases"} | changes)))


def random_phase(rng, side, scale, fraction):
    """Where a smooth Gaussian field is low: the fraction of the phase is known."""
    margin = int(4 * scale) + 1
    noise = rng.standard_normal((side + 2 * margin,) * 2)
    field = ndimage.gaussian_filter(noise, scale)[margin:-margin, margin:-margin]
    return field * (2 * math.sqrt(math.pi) * scale) < stats.norm.ppf(fraction)


def random_discs(rng, side, radius, number, make_discs):
    """Discs thrown at random, edge included: the area they leave free has a known mean."""
    whole = side + 2 * radius
    count = rng.poisson(number * (whole / side) ** 2)
    centres = rng.random((count, 2)) * whole - radius
    return make_discs((side, side), centres, np.full(count, float(radius))) > 0


def test_stripes_are_exact_where_lines_are(wrap, by_name):
    mask = np.zeros((240, 240), dtype=bool)
    mask[np.arange(240) % 40 < 10] = True
    second, matrix = (by_name(of_mask(wrap, mask), phase) for phase in (2, 1))
    assert second["phase_fraction"].value == 0.25
    assert second["phase_fraction_points"].value == pytest.approx(0.25, abs=0.1)
    surface = 4 / math.pi * 11 / 240 / 0.5e-3
    assert second["surface_per_volume"].value == pytest.approx(surface, rel=0.03)
    chord = math.pi * 0.25 * 240 / 11 * 0.5
    assert second["lineal_intercept_mean"].value == pytest.approx(chord, rel=0.03)
    assert second["mean_free_path"].value == pytest.approx(3 * chord, rel=0.03)
    assert second["phase_connectivity"].value == pytest.approx(1 / 6)
    assert "mean_free_path" not in matrix
    assert matrix["lineal_intercept_mean"].value == second["mean_free_path"].value


def test_discs_have_a_mean_chord_of_pi_r_over_two(wrap, by_name, make_discs):
    centres = np.stack(np.meshgrid(*2 * [np.arange(20, 400, 40.0)]), axis=-1).reshape(-1, 2)
    mask = make_discs((400, 400), centres, np.full(len(centres), 12.3)) > 0
    found = by_name(of_mask(wrap, mask), 2)
    assert found["lineal_intercept_mean"].value == pytest.approx(math.pi * 12.3 / 4, rel=0.02)
    free = (40**2 - math.pi * 12.3**2) / (2 * 12.3) * 0.5
    assert found["mean_free_path"].value == pytest.approx(free, rel=0.02)
    assert found["phase_fraction"].standard == "ASTM E1245"
    assert found["phase_fraction_points"].standard == "ASTM E562"


def test_an_ellipse_has_the_mean_chord_of_its_perimeter(wrap, by_name, ellipse):
    from scipy.special import ellipe

    mask = ellipse((200, 260), (90.2, 40.7), 27)
    perimeter = 4 * 90.2 * ellipe(1 - (40.7 / 90.2) ** 2)
    found = by_name(of_mask(wrap, mask), 2)["lineal_intercept_mean"]
    assert found.value == pytest.approx(math.pi * mask.sum() / perimeter * 0.5, rel=0.01)


@pytest.mark.parametrize("block", [1, 5, 12])
def test_the_correlation_length_of_a_chessboard_at_random(block):
    """Squares that are black or white by chance are worth one point each."""
    rng = np.random.default_rng(0)
    field = (rng.random((400 // block, 400 // block)) < 0.4).repeat(block, 0).repeat(block, 1)
    assert correlation_length(field) == pytest.approx(block, rel=0.1)


def test_the_correlation_length_survives_averaging():
    field = (np.random.default_rng(1).random((64, 64)) < 0.5).repeat(24, 0).repeat(24, 1)
    assert correlation_length(field) == pytest.approx(24, rel=0.2)


def test_the_interval_of_the_correlation_length_holds_the_truth():
    """Of squares that are black or white by chance, in 38 of 40 fields on average."""
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(40):
        field = (rng.random((30, 30)) < 0.4).repeat(6, 0).repeat(6, 1)
        low, high = correlate(field).length_interval()
        held += low <= 6 <= high
    assert 34 <= held <= 40


def test_a_field_that_shows_little_of_a_correlation_has_no_interval_of_it():
    mask = np.zeros((40, 40), dtype=bool)
    mask[:, :20] = True
    assert correlate(mask).length_interval() is None


@pytest.mark.parametrize("mask", [np.zeros((9, 9), dtype=bool), np.ones((1, 5), dtype=bool)])
def test_what_does_not_vary_has_no_correlation_length(mask):
    assert correlation_length(mask) == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (1, 900), (3, 2)])
def test_correlation_in_tiny_fields(shape):
    mask = np.indices(shape).sum(axis=0) % 2 == 0
    assert 0 <= correlation_length(mask) <= math.sqrt(mask.size)


def test_the_bootstrap_knows_that_the_pixels_of_a_square_are_one_point():
    """Squares black or white by chance: as wide as the interval of so many throws of a coin."""
    rng = np.random.default_rng(2)
    widths = []
    for _ in range(20):
        field = (rng.random((24, 24)) < 0.4).repeat(10, 0).repeat(10, 1)
        (low, high), side = bootstrap_interval(correlate(field))
        assert low < field.mean() < high
        assert side == pytest.approx(20, abs=7)
        widths.append(high - low)
    expected = 2 * 1.96 * math.sqrt(0.4 * 0.6 / 24**2)
    assert np.mean(widths) == pytest.approx(expected, rel=0.1)


def test_a_field_of_few_blocks_is_not_drawn_from(wrap, by_name):
    """A quarter of the field in one piece: no room for four blocks of twice its length."""
    mask = np.zeros((80, 80), dtype=bool)
    mask[20:60, 20:60] = True
    assert bootstrap_interval(correlate(mask)) is None
    found = by_name(of_mask(wrap, mask), 2)["phase_fraction"]
    assert "bootstrap" not in found.method
    many = random_phase(np.random.default_rng(1), 200, 4, 0.3)
    assert "bootstrap of blocks of" in by_name(of_mask(wrap, many), 2)["phase_fraction"].method


@pytest.mark.parametrize(("scale", "fraction"), [(3, 0.3), (8, 0.3), (8, 0.6)])
def test_the_interval_of_the_area_fraction_holds_the_truth(scale, fraction):
    rng = np.random.default_rng(4)
    held = 0
    for _ in range(100):
        mask = random_phase(rng, 140, scale, fraction)
        found = next(fraction_findings([Cover(mask, correlate(mask), 0, 2)]))
        held += found.interval[0] <= fraction <= found.interval[1]
    assert 89 <= held <= 100


def test_the_interval_holds_for_discs_thrown_at_random(make_discs):
    rng, radius, number = np.random.default_rng(5), 6, 60
    truth = 1 - math.exp(-number * math.pi * radius**2 / 140**2)
    held = 0
    for _ in range(100):
        mask = random_discs(rng, 140, radius, number, make_discs)
        found = next(fraction_findings([Cover(mask, correlate(mask), 0, 2)]))
        held += found.interval[0] <= truth <= found.interval[1]
    assert 89 <= held <= 99


def test_all_intervals_of_a_random_structure_hold_its_long_run_means(wrap, by_name):
    """Chord and surface of a Gaussian level set: 2 lengths that theory gives (Rice)."""
    rng, scale, fraction = np.random.default_rng(6), 4.0, 0.3
    level = stats.norm.ppf(fraction)
    crossings = math.exp(-(level**2) / 2) / (math.pi * math.sqrt(2) * scale)
    truth = {
        "lineal_intercept_mean": 2 * fraction / crossings,
        "mean_free_path": 2 * (1 - fraction) / crossings,
        "surface_per_volume": 2 * crossings * 1e3,
        "phase_fraction": fraction,
        "phase_fraction_points": fraction,
    }
    held = dict.fromkeys(truth, 0)
    values = {name: [] for name in truth}
    for _ in range(30):
        mask = random_phase(rng, 160, scale, fraction)
        found = by_name(of_mask(wrap, mask, scale=1.0), 2)
        for name, true in truth.items():
            held[name] += found[name].ci95[0] <= true <= found[name].ci95[1]
            values[name].append(found[name].value / true)
    for name, count in held.items():
        assert np.mean(values[name]) == pytest.approx(1, abs=0.04), name
        assert count >= 25, name


@settings(max_examples=8, deadline=None, derandomize=True)
@given(st.integers(0, 1000), st.integers(1, 3))
def test_turning_changes_nothing(wrap, by_name, seed, quarters):
    mask = random_phase(np.random.default_rng(seed), 90, 3, 0.35)
    for phase in (1, 2):
        before = by_name(of_mask(wrap, mask), phase)
        after = by_name(of_mask(wrap, np.rot90(mask, quarters)), phase)
        for name, quantity in before.items():
            tolerance = {"phase_fraction_points": 0.2}.get(name, 1e-9)
            assert after[name].value == pytest.approx(quantity.value, rel=tolerance), name


def test_a_single_phase_has_a_fraction_and_no_boundary(wrap, by_name):
    labels = np.zeros((50, 50), dtype=np.int32)
    found = by_name(measure(wrap(labels, np.ones((50, 50), np.uint8), target="phases")), 1)
    assert set(found) == {"phase_fraction", "phase_fraction_points"}
    assert found["phase_fraction"].ci95 == (1, 1)
