"""One function from a micrograph to the result of a classical method."""

from __future__ import annotations

from typing import get_args

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.classical import grey
from nital.classical.grains import GRAIN_METHODS
from nital.classical.particles import PARTICLE_METHODS
from nital.classical.phases import PHASE_METHODS
from nital.errors import UsageError
from nital.micrograph import Micrograph
from nital.segmentation import ModelInfo, Segmentation, Target

__all__ = ["CLASSICAL_METHODS", "classical_segment"]

CLASSICAL_METHODS: tuple[str, ...] = tuple(sorted(PHASE_METHODS))
"""``adaptive``, ``canny``, ``otsu``, ``watershed`` (by distance) and ``watershed-gradient``."""

MOST_PHASES = 5
SMALLEST_LAYER = 0.005
"""Share of the image below which a piece of material is no layer of its own."""

LAYER_BLUR = 64
"""Layers are classed after a Gaussian of 1/64 of the short side, which blurs the lattice."""


def classical_segment(
    micrograph: Micrograph, method: str, target: Target, phases: int | None = None
) -> Segmentation:
    """Segment one micrograph without a model.

    Every method starts with a Gaussian of 1.5 px and chooses polarity and thresholds from the
    image; there is nothing to tune.

    Parameters
    ----------
    micrograph
        The image; the data bar is left unassigned.
    method
        One of :data:`CLASSICAL_METHODS`.
    target
        ``"grains"``, ``"phases"``, ``"particles"`` or ``"layers"``. Layers: every pixel belongs
        to one, since grey levels alone do not tell vacuum from a light element.
    phases
        Number of phases or materials, 2 to 5, for phases and layers; 2 when ``None``.

    Raises
    ------
    UsageError
        For an unknown method or target, or a number of phases out of range.
    """
    if method not in CLASSICAL_METHODS:
        raise UsageError(
            f"method {method!r} is not one of {', '.join(CLASSICAL_METHODS)}; choose one of them"
        )
    if target not in get_args(Target):
        raise UsageError(
            f"target {target!r} is not one of {', '.join(get_args(Target))}; choose one of them"
        )
    count = 2 if phases is None else phases
    if not 2 <= count <= MOST_PHASES:
        raise UsageError(f"classical methods tell 2 to {MOST_PHASES} phases apart, not {count}")
    pixels = micrograph.content
    if target == "grains":
        labels = GRAIN_METHODS[method](pixels)
        numbers = np.ones(labels.shape, dtype=np.uint8)
        evidence = _boundary_evidence(pixels, labels)
    elif target == "particles":
        labels = PARTICLE_METHODS[method](pixels)
        numbers = np.where(labels > 0, 2, 1).astype(np.uint8)
        evidence = _margin(pixels, numbers)
    elif target == "phases":
        numbers = by_falling_area(PHASE_METHODS[method](pixels, count))
        labels = _regions(numbers, but=1)
        evidence = _margin(pixels, numbers)
    else:
        labels, numbers = _layers(pixels, method, count)
        evidence = _margin(pixels, numbers)
    return _result(micrograph, labels, numbers, evidence, method, target, phases)


