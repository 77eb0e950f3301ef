"""Regions of a phase that the rest of the phase disowns.

Speckle of a mount, dirt and noise are given to a phase here and there, with little confidence where
the phase itself is recognised with much. How much is usual differs from image to image, so a region
is judged against the regions of its own phase in its own image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["reassign_doubtful_regions"]

OUTLYING = 5.0  # robust standard deviations below the usual confidence
TO_SIGMA = 1.4826  # a normal distribution's standard deviation over its median absolute deviation
LEAST_SPREAD = 0.01


def reassign_doubtful_regions(probability: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Name the phase of every pixel, outlying regions going to their second choice.

    For each phase but the largest, the mean probability of its 4-connected regions is compared
    with the area-weighted median over all of them; a region five robust standard deviations below
    is given to the phase that is next probable there.

    Parameters
    ----------
    probability
        (P, H, W), summing to 1 over the phases.

    Returns
    -------
    ndarray
        (H, W) uint8, 0...P-1.
    """
    named: NDArray[np.uint8] = probability.argmax(0).astype(np.uint8)
    areas = np.bincount(named.ravel(), minlength=len(probability))
    result: NDArray[np.uint8] = named.copy()
    for phase in np.flatnonzero(areas):
        if phase == areas.argmax():
            continue
        regions, count = ndimage.label(named == phase)
        if count < 3:
            continue
        index = np.arange(1, count + 1)
        size = np.bincount(regions.ravel())[1:].astype(float)
        trust = np.asarray(ndimage.mean(probability[phase], regions, index))
        usual = _weighted_median(trust, size)
        spread = TO_SIGMA * _weighted_median(np.abs(trust - usual), size)
        lost = trust < usual - OUTLYING * max(spread, LEAST_SPREAD)
        if not lost.any():
            continue
        means = np.stack([ndimage.mean(layer, regions, index) for layer in probability])
        means[phase] = -1
        second = np.concatenate([[0], means.argmax(0)]).astype(np.uint8)
        gone = np.concatenate([[False], lost])[regions]
        result[gone] = second[regions[gone]]
    return result


def _weighted_median(values: NDArray[np.floating], weights: NDArray[np.floating]) -> float:
    order = np.argsort(values)
    share = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(share, 0.5 * share[-1])])
