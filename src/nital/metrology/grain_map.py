"""Which grain each pixel belongs to: boundary lines closed, second phases and pores left out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nital.metrology.field import Field

__all__ = ["GrainMap", "close_lines", "grain_map"]

MATRIX = 1
_WIDEST_LINE = 0.3


@dataclass(frozen=True)
class GrainMap:
    """The grains that the standards count.

    Parameters
    ----------
    labels
        (H, W) int32, all objects, boundary lines closed; 0 = unassigned.
    grains
        (H, W) int32, the grains of the matrix alone; 0 = second phases, pores, unassigned.
    is_grain
        (n + 1,) which labels are grains of the matrix.
    excluded
        Phases that are left out, rising.
    line_reach
        Half the width in pixels of the widest boundary line that was closed; 0 for none.
    """

    labels: NDArray[np.int32]
    grains: NDArray[np.int32]
    is_grain: NDArray[np.bool_]
    excluded: tuple[int, ...]
    line_reach: int

    @property
    def rule(self) -> str:
        """What was counted, in words."""
        rule = "twin boundaries count where the labels part twins"
        if self.excluded:
            names = ", ".join(str(phase) for phase in self.excluded)
            kind = "phase" if len(self.excluded) == 1 else "phases"
            rule += (
                f"; second phases and pores ({kind} {names}) excluded from the count and from "
                "the area (ASTM E112, two-phase specimens)"
            )
        if self.line_reach:
            rule += f"; boundary lines up to {2 * self.line_reach} px wide closed"
        return rule


def grain_map(field: Field, phase: NDArray[np.int64]) -> GrainMap:
    """Tell the grains of the matrix from everything else.

    Parameters
    ----------
    field
        The labels.
    phase
        (n,) phase of each object. The matrix is phase 1, or the phase of the largest area where
        no object is of phase 1.
    """
    labels, reach = field.labels, 0
    area = field.objects.area()
    if field.count and area.sum() < labels.size:
        side = math.sqrt(float(area.mean()))
        reach = max(1, round(_WIDEST_LINE * side / 2.0))
        labels = close_lines(labels, reach)
    matrix = MATRIX
    if field.count and not bool((phase == MATRIX).any()):
        matrix = int(np.bincount(phase, weights=area).argmax())
    is_grain = np.concatenate([[False], phase == matrix])
    excluded = tuple(int(value) for value in np.unique(phase[phase != matrix]))
    grains = labels
    if excluded:
        own = np.where(is_grain, np.arange(len(is_grain)), 0).astype(np.int32)
        grains = own[labels]
    return GrainMap(labels, grains, is_grain, excluded, reach)


def close_lines(labels: NDArray[np.int32], reach: int) -> NDArray[np.int32]:
    """Give the unassigned pixels of thin lines to a neighbouring object.

    Other tools leave a line of zeros between grains; a boundary has no width. What is wider than
    a line keeps its shape: the unassigned area is opened by an octagon, and what this takes away
    is the lines.

    Parameters
    ----------
    labels
        (H, W) int32, 0 = unassigned.
    reach
        Half the width of the widest line, in pixels.
    """
    padded = np.pad(labels, 1)
    flat, stride = padded.ravel(), padded.shape[1]
    gaps = np.flatnonzero(labels == 0)
    gaps = (gaps // labels.shape[1] + 1) * stride + gaps % labels.shape[1] + 1
    four = (-stride, -1, 1, stride)
    eight = (*four, -stride - 1, -stride + 1, stride - 1, stride + 1)
    steps = [four if number % 2 == 0 else eight for number in range(reach)]
    left = gaps
    for offsets in steps:
        neighbour = np.zeros(len(left), dtype=np.int32)
        for offset in offsets:
            neighbour = np.where(neighbour == 0, flat[left + offset], neighbour)
        flat[left] = neighbour
        left = left[neighbour == 0]
    inside = np.zeros(flat.shape, dtype=bool)
    inside[gaps] = True
    for offsets in reversed(steps):
        inside[left] = False
        flat[left] = 0
        around = np.unique(np.concatenate([left, *(left + offset for offset in offsets)]))
        left = around[inside[around]]
    flat[left] = 0
    return np.ascontiguousarray(padded[1:-1, 1:-1])
