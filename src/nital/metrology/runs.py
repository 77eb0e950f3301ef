"""A label image as runs of equal pixels: the form in which everything but boundaries is summed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ObjectRuns", "Runs", "find_runs", "object_runs", "sum_over_runs"]


@dataclass(frozen=True)
class Runs:
    """Maximal stretches of one row with one label and one phase, in reading order.

    Parameters
    ----------
    first
        (k,) index of the first pixel of each run in the flattened image.
    row, start, stop
        (k,) row, first column and one past the last column.
    label, phase
        (k,) what the pixels of the run hold.
    """

    first: NDArray[np.int64]
    row: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    label: NDArray[np.int32]
    phase: NDArray[np.uint8]

    @property
    def length(self) -> NDArray[np.int64]:
        """(k,) number of pixels of each run."""
        return self.stop - self.start

    def take(self, positions: NDArray[np.int64]) -> Runs:
        """Return the runs at these positions, in this order."""
        return Runs(
            self.first[positions],
            self.row[positions],
            self.start[positions],
            self.stop[positions],
            self.label[positions],
            self.phase[positions],
        )


@dataclass(frozen=True)
class ObjectRuns:
    """The runs of all objects, one object after the other.

    Parameters
    ----------
    runs
        Those that belong to an object.
    order
        (k,) their positions among the runs of the image.
    owner
        (k,) the object of each, 0...n - 1, rising.
    begins
        (n,) position of the first run of each object.
    """

    runs: Runs
    order: NDArray[np.int64]
    owner: NDArray[np.int64]
    begins: NDArray[np.int64]

    def sum(self, values: NDArray[np.generic]) -> NDArray[np.float64]:
        """(n,) sum over the runs of each object."""
        if not len(self.begins):
            return np.zeros(0)
        return np.add.reduceat(values, self.begins, dtype=np.float64)

    def area(self) -> NDArray[np.float64]:
        """(n,) number of pixels."""
        return self.sum(self.runs.length)

    def boxes(self) -> tuple[NDArray[np.int64], ...]:
        """(n,) first row, first column, and one past the last row and column of each object."""
        if not len(self.begins):
            return (np.zeros(0, dtype=np.int64),) * 4
        least, most = np.minimum.reduceat, np.maximum.reduceat
        return (
            least(self.runs.row, self.begins),
            least(self.runs.start, self.begins),
            most(self.runs.row, self.begins) + 1,
            most(self.runs.stop, self.begins),
        )


def find_runs(
    labels: NDArray[np.int32], phases: NDArray[np.uint8], breaks: NDArray[np.int64]
) -> Runs:
    """Split an image into runs.

    Parameters
    ----------
    labels, phases
        (H, W), H and W >= 1.
    breaks
        Columns at which every run is broken as well, so that a run lies in one image block.
    """
    width = labels.shape[1]
    begins = np.empty(labels.shape, dtype=bool)
    begins[:, 0] = True
    np.not_equal(labels[:, 1:], labels[:, :-1], out=begins[:, 1:])
    begins[:, 1:] |= phases[:, 1:] != phases[:, :-1]
    begins[:, breaks[breaks < width]] = True
    first = np.flatnonzero(begins)
    row, start = np.divmod(first, width)
    length = np.diff(first, append=labels.size)
    return Runs(
        first=first,
        row=row,
        start=start,
        stop=start + length,
        label=labels.ravel()[first],
        phase=phases.ravel()[first],
    )


def object_runs(runs: Runs, count: int) -> ObjectRuns:
    """Sort the runs of an image by object; labels 1...count are all present."""
    assigned = np.flatnonzero(runs.label > 0)
    order = assigned[np.argsort(runs.label[assigned], kind="stable")]
    chosen = runs.take(order)
    owner = chosen.label.astype(np.int64) - 1
    return ObjectRuns(chosen, order, owner, np.searchsorted(owner, np.arange(count)))


def sum_over_runs(values: NDArray[np.generic], runs: Runs) -> NDArray[np.float64]:
    """Sum an (H, W) image over each run: (k,) in the unit of the image."""
    return np.add.reduceat(values.ravel(), runs.first, dtype=np.float64)
