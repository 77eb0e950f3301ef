"""Which points an accepted mask holds already."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nital.generator.candidates import Candidates

__all__ = ["Coverage"]

SIDE = 256  # cells along the longer side of the map


@dataclass(frozen=True)
class Coverage:
    """A coarse map of an (H, W) image: where accepted masks lie.

    ``cells`` (h, w) bool is changed in place; ``step`` is the side of a cell in pixels.
    """

    cells: NDArray[np.bool_]
    step: float

    @classmethod
    def of(cls, shape: tuple[int, int]) -> Coverage:
        """Nothing covered yet."""
        step = max(1.0, max(shape) / SIDE)
        rows, cols = (int(np.ceil(side / step)) for side in shape)
        return cls(np.zeros((rows, cols), dtype=bool), step)

    def holds(self, points: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Which (N, 2) points lie in a covered cell."""
        cell = np.floor((points + 0.5) / self.step).astype(np.intp)
        cell = np.clip(cell, 0, np.array(self.cells.shape) - 1)
        return np.asarray(self.cells[cell[:, 0], cell[:, 1]])

    def add(self, candidates: Candidates, most_area: float) -> None:
        """Mark the cells of masks that are no larger than ``most_area`` square pixels."""
        for index in np.flatnonzero(candidates.areas <= most_area):
            top, left, bottom, right = candidates.boxes[index]
            first = (int(top / self.step), int(left / self.step))
            last = (int(np.ceil(bottom / self.step)), int(np.ceil(right / self.step)))
            logits = candidates.logits[index]
            picks = []
            for axis in (0, 1):
                low, high = candidates.windows[index, axis], candidates.windows[index, axis + 2]
                centres = (np.arange(first[axis], last[axis]) + 0.5) * self.step
                place = (centres - low) / (high - low) * candidates.grids[index, axis]
                cell = np.floor(place).astype(np.intp) - candidates.corners[index, axis]
                picks.append(np.clip(cell, 0, logits.shape[axis] - 1))
            held = logits[np.ix_(*picks)] > 0
            self.cells[first[0] : last[0], first[1] : last[1]] |= held
