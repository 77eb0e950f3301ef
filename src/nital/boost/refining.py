"""Edges between materials, drawn finer than the squares by which materials are told apart.

A square of 60 pixels says well what a place is made of and badly where it ends: across an interface
it holds a mixture, which may even look like a third material. Inside the materials their names are
safe, though, and there a small classifier of finer texture learns how each of them looks in this
image; its answer holds within half a square of an edge, between the materials met there.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.boost.windows import window_mean
from nital.masks.labels import pixels_at

__all__ = ["refine_regions"]

Field = NDArray[np.float32]

WINDOW = 5  # positions of the maps, odd; averaged over twice to describe a place
LARGEST_FEATURE = 4.0  # in standard deviations: outliers must not bend a linear fit
RIDGE = 1e-3  # of the mean diagonal of the normal matrix
INNER = 4.0  # power of the depth inside a region with which its places count to the fit
SAMPLES = 8000
NEVER = -10.0  # answers lie in about 0...1


def refine_regions(labels: NDArray[np.integer], maps: Field, reach: float) -> NDArray[np.uint8]:
    """Move the edges between regions to where the fine texture changes.

    Parameters
    ----------
    labels
        (H, W) regions 1...P by coarse evidence; 0 is unknown and goes to a region within reach of
        it, or to any.
    maps
        (C, h, w) texture maps of the image.
    reach
        Pixels of the image that an edge may move.

    Returns
    -------
    ndarray
        (H, W) uint8, 1...P; all 0 where ``labels`` names nothing.
    """
    shape, raster = labels.shape, maps.shape[1:]
    coarse = labels[np.ix_(*pixels_at(raster, shape))]
    present = np.unique(coarse[coarse > 0])
    if len(present) == 0:
        return np.zeros(shape, dtype=np.uint8)
    within = max(1.0, reach * raster[0] / shape[0])
    answers = _answers(maps, coarse, present, _depth(coarse, present, within))
    for answer, region in zip(answers, present, strict=True):
        answer[ndimage.distance_transform_edt(coarse != region) > within] = NEVER
    return np.asarray(present, dtype=np.uint8)[_largest(answers, (shape[0], shape[1]))]


def _depth(coarse: NDArray[np.integer], present: NDArray[np.integer], within: float) -> Field:
    """(h, w) depth inside a region over its deepest, or over ``within`` where that is less."""
    depth = np.zeros(coarse.shape, dtype=np.float32)
    for region in present:
        inside = coarse == region
        padded = np.pad(inside, 1, mode="edge")
        own = ndimage.distance_transform_edt(padded)[1:-1, 1:-1] * inside
        deepest = min(float(own.max()), within)
        depth += np.minimum(own / max(deepest, 1.0), 1.0).astype(np.float32)
    return depth


def _answers(
    maps: Field, coarse: NDArray[np.integer], present: NDArray[np.integer], depth: Field
) -> Field:
    """(P, h, w): how much a place looks like each region, by ridge least squares.

    Features are made one at a time and twice, so that memory stays that of the maps.
    """
    known = np.flatnonzero(coarse.ravel() > 0)
    known = known[:: max(1, len(known) // SAMPLES)]
    region = np.searchsorted(present, coarse.ravel()[known])
    weight = depth.ravel()[known].astype(np.float64) ** INNER
    weight /= np.maximum(np.bincount(region, weight, len(present)), 1e-9)[region]
    samples = np.empty((len(known), 2 * len(maps) + 1))
    samples[:, -1] = 1.0
    levels = np.empty((2 * len(maps), 2), dtype=np.float32)
    for index, feature in enumerate(_features(maps)):
        levels[index] = feature.mean(), max(float(feature.std()), 1e-6)
        samples[:, index] = _standard(feature.ravel()[known], levels[index])
    normal = (samples * weight[:, None]).T @ samples
    normal[np.diag_indices(len(normal))] += RIDGE * np.trace(normal) / len(normal)
    wanted = (samples * weight[:, None]).T @ np.eye(len(present))[region]
    slopes = np.linalg.solve(normal, wanted).astype(np.float32)
    answers = np.tile(slopes[-1][:, None, None], (1, *coarse.shape))
    for index, feature in enumerate(_features(maps)):
        standard = _standard(feature, levels[index])
        for answer, slope in zip(answers, slopes[index], strict=True):
            answer += slope * standard
    return answers


def _features(maps: Field) -> Iterator[Field]:
    """The mean and the standard deviation around each place, of one map after the other."""
    for layer in maps:
        values = np.asarray(layer, dtype=np.float32)
        mean = window_mean(values, WINDOW, "reflect")
        yield mean
        yield np.sqrt(np.maximum(window_mean(values**2, WINDOW, "reflect") - mean**2, 0))


def _standard(feature: Field, level: Field) -> Field:
    standard = (feature - level[0]) / level[1]
    return np.asarray(np.clip(standard, -LARGEST_FEATURE, LARGEST_FEATURE), dtype=np.float32)


def _largest(layers: Field, shape: tuple[int, int]) -> NDArray[np.intp]:
    """(H, W) index of the layer that is largest once enlarged."""
    from PIL import Image

    best = np.zeros(shape, dtype=np.intp)
    highest = np.full(shape, -np.inf, dtype=np.float32)
    for index, layer in enumerate(layers):
        picture = Image.fromarray(np.ascontiguousarray(layer))
        whole = np.array(picture.resize((shape[1], shape[0]), Image.Resampling.BILINEAR))
        higher = whole > highest
        best[higher], highest[higher] = index, whole[higher]
    return best
