"""Label images: numbers without gaps, regions between lines, grey levels, coarser views."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["consecutive", "grains_between", "label_moments", "pixels_at"]


def consecutive(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Renumber labels 1...n without gaps, keeping 0."""
    present = np.bincount(labels.ravel()) > 0
    present[0] = False
    number = np.cumsum(present, dtype=np.int32)
    number[~present] = 0
    return np.asarray(number[labels], dtype=np.int32)


def grains_between(lines: NDArray[np.bool_], smallest: int = 50) -> NDArray[np.int32]:
    """Grains 1...n without gaps: the 4-connected regions off the lines, grown until they meet.

    Lines that end inside a grain vanish. Regions of fewer than ``smallest`` pixels are slivers
    between strokes and go to their neighbours; one region always remains.
    """
    regions, count = ndimage.label(~lines)
    areas = np.bincount(regions.ravel(), minlength=count + 1)
    kept = areas >= min(smallest, int(areas[1:].max(initial=0)))
    kept[0] = False
    if not kept.any():
        return np.ones(lines.shape, dtype=np.int32)
    seeds = np.where(kept, np.cumsum(kept), 0)[regions]
    nearest = ndimage.distance_transform_edt(
        seeds == 0, return_distances=False, return_indices=True
    )
    return np.asarray(seeds[tuple(nearest)], dtype=np.int32)


def label_moments(
    labels: NDArray[np.integer], values: NDArray[np.floating], count: int
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Number of pixels of each label 0...count, and mean and variance of their values, 0 of none.

    Parameters
    ----------
    labels, values
        Of the same pixels, of any shape.
    count
        The largest label.
    """
    flat, grey = labels.ravel(), values.ravel().astype(np.float64)
    number = np.bincount(flat, minlength=count + 1)
    some = np.maximum(number, 1)
    mean = np.bincount(flat, grey, count + 1) / some
    square = np.bincount(flat, grey**2, count + 1) / some
    return number, mean, np.maximum(square - mean**2, 0)


def pixels_at(
    raster: tuple[int, ...], shape: tuple[int, ...]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of an (H, W) image in the middle of each cell of an (h, w) raster over it.

    Parameters
    ----------
    raster, shape
        (h, w) and (H, W).
    """
    rows, cols = (
        np.minimum(((np.arange(cells) + 0.5) * side / cells).astype(np.intp), side - 1)
        for cells, side in zip(raster, shape, strict=True)
    )
    return rows, cols
