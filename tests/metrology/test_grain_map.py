"""Closing of boundary lines, and what counts as a grain."""

from __future__ import annotations

import numpy as np
import pytest

from nital.metrology.grain_extremes import find_duplex
from nital.metrology.grain_map import close_lines


def with_lines(labels, width):
    drawn = labels.copy()
    for axis in (0, 1):
        for step in range(-(width // 2), width - width // 2):
            drawn[labels != np.roll(labels, step, axis)] = 0
    return drawn


@pytest.mark.parametrize("width", [1, 2, 4])
def test_lines_are_closed_where_they_were(tilings, width):
    labels = tilings["square"](30, 6)
    closed = close_lines(with_lines(labels, width), width)
    assert bool((closed > 0).all())
    assert (closed != labels).mean() < 0.04 * width


def test_what_is_wider_than_a_line_keeps_its_shape(tilings, ellipse):
    labels = tilings["square"](30, 6)
    hole = ellipse(labels.shape, (25, 25))
    drawn = np.where(hole, 0, with_lines(labels, 2))
    closed = close_lines(drawn, 3)
    assert bool((closed[hole] == 0).all())
    assert ((closed == 0) & ~hole).sum() < 0.08 * hole.sum()


def test_an_empty_image_stays_empty():
    assert not close_lines(np.zeros((9, 9), dtype=np.int32), 3).any()


def sizes(*groups):
    """Areas of grains: (number, mean grain size number) of each group, with a natural spread."""
    rng = np.random.default_rng(0)
    return np.concatenate(
        [2.0 ** -(number + 0.5 * rng.standard_normal(count)) for count, number in groups]
    )


@pytest.mark.parametrize(
    ("groups", "kind"),
    [
        (((400, 8),), None),
        (((4000, 8), (3, 3.0)), "ALA"),
        (((3000, 9), (200, 5)), "bimodal"),
        (((4000, 9), (2000, 8), (1000, 7), (500, 6), (250, 5), (120, 4)), "wide range"),
    ],
)
def test_duplex_structures(groups, kind):
    area = sizes(*groups)
    assert find_duplex(area, np.ones(len(area))).kind == kind


def test_log_normal_grains_are_one_population():
    rng = np.random.default_rng(1)
    kinds = [
        find_duplex(np.exp(0.8 * rng.standard_normal(500)), np.ones(500)).kind for _ in range(40)
    ]
    assert kinds.count(None) >= 38


def test_few_grains_do_not_tell():
    assert find_duplex(np.ones(49), np.ones(49)) is None
