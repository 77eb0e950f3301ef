"""The frozen choice of a method for particles: the compact model, or the classical watershed.

The compact model is taken, but where it has plainly missed the scale: it sees five objects or
fewer, and the watershed sees forty or more that are convex and of clear contrast. Then those are
taken. On 50 validation images of EMPS this happens once, and is right there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nital.classical import classical_segment
from nital.micrograph import Micrograph
from nital.segmentation import Segmentation

__all__ = ["watershed_instead"]

FEW, MANY = 5, 40
SOLID = 0.93  # area-weighted mean of the area over that of the convex hull
CLEAR = 0.7  # share of the grey levels' variance that lies between foreground and background


def watershed_instead(micrograph: Micrograph, labels: NDArray[np.int32]) -> Segmentation | None:
    """The watershed's particles where the model has missed the scale, else ``None``.

    Parameters
    ----------
    micrograph
        What was segmented.
    labels
        (H, W) what the compact model found in its content.
    """
    if np.count_nonzero(np.bincount(labels.ravel())[1:]) > FEW:
        return None
    classical = classical_segment(micrograph, "watershed", "particles", None)
    found = classical.labels[: micrograph.content_rows]
    if int(found.max(initial=0)) < MANY:
        return None
    clear = _contrast(micrograph.content, found > 0) >= CLEAR
    return classical if clear and _solidity(found) >= SOLID else None


def _contrast(pixels: NDArray[np.generic], inside: NDArray[np.bool_]) -> float:
    """Otsu's criterion: variance between foreground and background over that of all, 0...1."""
    grey = pixels.astype(np.float64)
    share = float(inside.mean())
    variance = float(grey.var())
    if variance == 0 or not 0 < share < 1:
        return 0.0
    gap = float(grey[inside].mean() - grey[~inside].mean())
    return share * (1 - share) * gap**2 / variance


def _solidity(labels: NDArray[np.int32]) -> float:
    """Mean solidity of the objects, weighted with their area."""
    from skimage.measure import regionprops_table

    table = regionprops_table(labels, properties=("area", "solidity"))
    return float(np.average(table["solidity"], weights=table["area"]))
