"""Counting grains in an area: the whole rectangle of the field, and circles inside it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nital.metrology.blocks import Blocks

__all__ = [
    "AreaCount",
    "count_in_circles",
    "count_in_rectangle",
    "rectangle_weights",
    "shared_by_area",
]


@dataclass(frozen=True)
class AreaCount:
    """Grains in an area, by the image block that holds their centroid.

    Parameters
    ----------
    number
        (blocks,) grains, those that are cut counted by the rule.
    area
        (blocks,) area of grains in pixels.
    inside, cut
        How many grains lie wholly inside, and how many are cut.
    """

    number: NDArray[np.float64]
    area: NDArray[np.float64]
    inside: int
    cut: int


def rectangle_weights(labels: NDArray[np.int32], count: int) -> NDArray[np.float64]:
    """How much each label counts in the field: (count + 1,).

    1 inside, 1/2 for those cut by the frame, but 1/4 for each corner of the frame that they hold
    (Saltykov; ASTM E112, planimetric procedure). In a tessellation this counts, on average,
    exactly the density of cells times the area.
    """
    weight = np.ones(count + 1)
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        weight[side] = 0.5
    corners = labels[[0, 0, -1, -1], [0, -1, 0, -1]]
    weight[corners] = 0.0
    np.add.at(weight, corners, 0.25)
    weight[0] = 0.0
    return weight


def shared_by_area(
    labels: NDArray[np.int32], weight: NDArray[np.float64], blocks: Blocks
) -> NDArray[np.float64]:
    """Weight of each label, shared among the blocks by how much of its area they hold: (blocks,).

    Parameters
    ----------
    labels
        (H, W), 0 = none.
    weight
        (n + 1,) of each label; that of 0 is ignored.
    blocks
        The division of the same image.
    """
    density = weight / np.maximum(np.bincount(labels.ravel(), minlength=len(weight)), 1)
    density[0] = 0.0
    rows, cols = blocks.row_edges, blocks.col_edges
    return np.array(
        [
            np.bincount(labels[top:bottom, left:right].ravel(), minlength=len(weight)) @ density
            for top, bottom in itertools.pairwise(rows)
            for left, right in itertools.pairwise(cols)
        ]
    )


def count_in_rectangle(
    grains: NDArray[np.int32], is_grain: NDArray[np.bool_], block: NDArray[np.int64], blocks: Blocks
) -> AreaCount:
    """Count over the whole field (Saltykov rectangle).

    Parameters
    ----------
    grains
        (H, W), 0 = no grain.
    is_grain
        (n + 1,) which labels are counted.
    block
        (n,) block of the centroid of each label.
    blocks
        The division of the same image.
    """
    weight = rectangle_weights(grains, len(is_grain) - 1) * is_grain
    number = np.zeros(len(blocks.area))
    np.add.at(number, block, weight[1:])
    inside = int((weight == 1.0).sum())
    return AreaCount(number, blocks.sum(grains > 0), inside, int(is_grain.sum()) - inside)


def count_in_circles(
    grains: NDArray[np.int32],
    block: NDArray[np.int64],
    blocks: Blocks,
    centres: Sequence[tuple[float, float]],
    diameter: float,
) -> AreaCount:
    """Count in circles inside the field: 1 inside, 1/2 for those the circle cuts (Jeffries).

    Parameters
    ----------
    grains, block, blocks
        As in :func:`count_in_rectangle`.
    centres, diameter
        The circles, which do not overlap.
    """
    count = len(block)
    whole = np.bincount(grains.ravel(), minlength=count + 1)
    whole[0] = 0
    number = np.zeros(len(blocks.area))
    covered = np.zeros(grains.shape, dtype=bool)
    inside = cut = 0
    radius = diameter / 2.0
    for down, across in centres:
        top, left = math.ceil(down - radius), math.ceil(across - radius)
        rows = np.arange(top, math.floor(down + radius) + 1)
        cols = np.arange(left, math.floor(across + radius) + 1)
        disc = (rows[:, None] - down) ** 2 + (cols - across) ** 2 <= radius**2
        window = (slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1))
        seen = np.bincount(grains[window][disc], minlength=count + 1)
        covered[window] |= disc & (grains[window] > 0)
        seen[0] = 0
        within = (seen == whole) & (seen > 0)
        across_edge = (seen > 0) & ~within
        weight = within + 0.5 * across_edge
        number += np.bincount(block, weights=weight[1:], minlength=len(number))
        inside += int(within.sum())
        cut += int(across_edge.sum())
    return AreaCount(number, blocks.sum(covered), inside, cut)
