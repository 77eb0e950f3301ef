"""What goes into an exchange file and comes out of one: labels of one field, and their phases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nital.micrograph import PixelSize

__all__ = ["FlatRuns", "LabelField", "compose", "flat_runs", "object_phases", "phase_image"]

HIGHEST_LABEL = 2**31 - 1
MATRIX = 1


@dataclass(frozen=True)
class LabelField:
    """The labels of one field.

    Parameters
    ----------
    name
        Of the image they belong to, without folder and suffix.
    labels
        (H, W) int32; 0 = no object.
    phases
        (H, W) uint8, or ``None`` where the file says nothing of phases.
    pixel_size
        ``None`` when unknown.
    warnings
        What a user should know about how they were read.
    """

    name: str
    labels: NDArray[np.int32]
    phases: NDArray[np.uint8] | None = None
    pixel_size: PixelSize | None = None
    warnings: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        height, width = self.labels.shape
        return int(height), int(width)


@dataclass(frozen=True)
class FlatRuns:
    """The pixels of one object as runs of a flattened image.

    Parameters
    ----------
    label
        Of the object, > 0.
    start, length
        (k,) first flat index and number of pixels of each run, rising, none touching the next.
    """

    label: int
    start: NDArray[np.int64]
    length: NDArray[np.int64]


def flat_runs(labels: NDArray[np.int32], order: Literal["C", "F"]) -> list[FlatRuns]:
    """Runs of every object of an (H, W) label image, by rising label.

    Parameters
    ----------
    labels
        0 = no object.
    order
        ``"C"`` runs along the rows, ``"F"`` down the columns.
    """
    flat = labels.ravel(order=order)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1])
    lengths = np.diff(starts, append=flat.size)
    held = np.flatnonzero(flat[starts] > 0)
    held = held[np.argsort(flat[starts[held]], kind="stable")]
    names, first = np.unique(flat[starts[held]], return_index=True)
    ends = np.append(first, len(held))[1:]
    return [
        FlatRuns(int(name), starts[held[begin:end]], lengths[held[begin:end]])
        for name, begin, end in zip(names, first, ends, strict=True)
    ]


def object_phases(field: LabelField) -> dict[int, int]:
    """Phase of most pixels of each object; 0 where the field has no phases."""
    names = np.unique(field.labels[field.labels > 0])
    if field.phases is None:
        return dict.fromkeys(names.tolist(), 0)
    index = np.searchsorted(names, field.labels[field.labels > 0])
    kinds = int(field.phases.max(initial=0)) + 1
    joint = np.bincount(
        index * kinds + field.phases[field.labels > 0], minlength=len(names) * kinds
    )
    most = joint.reshape(len(names), kinds).argmax(axis=1)
    return dict(zip(names.tolist(), most.tolist(), strict=True))


def phase_image(labels: NDArray[np.int32], phase_of: Mapping[int, int]) -> NDArray[np.uint8] | None:
    """(H, W) phases from those of the objects; ``None`` where no object has one.

    What lies between objects is the matrix, phase 1, unless objects are of phase 1 themselves.
    """
    if not any(phase_of.values()):
        return None
    background = 0 if MATRIX in phase_of.values() else MATRIX
    names, inverse = np.unique(labels, return_inverse=True)
    values = [phase_of.get(name, 0) if name else background for name in names.tolist()]
    return np.array(values, dtype=np.uint8)[inverse].reshape(labels.shape)


def compose(
    shape: tuple[int, int],
    masks: Sequence[NDArray[np.int64]],
    numbers: Sequence[int | None],
    source: str,
) -> tuple[NDArray[np.int32], list[int], tuple[str, ...]]:
    """Draw possibly overlapping objects into one label image, smaller ones in front.

    Parameters
    ----------
    shape
        (H, W).
    masks
        Flat indices, row by row, of the pixels of each object.
    numbers
        Label asked for by each object; where they are not different numbers from 1 on, objects
        are numbered in order.
    source
        The file, for warnings.

    Returns
    -------
    labels, label of each object, warnings
    """
    warnings = []
    wanted = [number for number in numbers if _is_label(number)]
    if len(set(wanted)) == len(numbers):
        names = [int(number) for number in wanted if number is not None]
    else:
        names = list(range(1, len(numbers) + 1))
    labels = np.zeros(shape[0] * shape[1], dtype=np.int32)
    shared = 0
    for index in sorted(range(len(masks)), key=lambda index: -len(masks[index])):
        shared += int(np.count_nonzero(labels[masks[index]]))
        labels[masks[index]] = names[index]
    if shared:
        warnings.append(
            f"{source}: objects overlap in {shared} pixels, which went to the smaller one"
        )
    lost = len(names) - len(np.unique(labels[labels > 0]))
    if lost:
        warnings.append(f"{source}: {lost} objects hold no pixel of their own and were left out")
    return labels.reshape(shape), names, tuple(warnings)


def _is_label(number: int | None) -> bool:
    return number is not None and 0 < number <= HIGHEST_LABEL
