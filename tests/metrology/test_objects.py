"""The table of objects, against shapes whose numbers are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from skimage.measure import regionprops_table

from nital.metrology import measure

COLUMNS = [
    "label",
    "phase",
    "row",
    "col",
    "area_px",
    "area_um2",
    "ecd_um",
    "feret_max_um",
    "feret_min_um",
    "circularity",
    "aspect_ratio",
    "orientation_deg",
    "mean_intensity",
    "confidence",
    "touches_edge",
]


def placed(mask, margin=3):
    return np.pad(mask, margin).astype(np.int32)


def only_row(segmentation):
    table = measure(segmentation).objects
    assert len(table) == 1
    return table.iloc[0]


def test_calibrated_columns_are_those_of_the_format(wrap):
    table = measure(wrap(placed(np.ones((3, 4))), scale=0.5)).objects
    assert list(table.columns) == COLUMNS


def test_uncalibrated_lengths_are_in_pixels(wrap):
    table = measure(wrap(placed(np.ones((3, 4))))).objects
    expected = [name.replace("_um", "_px") for name in COLUMNS if name != "area_um2"]
    assert list(table.columns) == expected


def test_one_pixel_is_a_unit_square(wrap):
    row = only_row(wrap(placed(np.ones((1, 1)))))
    assert (row["row"], row["col"], row["area_px"]) == (3, 3, 1)
    assert row["feret_max_px"] == pytest.approx(math.sqrt(2))
    assert row["feret_min_px"] == 1
    assert row["aspect_ratio"] == 1
    assert row["orientation_deg"] == 0
    assert row["ecd_px"] == pytest.approx(2 / math.sqrt(math.pi))
    assert 0 < row["circularity"] <= 1


@pytest.mark.parametrize(("height", "width"), [(1, 10), (10, 1), (4, 9), (30, 12), (7, 7)])
def test_rectangles_are_exact(wrap, height, width):
    row = only_row(wrap(placed(np.ones((height, width)))))
    assert row["area_px"] == height * width
    assert row["feret_max_px"] == pytest.approx(math.hypot(height, width))
    assert row["feret_min_px"] == min(height, width)
    assert row["aspect_ratio"] == pytest.approx(max(height, width) / min(height, width))
    assert row["orientation_deg"] == (-90 if height > width else 0)
    assert (row["row"], row["col"]) == (3 + (height - 1) / 2, 3 + (width - 1) / 2)


@pytest.mark.parametrize("radius", [5.4, 10.4, 30.4, 100.4])
def test_discs(wrap, ellipse, radius):
    size = 2 * int(radius) + 9
    row = only_row(wrap(ellipse((size, size), (radius, radius)).astype(np.int32)))
    assert row["ecd_px"] == pytest.approx(2 * radius, rel=0.03)
    assert row["circularity"] == pytest.approx(1, abs=0.03)
    assert row["aspect_ratio"] == pytest.approx(1, abs=1e-9)
    assert row["orientation_deg"] == 0
    assert 2 * radius <= row["feret_min_px"] <= row["feret_max_px"] <= 2 * radius + 1.6


@pytest.mark.parametrize("degrees", [-90, -60, -37, -1, 0, 12, 45, 80, 89])
def test_orientation_is_counter_clockwise_from_the_rows(wrap, ellipse, degrees):
    row = only_row(wrap(ellipse((121, 121), (50, 20), degrees).astype(np.int32)))
    difference = (row["orientation_deg"] - degrees + 90) % 180 - 90
    assert abs(difference) < 0.5
    assert -90 <= row["orientation_deg"] < 90
    assert row["aspect_ratio"] == pytest.approx(2.5, rel=0.01)
    assert row["feret_max_px"] == pytest.approx(100, abs=2)
    assert row["feret_min_px"] == pytest.approx(40, abs=2)


@pytest.mark.parametrize("degrees", [0, 10, 22.5, 31, 45])
def test_squares_have_the_circularity_of_squares(wrap, degrees):
    rows, cols = np.mgrid[-60:61, -60:61]
    turn = np.radians(degrees)
    along = cols * np.cos(turn) + rows * np.sin(turn)
    across = rows * np.cos(turn) - cols * np.sin(turn)
    square = np.maximum(abs(along), abs(across)) <= 35
    row = only_row(wrap(square.astype(np.int32)))
    assert row["circularity"] == pytest.approx(math.pi / 4, rel=0.05)
    assert row["feret_min_px"] == pytest.approx(71, abs=1.5)


def test_a_needle_keeps_its_width(wrap, ellipse):
    rows, cols = np.mgrid[:200, :200]
    distance = np.abs((cols - rows * 0.6) / math.hypot(1, 0.6) - 30)
    needle = (distance <= 2) & (rows > 20) & (rows < 180)
    row = only_row(wrap(needle.astype(np.int32)))
    assert row["feret_min_px"] == pytest.approx(5, abs=1.2)


def test_grey_level_and_confidence_are_means(wrap):
    labels = np.zeros((4, 5), dtype=np.int32)
    labels[1, 1:4] = 1
    row = only_row(wrap(labels))
    assert row["mean_intensity"] == 7
    assert row["confidence"] == pytest.approx(0.8)


def test_edges_are_the_frame_and_the_data_bar(wrap):
    labels = np.zeros((10, 10), dtype=np.int32)
    for label, (row, col) in enumerate([(0, 5), (5, 0), (5, 9), (7, 5), (5, 5)], start=1):
        labels[row, col] = label
    table = measure(wrap(labels, data_bar_row=8)).objects
    assert table["touches_edge"].tolist() == [True, True, True, True, False]


def test_labels_in_the_data_bar_are_not_measured(wrap):
    labels = np.zeros((10, 10), dtype=np.int32)
    labels[2, 2], labels[9, 9] = 1, 2
    assert measure(wrap(labels, data_bar_row=8)).objects["label"].tolist() == [1]


def test_the_phase_of_an_object_is_that_of_most_of_its_pixels(wrap):
    labels = placed(np.ones((1, 5)))
    phases = np.where(labels > 0, 3, 1).astype(np.uint8)
    phases[3, 3:5] = 2
    assert only_row(wrap(labels, phases))["phase"] == 3


def test_no_objects_give_an_empty_table_of_the_same_types(wrap):
    empty = measure(wrap(np.zeros((5, 5), dtype=np.int32), scale=1.0)).objects
    full = measure(wrap(placed(np.ones((3, 3))), scale=1.0)).objects
    assert len(empty) == 0
    assert empty.dtypes.to_dict() == full.dtypes.to_dict()


def test_agrees_with_an_independent_implementation(wrap, voronoi):
    labels = voronoi(60, (150, 130))
    table = measure(wrap(labels)).objects
    other = regionprops_table(
        labels,
        properties=["label", "area", "centroid", "inertia_tensor_eigvals"],
    )
    assert np.array_equal(table["label"], other["label"])
    assert np.array_equal(table["area_px"], other["area"])
    np.testing.assert_allclose(table["row"], other["centroid-0"])
    np.testing.assert_allclose(table["col"], other["centroid-1"])
    major, minor = (other[f"inertia_tensor_eigvals-{axis}"] + 1 / 12 for axis in (0, 1))
    np.testing.assert_allclose(table["aspect_ratio"], np.sqrt(major / minor))


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 3)])
def test_tiny_images(wrap, shape):
    table = measure(wrap(np.ones(shape, dtype=np.int32))).objects
    assert table["area_px"].tolist() == [shape[0] * shape[1]]
    assert table["feret_max_px"][0] == pytest.approx(math.hypot(*shape))
    assert bool(np.isfinite(table.drop(columns="touches_edge").to_numpy(float)).all())
