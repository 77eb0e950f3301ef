"""Outlines run along the sides of pixels: filling them gives the same pixels."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from nital.exchange.outlines import fill_rings, join_holes, trace_outlines

# Holes, pieces, single pixels and diagonals all over.
LABEL_IMAGES = array_shapes(min_dims=2, max_dims=2, max_side=9).flatmap(
    lambda shape: arrays(np.int32, shape, elements=st.sampled_from([0, 0, 1, 1, 2, 7]))
)


def filled(labels, polygons):
    parts = [fill_rings([p.outer, *p.holes], labels.shape) for p in polygons]
    mask = np.zeros(labels.size, dtype=bool)
    mask[np.concatenate(parts)] = True
    return mask.reshape(labels.shape)


@settings(max_examples=80, deadline=None)
@given(LABEL_IMAGES)
def test_filling_an_outline_gives_the_same_pixels(labels):
    outlines = trace_outlines(labels)
    assert list(outlines) == sorted(set(labels.ravel().tolist()) - {0})
    for label, polygons in outlines.items():
        np.testing.assert_array_equal(filled(labels, polygons), labels == label)
        assert len(polygons) == ndimage.label(labels == label)[1]


@settings(max_examples=80, deadline=None)
@given(LABEL_IMAGES)
def test_polygons_are_valid_and_have_the_area_of_their_pixels(labels):
    for label, polygons in trace_outlines(labels).items():
        shapes = [shapely.Polygon(p.outer, p.holes) for p in polygons]
        assert all(shape.is_valid for shape in shapes)
        assert sum(shape.area for shape in shapes) == (labels == label).sum()


@settings(max_examples=60, deadline=None)
@given(LABEL_IMAGES)
def test_a_ring_with_its_holes_joined_fills_the_same_pixels(labels):
    for polygons in trace_outlines(labels).values():
        for polygon in polygons:
            with_holes = fill_rings([polygon.outer, *polygon.holes], labels.shape)
            joined = fill_rings([join_holes(polygon)], labels.shape)
            np.testing.assert_array_equal(joined, with_holes)


def test_one_pixel_has_four_corners():
    (polygon,) = trace_outlines(np.pad(np.ones((1, 1), np.int32), ((2, 1), (3, 0))))[1]
    assert polygon.holes == ()
    assert {tuple(corner) for corner in polygon.outer} == {(3, 2), (4, 2), (4, 3), (3, 3)}


def test_nothing_has_no_outline():
    assert trace_outlines(np.zeros((4, 5), np.int32)) == {}
    assert len(fill_rings([], (4, 5))) == 0


def test_polygons_between_pixels_take_the_middles_inside():
    circle = np.linspace(0, 2 * np.pi, 400)
    ring = 10.3 + 6.2 * np.stack([np.cos(circle), np.sin(circle)], axis=1)
    rows, cols = np.mgrid[:21, :21] + 0.5
    inside = (rows - 10.3) ** 2 + (cols - 10.3) ** 2 < 6.2**2
    mask = np.zeros(21 * 21, bool)
    mask[fill_rings([ring], (21, 21))] = True
    assert (mask.reshape(21, 21) != inside).sum() <= 1


@pytest.mark.parametrize("far", [-50.0, 50.0])
def test_what_lies_outside_the_image_is_cut_off(far):
    ring = np.array([[far, -3.0], [far, 30.0], [4.0, 30.0], [4.0, -3.0]])
    mask = np.zeros(100, bool)
    mask[fill_rings([ring], (10, 10))] = True
    assert mask.sum() == (40 if far < 0 else 60)
    assert len(fill_rings([ring + 1000], (10, 10))) == 0