def by_falling_area(classes: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Renumber classes 1, 2 ... by falling area."""
    found, inverse, areas = np.unique(classes, return_inverse=True, return_counts=True)
    rank = np.empty(found.size, dtype=np.uint8)
    rank[np.argsort(-areas, kind="stable")] = np.arange(1, found.size + 1)
    return rank[inverse.reshape(classes.shape)]


def _regions(numbers: NDArray[np.uint8], but: int) -> NDArray[np.int32]:
    """4-connected regions of every phase other than ``but``, 1...n."""
    labels = np.zeros(numbers.shape, dtype=np.int32)
    count = 0
    for number in np.unique(numbers):
        if number != but:
            pieces, more = ndimage.label(numbers == number)
            labels = np.where(pieces > 0, pieces + count, labels)
            count += more
    return labels.astype(np.int32)


def _layers(
    pixels: NDArray[np.generic], method: str, count: int
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Layers and their materials; slivers go to the nearest layer."""
    blurred = ndimage.gaussian_filter(pixels.astype(np.float32), min(pixels.shape) / LAYER_BLUR)
    numbers = by_falling_area(PHASE_METHODS[method](blurred, count))
    pieces = _regions(numbers, but=0)
    areas = np.bincount(pieces.ravel())
    large = areas >= min(SMALLEST_LAYER * pieces.size, areas.max())
    nearest = ndimage.distance_transform_edt(
        ~large[pieces], return_distances=False, return_indices=True
    )
    numbers = by_falling_area(numbers[tuple(nearest)].astype(np.int64))
    return _regions(numbers, but=0), numbers


def _margin(pixels: NDArray[np.generic], numbers: NDArray[np.uint8]) -> NDArray[np.float32]:
    """0...1 per pixel: how much nearer its grey level is to its own phase than to the next.

    With the mean grey levels of the phases m, |v - m_other| - |v - m_own| over their distance.
    """
    image = grey.smoothed(pixels)
    present = np.unique(numbers)
    if present.size < 2:
        return np.zeros(image.shape, dtype=np.float32)
    means = [float(image[numbers == number].mean()) for number in present]
    margin = np.full(image.shape, np.inf, dtype=np.float32)
    for number, mean in zip(present, means, strict=True):
        np.minimum(margin, np.abs(image - mean), out=margin, where=numbers != number)
    for number, mean in zip(present, means, strict=True):
        np.subtract(margin, np.abs(image - mean), out=margin, where=numbers == number)
    margin /= max(float(np.diff(np.sort(means)).min()), 1e-6)
    return np.clip(margin, 0, 1, out=margin)


def _boundary_evidence(
    pixels: NDArray[np.generic], labels: NDArray[np.int32]
) -> NDArray[np.float32]:
    """0...1 on boundary pixels, rank of the gradient there among all pixels; nan elsewhere."""
    slopes = grey.gradient(grey.smoothed(pixels))
    evidence = np.full(labels.shape, np.nan, dtype=np.float32)
    boundary = np.zeros(labels.shape, dtype=np.bool_)
    boundary[:-1] |= labels[1:] != labels[:-1]
    boundary[:, :-1] |= labels[:, 1:] != labels[:, :-1]
    strongest = ndimage.maximum_filter(slopes, 5)
    ordered = np.sort(slopes, axis=None)
    evidence[boundary] = np.searchsorted(ordered, strongest[boundary]) / ordered.size
    return evidence


def _result(
    micrograph: Micrograph,
    labels: NDArray[np.int32],
    numbers: NDArray[np.uint8],
    evidence: NDArray[np.float32],
    method: str,
    target: Target,
    phases: int | None,
) -> Segmentation:
    """Put the content back above the data bar and give every object its mean evidence."""
    known = np.isfinite(evidence)
    pixels = np.bincount(labels[known], minlength=int(labels.max(initial=0)) + 1)
    sums = np.bincount(labels[known], weights=evidence[known], minlength=pixels.size)
    mean = np.rint(255 * sums / np.maximum(pixels, 1)).astype(np.uint8)
    warnings = micrograph.warnings
    if int(labels.max(initial=0)) == 0:
        warnings = (*warnings, f"{method} found nothing in {micrograph.name}")
    return Segmentation(
        micrograph=micrograph,
        labels=micrograph.over_whole(labels).astype(np.int32),
        phases=micrograph.over_whole(numbers).astype(np.uint8),
        confidence=micrograph.over_whole(mean[labels]).astype(np.uint8),
        target=target,
        target_reason="given",
        model=ModelInfo(name=method, sha256=None),
        parameters={"method": method, "phases": phases, "smoothing_px": grey.SMOOTHING},
        warnings=warnings,
    )
