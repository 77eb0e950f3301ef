"""Boundary lengths against shapes whose outline is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nital.metrology.blocks import divide
from nital.metrology.boundaries import DIRECTIONS, measure_boundaries


def boundaries(labels):
    labels = np.asarray(labels, dtype=np.int32)
    return measure_boundaries(labels, int(labels.max()), divide(labels.shape, 10.0))


def test_the_weights_of_the_directions_sum_to_one():
    assert sum(weight for _, _, weight in DIRECTIONS) == pytest.approx(1)


@pytest.mark.parametrize("radius", [4.4, 8.4, 20.4, 60.4])
def test_the_perimeter_of_discs(ellipse, radius):
    mask = ellipse((2 * int(radius) + 9,) * 2, (radius, radius))
    found = boundaries(mask).perimeter[1]
    expected = 2 * math.pi * math.sqrt(mask.sum() / math.pi)
    assert found == pytest.approx(expected, rel=0.01 + 0.05 / radius)


@pytest.mark.parametrize("degrees", range(0, 91, 5))
def test_straight_boundaries_at_any_angle(degrees):
    rows, cols = np.mgrid[-100:101, -100:101]
    turn = math.radians(degrees)
    labels = np.where(cols * math.sin(turn) > rows * math.cos(turn), 2, 1)
    length = 201 / max(abs(math.cos(turn)), abs(math.sin(turn)))
    found = boundaries(labels).block_length.sum()
    assert found == pytest.approx(length, rel=0.03)


def test_all_angles_together_are_unbiased():
    rows, cols = np.mgrid[-300:301, -300:301]
    disc = rows**2 + cols**2
    labels = 1 + (disc > 30.3**2) + (disc > 60.1**2).astype(int) + (disc > 90.4**2)
    found = boundaries(labels).block_length.sum()
    assert found == pytest.approx(2 * math.pi * (30.3 + 60.1 + 90.4), rel=0.01)


def test_perimeters_close_at_the_frame_but_boundaries_do_not_count_it():
    found = boundaries(np.ones((50, 80)))
    assert found.perimeter[1] == pytest.approx(260, rel=0.03)
    assert found.block_length.sum() == 0


def test_holes_belong_to_the_outline(ellipse):
    ring = ellipse((101, 101), (40, 40)) & ~ellipse((101, 101), (20, 20))
    assert boundaries(ring).perimeter[1] == pytest.approx(2 * math.pi * 60, rel=0.015)


def test_shared_boundaries_count_once():
    labels = np.repeat([[1, 2]], 50, axis=1).repeat(100, axis=0)
    found = boundaries(labels)
    assert found.block_length.sum() == pytest.approx(100, rel=0.03)


def test_blocks_add_up_to_the_whole(voronoi):
    labels = voronoi(40, (97, 143))
    divided = measure_boundaries(labels, 40, divide(labels.shape, 5.0))
    inside = (divided.perimeter.sum() - boundaries(np.ones(labels.shape)).perimeter[1]) / 2
    assert divided.block_length.sum() == pytest.approx(inside, rel=0.02)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 2), (1, 10000)])
def test_thin_images(shape):
    labels = 1 + np.indices(shape).sum(axis=0) // 5
    found = boundaries(labels)
    assert bool((found.perimeter[1:] > 0).all())
    assert bool(np.isfinite(found.block_length).all())


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3, 3), (64, 48), (100, 3000)])
@pytest.mark.parametrize("side", [0.1, 5.0, 1000.0])
def test_blocks_tile_the_image(shape, side):
    blocks = divide(shape, side)
    assert blocks.area.sum() == shape[0] * shape[1]
    assert min(9, shape[0] * shape[1]) <= len(blocks.area) <= 300
    assert bool((blocks.area > 0).all())
    rows, cols = np.indices(shape)
    index = blocks.index(rows.ravel(), cols.ravel())
    assert np.array_equal(np.bincount(index), blocks.area)
