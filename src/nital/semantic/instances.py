"""From interior and border, or foreground and border, to objects by a watershed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["BORDER", "CLASSES", "INTERIOR", "objects_from_borders", "objects_from_maps"]

CLASSES = ("background", "interior", "border")
INTERIOR, BORDER = 1, 2
LEAST_AREA = 9  # pixels
SMOOTH = 1.0  # pixels, standard deviation
SURE = 0.7  # probability of foreground and no border


def objects_from_borders(
    classes: NDArray[np.uint8], probability: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Objects of a (H, W) map of background, interior and border, and their confidence.

    Interiors that hang together are one object each; a watershed from them shares the borders out.
    Borders without an interior are objects too small to have one.

    Returns
    -------
    (H, W) labels 1...n, and (H, W) mean probability of the classes of each object, 0...255.
    """
    from skimage.segmentation import watershed

    inside = classes > 0
    seeds, count = ndimage.label(classes == INTERIOR)
    pieces, _ = ndimage.label(inside)
    with_seed = np.zeros(int(pieces.max()) + 1, dtype=bool)
    with_seed[pieces[seeds > 0]] = True
    seeds = np.where(inside & ~with_seed[pieces], pieces + count, seeds)
    depth = ndimage.distance_transform_edt(inside)
    labels = watershed(-depth, seeds, mask=inside)
    return _rated(labels, probability)


def objects_from_maps(
    foreground: NDArray[np.float32], border: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Objects of (H, W) probabilities of foreground and border, and their confidence.

    What is surely foreground and no border hangs together in one piece per object; a watershed of
    that from there shares the foreground out. Foreground that is nowhere sure is an object too.

    Returns
    -------
    (H, W) labels 1...n, and (H, W) mean probability of foreground of each object, 0...255.
    """
    from skimage.segmentation import watershed

    inside = foreground >= 0.5
    core = ndimage.gaussian_filter(foreground * (1 - border), SMOOTH)
    seeds, count = ndimage.label(inside & (core >= SURE))
    pieces, _ = ndimage.label(inside)
    with_seed = np.zeros(int(pieces.max()) + 1, dtype=bool)
    with_seed[pieces[seeds > 0]] = True
    seeds = np.where(inside & ~with_seed[pieces], pieces + count, seeds)
    return _rated(watershed(-core, seeds, mask=inside), foreground)


def _rated(
    labels: NDArray[np.int32], probability: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Objects of nine pixels and more, numbered from 1, and the mean probability of each."""
    areas = np.bincount(labels.ravel())
    kept = areas >= LEAST_AREA
    kept[0] = False
    numbers = np.where(kept, np.cumsum(kept), 0)
    sums = np.bincount(labels.ravel(), weights=probability.ravel(), minlength=len(areas))
    mean = np.where(kept, np.rint(255 * sums / np.maximum(areas, 1)), 0)
    return numbers[labels].astype(np.int32), mean[labels].astype(np.uint8)
