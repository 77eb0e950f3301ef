"""Precipitates too small for the network, where the grey levels leave no doubt about them.

The network knows objects of ten pixels and more at the scale it looks at, which is that of the
large ones. Where large and fine precipitates lie side by side, the grey level of the large ones
says what the fine ones are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.boost.windows import window_moments

__all__ = ["SPECK_CONFIDENCE", "add_specks", "with_specks"]

SPECK_CONFIDENCE = 0.6
"""Share of the specks of a simulated superalloy and two micrographs of carbides that were right."""

Floats = NDArray[np.float32]
Phases = NDArray[np.uint8]
Mask = NDArray[np.bool_]

MATRIX, OTHER = 1, 2
NOISE_SIGMA = 0.8
LEAST_AREA, LARGEST = 4, 12.0  # pixels, and the diameter in pixels from which the network sees it
FILLED = 0.5  # of its bounding box: streaks and rims fill less
SIGNAL_TO_NOISE = 8.0
CONTRAST = 3.0  # standard deviations of the matrix around
FEWEST, MOST_OF_ALL = 20, 0.8
WIDE, NEAR = 61, 31  # pixels of the windows for the level of the matrix and for its noise
OFF_EDGE = 3
LEAST_SEEN = 0.02
ROWS, HALO = 1024, 96


def add_specks(phases: Phases, image: Floats) -> Phases:
    """Give small spots of the matrix that have the grey level of the other phase to that phase.

    A spot is darker, or brighter, than half-way from the level of the matrix around it to that of
    the other phase, compact, apart from the other phase, at most ``LARGEST`` wide and clear of the
    noise (contrast times root of area, after A. Rose, J. Opt. Soc. Am. 38 (1948) 196, and contrast
    alone). They are taken if they are many and nearly all that lies beyond half-way: scratches,
    rims of samples and texture leave other things there as well.

    Parameters
    ----------
    phases
        (H, W) uint8, 1 for the matrix, 2 for the other phase; others, or a single one, are left
        as they are.
    image
        (H, W) grey levels in any unit.

    Returns
    -------
    ndarray
        (H, W) uint8.
    """
    if not np.array_equal(np.unique(phases[phases > 0]), (MATRIX, OTHER)):
        return phases
    gap = _gap(phases, image)
    result = phases.copy()
    number, taken, beyond = 0, 0, 0
    for top in range(0, phases.shape[0], ROWS):
        rows = slice(max(0, top - HALO), top + ROWS + HALO)
        spots = _spots(phases[rows], image[rows].astype(np.float32), gap)
        own = (spots.row >= top - rows.start) & (spots.row < top - rows.start + ROWS)
        kept = own & spots.clear
        marked = np.concatenate([[False], kept])[spots.labels]
        result[rows][marked] = OTHER
        number += int(kept.sum())
        taken += int(spots.area[kept].sum())
        beyond += int(spots.area[own].sum())
    return result if number >= FEWEST and taken >= MOST_OF_ALL * beyond else phases


def with_specks(labels: NDArray[np.int32], image: Floats) -> tuple[NDArray[np.int32], int]:
    """Give small spots that have the grey level of the objects the next numbers.

    Parameters
    ----------
    labels
        (H, W) objects 1...n on a ground 0.
    image
        (H, W) grey levels in any unit.

    Returns
    -------
    labels
        (H, W), the objects as they were and then the specks.
    specks
        How many there are.
    """
    phases = np.where(labels > 0, OTHER, MATRIX).astype(np.uint8)
    spots = add_specks(phases, image) > phases
    numbers, count = ndimage.label(spots, np.ones((3, 3)))
    return np.where(spots, numbers + labels.max(initial=0), labels).astype(np.int32), int(count)


@dataclass(frozen=True)
class _Spots:
    """What lies beyond half-way, apart from the other phase: label, middle row, area, clear."""

    labels: NDArray[np.int32]
    row: NDArray[np.float64]
    area: NDArray[np.intp]
    clear: Mask


def _gap(phases: Phases, image: Floats) -> float:
    """Median grey of the other phase less that of the matrix, off edges where possible."""
    levels = []
    for phase in (MATRIX, OTHER):
        inside = phases == phase
        deep = ndimage.binary_erosion(inside, iterations=OFF_EDGE)
        levels.append(float(np.median(image[deep if deep.any() else inside])))
    return levels[1] - levels[0]


def _spots(phases: Phases, image: Floats, gap: float) -> _Spots:
    """Spots of the matrix beyond half-way to the other phase, and which of them are clear."""
    sign = np.float32(np.sign(gap))
    off_edge = ndimage.binary_erosion(phases == MATRIX, iterations=OFF_EDGE)
    level, _, _ = _around(image, off_edge, WIDE)
    smooth = ndimage.gaussian_filter(image, NOISE_SIGMA)
    beyond = (sign * (smooth - level) > abs(gap) / 2) & (phases == MATRIX)
    labels, count = ndimage.label(beyond, np.ones((3, 3)))
    index = np.arange(1, count + 1)
    area = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    touching = ndimage.maximum(ndimage.binary_dilation(phases == OTHER), labels, index) > 0
    free = off_edge & ~ndimage.binary_dilation(beyond, iterations=2)
    level, noise, seen = _around(image, free, NEAR)
    grey, level, noise, seen = (
        np.asarray(ndimage.mean(values, labels, index)) for values in (image, level, noise, seen)
    )
    contrast = sign * (grey - level)
    boxes = ndimage.find_objects(labels)
    box = np.array([(b[0].stop - b[0].start) * (b[1].stop - b[1].start) for b in boxes])
    row = np.array([(b[0].start + b[0].stop - 1) / 2 for b in boxes], dtype=float)
    counted = (area >= LEAST_AREA) & ~np.asarray(touching, dtype=bool)
    clear = counted & (seen > LEAST_SEEN) & (area <= np.pi / 4 * LARGEST**2)
    clear &= (area >= FILLED * box) & (contrast > CONTRAST * noise)
    clear &= contrast * np.sqrt(area) > SIGNAL_TO_NOISE * noise
    return _Spots(labels.astype(np.int32), row, np.where(counted, area, 0), clear)


def _around(image: Floats, where: Mask, window: int) -> tuple[Floats, Floats, Floats]:
    """Mean and standard deviation under a moving window of some pixels, and their share of it."""
    offset = np.float32(image[where].mean() if where.any() else 0.0)
    mean, variance, share = window_moments(image - offset, where.astype(np.float32), window)
    noise = np.sqrt(np.maximum(variance, 1e-12))
    return np.asarray(mean + offset, dtype=np.float32), noise, share
