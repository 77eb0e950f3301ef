"""Scratches across drawn grains are found and undone; straight boundaries are not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nital.evaluation.contingency import contingency
from nital.evaluation.metrics import adjusted_rand_index
from nital.polycrystals import find_scratches, merge_across_scratches

Voronoi = Callable[..., Any]
SHAPE = (240, 260)


def etched(labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """Dark lines on grey grains, as float grey levels."""
    walls = np.zeros(labels.shape, dtype=bool)
    walls[:-1] |= labels[1:] != labels[:-1]
    walls[:, :-1] |= labels[:, 1:] != labels[:, :-1]
    noise = np.random.default_rng(seed).normal(0, 3, labels.shape)
    return np.where(walls, 90, 170) + noise


def scratched(labels: np.ndarray, slope: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """A bright line from left to right, and labels that take it for a boundary."""
    row, column = np.indices(labels.shape)
    above = row < 90 + slope * (column - 20)
    within = (column > 20) & (column < 240)
    image = etched(labels)
    image[within & (np.abs(row - 90 - slope * (column - 20)) < 0.8)] = 230
    cut = np.unique(labels[within & (np.abs(row - 90 - slope * (column - 20)) < 0.8)])
    split = labels.copy()
    inner = [n for n in cut if not (labels[:, :22] == n).any() and not (labels[:, 238:] == n).any()]
    for number in inner:
        split[(labels == number) & above] = split.max() + 1
    assert len(inner) > 2
    return image.clip(0, 255).astype(np.uint8), split.astype(np.int32)


@pytest.mark.parametrize(("seed", "slope"), [(1, 0.15), (1, 0.3), (3, 0.0), (3, -0.2), (3, 0.5)])
def test_grains_that_a_scratch_parts_are_joined_again(
    voronoi: Voronoi, seed: int, slope: float
) -> None:
    truth = voronoi(30, SHAPE, seed)
    image, split = scratched(truth, slope)
    joined, log = merge_across_scratches(split, image)
    assert adjusted_rand_index(contingency(truth, joined)) > 0.999
    assert joined.max() == truth.max()
    assert [entry["action"] for entry in log] == ["merged"]


def test_the_scratch_is_found_where_it_was_drawn(voronoi: Voronoi) -> None:
    image, split = scratched(voronoi(30, SHAPE, 3), 0.0)
    (scratch,) = find_scratches(split, image)
    np.testing.assert_allclose(sorted(scratch[1::2]), (20, 240), atol=15)
    np.testing.assert_allclose(scratch[::2], 90, atol=2)


def test_a_polycrystal_without_scratches_is_left_alone(voronoi: Voronoi) -> None:
    truth = voronoi(40, SHAPE, 2)
    image = etched(truth).clip(0, 255).astype(np.uint8)
    joined, log = merge_across_scratches(truth, image)
    assert joined is truth
    assert log == ()


def test_long_straight_boundaries_of_flattened_grains_stay() -> None:
    """A wall of bricks: no joint goes on beyond the course above."""
    row, column = np.indices(SHAPE)
    course = row // 24
    brick = (column + 30 * (course % 2)) // 60
    labels = (1 + course * 10 + brick).astype(np.int32)
    image = etched(labels).clip(0, 255).astype(np.uint8)
    assert len(find_scratches(labels, image)) == 0


def test_a_bicrystal_keeps_its_boundary() -> None:
    labels = np.ones(SHAPE, dtype=np.int32)
    labels[:, 130:] = 2
    image = etched(labels).clip(0, 255).astype(np.uint8)
    assert merge_across_scratches(labels, image)[0].max() == 2
