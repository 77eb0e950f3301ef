"""Phases: area and point fraction, surface, chords, free path, connectivity."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nital.metrology.blocks import divide
from nital.metrology.boundaries import measure_boundaries
from nital.metrology.correlation import (
    Correlation,
    bootstrap_interval,
    correlate,
)
from nital.metrology.counts import FRAMED
from nital.metrology.field import Field
from nital.metrology.intervals import (
    Interval,
    binomial_interval,
    logit_interval,
)
from nital.metrology.quantity import Finding
from nital.metrology.scatter import ratio_interval

__all__ = ["Cover", "find_covers", "fraction_findings", "phase_findings"]

E1245, E562 = "ASTM E1245", "ASTM E562"
MATRIX = 1
_MOST_POINTS_PER_SIDE = 64
_BLOCK_OF_LENGTHS = 1.5


@dataclass(frozen=True)
class Cover:
    """A part of the field: a phase, or all objects.

    Parameters
    ----------
    mask
        (H, W)
    correlation
        Of the mask.
    objects
        Number of objects in it.
    phase
        ``None`` for all objects.
    """

    mask: NDArray[np.bool_]
    correlation: Correlation
    objects: int
    phase: int | None

    @property
    def length(self) -> float:
        """Correlation length in pixels; 0 where the mask is all set or all unset."""
        return self.correlation.length


def find_covers(field: Field, phase: NDArray[np.int64]) -> tuple[Cover, ...]:
    """All objects together, then each phase of the field; ``phase`` is that of each object."""
    labelled = field.labels > 0
    pixels = np.bincount(field.phases.ravel())
    covers = [Cover(labelled, correlate(labelled), field.count, None)]
    for value in np.flatnonzero(pixels[1:]) + 1:
        mask = field.phases == value
        objects = int((phase == value).sum())
        covers.append(Cover(mask, correlate(mask), objects, int(value)))
    return tuple(covers)


def fraction_findings(covers: Sequence[Cover], framed: bool = False) -> Iterator[Finding]:
    """Fraction of the measured area that objects, and each phase, take up.

    Pixels next to each other tell the same, so blocks of twice the correlation length are drawn,
    and not pixels. A field with room for fewer than four of them counts as one independent point
    for each square of the correlation length; the interval is then Student's t for so many
    points, on the logit scale.

    Parameters
    ----------
    covers
        The parts of the field.
    framed
        Whether the frame decides how much of the field each takes up, as with the layers of a
        stack: the field is then no sample of anything, and there are no intervals.
    """
    for cover in covers:
        fraction = float(cover.mask.mean())
        interval, how = (None, FRAMED) if framed else _area_interval(cover, fraction)
        of_all = cover.phase is None
        what = "area of all objects, edge included," if of_all else "area of the phase"
        yield Finding(
            "coverage" if of_all else "phase_fraction",
            fraction,
            0,
            interval,
            cover.objects,
            f"{what} over measured area; {how}",
            None if of_all else E1245,
            phase=cover.phase,
        )


def _area_interval(cover: Cover, fraction: float) -> tuple[Interval | None, str]:
    if fraction >= 1.0:
        return (1.0, 1.0), "the whole field"
    if fraction <= 0.0:
        return None, "nothing found, so no 95 % interval"
    drawn = bootstrap_interval(cover.correlation)
    if drawn is not None:
        return drawn[0], (
            f"95 %: bootstrap of blocks of {drawn[1]} px, twice the correlation length of "
            f"{cover.length:.3g} px, on the logit scale"
        )
    points = cover.correlation.points
    interval = logit_interval(fraction, points)
    if interval is None:
        return None, "the structure is as coarse as the field, so no 95 % interval"
    return interval, (
        f"95 %: logit t interval for {points:.3g} independent points, one per square of the "
        f"correlation length of {cover.length:.3g} px"
    )


def phase_findings(covers: Sequence[Cover]) -> Iterator[Finding]:
    """What is known of each phase besides its area fraction."""
    for cover in covers:
        if cover.phase is None:
            continue
        yield _point_fraction(cover)
        if cover.length > 0.0:
            yield _correlation(cover)
            yield from _by_boundary(cover)
            yield _connectivity(cover)


def _point_fraction(cover: Cover) -> Finding:
    """Count the points of a grid no finer than the correlation length (ASTM E562)."""
    mask, length = cover.mask, max(cover.length, 1.0)
    rows, cols = (
        ((np.arange(number) + 0.5) * side / number).astype(np.int64)
        for side, number in (
            (side, min(max(int(side / length), 1), _MOST_POINTS_PER_SIDE)) for side in mask.shape
        )
    )
    points, hits = len(rows) * len(cols), int(mask[np.ix_(rows, cols)].sum())
    return Finding(
        "phase_fraction_points",
        hits / points,
        0,
        binomial_interval(hits, points),
        points,
        f"points of a grid of {len(rows)} x {len(cols)} that lie in the phase; they sit in the "
        "middle of pixels, so none is on a boundary; 95 %: exact binomial interval",
        E562,
        phase=cover.phase,
    )


def _correlation(cover: Cover) -> Finding:
    """Correlation length, known as well as the spectrum that it is the root of."""
    interval = cover.correlation.length_interval()
    basis = (
        f"95 %: chi-squared limits of its square, with {cover.correlation.freedom:.3g} degrees of "
        f"freedom: circles of {cover.correlation.reach:.3g} px, up to which it is correlated, that "
        "the field is worth"
        if interval
        else "the field is too small for a 95 % interval"
    )
    return Finding(
        "phase_correlation_length",
        cover.length,
        1,
        interval,
        cover.objects,
        "root of the integral range: a square of this side is worth one independent point; "
        + basis,
        phase=cover.phase,
    )


def _by_boundary(cover: Cover) -> Iterator[Finding]:
    """Surface, mean chord and free path, from boundary length and area in blocks."""
    blocks = divide(cover.mask.shape, _BLOCK_OF_LENGTHS * cover.length)
    outline = measure_boundaries(cover.mask.view(np.uint8), 1, blocks).block_length
    if outline.sum() == 0:
        return
    inside, whole = blocks.sum(cover.mask), blocks.area
    grid = f"{blocks.shape[0]} x {blocks.shape[1]} image blocks"

    def finding(
        name: str, dimension: int, factor: float, ratio: tuple[NDArray[np.float64], ...], text: str
    ) -> Finding:
        upper, lower = ratio
        interval = ratio_interval(upper, lower, blocks.shape)
        basis = f"95 %: log-normal t interval over {grid}" if interval else "no 95 % interval"
        return Finding(
            name,
            factor * float(upper.sum() / lower.sum()),
            dimension,
            None if interval is None else (factor * interval[0], factor * interval[1]),
            cover.objects,
            f"{text}; {basis}",
            E1245 if name == "mean_free_path" else None,
            phase=cover.phase,
        )

    yield finding(
        "surface_per_volume",
        -1,
        4.0 / math.pi,
        (outline, whole),
        "4 / pi times the length of the boundaries of the phase per area, Cauchy-Crofton in 8 "
        "directions",
    )
    yield finding(
        "lineal_intercept_mean",
        1,
        math.pi,
        (inside, outline),
        "mean chord of the phase: pi times its area over the length of its boundaries",
    )
    if cover.phase != MATRIX:
        yield finding(
            "mean_free_path",
            1,
            math.pi,
            (whole - inside, outline),
            "mean chord between regions of the phase: pi times the area outside it over the "
            "length of its boundaries",
        )


def _connectivity(cover: Cover) -> Finding:
    from scipy import ndimage

    regions, number = ndimage.label(cover.mask)
    areas = np.bincount(regions.ravel(), minlength=number + 1)[1:]
    return Finding(
        "phase_connectivity",
        float(areas.max() / areas.sum()),
        0,
        None,
        cover.objects,
        f"area of the largest of {number} connected regions over the area of the phase, pixels "
        "being joined by their sides; a fact of this field, whose size bounds it: no interval",
        phase=cover.phase,
    )
