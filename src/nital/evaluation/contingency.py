"""The sparse table of overlaps between two label images, from which most metrics follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nital.errors import InputError

__all__ = ["Contingency", "contingency"]


@dataclass(frozen=True)
class Contingency:
    """Pixels shared by each pair of a true and a predicted label; absent pairs share none.

    Parameters
    ----------
    truth_labels, predicted_labels
        (n,) and (m,) int64, rising: the labels that occur, 0 among them where it occurs.
    rows, columns
        (k,) indices into ``truth_labels`` and ``predicted_labels`` of each pair that overlaps,
        sorted by row, then column.
    counts
        (k,) int64, shared pixels, > 0.
    """

    truth_labels: NDArray[np.int64]
    predicted_labels: NDArray[np.int64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    counts: NDArray[np.int64]

    @property
    def total(self) -> int:
        """Number of pixels compared."""
        return int(self.counts.sum())

    @property
    def truth_areas(self) -> NDArray[np.int64]:
        """(n,) pixels of each true label."""
        return _sums(self.rows, self.counts, self.truth_labels.size)

    @property
    def predicted_areas(self) -> NDArray[np.int64]:
        """(m,) pixels of each predicted label."""
        return _sums(self.columns, self.counts, self.predicted_labels.size)

    @property
    def iou(self) -> NDArray[np.float64]:
        """(k,) intersection over union of each pair; areas count the compared pixels only."""
        union = self.truth_areas[self.rows] + self.predicted_areas[self.columns] - self.counts
        return np.asarray(self.counts / union, dtype=np.float64)


def _sums(index: NDArray[np.int64], counts: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    return np.bincount(index, weights=counts, minlength=length).astype(np.int64)


def contingency(
    truth: NDArray[np.integer] | NDArray[np.bool_],
    predicted: NDArray[np.integer] | NDArray[np.bool_],
    where: NDArray[np.bool_] | None = None,
) -> Contingency:
    """Count the pixels that each pair of labels shares.

    Neighbouring pixels mostly carry the same pair, so runs of equal pairs are counted, and only the
    runs are sorted: 3 000 against 3 000 objects on 4096 x 4096 take well under three seconds.

    Parameters
    ----------
    truth, predicted
        Arrays of one shape, integer or boolean, no negative values.
    where
        Same shape; pixels that are ``False`` are left out. All count when ``None``.

    Raises
    ------
    InputError
        If the shapes differ, or labels are negative or not whole numbers.
    """
    if truth.shape != predicted.shape:
        raise InputError(
            f"truth {truth.shape} and prediction {predicted.shape} differ in size; compare label "
            "images of the same micrograph"
        )
    first, second = _flat(truth, where), _flat(predicted, where)
    if first.size == 0:
        nothing = np.zeros(0, dtype=np.int64)
        return Contingency(nothing, nothing, nothing, nothing, nothing)
    width = int(second.max()) + 1
    pairs = first * width + second
    starts = np.concatenate(([0], np.flatnonzero(pairs[1:] != pairs[:-1]) + 1))
    lengths = np.diff(starts, append=pairs.size)
    keys, group = np.unique(pairs[starts], return_inverse=True)
    counts = _sums(group, lengths, keys.size)
    truth_labels, rows = np.unique(keys // width, return_inverse=True)
    predicted_labels, columns = np.unique(keys % width, return_inverse=True)
    return Contingency(truth_labels, predicted_labels, rows, columns, counts)


def _flat(
    labels: NDArray[np.integer] | NDArray[np.bool_], where: NDArray[np.bool_] | None
) -> NDArray[np.int64]:
    if labels.dtype != np.bool_ and not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f"labels must be whole numbers, not {labels.dtype}")
    flat = (labels.ravel() if where is None else labels[where]).astype(np.int64)
    if flat.size and int(flat.min()) < 0:
        raise InputError(f"labels must not be negative; the smallest is {int(flat.min())}")
    return flat
