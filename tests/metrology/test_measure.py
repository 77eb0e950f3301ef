"""Quantities, the summary, and what must not change them."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nital.errors import InputError
from nital.metrology import measure, measure_labels
from nital.micrograph import Micrograph, PixelSize
from nital.segmentation import ModelInfo

ALWAYS = {"object_count", "coverage", "phase_fraction"}
SIZES = {"object_area_mean", "ecd_mean", "ecd_d10", "ecd_d50", "ecd_d90"}
CALIBRATED = {"objects_per_area", "boundary_length_per_area", "surface_per_volume"}
POWERS = {"um": 1, "um^2": 2, "mm^-1": -1, "mm^-2": -2, "1": 0, "deg": 0}
GRAIN_NUMBERS = {
    "astm_g_planimetric",
    "astm_g_jeffries",
    "astm_g_intercept",
    "astm_g_hilliard",
    "astm_g_abrams",
    "astm_g_largest",
    "iso643_index",
}
TARGETS = st.sampled_from(["grains", "phases", "particles", "layers"])


def squares(number=5, side=10, gap=10):
    """number x number squares, none of which touches the edge."""
    tile = np.zeros((side + gap, side + gap), dtype=bool)
    tile[gap // 2 : gap // 2 + side, gap // 2 : gap // 2 + side] = True
    mask = np.tile(tile, (number, number))
    labels = np.zeros(mask.shape, dtype=np.int32)
    index = 0
    for row in range(number):
        for col in range(number):
            index += 1
            top, left = (row * (side + gap) + gap // 2, col * (side + gap) + gap // 2)
            labels[top : top + side, left : left + side] = index
    return labels


def test_squares_on_a_grid(wrap, by_name):
    found = by_name(measure(wrap(squares(), scale=0.5)))
    assert found["object_count"].value == 25
    assert found["coverage"].value == 0.25
    assert found["object_area_mean"].value == 25
    assert found["object_area_mean"].unit == "um^2"
    assert found["ecd_d50"].value == pytest.approx(np.sqrt(25 * 4 / np.pi))
    assert found["objects_per_area"].value == pytest.approx(25 / 0.0025)
    assert found["objects_per_area"].unit == "mm^-2"
    outline = 25 * 4 * 10 * 0.5e-3
    assert found["boundary_length_per_area"].value == pytest.approx(outline / 0.0025, rel=0.06)


def test_names_with_and_without_a_pixel_size(wrap, by_name):
    calibrated, plain = measure(wrap(squares(), scale=0.5)), measure(wrap(squares()))
    names = {quantity.name for quantity in calibrated.quantities}
    assert names > ALWAYS | SIZES | CALIBRATED
    assert {quantity.name for quantity in plain.quantities} == names - CALIBRATED
    assert by_name(plain)["ecd_mean"].unit == "px"
    assert by_name(plain)["object_area_mean"].unit == "px^2"
    assert any("--pixel-size" in warning for warning in plain.summary["warnings"])
    assert calibrated.summary["warnings"] == []


def test_phase_fractions_are_of_the_measured_area(wrap):
    labels = squares()
    phases = np.where(labels > 0, 2, 1).astype(np.uint8)
    phases[labels > 20] = 3
    measured = measure(wrap(labels, phases))
    fractions = {q.phase: q.value for q in measured.quantities if q.name == "phase_fraction"}
    assert fractions == {1: 0.75, 2: 0.2, 3: 0.05}
    counts = {q.phase: q.n for q in measured.quantities if q.name == "phase_fraction"}
    assert counts == {1: 0, 2: 20, 3: 5}


def test_objects_of_several_phases_are_also_measured_apart(wrap, by_name):
    labels = squares()
    phases = np.where(labels > 0, 2, 1).astype(np.uint8)
    phases[labels > 20] = 3
    measured = measure(wrap(labels, phases, scale=1.0))
    assert by_name(measured, 2)["object_count"].value == 20
    assert by_name(measured, 3)["ecd_mean"].n == 5
    assert by_name(measured)["object_count"].value == 25


def test_the_data_bar_is_not_part_of_the_area(wrap, by_name):
    labels = squares()
    labels = np.concatenate([labels, np.zeros_like(labels)])
    measured = measure(wrap(labels, data_bar_row=100))
    assert by_name(measured)["coverage"].value == 0.25
    assert measured.summary["image"]["shape"] == [200, 100]
    assert measured.summary["image"]["measured_rows"] == 100


def test_objects_at_the_edge_are_counted_but_not_sized(wrap, by_name):
    labels = squares()
    labels[:12, :12] = 1
    found = by_name(measure(wrap(labels, scale=1.0)))
    assert (found["object_count"].value, found["object_count"].n) == (25, 25)
    assert (found["object_area_mean"].value, found["object_area_mean"].n) == (100, 24)
    assert found["objects_per_area"].value == pytest.approx(24.25 / 0.01)


def test_only_edge_objects_leave_no_sizes_but_a_warning(wrap, by_name):
    measured = measure(wrap(np.ones((30, 30), dtype=np.int32)))
    assert not SIZES & set(by_name(measured))
    assert any("touches the edge" in warning for warning in measured.summary["warnings"])


def test_no_objects(wrap, by_name):
    found = by_name(measure(wrap(np.zeros((30, 30), dtype=np.int32), scale=1.0)))
    assert found["object_count"].value == 0
    assert found["object_count"].ci95 is None
    assert found["objects_per_area"].ci95 == pytest.approx((0, 3.689 / 900e-6), rel=1e-3)
    assert found["coverage"].value == 0
    assert found["boundary_length_per_area"].value == 0


@pytest.mark.parametrize("target", ["grains", "phases", "particles", "layers"])
def test_intervals_hold_their_values_and_say_how(wrap, voronoi, target):
    labels = voronoi(300, (300, 300)) * (voronoi(70, (300, 300), 1) % 4 > 0)
    measured = measure(wrap(labels, scale=0.1, target=target))
    assert len(measured.quantities) > 5
    for quantity in measured.quantities:
        assert quantity.n >= 0
        if quantity.ci95 is None:
            assert "interval" in quantity.method
        else:
            low, high = quantity.ci95
            assert low <= quantity.value <= high, quantity.name
            assert "95 %" in quantity.method or quantity.value == 1, quantity.name


def test_of_many_grains_only_facts_have_no_interval(wrap, voronoi):
    measured = measure(wrap(voronoi(500, (300, 300)), scale=0.1, target="grains"))
    without = {quantity.name for quantity in measured.quantities if quantity.ci95 is None}
    assert without <= {"astm_g_largest", "duplex_grain_size", "object_count"}


def test_summary_is_the_contract(wrap):
    measured = measure(wrap(squares(), scale=0.5, parameters={"a": 1}, warnings=("first warning",)))
    summary = json.loads(json.dumps(measured.summary, allow_nan=False))
    assert summary["schema"] == 1
    assert summary["image"]["pixel_size"] == {"value": 0.5, "unit": "um", "source": "test"}
    assert summary["target"] == {"value": "particles", "reason": "given"}
    assert summary["model"] == {"name": "none", "sha256": None}
    assert summary["parameters"] == {"a": 1}
    assert summary["warnings"] == ["first warning"]
    keys = {"name", "value", "unit", "ci95", "n", "phase", "method", "standard"}
    assert all(set(entry) - {"budget"} == keys for entry in summary["quantities"])
    assert summary["pixel_size_error"] == 0.01


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(1, 60), st.integers(0, 10_000), st.booleans(), TARGETS)
def test_renumbering_changes_nothing_but_the_order(wrap, voronoi, count, seed, sparse, target):
    labels = voronoi(count, (40, 50), seed) * (voronoi(7, (40, 50), seed + 1) > 1)
    present = np.unique(labels[labels > 0])
    rng = np.random.default_rng(seed)
    names = rng.permutation(len(present)) + 1
    if sparse:
        names = names * 1000 + 7
    table = np.zeros(count + 1, dtype=np.int32)
    table[present] = names
    size = PixelSize(0.5, "test")
    before = measure_labels(labels, target=target, pixel_size=size)
    after = measure_labels(table[labels], target=target, pixel_size=size)
    expected = before.objects.assign(label=table[before.objects["label"]])
    expected = expected.sort_values("label", ignore_index=True)
    pd.testing.assert_frame_equal(after.objects, expected, check_dtype=False)
    renamed = {int(old): int(new) for old, new in enumerate(table)}
    found = {(q.name, q.phase, q.object): q for q in after.quantities}
    assert len(found) == len(before.quantities)
    for one in before.quantities:
        other = found[one.name, one.phase, renamed.get(one.object)]
        assert other.value == pytest.approx(one.value)
        assert other.ci95 == (None if one.ci95 is None else pytest.approx(one.ci95))


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.integers(10, 60), st.integers(0, 10_000), st.integers(1, 3))
def test_turning_changes_no_particle(wrap, voronoi, by_name, count, seed, quarters):
    labels = voronoi(count, (70, 90), seed) * (voronoi(9, (70, 90), seed + 1) > 3)
    before = by_name(measure(wrap(labels, scale=1.0)))
    after = by_name(measure(wrap(np.rot90(labels, quarters), scale=1.0)))
    assert set(before) == set(after)
    for name, quantity in before.items():
        assert after[name].value == pytest.approx(quantity.value, rel=1e-9), name


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.floats(1e-6, 1e4), TARGETS)
def test_lengths_scale_exactly_with_the_pixel_size(wrap, voronoi, scale, target):
    labels = voronoi(90, (60, 60))
    one = measure(wrap(labels, scale=1.0, target=target))
    other = measure(wrap(labels, scale=scale, target=target))
    powers = {"area_um2": 2, "ecd_um": 1, "feret_max_um": 1, "feret_min_um": 1}
    for name in one.objects.columns:
        expected = one.objects[name].to_numpy() * scale ** powers.get(name, 0)
        np.testing.assert_allclose(other.objects[name], expected, rtol=1e-12)
    for before, after in zip(one.quantities, other.quantities, strict=True):
        assert (before.name, before.phase, before.unit) == (after.name, after.phase, after.unit)
        factor = scale ** POWERS[before.unit]
        shift = 0.0
        if before.name in GRAIN_NUMBERS:
            shift = -2 * math.log2(scale)
        expected = [x * factor + shift for x in (before.value, *(before.ci95 or ()))]
        found = [after.value, *(after.ci95 or ())]
        assert found == pytest.approx(expected, rel=1e-6 if shift else 1e-12, abs=1e-4 * abs(shift))


def test_the_same_input_gives_the_same_numbers(wrap, voronoi):
    labels = voronoi(100, (100, 100))
    first, second = measure(wrap(labels)), measure(wrap(labels))
    assert first.summary == second.summary
    pd.testing.assert_frame_equal(first.objects, second.objects)


def test_other_tools_labels_keep_their_numbers():
    labels = np.zeros((9, 9), dtype=np.int64)
    labels[2, 2], labels[5:7, 5] = 2_000_000_000, 17
    table = measure_labels(labels, target="particles").objects
    assert table["label"].tolist() == [17, 2_000_000_000]
    assert table["area_px"].tolist() == [2, 1]
    assert table["phase"].tolist() == [2, 2]
    assert bool(table["mean_intensity"].isna().all())


def test_labels_with_their_micrograph():
    labels = np.zeros((9, 9), dtype=np.int32)
    labels[2, 2:4], labels[8, 8] = 1, 2
    pixels = np.full((9, 9), 7, dtype=np.uint8)
    micrograph = Micrograph(pixels, data_bar_row=6)
    table = measure_labels(labels, target="layers", micrograph=micrograph).objects
    assert table["mean_intensity"].tolist() == [7]
    assert table["phase"].tolist() == [1]


def test_a_mask_that_was_not_numbered_is_pointed_out():
    mask = (squares() > 0).astype(np.int32)
    warned = measure_labels(mask, target="particles").summary["warnings"]
    assert any("number its objects" in warning for warning in warned)
    whole = measure_labels(np.ones((5, 5), dtype=np.int32), target="grains").summary["warnings"]
    assert not any("number its objects" in warning for warning in whole)


@pytest.mark.parametrize(
    ("labels", "word"),
    [
        (np.zeros((3, 3, 3), dtype=np.int32), r"\(H, W\)"),
        (np.zeros((0, 3), dtype=np.int32), r"\(H, W\)"),
        (np.zeros((3, 3)), "whole numbers"),
        (np.full((3, 3), -1), "between 0"),
        (np.full((3, 3), 2**40), "renumber"),
    ],
)
def test_what_is_no_label_image_is_named(labels, word):
    with pytest.raises(InputError, match=word) as caught:
        measure_labels(labels, target="grains", path=Path("mine.tif"))
    assert "mine.tif" in str(caught.value)


def test_images_of_different_size_do_not_belong_together():
    labels = np.ones((3, 3), dtype=np.int32)
    with pytest.raises(InputError, match="same field"):
        measure_labels(labels, target="grains", phases=np.ones((3, 4), dtype=np.uint8))


@pytest.mark.slow
def test_ten_thousand_objects_take_seconds(wrap, voronoi):
    segmentation = wrap(voronoi(10_000, (4096, 4096)), scale=0.1)
    object.__setattr__(segmentation, "model", ModelInfo("made up", "0"))
    measure(wrap(voronoi(9, (64, 64))))
    start = time.process_time()
    measured = measure(segmentation)
    assert time.process_time() - start < 15  # how fast it is, benchmarks/metrology.py says
    assert len(measured.objects) == 10_000
