"""Grains by classical means: lines first, then the regions between them, grown to meet."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import morphology, segmentation

from nital.classical import grey
from nital.masks.labels import grains_between

__all__ = ["GRAIN_METHODS"]

SMALLEST_GRAIN = 50
"""Regions and pieces of line of fewer pixels are taken for dirt."""


def otsu_grains(pixels: NDArray[np.generic]) -> NDArray[np.int32]:
    """Regions between the lines that Otsu's threshold finds."""
    image = grey.smoothed(pixels)
    limits = grey.multi_otsu(image, 2)
    return grains_between(
        _lines(image > limits[0] if limits.size else image > np.inf), SMALLEST_GRAIN
    )


def adaptive_grains(pixels: NDArray[np.generic]) -> NDArray[np.int32]:
    """Regions between the lines that stand out from their neighbourhood.

    Lines are the rare deviation, so the skewness of the levelled image tells whether they are
    dark or bright; they differ from the local mean by more than half its standard deviation.
    """
    difference = grey.levelled(grey.smoothed(pixels))
    spread = float(difference.std())
    towards = 1 if float((difference**3).mean()) > 0 else -1
    return grains_between(_cleaned(towards * difference > max(spread / 2, 1e-6)), SMALLEST_GRAIN)


def canny_grains(pixels: NDArray[np.generic]) -> NDArray[np.int32]:
    """Regions between closed Canny edges."""
    return grains_between(_cleaned(grey.edge_lines(pixels)), SMALLEST_GRAIN)


def watershed_grains(pixels: NDArray[np.generic]) -> NDArray[np.int32]:
    """Watershed of the distance to Otsu's lines, seeded at its peaks.

    Peaks that do not rise a quarter of their height above the saddle make no grain of their own.
    """
    image = grey.smoothed(pixels)
    limits = grey.multi_otsu(image, 2)
    if limits.size == 0:
        return np.ones(image.shape, dtype=np.int32)
    distance = ndimage.distance_transform_edt(~_lines(image > limits[0]))
    return seeded_by_distance(distance)


def seeded_by_distance(
    distance: NDArray[np.float64], mask: NDArray[np.bool_] | None = None
) -> NDArray[np.int32]:
    """Watershed of a distance map, with one seed per peak a quarter above its saddle.

    On a logarithmic height a quarter is the same everywhere, so small and large objects are
    treated alike (the saddle lies below 0.75 of the lower peak).
    """
    height = np.log(np.maximum(distance, 0.5))
    peaks = morphology.h_maxima(height, np.log(1 / 0.75))
    seeds, _ = ndimage.label(peaks, structure=np.ones((3, 3)))
    labels = segmentation.watershed(-distance, seeds, mask=mask)
    return np.asarray(labels, dtype=np.int32)


def gradient_grains(pixels: NDArray[np.generic]) -> NDArray[np.int32]:
    """Watershed of the gradient, seeded at minima deeper than a quarter of its Otsu threshold."""
    slopes = grey.gradient(grey.smoothed(grey.smoothed(pixels)))
    limits = grey.multi_otsu(slopes, 2)
    if limits.size == 0:
        return np.ones(slopes.shape, dtype=np.int32)
    seeds, _ = ndimage.label(morphology.h_minima(slopes, float(limits[0]) / 4))
    return np.asarray(segmentation.watershed(slopes, seeds), dtype=np.int32)


def _lines(bright: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return _cleaned(bright if grey.is_thin(bright) else ~bright)


def _cleaned(lines: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return grey.drop_small(lines, SMALLEST_GRAIN)


GRAIN_METHODS: dict[str, Callable[[NDArray[np.generic]], NDArray[np.int32]]] = {
    "adaptive": adaptive_grains,
    "canny": canny_grains,
    "otsu": otsu_grains,
    "watershed": watershed_grains,
    "watershed-gradient": gradient_grains,
}
