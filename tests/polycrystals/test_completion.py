"""Boundaries that end: led on where the image shows how, left alone where it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from nital.evaluation.contingency import contingency
from nital.evaluation.metrics import adjusted_rand_index
from nital.polycrystals import (
    CompletionOptions,
    complete_boundaries,
    split_by_completed_boundaries,
)
from nital.polycrystals.completion import free_ends

SHAPE = (80, 120)


def broken_line() -> np.ndarray:
    """A wall at column 100, and a line towards it that ends at column 70."""
    lines = np.zeros(SHAPE, dtype=bool)
    lines[:, 100] = True
    lines[40, :71] = True
    return lines


def test_free_ends_are_those_inside_the_image() -> None:
    assert free_ends(broken_line()).tolist() == [[40, 70]]


def test_an_end_is_led_on_along_the_evidence() -> None:
    """Faint evidence bends down to row 46: the way follows it, not the straight line."""
    lines = broken_line()
    evidence = np.full(SHAPE, 0.05, dtype=np.float32)
    evidence[lines] = 1
    for column in range(70, 101):
        evidence[40 + (column - 70) // 5, column] = 0.7
    completed = complete_boundaries(lines, evidence)
    added = completed & ~lines
    assert not free_ends(completed).size
    assert evidence[added].mean() > 0.6
    assert ndimage.label(~completed)[1] == 3


def test_what_the_image_does_not_show_is_not_invented() -> None:
    lines = broken_line()
    evidence = np.where(lines, 1.0, 0.1).astype(np.float32)
    np.testing.assert_array_equal(complete_boundaries(lines, evidence), lines)


@pytest.mark.parametrize("turned", [False, True])
def test_only_what_lies_ahead_and_in_reach_is_a_goal(turned: bool) -> None:
    lines = np.zeros(SHAPE, dtype=bool)
    lines[40, :71] = True
    lines[:, 75 if turned else 115] = True
    lines[:40, 75 if turned else 115] = turned
    if turned:
        lines[:, 75] = False
        lines[60, 30:71] = True  # beside and behind
    evidence = np.ones(SHAPE, dtype=np.float32)
    completed = complete_boundaries(lines, evidence, CompletionOptions(reach=30, straightness=0.7))
    np.testing.assert_array_equal(completed[:, 71:], lines[:, 71:])


def test_grains_that_faint_boundaries_part_are_divided(voronoi: Callable[..., Any]) -> None:
    """Boundaries with gaps leave grains run together; led on, they part most of them again."""
    truth = voronoi(14, (200, 200), 3)
    walls = truth != ndimage.grey_erosion(truth, 2)
    rng = np.random.default_rng(0)
    distance = ndimage.distance_transform_edt(~walls)
    image = 180 - 90 * np.exp(-((distance / 1.5) ** 2)) + rng.normal(0, 4, truth.shape)
    merged = np.where(truth == 2, 1, truth)
    merged = np.where(np.isin(merged, (7, 8)), 7, merged).astype(np.int32)
    before = adjusted_rand_index(contingency(truth, merged))
    divided = split_by_completed_boundaries(merged, image.clip(0, 255).astype(np.uint8))
    after = adjusted_rand_index(contingency(truth, divided))
    assert after > before
    assert after > 0.9


def test_a_grain_without_lines_stays_whole() -> None:
    labels = np.repeat([1, 2], 60)[None].repeat(100, axis=0).astype(np.int32)
    image = np.random.default_rng(0).normal(120, 3, labels.shape)
    image[:, 59:61] = 40
    divided = split_by_completed_boundaries(labels, image.clip(0, 255).astype(np.uint8))
    assert divided.max() == 2


def test_one_grain_is_returned_as_it_is() -> None:
    labels = np.ones((40, 40), dtype=np.int32)
    assert split_by_completed_boundaries(labels, np.zeros((40, 40), np.uint8)) is labels
