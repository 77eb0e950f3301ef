"""Layers whose thickness, tilt and roughness are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

from nital.metrology import measure
from nital.metrology.field import Field
from nital.metrology.layers import trace_layers
from nital.metrology.objects import object_table
from nital.metrology.series import (
    Series,
    correlation_length_of,
    mean_interval_of,
    variance_of_correlation,
)

SCALE = 0.01


def stack(interfaces, height, degrees=0.0):
    """Labels 1, 2 ... between interfaces given over the columns, turned up by an angle."""
    width = len(interfaces[0])
    turn = math.radians(degrees)
    rows, cols = np.indices((height, width)) - np.array([height / 2, width / 2])[:, None, None]
    along = np.clip(
        np.rint(cols * math.cos(turn) - rows * math.sin(turn) + width / 2), 0, width - 1
    )
    depth = rows * math.cos(turn) + cols * math.sin(turn) + height / 2
    labels = np.ones((height, width), dtype=np.int32)
    for interface in interfaces:
        labels += depth >= np.asarray(interface)[along.astype(int)]
    return labels


def layers(wrap, labels, phases=None, scale=SCALE):
    phases = labels.astype(np.uint8) if phases is None else phases
    return measure(wrap(labels, phases, scale=scale, target="layers"), pixel_size_error=0.0)


def rough(rng, length, correlation, deviation):
    """A Gaussian profile; its autocorrelation is exp(-(d / 2 correlation)^2)."""
    noise = ndimage.gaussian_filter1d(rng.standard_normal(length + 20 * correlation), correlation)
    profile = noise[10 * correlation : -10 * correlation]
    return deviation * math.sqrt(2 * math.sqrt(math.pi) * correlation) * profile


def test_flat_layers_are_exact(wrap, by_name):
    labels = stack([np.full(300, 40.0), np.full(300, 75.0), np.full(300, 90.0)], 140)
    measured = layers(wrap, labels)
    found = by_name(measured, 2, 2)
    thickness = found["layer_thickness_mean"]
    assert thickness.value == pytest.approx(35 * SCALE)
    assert (thickness.unit, thickness.n, thickness.phase, thickness.object) == ("um", 300, 2, 2)
    half = (thickness.ci95[1] - thickness.ci95[0]) / 2 / SCALE
    assert half == pytest.approx(1.96 * math.sqrt(2 / 12)), "what rounding to pixels leaves"
    assert found["layer_thickness_sd"].value == 0
    assert found["layer_tilt"].value == 0
    assert found["interface_roughness_upper"].value == 0
    assert by_name(measured, 3, 3)["layer_thickness_mean"].value == pytest.approx(15 * SCALE)


def test_layers_that_the_frame_cuts_have_no_thickness_and_a_reason(wrap, by_name):
    measured = layers(wrap, stack([np.full(200, 40.0), np.full(200, 75.0)], 100))
    assert "layer_thickness_mean" not in by_name(measured, 1, 1)
    assert any("layers 1, 3 are cut" in text for text in measured.summary["warnings"])


@pytest.mark.parametrize("degrees", [-40, -12, 3, 25, 70, 90])
def test_tilted_layers_are_measured_square(wrap, by_name, degrees):
    flat = [np.full(400, position) for position in (170.0, 205.0, 230.0)]
    found = by_name(layers(wrap, stack(flat, 400, degrees)), 2, 2)
    assert found["layer_thickness_mean"].value == pytest.approx(35 * SCALE, rel=0.01)
    low, high = found["layer_thickness_mean"].ci95
    assert low < 35 * SCALE < high
    difference = (found["layer_tilt"].value - degrees + 90) % 180 - 90
    assert abs(difference) < 0.15
    assert found["layer_tilt"].unit == "deg"
    assert found["interface_roughness_upper"].value < 0.2 * SCALE


def test_rough_interfaces(wrap, by_name):
    rng = np.random.default_rng(3)
    upper, lower = 60 + rough(rng, 3000, 10, 4.0), 120 + rough(rng, 3000, 20, 2.0)
    found = by_name(layers(wrap, stack([upper, lower], 180)), 2, 2)
    assert found["layer_thickness_mean"].value == pytest.approx(60 * SCALE, rel=0.02)
    assert found["layer_thickness_sd"].value == pytest.approx(math.hypot(4, 2) * SCALE, rel=0.15)
    assert found["interface_roughness_upper"].value == pytest.approx(4 * SCALE, rel=0.15)
    assert found["interface_roughness_lower"].value == pytest.approx(2 * SCALE, rel=0.2)
    for side, correlation in (("upper", 10), ("lower", 20)):
        length = found[f"interface_correlation_length_{side}"]
        assert length.value == pytest.approx(2 * correlation * SCALE, rel=0.25)


def test_the_interval_of_the_thickness_holds_the_truth(wrap, by_name):
    rng = np.random.default_rng(4)
    held = dict.fromkeys(("layer_thickness_mean", "interface_roughness_upper"), 0)
    for _ in range(60):
        upper, lower = 30 + rough(rng, 600, 6, 3.0), 80 + rough(rng, 600, 6, 3.0)
        found = by_name(layers(wrap, stack([upper, lower], 120), scale=None), 2, 2)
        for name, truth in zip(held, (50.0, 3.0), strict=True):
            low, high = found[name].ci95
            held[name] += low <= truth <= high
    assert all(count >= 52 for count in held.values()), held


def test_equal_materials_share_a_mean(wrap, by_name):
    edges = [np.full(200, float(position)) for position in (20, 40, 50, 72, 82)]
    labels = stack(edges, 110)
    phases = np.array([0, 1, 2, 3, 2, 3, 1], dtype=np.uint8)[labels]
    measured = layers(wrap, labels, phases)
    found = by_name(measured, 2)["layer_thickness_mean"]
    assert (found.value, found.n) == (pytest.approx(21 * SCALE), 2)
    assert by_name(measured, 3)["layer_thickness_mean"].value == pytest.approx(10 * SCALE)


def test_a_thick_and_a_thin_layer_of_one_material_have_no_mean(wrap, by_name):
    edges = [np.full(200, float(position)) for position in (20, 30, 40, 90, 100)]
    labels = stack(edges, 120)
    phases = np.array([0, 1, 2, 3, 2, 1, 4], dtype=np.uint8)[labels]
    measured = layers(wrap, labels, phases)
    assert "layer_thickness_mean" not in by_name(measured, 2)
    assert by_name(measured, 2, 2)["layer_thickness_mean"].value == pytest.approx(10 * SCALE)
    assert by_name(measured, 2, 4)["layer_thickness_mean"].value == pytest.approx(50 * SCALE)


def test_what_the_frame_decides_has_no_interval_and_a_reason(wrap):
    measured = layers(wrap, stack([np.full(200, 40.0), np.full(200, 75.0)], 100))
    framed = ("coverage", "phase_fraction", "boundary_length_per_area", "surface_per_volume")
    found = [quantity for quantity in measured.quantities if quantity.name in framed]
    assert len(found) == 6
    for quantity in found:
        assert quantity.ci95 is None
        assert "the frame, and not the specimen" in quantity.method
    assert "the frame decides that" in measured.summary["intervals"]


def test_layers_of_unknown_material_have_no_common_mean(wrap, by_name):
    labels = stack([np.full(200, float(position)) for position in (20, 40, 50, 72, 82)], 110)
    measured = layers(wrap, labels, np.ones(labels.shape, dtype=np.uint8))
    assert "layer_thickness_mean" not in by_name(measured, 1)
    assert "layer_thickness_mean" in by_name(measured, 1, 3)


def test_a_fragment_is_no_layer(wrap, by_name):
    labels = stack([np.full(200, 40.0), np.full(200, 80.0)], 120)
    labels[78:82, 20:90] = 4
    measured = layers(wrap, labels)
    assert "layer_thickness_mean" not in by_name(measured, 4, 4)
    assert any("layer 4 is seen" in text for text in measured.summary["warnings"])


def test_a_void_in_a_layer_belongs_to_it(wrap, by_name):
    labels = stack([np.full(200, 40.0), np.full(200, 80.0)], 120)
    labels[55:60, 50:90] = 0
    found = by_name(layers(wrap, labels, np.maximum(labels, 1).astype(np.uint8)), 2, 2)
    assert found["layer_thickness_mean"].value == pytest.approx(40 * SCALE)


def test_the_profile_follows_the_layer():
    thickness = 20 + np.arange(100) // 10
    labels = stack([np.full(100, 30.0), 30.0 + thickness], 80)
    names = np.unique(labels[labels > 0]).astype(np.int32)
    field = Field(labels, names, np.ones(labels.shape, dtype=np.uint8), None, None)
    traced = trace_layers(field, object_table(field, None))
    profiles = traced.profiles
    assert traced.cut == (1, 3)
    assert [profile.label for profile in profiles] == [2]
    square = profiles[0].thickness * math.hypot(1, profiles[0].slope)
    np.testing.assert_allclose(square, thickness)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_turning_the_image_turns_the_tilt_alone(wrap, by_name, quarters):
    rng = np.random.default_rng(5)
    labels = stack([40 + rough(rng, 300, 8, 2.0), 90 + rough(rng, 300, 8, 2.0)], 140, 7)
    before = by_name(layers(wrap, labels), 2, 2)
    after = by_name(layers(wrap, np.rot90(labels, quarters)), 2, 2)
    for name in ("layer_thickness_mean", "layer_thickness_sd"):
        assert after[name].value == pytest.approx(before[name].value, rel=1e-9)
    turned = after["layer_tilt"].value - before["layer_tilt"].value - 90 * quarters
    assert abs((turned + 90) % 180 - 90) < 1e-9


def test_no_layers_and_tiny_images(wrap):
    for labels in (np.zeros((5, 5)), np.ones((1, 1)), np.ones((1, 40)), np.eye(3)):
        for quantity in layers(wrap, labels.astype(np.int32)).quantities:
            assert math.isfinite(quantity.value)


def test_a_trend_over_the_whole_field_says_little_of_the_mean():
    low, high = mean_interval_of(Series(np.linspace(0.0, 9.0, 400)), 0.1)
    assert high - low > 9
    assert mean_interval_of(Series(np.full(50, 3.0)), 0.0) == (3, 3)


def test_correlations_that_are_estimated_leave_fewer_degrees_of_freedom():
    """Means of q neighbours are worth n / q values, and are correlated up to lag q."""
    rng = np.random.default_rng(3)
    for length in (5, 20):
        kernel = np.full(length, 1.0 / length)
        series = Series(np.convolve(rng.standard_normal(4000), kernel, mode="valid"))
        assert series.worth == pytest.approx(4000 / length, rel=0.2)
        assert series.freedom == pytest.approx(4000 / (2 * length - 1), rel=0.2)
    assert Series(rng.standard_normal(12)).freedom <= 11


def test_the_correlation_length_of_a_known_profile():
    rng = np.random.default_rng(6)
    held, found = 0, []
    for _ in range(60):
        length, (low, high) = correlation_length_of(Series(rough(rng, 4000, 15, 1.0)))
        found.append(length)
        held += low <= 30 <= high
    assert np.mean(found) == pytest.approx(30, rel=0.03)
    assert held / 60 >= 0.88
    assert correlation_length_of(Series(np.full(50, 1.0))) == (0, None)


def test_a_short_profile_has_no_interval_of_its_correlation_length():
    rng = np.random.default_rng(7)
    length, interval = correlation_length_of(Series(rough(rng, 200, 15, 1.0)))
    assert length > 5
    assert interval is None


def test_bartletts_variance_of_a_correlation():
    """Of independent values any correlation but that at 0 has the variance 1 / n."""
    known = np.array([1.0, 0.0, 0.0, 0.0])
    assert variance_of_correlation(known, 2) == pytest.approx(1.0)
    decay = 0.6 ** np.arange(60)
    rho = 0.6**3
    # Bartlett's closed form for a first-order autoregressive process.
    expected = (1 + 0.36) * (1 - 0.36**3) / (1 - 0.36) - 2 * 3 * rho**2
    assert variance_of_correlation(decay, 3) == pytest.approx(expected, rel=1e-6)
