"""What is done to found grains as a whole: scratches undone, broken boundaries led on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nital.polycrystals.grains import split_by_completed_boundaries
from nital.polycrystals.scratches import merge_across_scratches
from nital.segmentation import Segmentation

__all__ = ["complete_grains", "without_scratches"]


def without_scratches(found: Segmentation) -> Segmentation:
    """Join the grains that only scratches part; one entry of the boost log per scratch."""
    rows = found.micrograph.content_rows
    labels, log = merge_across_scratches(found.labels[:rows], found.micrograph.content)
    if not log:
        return found
    return replace(
        found,
        labels=_above_data_bar(found.labels, labels),
        boost_log=(*found.boost_log, *log),
    )


def complete_grains(found: Segmentation) -> Segmentation:
    """Divide grains along boundaries that the image shows in part, and say so in a warning.

    Grains beside pores or second phases are left as they are found.
    """
    rows = found.micrograph.content_rows
    if int(found.phases.max(initial=0)) > 1:
        return replace(
            found,
            warnings=(
                *found.warnings,
                "boundaries were not completed: the image has pores or second phases",
            ),
        )
    labels = split_by_completed_boundaries(found.labels[:rows], found.micrograph.content)
    more = int(labels.max()) - int(found.labels.max())
    return replace(
        found,
        labels=_above_data_bar(found.labels, labels),
        warnings=(
            *found.warnings,
            f"broken boundaries were led on where the image shows them: {more:+d} grains",
        ),
    )


def _above_data_bar(
    old: NDArray[np.int32],
    new: NDArray[np.int32],
) -> NDArray[np.int32]:
    whole = np.zeros_like(old)
    whole[: new.shape[0]] = new
    return whole
