"""How far label sets agree: size distributions, overlap, and differences of matched objects."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nital.evaluation.contingency import contingency
from nital.evaluation.metrics import aggregated_jaccard, match_objects
from nital.evaluation.statistics import Mean, bootstrap_mean
from nital.metrology.intervals import (
    Interval,
    mean_interval,
    quantile,
    quantile_interval,
    student,
    weighted_mean,
)

__all__ = [
    "Agreement",
    "BlandAltman",
    "ImagePair",
    "SizeSummary",
    "Sizes",
    "bland_altman",
    "compare_image",
    "image_sizes",
    "summarise_sizes",
]

Floats = NDArray[np.float64]
FEWEST_FOR_LIMITS = 3


@dataclass(frozen=True)
class Sizes:
    """Diameters of objects that do not touch the edge, and their edge weights, (n,) each.

    ``count`` is the number of all objects, those at the edge included.
    """

    diameter: Floats
    weight: Floats
    count: int

    def scaled(self, factor: float) -> Sizes:
        """The same objects with diameters ``factor`` times as large."""
        return replace(self, diameter=factor * self.diameter)


def image_sizes(labels: NDArray[np.int32]) -> Sizes:
    """Equivalent circle diameters of one label image in pixels.

    Objects at the edge are left out and the others weighted by the inverse of their chance to
    lie inside, as in ``nital measure``.
    """
    from scipy import ndimage

    areas = np.bincount(labels.ravel())
    areas[0] = 0
    present = np.flatnonzero(areas)
    boxes = ndimage.find_objects(labels)
    height, width = labels.shape
    weights = np.zeros(present.size)
    for position, label in enumerate(present):
        rows, columns = boxes[label - 1]
        if rows.start > 0 and columns.start > 0 and rows.stop < height and columns.stop < width:
            places = (height - (rows.stop - rows.start) - 1) * (
                width - (columns.stop - columns.start) - 1
            )
            weights[position] = height * width / max(places, 1)
    inside = weights > 0
    diameter = np.sqrt(areas[present[inside]] * (4 / np.pi))
    return Sizes(diameter, weights[inside], present.size)


@dataclass(frozen=True)
class SizeSummary:
    """Sizes of one set over all images; each figure is (value, 95 % interval or ``None``)."""

    images: int
    objects: int
    measured: int
    mean: tuple[float, Interval | None] | None
    d10: tuple[float, Interval | None] | None
    d50: tuple[float, Interval | None] | None
    d90: tuple[float, Interval | None] | None


def pooled(sizes: list[Sizes]) -> Sizes:
    """The objects of several images together."""
    return Sizes(
        np.concatenate([s.diameter for s in sizes]) if sizes else np.zeros(0),
        np.concatenate([s.weight for s in sizes]) if sizes else np.zeros(0),
        sum(s.count for s in sizes),
    )


def summarise_sizes(sizes: list[Sizes]) -> SizeSummary:
    """Mean, D10, D50 and D90 by number, pooled over images, with 95 % intervals."""
    together = pooled(sizes)
    values, weights = together.diameter, together.weight
    if values.size == 0:
        return SizeSummary(len(sizes), together.count, 0, None, None, None, None)
    points = [
        (quantile(values, share, weights), quantile_interval(values, share, weights))
        for share in (0.1, 0.5, 0.9)
    ]
    mean = weighted_mean(values, weights), mean_interval(values, weights)
    return SizeSummary(len(sizes), together.count, values.size, mean, *points)


@dataclass(frozen=True)
class ImagePair:
    """Two label images of one micrograph.

    Parameters
    ----------
    aji_plus, f1
        Overlap of the objects, and 2 TP / (2 TP + FP + FN) at IoU 0.5.
    first, second
        (p,) diameters of the pairs that match at IoU 0.5.
    median_difference
        Median diameter of the second less that of the first, relative to their mean; ``nan``
        where one of them has no object.
    """

    aji_plus: float
    f1: float
    first: Floats
    second: Floats
    median_difference: float

    def scaled(self, factor: float) -> ImagePair:
        """The same objects with diameters ``factor`` times as large."""
        return replace(self, first=factor * self.first, second=factor * self.second)


def compare_image(first: NDArray[np.int32], second: NDArray[np.int32]) -> ImagePair:
    """Compare two label images of one micrograph; diameters are in pixels."""
    table = contingency(first, second)
    matching = match_objects(table)
    sizes = [np.sqrt(4 / np.pi * np.bincount(each.ravel())) for each in (first, second)]
    medians = [
        float(np.median(s[1:][s[1:] > 0])) if (s[1:] > 0).any() else float("nan") for s in sizes
    ]
    return ImagePair(
        aggregated_jaccard(table),
        matching.f1,
        sizes[0][matching.truth],
        sizes[1][matching.predicted],
        2 * (medians[1] - medians[0]) / (medians[0] + medians[1]),
    )


@dataclass(frozen=True)
class BlandAltman:
    """Differences of matched pairs, each relative to the mean of its two diameters.

    Parameters
    ----------
    pairs
        Number of pairs.
    bias
        Mean difference, second less first.
    bias_interval
        95 % interval of the bias.
    limits
        Bias -/+ 1.96 standard deviations: 95 % of single differences lie within.
    limits_interval
        95 % interval of the lower and of the upper limit.
    """

    pairs: int
    bias: float
    bias_interval: Interval
    limits: Interval
    limits_interval: tuple[Interval, Interval]


def bland_altman(first: Floats, second: Floats) -> BlandAltman | None:
    """Agreement of two measurements of the same objects; ``None`` below three pairs.

    J. M. Bland and D. G. Altman, Lancet 327 (1986) 307; differences are taken relative to the
    mean, as their scatter grows with the size (Stat. Methods Med. Res. 8 (1999) 135, section 3).
    """
    count = first.size
    if count < FEWEST_FOR_LIMITS:
        return None
    difference = 2 * (second - first) / (first + second)
    bias, deviation = float(difference.mean()), float(difference.std(ddof=1))
    t = student(count - 1)
    half = t * deviation / np.sqrt(count)
    wide = t * deviation * np.sqrt(1 / count + 1.96**2 / (2 * (count - 1)))
    low, high = bias - 1.96 * deviation, bias + 1.96 * deviation
    return BlandAltman(
        count,
        bias,
        (bias - half, bias + half),
        (low, high),
        ((low - wide, low + wide), (high - wide, high + wide)),
    )


@dataclass(frozen=True)
class Agreement:
    """Two sets over the images that both have."""

    first: str
    second: str
    images: tuple[str, ...]
    pairs: tuple[ImagePair, ...]

    @property
    def aji_plus(self) -> Mean:
        """Mean over images."""
        return bootstrap_mean([pair.aji_plus for pair in self.pairs])

    @property
    def f1(self) -> Mean:
        """Mean over images, at IoU 0.5."""
        return bootstrap_mean([pair.f1 for pair in self.pairs])

    @property
    def diameters(self) -> tuple[Floats, Floats]:
        """Diameters of all matched pairs."""
        return (
            np.concatenate([pair.first for pair in self.pairs]),
            np.concatenate([pair.second for pair in self.pairs]),
        )

    @property
    def median_difference(self) -> float:
        """Median over images of the size of the relative difference of median diameters."""
        values = np.abs([pair.median_difference for pair in self.pairs])
        values = values[np.isfinite(values)]
        return float(np.median(values)) if values.size else float("nan")
