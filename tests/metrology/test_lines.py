"""Test lines: their length, and the grains they meet."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nital.metrology.blocks import Blocks, divide
from nital.metrology.lines import circles, count_intercepts, fill, straight_lines


def totals(grains, traverse):
    found = count_intercepts(
        np.asarray(grains, dtype=np.int32), traverse, divide(np.shape(grains), 10.0)
    )
    return found.number.sum(), found.length.sum()


def one_row(*grains):
    """Intercepts of one line along a row of grains, each given with its length."""
    row = np.repeat([label for label, _ in grains], [length for _, length in grains])
    return totals(row[None], straight_lines((1, len(row)), 0.0, 1.0))


def test_ends_count_half():
    assert one_row((1, 10), (2, 10), (3, 10)) == (2, 29)


def test_a_line_within_one_grain_crosses_nothing():
    assert one_row((7, 30))[0] == 0


def test_a_grain_on_both_sides_of_a_particle_is_one_intercept():
    assert one_row((1, 10), (2, 10), (0, 5), (2, 10), (3, 10))[0] == 2


def test_a_line_that_ends_outside_grains_loses_nothing():
    assert one_row((0, 5), (2, 10), (0, 5))[0] == 1


@pytest.mark.parametrize("zigzag", [((2, 1),), ((2, 1), (1, 2), (2, 3)), ((2, 3),)])
def test_a_touch_and_back_is_no_intercept(zigzag):
    assert one_row((1, 10), *zigzag, (1, 10), (3, 10))[0] == 1


def test_zigzag_across_a_boundary_crosses_it_once():
    assert one_row((1, 10), (2, 1), (1, 2), (2, 10))[0] == 1


@pytest.mark.parametrize("degrees", [0, 15, 45, 60, 90, 135, 171.3])
def test_lines_cover_the_image_evenly(degrees):
    _, length = totals(np.ones((150, 260)), straight_lines((150, 260), degrees, 4.0))
    assert length == pytest.approx(149 * 259 / 4.0, rel=0.02)


@pytest.mark.parametrize("degrees", [0, 4, 15, 22.5, 45, 75, 90, 120])
@pytest.mark.parametrize("edge", [0, 1.5, 33, 45, 88])
def test_a_straight_boundary_is_crossed_once(degrees, edge):
    """Lines that zigzag along a boundary in pixels do not cross it again and again."""
    rows, cols = np.mgrid[-60:61, -60:61]
    turn = math.radians(edge)
    grains = np.where(cols * math.sin(turn) + rows * math.cos(turn) > 0.3, 2, 1)
    number, _ = totals(grains, straight_lines(grains.shape, degrees, 2.0))
    length = 120 / max(abs(math.cos(turn)), abs(math.sin(turn)))
    expected = length * abs(math.sin(math.radians(degrees - edge))) / 2.0
    assert number == pytest.approx(expected, abs=2.5)


def test_a_circle_across_two_halves_meets_two_grains():
    grains = np.repeat([1, 2], 50)[:, None].repeat(100, axis=1)
    number, length = totals(grains, circles([(49.5, 49.5)], [30.0]))
    assert number == 2
    assert length == pytest.approx(2 * math.pi * 30)


def test_a_circle_within_one_grain_meets_no_boundary():
    assert totals(np.ones((50, 50)), circles([(25, 25)], [20.0]))[0] == 0


def test_a_circle_that_starts_inside_a_grain_counts_it_once():
    grains = np.ones((61, 61))
    grains[:, 40:] = 2
    assert totals(grains, circles([(30, 30)], [20.0]))[0] == 2


@pytest.mark.parametrize("shape", [(40, 40), (40, 200), (333, 100)])
def test_circles_lie_inside_and_apart(shape):
    diameter = 30.0
    centres = np.array(list(fill(shape, diameter)))
    assert len(centres) == ((shape[0] - 1) // 30) * ((shape[1] - 1) // 30)
    assert bool((centres - 15 >= -0.5).all())
    assert bool((centres + 15 <= np.array(shape) - 0.5).all())
    apart = np.hypot(*np.moveaxis(centres[:, None] - centres, 2, 0)) + 1e3 * np.eye(len(centres))
    assert apart.min() >= diameter


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (3, 1)])
@pytest.mark.parametrize("degrees", [0.0, 90.0, 45.0])
def test_images_without_room_for_a_line(shape, degrees):
    number, length = totals(np.ones(shape), straight_lines(shape, degrees, 1.0))
    assert number == 0
    assert 0 <= length <= 2


def test_a_grain_counts_in_each_block_by_how_much_of_the_line_it_holds():
    """Three grains of 20 pixels along a line of two blocks, whose border parts the middle one."""
    labels = np.repeat([[1, 2, 3]], 20, axis=1).astype(np.int32)
    blocks = Blocks(np.array([0, 1]), np.array([0, 25, 60]))
    found = count_intercepts(labels, straight_lines(labels.shape, 0.0, 1.0), blocks)
    assert found.number == pytest.approx([0.5 + 5 / 20, 15 / 20 + 0.5])


def test_a_grain_where_a_circle_closes_counts_once_and_where_it_lies():
    """Four quadrants met by a circle, which begins within one of them."""
    rows, cols = np.indices((80, 80))
    turned = np.degrees(np.arctan2(rows - 39.5, cols - 39.5)) + 20.0
    labels = (np.floor(turned / 90.0).astype(np.int32) % 4) + 1
    blocks = Blocks(np.array([0, 40, 80]), np.array([0, 80]))
    found = count_intercepts(labels, circles([(39.5, 39.5)], [30.0]), blocks)
    assert found.number.sum() == pytest.approx(4.0)
    assert found.number == pytest.approx([2.0, 2.0], abs=0.05)
