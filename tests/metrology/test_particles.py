"""Shape of particles whose shape is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import ellipe
from skimage.measure import regionprops_table

from nital.metrology import measure, measure_labels
from nital.metrology.circles import circumscribed_diameters, inscribed_diameters
from nital.metrology.hulls import corner_hulls, edge_hulls
from nital.metrology.runs import find_runs, object_runs
from nital.micrograph import PixelSize


def objects_of(labels):
    labels = np.asarray(labels, dtype=np.int32)
    runs = find_runs(labels, np.zeros(labels.shape, np.uint8), np.empty(0, np.int64))
    return object_runs(runs, int(labels.max()))


def circumscribed(labels):
    objects = objects_of(labels)
    return circumscribed_diameters(corner_hulls(objects.runs, objects.owner, len(objects.begins)))


def inscribed(labels):
    labels = np.asarray(labels, dtype=np.int32)
    objects = objects_of(labels)
    return inscribed_diameters(labels, objects, np.arange(len(objects.begins)))


def medians(wrap, by_name, mask):
    """Descriptors of one shape, put three times side by side so that none touches the edge."""
    row = np.concatenate([np.pad(mask * label, 2) for label in (1, 2, 3)], axis=1)
    found = by_name(measure(wrap(row.astype(np.int32))))
    return {name[:-7]: q.value for name, q in found.items() if name.endswith("_median")}


def test_outlines_scatter_as_particles_do(by_name):
    """Equal squares: their outlines are known as well as their number, wherever blocks end."""
    rng = np.random.default_rng(4)
    labels = np.zeros((300, 300), dtype=np.int32)
    places = rng.permutation(24 * 24)[:90]
    for label, (row, col) in enumerate(zip(*np.divmod(places, 24), strict=True), start=1):
        labels[12 * row + 8 : 12 * row + 15, 12 * col + 8 : 12 * col + 15] = label
    size = PixelSize(0.5, "test")
    found = by_name(
        measure_labels(labels, target="particles", pixel_size=size, pixel_size_error=0.0)
    )
    for name in ("boundary_length_per_area", "surface_per_volume"):
        outlines, number = found[name], found["objects_per_area"]
        assert np.divide(outlines.ci95, outlines.value) == pytest.approx(
            np.divide(number.ci95, number.value)
        )


@pytest.mark.parametrize(("height", "width"), [(1, 1), (4, 9), (30, 12), (7, 7)])
def test_rectangles(wrap, by_name, height, width):
    found = medians(wrap, by_name, np.ones((height, width)))
    assert found["feret_max"] == pytest.approx(math.hypot(height, width))
    assert found["feret_min"] == min(height, width)
    assert found["circumscribed_diameter"] == pytest.approx(math.hypot(height, width))
    assert found["inscribed_diameter"] == min(height, width)
    assert found["solidity"] == 1
    assert found["convexity"] == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(("long", "short"), [(30.4, 30.4), (40.3, 20.2), (60.4, 15.3)])
@pytest.mark.parametrize("degrees", [0, 33])
def test_ellipses(wrap, by_name, ellipse, long, short, degrees):
    found = medians(wrap, by_name, ellipse((131, 131), (long, short), degrees))
    assert found["feret_max"] == pytest.approx(2 * long, abs=1.6)
    assert found["feret_min"] == pytest.approx(2 * short, abs=1.6)
    assert found["circumscribed_diameter"] == pytest.approx(2 * long, abs=1.6)
    assert found["inscribed_diameter"] == pytest.approx(2 * short, abs=1.2)
    assert found["feret_ratio"] == pytest.approx(short / long, abs=0.03)
    assert found["inscribed_ratio"] == pytest.approx(short / long, abs=0.04)
    assert found["solidity"] == pytest.approx(1, abs=0.03)
    assert found["convexity"] == pytest.approx(1, abs=0.02)
    perimeter = 4 * long * ellipe(1 - (short / long) ** 2)
    form = 4 * math.pi * math.pi * long * short / perimeter**2
    assert found["circularity"] == pytest.approx(form, rel=0.04)


def test_a_cross_is_neither_solid_nor_convex(wrap, by_name):
    mask = np.zeros((90, 90))
    mask[30:60], mask[:, 30:60] = 1, 1
    found = medians(wrap, by_name, mask)
    assert found["solidity"] == pytest.approx(5 / 7, rel=0.01)
    hull = 4 * 30 + 4 * 30 * math.sqrt(2)
    assert found["convexity"] == pytest.approx(hull / 360, rel=0.03)
    assert found["inscribed_diameter"] == pytest.approx(30 * math.sqrt(2), abs=1)


def test_three_corners_hold_the_circle():
    """An equilateral triangle: the circle goes through all corners, not through two."""
    rows, cols = np.mgrid[:100, :120]
    triangle = (rows <= 86.6) & (np.abs(cols - 60) * math.sqrt(3) <= rows)
    assert circumscribed(triangle)[0] == pytest.approx(100 * 2 / math.sqrt(3), abs=1.7)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.booleans()))
def test_the_circle_around_any_mask(mask):
    """It holds all corners, and is not above the bound of Jung's theorem."""
    if not mask.any():
        return
    diameter = circumscribed(mask)[0]
    corners = np.argwhere(np.pad(mask, 1))[:, None] + np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    corners = corners.reshape(-1, 2).astype(float)
    largest = np.hypot(*np.moveaxis(corners[:, None] - corners, 2, 0)).max()
    assert largest - 1e-9 <= diameter <= largest * 2 / math.sqrt(3) + 1e-9


def test_many_circles_at_once_are_those_of_each(voronoi):
    labels = voronoi(60, (120, 110))
    alone = [circumscribed(labels == label)[0] for label in range(1, 61)]
    np.testing.assert_allclose(circumscribed(labels), alone)
    alone = [inscribed(labels == label)[0] for label in range(1, 61)]
    np.testing.assert_allclose(inscribed(labels), alone)


def test_touching_objects_have_their_own_inscribed_circles():
    labels = np.repeat([1, 2], 20)[None].repeat(20, axis=0)
    assert inscribed(np.pad(labels, 1)).tolist() == [20, 20]


def test_the_hull_agrees_with_an_independent_implementation(voronoi):
    labels = voronoi(40, (150, 130))
    objects = objects_of(labels)
    ours = objects.area() / edge_hulls(objects.runs, objects.owner, 40).area()
    other = regionprops_table(labels, properties=["solidity"])["solidity"]
    np.testing.assert_allclose(ours, other, atol=0.04)


def test_small_particles_are_pointed_out(wrap, by_name):
    labels = np.zeros((60, 60), dtype=np.int32)
    labels[5:55:5, 5:55:5] = np.arange(1, 101).reshape(10, 10)
    measured = measure(wrap(labels, scale=0.01))
    assert any("higher magnification" in text for text in measured.summary["warnings"])
    limit = by_name(measured)["ecd_lower_limit"]
    assert limit.value == pytest.approx(0.05)
    assert "100 of 100" in limit.method


def test_one_object_is_pointed_out(wrap):
    labels = np.zeros((30, 30), dtype=np.int32)
    labels[5:20, 5:20] = 1
    measured = measure(wrap(labels))
    assert any("only one object" in text for text in measured.summary["warnings"])
    sizes = [q for q in measured.quantities if q.name.startswith("ecd_d")]
    assert sizes
    assert all(quantity.ci95 is None for quantity in sizes)
