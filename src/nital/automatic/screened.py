"""Objects of a finished segmentation that lie outside limits which were asked for, taken out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.generator.limits import parse_limits
from nital.generator.screening import describe, screen
from nital.masks.packed import PackedMasks
from nital.segmentation import Segmentation

__all__ = ["entry_of", "keep_objects"]


def keep_objects(found: Segmentation, typed: tuple[str, ...]) -> Segmentation:
    """The same segmentation with objects inside limits such as ``("area=50..",)`` alone.

    The pixels of the others become background (particles), matrix (phases), unassigned (layers) or
    part of the nearest grain that stays (grains; one grain where none stays).

    Raises
    ------
    UsageError
        When an area in square micrometres is asked for and the image is not calibrated.
    """
    micrograph = found.micrograph
    rows = micrograph.content_rows
    labels, phases = found.labels[:rows], found.phases[:rows].copy()
    masks = PackedMasks.of_labels(labels)
    size = None if micrograph.pixel_size is None else micrograph.pixel_size.value
    keep = screen(masks, describe(masks, micrograph.content), parse_limits(typed), size)
    found = replace(found, parameters={**found.parameters, "keep": list(typed)})
    if keep.all():
        return found
    gone = np.concatenate([[False], ~keep])[labels]
    number = np.concatenate([[0], np.cumsum(keep) * keep]).astype(np.int32)
    labels = number[labels]
    if found.target == "grains":
        labels, phases = _given_to_neighbours(labels, phases, gone)
    else:
        phases[gone] = 0 if found.target == "layers" else 1
    whole_labels, whole_phases = np.zeros_like(found.labels), np.zeros_like(found.phases)
    whole_labels[:rows], whole_phases[:rows] = labels, _by_falling_area(phases)
    return replace(
        found,
        labels=whole_labels,
        phases=whole_phases,
        boost_log=(*found.boost_log, entry_of(keep)),
    )


def entry_of(keep: NDArray[np.bool_]) -> dict[str, Any]:
    """What the record of a run says of the limits."""
    return {"action": "remove", "reason": "outside --keep", "count": int((~keep).sum())}


def _given_to_neighbours(
    labels: NDArray[np.int32], phases: NDArray[np.uint8], gone: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Labels and phases of the nearest grain that stays."""
    if gone.all():
        return np.ones_like(labels), np.ones_like(phases)
    nearest = tuple(
        ndimage.distance_transform_edt(gone, return_distances=False, return_indices=True)
    )
    return labels[nearest], phases[nearest]


def _by_falling_area(phases: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Phases 2... numbered anew by falling area; 0 and 1 stay what they are."""
    areas = np.bincount(phases.ravel(), minlength=3)
    present = np.flatnonzero(areas)
    others = present[present > 1]
    number = np.arange(len(areas), dtype=np.uint8)
    number[others[np.argsort(-areas[others], kind="stable")]] = np.arange(2, 2 + len(others))
    return np.asarray(number[phases])
