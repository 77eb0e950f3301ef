"""Particles by classical means: what stands out from the background, split where it narrows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import morphology, segmentation

from nital.classical import grey
from nital.classical.grains import seeded_by_distance

__all__ = ["PARTICLE_METHODS", "is_foreground"]

SMALLEST_PARTICLE = 20
"""Pieces of fewer pixels are taken for noise."""


def is_foreground(mask: NDArray[np.bool_]) -> bool:
    """Whether a mask, and not its complement, is the particles: the one less at the image rim.

    On the training images of EMPS this is right more often than the smaller area, the skewness
    of the grey levels or always bright (mean IoU 0.57, 0.50, 0.49, 0.40; 0.72 if always right).
    """
    rim = np.concatenate((mask[0], mask[-1], mask[:, 0], mask[:, -1]))
    return float(rim.mean()) < 0.5


def otsu_particles(pixels: NDArray[np.generic]) -> NDArray[np.int32]:
    """8-connected pieces of the foreground of Otsu's threshold."""
    return _pieces(_otsu_foreground(pixels))


def adaptive_particles(pixels: NDArray[np.generic]) -> NDArray[np.int32]:
    """8-connected pieces that differ from the local mean; the polarity is that of its skewness.

    The difference must exceed half of its standard deviation.
    """
    difference = grey.levelled(grey.smoothed(pixels))
    towards = 1 if float((difference**3).mean()) > 0 else -1
    return _pieces(towards * difference > max(0.5 * float(difference.std()), 1e-6))


def canny_particles(pixels: NDArray[np.generic]) -> NDArray[np.int32]:
    """Regions that closed Canny edges enclose, apart from the largest and from those at the rim.

    Each is grown over the edge that encloses it.
    """
    lines = grey.edge_lines(pixels)
    regions, count = ndimage.label(~lines)
    rim = np.concatenate((regions[0], regions[-1], regions[:, 0], regions[:, -1]))
    areas = np.bincount(regions.ravel(), minlength=count + 1)
    kept = areas >= SMALLEST_PARTICLE
    kept[0] = False
    kept[np.argmax(np.where(np.arange(count + 1) > 0, areas, 0))] = False
    wide_at_rim = np.bincount(rim, minlength=count + 1) > np.sqrt(areas)
    kept &= ~wide_at_rim
    labels = np.where(kept, np.cumsum(kept), 0)[regions]
    return np.asarray(segmentation.expand_labels(labels, 1.5), dtype=np.int32)


def watershed_particles(pixels: NDArray[np.generic]) -> NDArray[np.int32]:
    """Otsu's foreground split by a watershed of the distance to its edge, one seed per peak."""
    foreground = grey.drop_small(_otsu_foreground(pixels), SMALLEST_PARTICLE)
    distance = ndimage.distance_transform_edt(np.pad(foreground, 1, mode="edge"))[1:-1, 1:-1]
    return seeded_by_distance(ndimage.gaussian_filter(distance, 1.0), foreground)


def gradient_particles(pixels: NDArray[np.generic]) -> NDArray[np.int32]:
    """Otsu's foreground split by a watershed of the gradient, seeded at its deep minima."""
    foreground = grey.drop_small(_otsu_foreground(pixels), SMALLEST_PARTICLE)
    slopes = grey.gradient(grey.smoothed(grey.smoothed(pixels)))
    limits = grey.multi_otsu(slopes, 2)
    if limits.size == 0 or not foreground.any():
        return np.zeros(foreground.shape, dtype=np.int32)
    slopes = np.where(foreground, slopes, slopes.max())
    seeds, _ = ndimage.label(morphology.h_minima(slopes, float(limits[0]) / 4) & foreground)
    labels = segmentation.watershed(slopes, seeds, mask=foreground)
    return np.asarray(labels, dtype=np.int32)


def _otsu_foreground(pixels: NDArray[np.generic]) -> NDArray[np.bool_]:
    image = grey.smoothed(pixels)
    limits = grey.multi_otsu(image, 2)
    if limits.size == 0:
        return np.zeros(image.shape, dtype=np.bool_)
    bright = image > limits[0]
    return np.asarray(bright if is_foreground(bright) else ~bright)


def _pieces(foreground: NDArray[np.bool_]) -> NDArray[np.int32]:
    kept = grey.drop_small(foreground, SMALLEST_PARTICLE)
    labels, _ = ndimage.label(kept, structure=np.ones((3, 3)))
    return np.asarray(labels, dtype=np.int32)


PARTICLE_METHODS: dict[str, Callable[[NDArray[np.generic]], NDArray[np.int32]]] = {
    "adaptive": adaptive_particles,
    "canny": canny_particles,
    "otsu": otsu_particles,
    "watershed": watershed_particles,
    "watershed-gradient": gradient_particles,
}
