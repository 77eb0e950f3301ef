"""Layers of named materials: a crop classifier in place of numbering by area."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.boost.crop_classifier import load_crop_classifier, name_regions

__all__ = ["name_layers"]

Parts = tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.uint8]]


def name_layers(
    image: NDArray[np.float32], parts: Parts, names: tuple[str, ...], folder: str | None
) -> tuple[Parts, dict[str, Any], tuple[dict[str, Any], ...]]:
    """Give each layer the material that most of its crops show; neighbours of one material join.

    Parameters
    ----------
    image
        (H, W) float32, standardised.
    parts
        Labels, phases and confidence of the layers found.
    names
        Materials that occur; phase k is the k-th of them by area.
    folder
        Of a crop classifier other than the one that ships.

    Returns
    -------
    parts
        Labels, phases and confidence; the confidence is scaled by the share of crops that agree. A
        layer without room for a crop takes no part: its label and phase are 0.
    facts
        ``materials``: the name of each phase.
    log
        One entry per layer, with the share of its crops that agree.

    Raises
    ------
    UsageError
        When the classifier does not know a name.
    """
    from skimage.measure import label

    labels, _, confidence = parts
    classifier = load_crop_classifier() if folder is None else load_crop_classifier(Path(folder))
    found = name_regions(image, labels, names, classifier=classifier)
    by_region = np.concatenate([[0], found.material + 1])[labels]
    areas = np.bincount(by_region.ravel(), minlength=len(names) + 1)
    order = [k for k in 1 + np.argsort(-areas[1:], kind="stable") if areas[k] > 0]
    number = np.zeros(len(names) + 1, dtype=np.uint8)
    number[order] = np.arange(1, len(order) + 1)
    phases = number[by_region]
    agreed = np.concatenate([[0.0], found.share]).astype(np.float32)[labels]
    joined = label(phases, background=0, connectivity=1).astype(np.int32)
    facts = {"materials": {str(number[k]): names[k - 1] for k in order}}
    return (joined, phases, (confidence * agreed).astype(np.uint8)), facts, found.log
