"""What is measured: the labelled part of an image, checked, with everything summed once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nital.metrology.blocks import Blocks, divide
from nital.metrology.boundaries import Boundaries, measure_boundaries
from nital.metrology.hulls import Hulls, corner_hulls
from nital.metrology.runs import ObjectRuns, Runs, find_runs, object_runs

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Field"]

_NO_BREAKS = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Field:
    """The measured field, without the data bar.

    Parameters
    ----------
    labels
        (H, W) int32; 0 = unassigned, 1...n, each present.
    names
        (n,) the labels that the user knows the objects by; ``names[i]`` is label i + 1.
    phases
        (H, W) uint8; 0 = unassigned.
    grey, confidence
        (H, W), or ``None`` when there is none.
    certain_from
        Confidence, 0...1, from which particles are certain; ``None`` where nothing is said.
    mask_probability
        (H, W) uint8, as that of :class:`nital.segmentation.Segmentation`.
    unclaimed
        Area that a model takes for objects and no mask claims, over the area of those found;
        ``None`` where it does not say.
    """

    labels: NDArray[np.int32]
    names: NDArray[np.int32]
    phases: NDArray[np.uint8]
    grey: NDArray[np.generic] | None
    confidence: NDArray[np.uint8] | None
    certain_from: float | None = None
    mask_probability: NDArray[np.uint8] | None = None
    unclaimed: float | None = None

    @property
    def count(self) -> int:
        """Number of objects."""
        return len(self.names)

    @cached_property
    def runs(self) -> Runs:
        """Runs of equal label and phase."""
        return find_runs(self.labels, self.phases, _NO_BREAKS)

    @cached_property
    def objects(self) -> ObjectRuns:
        """The same runs, one object after the other."""
        return object_runs(self.runs, self.count)

    @cached_property
    def hulls(self) -> Hulls:
        """Convex hulls of the corners of the pixels of each object; there is at least one."""
        return corner_hulls(self.objects.runs, self.objects.owner, self.count)

    @cached_property
    def blocks(self) -> Blocks:
        """Blocks for the intervals, sized after the area-weighted mean object."""
        area = self.objects.area()
        weighted_mean = float((area**2).sum() / area.sum()) if self.count else 1.0
        return divide(self.labels.shape, math.sqrt(weighted_mean))

    @property
    def grid(self) -> tuple[int, int]:
        """(R, C) number of blocks along rows and columns."""
        return self.blocks.shape

    @property
    def grid_text(self) -> str:
        """The blocks, in words."""
        rows, columns = self.blocks.shape
        return f"{rows} x {columns} image blocks"

    def block_of(self, table: pd.DataFrame) -> NDArray[np.int64]:
        """(n,) block that holds the centroid of each object of the table."""
        row, col = (np.round(table[name].to_numpy()).astype(np.int64) for name in ("row", "col"))
        return self.blocks.index(row, col)

    @cached_property
    def boundaries(self) -> Boundaries:
        """Perimeters and the boundary length of each block."""
        return measure_boundaries(self.labels, self.count, self.blocks)
