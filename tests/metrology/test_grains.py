"""Grain size against tilings whose grains are known, and against the standard's own example."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nital.metrology import measure, measure_labels
from nital.metrology.blocks import divide
from nital.metrology.grains import astm_g_from_density, astm_g_from_intercept, iso643_index
from nital.metrology.planimetric import shared_by_area

REAL = Path(__file__).parents[3] / "shared" / "data" / "nist_grains"
SCALE = 0.5
BY_AREA = ("astm_g_planimetric", "astm_g_jeffries")
BY_INTERCEPTS = ("astm_g_intercept", "astm_g_hilliard", "astm_g_abrams")


def grains(wrap, labels, phases=None, **changes):
    phases = np.ones(labels.shape, dtype=np.uint8) if phases is None else phases
    changes = {"scale": SCALE, "target": "grains"} | changes
    return measure(wrap(labels, phases, **changes))


def test_the_numbers_of_the_standard():
    assert astm_g_from_density(992) == pytest.approx(7.00, abs=0.005)
    assert astm_g_from_density(1e6 / 1008) == pytest.approx(7.00, abs=0.005)
    assert astm_g_from_intercept(28.3e-3) == pytest.approx(7.00, abs=0.005)
    assert iso643_index(8) == 0
    assert iso643_index(1024) == 7


def test_the_two_scales_differ_by_their_definitions():
    """ISO 643 counts 8 grains per mm^2 for size 0, ASTM E112 7.75."""
    assert iso643_index(500) - astm_g_from_density(500) == pytest.approx(-0.046, abs=0.001)


def test_squares(wrap, by_name, tilings):
    side = 20
    found = by_name(grains(wrap, tilings["square"](side, 10)))
    density = 1e6 / (side * SCALE) ** 2
    assert found["grains_per_area"].value == pytest.approx(density, rel=1e-12)
    assert found["grains_per_area"].n == 121
    assert found["grain_area_mean"].value == pytest.approx((side * SCALE) ** 2, rel=1e-12)
    assert found["object_area_mean"].value == pytest.approx((side * SCALE) ** 2, rel=1e-12)
    assert found["iso643_index"].value == pytest.approx(iso643_index(density))
    expected = astm_g_from_density(density)
    assert found["astm_g_planimetric"].value == pytest.approx(expected)
    assert found["astm_g_jeffries"].value == pytest.approx(expected, abs=0.15)
    length = 2 / (side * SCALE * 1e-3)
    assert found["boundary_length_per_area"].value == pytest.approx(length, rel=0.01)
    assert found["surface_per_volume"].value == pytest.approx(4 / math.pi * length, rel=0.01)
    chord = math.pi * side * SCALE / 4
    assert found["lineal_intercept_mean"].value == pytest.approx(chord, rel=0.01)
    for name in BY_INTERCEPTS:
        expected = astm_g_from_intercept(chord * 1e-3)
        assert found[name].value == pytest.approx(expected, abs=0.3), name


def test_hexagons(wrap, by_name, tilings):
    edge = 14.0
    found = by_name(grains(wrap, tilings["hexagon"](edge, (401, 433))))
    area = 1.5 * math.sqrt(3) * (edge * SCALE) ** 2
    chord = math.pi * math.sqrt(3) / 4 * edge * SCALE
    assert found["grain_area_mean"].value == pytest.approx(area, rel=0.03)
    assert found["object_area_mean"].value == pytest.approx(area, rel=0.005)
    assert found["lineal_intercept_mean"].value == pytest.approx(chord, rel=0.02)
    for name in BY_AREA:
        assert found[name].value == pytest.approx(astm_g_from_density(1e6 / area), abs=0.12), name
    for name in BY_INTERCEPTS:
        assert found[name].value == pytest.approx(astm_g_from_intercept(chord / 1e3), abs=0.2)
    assert found["astm_g_difference"].value == pytest.approx(-0.156, abs=0.08)
    assert found["anisotropy_index"].value < 2 / math.sqrt(3) + 0.01
    assert found["duplex_grain_size"].value == 0


def test_bricks_are_longer_than_high(wrap, by_name, tilings):
    found = by_name(grains(wrap, tilings["brick"](12, 36, (480, 540))))
    assert found["grain_area_mean"].value == pytest.approx(12 * 36 * SCALE**2, rel=0.03)
    chord = math.pi * 12 * 36 / (2 * (12 + 36)) * SCALE
    assert found["lineal_intercept_mean"].value == pytest.approx(chord, rel=0.02)
    assert found["anisotropy_index"].value == pytest.approx(3, rel=0.05)
    assert abs(found["anisotropy_direction"].value) < 3


@pytest.mark.parametrize("degrees", [0, 30, -75])
def test_a_stretch_and_its_direction(wrap, by_name, poisson_voronoi, degrees):
    """An isotropic structure stretched to twice its length has index 2, whatever the direction."""
    cells = poisson_voronoi(1200, 480, 5)
    rows, cols = np.indices((300, 300)) - 149.5
    turn = math.radians(degrees)
    along = cols * math.cos(turn) - rows * math.sin(turn)
    across = -cols * math.sin(turn) - rows * math.cos(turn)
    labels = cells[np.rint(240 - across).astype(int), np.rint(240 + along / 2).astype(int)]
    found = by_name(grains(wrap, labels))
    assert found["anisotropy_index"].value == pytest.approx(2, rel=0.12)
    low, high = found["anisotropy_index"].ci95
    assert high / low < 1.6
    # 1 in 20 intervals may miss it, but not by much.
    assert low / 1.05 < 2 < high * 1.05
    difference = (found["anisotropy_direction"].value - degrees + 90) % 180 - 90
    assert abs(difference) < 5


def test_poisson_voronoi_cells(wrap, by_name, poisson_voronoi):
    """Density of cells, 2 sqrt(density) of boundary, mean chord pi / (4 sqrt(density))."""
    density, runs = 100 / 160**2, 25
    truth = {
        "grains_per_area": density,
        "boundary_length_per_area": 2 * math.sqrt(density),
        "lineal_intercept_mean": math.pi / 4 / math.sqrt(density),
        "object_area_mean": 1 / density,
    }
    power = {"grains_per_area": 1e6, "boundary_length_per_area": 1e3}
    values = {name: [] for name in truth}
    held = dict.fromkeys(truth, 0)
    for seed in range(runs):
        found = by_name(grains(wrap, poisson_voronoi(100, 160, seed), scale=1.0))
        for name, true in truth.items():
            expected = true * power.get(name, 1)
            values[name].append(found[name].value / expected)
            held[name] += found[name].ci95[0] <= expected <= found[name].ci95[1]
    for name in truth:
        error = np.std(values[name]) / math.sqrt(runs)
        assert abs(np.mean(values[name]) - 1) < 2.5 * error + 0.01, name
        assert held[name] >= 20, name


def test_saltykov_is_unbiased_where_jeffries_counts_one_too_many(wrap, by_name, poisson_voronoi):
    rectangle, circle = [], []
    for seed in range(60):
        labels = poisson_voronoi(20, 80, seed)
        found = by_name(grains(wrap, labels, scale=1.0))
        rectangle.append(found["grains_per_area"].value * 80**2 / 1e6)
        in_circle = 10 ** ((found["astm_g_jeffries"].value + 2.954) / 3.321928)
        circle.append(in_circle * math.pi / 4 * 79**2 / 1e6)
    assert np.mean(rectangle) == pytest.approx(20, abs=1.2)
    assert np.mean(circle) == pytest.approx(20 * math.pi / 4 + 1, abs=0.9)


def test_second_phases_and_pores_are_left_out(wrap, by_name, tilings, ellipse):
    """Pores inside squares take area from the grains, and nothing else."""
    labels = tilings["square"](40, 8)
    phases = np.ones(labels.shape, dtype=np.uint8)
    pore = ellipse((40, 40), (6, 6))
    for row in range(20, 300, 80):
        for col in range(20, 300, 80):
            window = (slice(row, row + 40), slice(col, col + 40))
            labels[window][pore] = labels.max() + 1
            phases[window][pore] = 2
    share = (phases == 2).mean()
    measured = grains(wrap, labels, phases)
    found = by_name(measured)
    cell = (40 * SCALE) ** 2
    assert found["grain_area_mean"].value == pytest.approx(cell * (1 - share), rel=1e-9)
    chord = math.pi * 40 * SCALE / 4 * (1 - share)
    assert found["lineal_intercept_mean"].value == pytest.approx(chord, rel=0.02)
    assert "phase 2" in found["astm_g_planimetric"].method
    assert "excluded" in found["astm_g_planimetric"].method
    outline = 2 / 40 + 16 * 2 * math.pi * 6 / labels.size
    assert found["boundary_length_per_area"].value == pytest.approx(outline / SCALE * 1e3, rel=0.03)


def test_boundaries_drawn_as_lines_change_little(wrap, by_name, poisson_voronoi):
    labels = poisson_voronoi(150, 300, 2)
    drawn = labels.copy()
    for axis in (0, 1):
        drawn[labels != np.roll(labels, 1, axis)] = 0
        drawn[labels != np.roll(labels, -1, axis)] = 0
    without, lines = by_name(grains(wrap, labels)), by_name(grains(wrap, drawn))
    for name in ("grains_per_area", "lineal_intercept_mean", "boundary_length_per_area"):
        assert lines[name].value == pytest.approx(without[name].value, rel=0.03), name
    assert "px wide closed" in lines["grains_per_area"].method


@settings(max_examples=8, deadline=None, derandomize=True)
@given(st.integers(20, 80), st.integers(0, 1000), st.integers(1, 3), st.booleans())
def test_turning_and_mirroring_change_nothing_but_the_direction(
    wrap, by_name, poisson_voronoi, count, seed, quarters, mirrored
):
    labels = poisson_voronoi(count, 96, seed)
    turned = np.rot90(labels[::-1] if mirrored else labels, quarters)
    before, after = by_name(grains(wrap, labels)), by_name(grains(wrap, turned))
    sampled = {
        "anisotropy_index": 0.1,
        "boundary_length_per_area": 0.03,
        "surface_per_volume": 0.03,
        "lineal_intercept_mean": 0.03,
        **dict.fromkeys(BY_INTERCEPTS, 0.04),
        "astm_g_jeffries": 0.04,
    }
    for name, quantity in before.items():
        if name in ("anisotropy_direction", "astm_g_difference"):
            continue
        tolerance = sampled.get(name, 1e-9)
        assert after[name].value == pytest.approx(quantity.value, rel=tolerance), name


def test_few_grains_are_pointed_out_with_the_precision_reached(wrap, poisson_voronoi):
    warnings = grains(wrap, poisson_voronoi(25, 120, 1)).summary["warnings"]
    few = next(text for text in warnings if text.startswith("only "))
    assert "50" in few
    assert "% RA" in few
    assert "more field" in few
    enough = grains(wrap, poisson_voronoi(120, 200, 1)).summary["warnings"]
    assert not any(text.startswith("only ") for text in enough)


def test_missing_boundaries_are_pointed_out(wrap, tilings):
    """Thin splinters beside large grains: the two counts no longer tell of the same grains."""
    labels = tilings["square"](60, 5)
    labels[:, ::10] = labels.max() + 1 + np.arange(labels.shape[0])[:, None] // 3
    warnings = grains(wrap, labels).summary["warnings"]
    assert any("look at the overlay" in text for text in warnings)


@pytest.mark.parametrize("split", [False, True])
def test_one_or_two_grains_have_no_size(wrap, by_name, split):
    labels = np.ones((40, 60), dtype=np.int32)
    if split:
        labels[:, 30:] = 2
    measured = grains(wrap, labels)
    found = by_name(measured)
    assert "astm_g_planimetric" not in found
    assert "lineal_intercept_mean" not in found
    length = 40 / (40 * 60) / SCALE * 1e3 if split else 0
    assert found["boundary_length_per_area"].value == pytest.approx(length, rel=0.1)
    assert any("there is no grain size" in text for text in measured.summary["warnings"])


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 2), (5, 40)])
def test_tiny_fields(wrap, shape):
    labels = (1 + np.indices(shape).sum(axis=0) // 4).astype(np.int32)
    for quantity in grains(wrap, labels).quantities:
        assert math.isfinite(quantity.value)


def test_without_a_pixel_size_the_numbers_are_absent_and_the_reason_is_there(
    wrap, by_name, poisson_voronoi
):
    measured = grains(wrap, poisson_voronoi(80, 200, 3), scale=None)
    found = by_name(measured)
    assert not any(name.startswith(("astm_g_p", "astm_g_i", "iso643")) for name in found)
    assert found["lineal_intercept_mean"].unit == "px"
    assert found["grain_area_mean"].unit == "px^2"
    assert "grain size numbers" in measured.summary["warnings"][0]


def test_the_largest_grain(wrap, by_name, tilings):
    labels = tilings["square"](20, 12)
    labels[60:140, 60:140] = labels.max() + 1
    found = by_name(grains(wrap, labels))["astm_g_largest"]
    assert found.value == pytest.approx(astm_g_from_density(1e6 / (80 * SCALE) ** 2))
    assert (found.ci95, found.standard) == (None, "ASTM E930")
    labels[:140, 60:140] = labels.max()
    assert "at least" in by_name(grains(wrap, labels))["astm_g_largest"].method


@pytest.mark.data
@pytest.mark.skipif(
    not REAL.is_dir(), reason="the real micrographs beside the repository are absent"
)
def test_agrees_with_another_tool_on_etched_steel():
    """Its segments end at the drawn lines, whose width belongs to no grain there."""
    from PIL import Image
    from scipy import ndimage

    lines = np.array(Image.open(REAL / "labels" / "steel.png")) > 0
    labels, _ = ndimage.label(~lines)
    measured = measure_labels(labels.astype(np.int32), target="grains")
    ours = next(q for q in measured.quantities if q.name == "lineal_intercept_mean")
    with (REAL / "intercepts" / "grains_steel_highlighted_distances_line_grid.csv").open() as table:
        segments = [float(length) for _, length in list(csv.reader(table))[1:]]
    theirs = float(np.mean(segments)) / (1 - lines.mean())
    assert ours.value == pytest.approx(theirs, rel=0.06)
    assert ours.ci95[0] < theirs < ours.ci95[1]


def test_grains_shared_among_blocks_keep_their_number(voronoi):
    labels = voronoi(60, (90, 120))
    blocks = divide(labels.shape, 20.0)
    weight = np.append(0.0, np.linspace(0.5, 1.0, labels.max()))
    found = shared_by_area(labels, weight, blocks)
    assert found.sum() == pytest.approx(weight.sum())
    whole = shared_by_area(labels, weight, divide(labels.shape, 1e9))
    assert whole.sum() == pytest.approx(weight.sum())
    alone = np.where(labels == 7, labels, 0)
    row, col = np.nonzero(alone)
    share = np.bincount(blocks.index(row, col), minlength=len(blocks.area)) / len(row)
    assert shared_by_area(alone, weight, blocks) == pytest.approx(weight[7] * share)
