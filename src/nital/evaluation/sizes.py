"""Errors of the numbers that users report: grain size, diameters, counts."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nital.evaluation.boundaries import regions_between_lines

__all__ = ["diameter_errors", "grain_size_errors", "mean_grain_area", "mean_intercept"]


def diameter_errors(truth: NDArray[np.integer], predicted: NDArray[np.integer]) -> dict[str, float]:
    """Relative errors of object count and of equivalent circle diameters (mean, D10, D50, D90).

    (predicted - true) / true; number-weighted percentiles over all objects, edge ones included in
    both. Empty where the truth has no object; without predicted objects only the count is given.
    """
    true_sizes, found_sizes = _diameters(truth), _diameters(predicted)
    if true_sizes.size == 0:
        return {}
    errors = {"count_error": found_sizes.size / true_sizes.size - 1}
    if found_sizes.size == 0:
        return errors
    errors["ecd_mean_error"] = float(found_sizes.mean() / true_sizes.mean() - 1)
    for share in (10, 50, 90):
        pair = [float(np.percentile(sizes, share)) for sizes in (found_sizes, true_sizes)]
        errors[f"ecd_d{share}_error"] = pair[0] / pair[1] - 1
    return errors


def _diameters(labels: NDArray[np.integer]) -> NDArray[np.float64]:
    areas = np.bincount(labels.ravel())[1:]
    return np.asarray(np.sqrt(4 / math.pi * areas[areas > 0]))


def grain_size_errors(
    drawn: NDArray[np.bool_], labels: NDArray[np.integer], smallest_area: int = 0
) -> dict[str, float]:
    """Relative errors of mean grain area and intercept, and the difference in ASTM grain size.

    The pixel size cancels: G = -3.3219 log10(area) - 2.954 (ASTM E112, eq. A1.4), so the
    difference in G is log2 of the ratio of the areas. Empty where either has no grain.
    """
    truth = regions_between_lines(drawn, smallest_area)
    true_area, found_area = mean_grain_area(truth), mean_grain_area(labels)
    if not (math.isfinite(true_area) and math.isfinite(found_area)):
        return {}
    filled = nearest_grain(truth)
    return {
        "grain_area_error": found_area / true_area - 1,
        "astm_g_error": math.log2(true_area / found_area),
        "intercept_error": mean_intercept(labels) / mean_intercept(filled) - 1,
    }


def mean_grain_area(labels: NDArray[np.integer]) -> float:
    """Image area in pixels per grain, grains cut by the edge counting half and corners a quarter.

    Saltykov's rectangle (ASTM E112, section 11), boundaries having no width. ``nan`` without one.
    """
    inside = np.unique(labels)
    inside = inside[inside > 0]
    edges = [labels[0], labels[-1], labels[:, 0], labels[:, -1]]
    cut = np.unique(np.concatenate(edges))
    corners = labels[[0, 0, -1, -1], [0, -1, 0, -1]]
    corner_grains = np.unique(corners[corners > 0])
    cut = np.setdiff1d(cut[cut > 0], corner_grains)
    whole = inside.size - cut.size - corner_grains.size
    count = whole + 0.5 * cut.size + 0.25 * int((corners > 0).sum())
    return float(labels.size / count) if count else float("nan")


def mean_intercept(labels: NDArray[np.integer]) -> float:
    """Mean length in pixels between boundaries along every row and column of a label image."""
    crossings = int((labels[1:] != labels[:-1]).sum() + (labels[:, 1:] != labels[:, :-1]).sum())
    rows, columns = labels.shape
    lines = rows + columns
    return float(2 * labels.size / (crossings + lines))


def nearest_grain(labels: NDArray[np.integer]) -> NDArray[np.integer]:
    """Fill label 0 with the nearest label, so that drawn lines lose their width."""
    from scipy import ndimage

    if not (labels > 0).any():
        return labels
    nearest = ndimage.distance_transform_edt(
        labels == 0, return_distances=False, return_indices=True
    )
    return np.asarray(labels[tuple(nearest)])
