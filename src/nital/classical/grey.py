"""Smoothing, thresholds, edges and polarity: what all the classical segmenters share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import feature, filters, morphology

__all__ = [
    "SMOOTHING",
    "drop_small",
    "edge_lines",
    "gradient",
    "is_thin",
    "levelled",
    "multi_otsu",
    "smoothed",
    "window",
]

SMOOTHING = 1.5
"""Standard deviation in pixels of the Gaussian that precedes every method."""

HISTOGRAM_BINS = 256


def smoothed(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
    """(H, W) grey levels as float32 after a Gaussian of 1.5 px."""
    return np.asarray(ndimage.gaussian_filter(pixels.astype(np.float32), SMOOTHING))


def window(shape: tuple[int, ...]) -> int:
    """Odd side in pixels of the neighbourhood of local methods: an eighth of the short side."""
    return max(31, min(shape) // 8) | 1


def levelled(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Grey levels minus the Gaussian mean of their neighbourhood, as adaptive threshold sees it."""
    return np.asarray(image - ndimage.gaussian_filter(image, (window(image.shape) - 1) / 6))


def multi_otsu(image: NDArray[np.float32], classes: int) -> NDArray[np.float64]:
    """Rising thresholds that split grey levels into at most ``classes`` classes.

    Otsu, IEEE Trans. SMC 9 (1979) 62; Liao et al., J. Inf. Sci. Eng. 17 (2001) 713 for several
    thresholds. Fewer come back where the image has too few grey levels.
    """
    low, high = float(image.min()), float(image.max())
    if not high > low:
        return np.zeros(0)
    bins = HISTOGRAM_BINS if classes < 4 else 64
    scaled = np.minimum((image - low) * (bins / (high - low)), bins - 1).astype(np.int64)
    counts = np.bincount(scaled.ravel(), minlength=bins)
    classes = min(classes, int((counts > 0).sum()))
    if classes < 2:
        return np.zeros(0)
    positions = (
        [filters.threshold_otsu(hist=(counts, np.arange(bins)))]
        if classes == 2
        else filters.threshold_multiotsu(classes=classes, hist=(counts, np.arange(bins)))
    )
    return np.asarray([low + (p + 1) * (high - low) / bins for p in positions], dtype=np.float64)


def gradient(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Magnitude of the Sobel gradient."""
    return np.asarray(np.hypot(ndimage.sobel(image, 0), ndimage.sobel(image, 1)) / 4)


def edge_lines(pixels: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Canny edges (Gaussian of 1.5 px), closed over 6 px gaps and thinned to one pixel.

    The image is extended outwards, so that edges run on to its rim and close the regions there.

    The high threshold is Otsu's on the gradient magnitude, the low one half of it: no number to
    tune (Canny, IEEE TPAMI 8 (1986) 679; Fang et al., IITA 2009, for the thresholds).
    """
    margin = 8
    image = np.pad(smoothed(pixels), margin, mode="edge")
    slopes = gradient(image)
    limits = multi_otsu(slopes, 2)
    if limits.size == 0:
        return np.zeros(pixels.shape, dtype=np.bool_)
    high = float(limits[0])
    edges = feature.canny(image, sigma=0, low_threshold=2 * high, high_threshold=4 * high)
    closed = morphology.closing(edges, morphology.disk(3))
    thin = morphology.skeletonize(closed)
    return np.asarray(thin[margin:-margin, margin:-margin], dtype=np.bool_)


def is_thin(mask: NDArray[np.bool_]) -> bool:
    """Whether a mask, and not its complement, is the one made of lines.

    The set whose pixels lie nearer to its edge on average is the thin one. This settles the
    polarity of grain boundaries, dark or bright.
    """
    if mask.all() or not mask.any():
        return bool(not mask.any())
    inside = float(ndimage.distance_transform_edt(mask)[mask].mean())
    outside = float(ndimage.distance_transform_edt(~mask)[~mask].mean())
    return inside < outside


def drop_small(mask: NDArray[np.bool_], smallest: int) -> NDArray[np.bool_]:
    """Remove 8-connected pieces of fewer than ``smallest`` pixels."""
    pieces, _ = ndimage.label(mask, structure=np.ones((3, 3)))
    kept = np.bincount(pieces.ravel()) >= smallest
    kept[0] = False
    return np.asarray(kept[pieces])
