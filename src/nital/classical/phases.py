"""Phase maps by classical means: grey levels split into classes, pixel- or region-wise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import segmentation

from nital.classical import grey

__all__ = ["PHASE_METHODS", "classes_of"]


def classes_of(image: NDArray[np.float32], phases: int) -> NDArray[np.int64]:
    """Class of each pixel by multi-level Otsu, 0 the darkest."""
    return np.digitize(image, grey.multi_otsu(image, phases)).astype(np.int64)


def otsu_phases(pixels: NDArray[np.generic], phases: int) -> NDArray[np.int64]:
    """Multi-level Otsu."""
    return classes_of(grey.smoothed(pixels), phases)


def adaptive_phases(pixels: NDArray[np.generic], phases: int) -> NDArray[np.int64]:
    """Classes of the grey level minus its local mean: for two phases, the adaptive threshold.

    For more, multi-level Otsu on that difference.
    """
    difference = grey.levelled(grey.smoothed(pixels))
    if phases == 2:
        return (difference > 0).astype(np.int64)
    return classes_of(difference, phases)


def canny_phases(pixels: NDArray[np.generic], phases: int) -> NDArray[np.int64]:
    """Regions between closed Canny edges, each given the class of its mean grey level.

    Edge pixels take the class of the nearest region.
    """
    image = grey.smoothed(pixels)
    regions, count = ndimage.label(~grey.edge_lines(pixels))
    if count == 0:
        return np.zeros(image.shape, dtype=np.int64)
    areas = np.maximum(np.bincount(regions.ravel()), 1)
    means = np.bincount(regions.ravel(), weights=image.ravel()) / areas
    classes = np.digitize(means, grey.multi_otsu(image, phases))
    nearest = ndimage.distance_transform_edt(
        regions == 0, return_distances=False, return_indices=True
    )
    return np.asarray(classes[regions[tuple(nearest)]], dtype=np.int64)


def watershed_phases(pixels: NDArray[np.generic], phases: int) -> NDArray[np.int64]:
    """Watershed of the gradient, seeded by the inner pixels of the Otsu classes.

    A pixel is a seed when it lies farther from the edge of its class than half of that class
    does: far from what a threshold decides by chance.
    """
    classes = otsu_phases(pixels, phases)
    seeds = np.zeros(classes.shape, dtype=np.int64)
    for number in np.unique(classes):
        inside = classes == number
        depth = ndimage.distance_transform_edt(np.pad(inside, 1, mode="edge"))[1:-1, 1:-1]
        seeds[inside & (depth >= np.median(depth[inside]))] = number + 1
    return _flooded(pixels, seeds)


def gradient_phases(pixels: NDArray[np.generic], phases: int) -> NDArray[np.int64]:
    """Watershed of the gradient, seeded where it lies below its median, by Otsu class."""
    classes = otsu_phases(pixels, phases)
    slopes = grey.gradient(grey.smoothed(pixels))
    return _flooded(pixels, np.where(slopes <= np.median(slopes), classes + 1, 0))


def _flooded(pixels: NDArray[np.generic], seeds: NDArray[np.int64]) -> NDArray[np.int64]:
    slopes = grey.gradient(grey.smoothed(pixels))
    return np.asarray(segmentation.watershed(slopes, seeds), dtype=np.int64) - 1


PHASE_METHODS: dict[str, Callable[[NDArray[np.generic], int], NDArray[np.int64]]] = {
    "adaptive": adaptive_phases,
    "canny": canny_phases,
    "otsu": otsu_phases,
    "watershed": watershed_phases,
    "watershed-gradient": gradient_phases,
}
