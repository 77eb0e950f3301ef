"""Grains divided by boundaries that the image shows but no label has."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import filters

from nital.masks.labels import grains_between
from nital.polycrystals.completion import CompletionOptions, complete_boundaries
from nital.polycrystals.lines import thin_lines

__all__ = ["boundary_evidence", "split_by_completed_boundaries"]

FRAGMENT = 12
"""Pieces of line of fewer pixels are no beginning of a boundary."""

LINE_WIDTHS = (1.5, 3.0)
"""Standard deviations in pixels at which ridges and valleys are looked for."""


def boundary_evidence(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
    """0...1 per pixel, how much it looks like a boundary: a line, dark or bright, or a step.

    The stronger of two ranks among all pixels: of the largest curvature across a line (Sato et
    al., Med. Image Anal. 2 (1998) 143) and of the gradient.
    """
    image = pixels.astype(np.float32)
    curvature = np.zeros(image.shape, dtype=np.float32)
    for dark in (True, False):
        lines = filters.sato(image, sigmas=LINE_WIDTHS, black_ridges=dark, mode="reflect")
        np.maximum(curvature, lines, out=curvature)
    smooth = ndimage.gaussian_filter(image, LINE_WIDTHS[0])
    slope = np.hypot(ndimage.sobel(smooth, 0), ndimage.sobel(smooth, 1))
    return np.maximum(_rank(curvature), _rank(slope) ** 2)


def _rank(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Share of all pixels with a smaller value, on 1 024 steps."""
    limits = np.quantile(values, np.linspace(0, 1, 1025)[1:-1])
    return (np.searchsorted(limits, values) / 1023).astype(np.float32)


def split_by_completed_boundaries(
    labels: NDArray[np.int32],
    pixels: NDArray[np.generic],
    options: CompletionOptions | None = None,
) -> NDArray[np.int32]:
    """Divide grains along boundaries that the image shows in part.

    Line fragments inside grains, as evident as the weaker half of the boundaries that are there,
    are led on to the next boundary (:func:`complete_boundaries`); those that then close off a
    region divide the grain, the others are dropped.

    Parameters
    ----------
    labels
        (H, W) grains, 1...n.
    pixels
        (H, W) micrograph.
    options
        Reach and thresholds of the completion.

    Returns
    -------
    (H, W) grains, 1...m.
    """
    evidence = boundary_evidence(pixels)
    walls = _walls(labels)
    if not walls.any():
        return labels
    near = ndimage.maximum_filter(evidence, 5)
    fragments = thin_lines(evidence >= float(np.median(near[walls])))
    fragments &= ndimage.distance_transform_edt(~walls) > 3
    pieces, _ = ndimage.label(fragments, np.ones((3, 3)))
    long = np.bincount(pieces.ravel()) >= FRAGMENT
    long[0] = False
    lines = walls | long[pieces]
    return grains_between(complete_boundaries(lines, evidence, options))


def _walls(labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Pixels whose lower or right neighbour has another label."""
    walls = np.zeros(labels.shape, dtype=np.bool_)
    walls[:-1] |= labels[1:] != labels[:-1]
    walls[:, :-1] |= labels[:, 1:] != labels[:, :-1]
    return walls
