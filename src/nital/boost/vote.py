"""Majority vote of the pixels within a region that boundaries enclose (SAM-I-Am, Algorithm 2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.boost.merging import merge_weak_boundaries

__all__ = ["enclosed_regions", "vote"]


def enclosed_regions(
    boundary: NDArray[np.floating], *, clear: float = 0.3, weak: float = 0.4
) -> NDArray[np.int32]:
    """Regions that the boundary map encloses.

    Parameters
    ----------
    boundary
        (h, w) probability of a boundary.
    clear
        Below this a pixel surely lies inside; its connected regions grow along the map.
    weak
        Neighbours whose common boundary is less probable are joined.

    Returns
    -------
    ndarray
        (h, w) int32 labels from 1, numbers may be missing.
    """
    from skimage.segmentation import watershed

    surface = np.asarray(boundary, dtype=np.float32)
    cores, count = ndimage.label(surface < clear)
    if count == 0:
        return np.ones(surface.shape, dtype=np.int32)
    regions = watershed(surface, cores).astype(np.int32)  # type: ignore[no-untyped-call]
    return merge_weak_boundaries(regions, surface, weak)[0]


def vote(
    probability: NDArray[np.float32], regions: NDArray[np.int32], agreement: float = 0.8
) -> NDArray[np.float32]:
    """Give a region to one phase where its pixels largely agree.

    Parameters
    ----------
    probability
        (P, h, w) probability of each phase.
    regions
        (h, w) int32 labels >= 0.
    agreement
        Mean probability in the region from which the vote is decided; other regions keep their
        pixels' own probabilities, since a gap in a boundary joins what does not belong together.

    Returns
    -------
    ndarray
        (P, h, w) float32.
    """
    flat = regions.ravel()
    sizes = np.maximum(np.bincount(flat), 1)
    means = np.stack([np.bincount(flat, layer.ravel()) / sizes for layer in probability])
    decided = means.max(0) >= agreement
    winner = means.argmax(0)
    result = probability.copy()
    settled = decided[regions]
    chosen = winner[regions]
    for index in range(len(result)):
        result[index][settled] = chosen[settled] == index
    return result
