"""Grain boundaries as lines: taken from masks, closed, thinned, and turned back into grains."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import morphology

from nital.errors import InputError

__all__ = ["boundaries_from_masks", "close_gaps", "thin_lines"]

GAP = 6
"""Widest gap in pixels that is closed without asking what the image shows there."""


def boundaries_from_masks(
    masks: Iterable[NDArray[np.bool_]], shape: tuple[int, int], gap: int = GAP
) -> NDArray[np.bool_]:
    """Grain boundaries of masks that may overlap, leave gaps between them or miss grains.

    A boundary is where one mask ends: its outermost pixels, and the narrow ground between masks
    that none covers. Wide ground that none covers is no boundary but a grain that was missed.

    Parameters
    ----------
    masks
        (H, W) each, in any order; empty ones are passed over.
    shape
        (H, W).
    gap
        Ground between masks up to this width in pixels is boundary; lines this near to each other
        become one.

    Returns
    -------
    (H, W) true on closed lines one pixel wide.

    Raises
    ------
    InputError
        When a mask is of another size.
    """
    lines = np.zeros(shape, dtype=np.bool_)
    covered = np.zeros(shape, dtype=np.bool_)
    for mask in masks:
        if mask.shape != shape:
            raise InputError(f"a mask of {mask.shape} does not fit an image of {shape}")
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if rows.size == 0:
            continue
        top, left = max(0, rows[0] - 1), max(0, columns[0] - 1)
        box = np.s_[top : rows[-1] + 2, left : columns[-1] + 2]
        lines[box] |= mask[box] & ~ndimage.binary_erosion(mask[box], border_value=1)
        covered |= mask
    ground = ~covered
    depth = ndimage.distance_transform_edt(np.pad(ground, 1, mode="edge"))[1:-1, 1:-1]
    deep = depth > gap / 2 + 0.5
    if deep.any():
        ground &= ndimage.distance_transform_edt(~deep) > gap / 2 + 0.5
    return close_gaps(lines | ground, gap)


def close_gaps(lines: NDArray[np.bool_], gap: int = GAP) -> NDArray[np.bool_]:
    """Close gaps of up to ``gap`` pixels, join lines that run side by side, thin to one pixel.

    The skeleton of the lines widened by half the gap: closing with a disc would not do, since it
    never joins the tips of two thin lines. Lines run on to the edge of the image.
    """
    if gap < 1 or not lines.any():
        return thin_lines(lines)
    return thin_lines(np.asarray(ndimage.distance_transform_edt(~lines) <= (gap + 1) / 2))


def thin_lines(lines: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Skeleton one pixel wide, running on to the edge of the image."""
    if not lines.any():
        return np.zeros(lines.shape, dtype=np.bool_)
    margin = math.ceil(float(ndimage.distance_transform_edt(lines).max())) + 2
    extended = np.pad(lines, margin, mode="edge")
    thin = morphology.skeletonize(extended)
    return np.asarray(thin[margin:-margin, margin:-margin], dtype=np.bool_)
