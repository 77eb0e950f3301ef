"""Walls between objects: where they run, how an etchant draws them, and clean-up of fragments."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label

from nital.simulate.scene import random_field

__all__ = ["draw_boundaries", "edge_pixels", "junctions", "mean_intercept", "tidy"]

Labels = NDArray[np.int32]
Floats = NDArray[np.float32]


def edge_pixels(labels: Labels) -> tuple[NDArray[np.bool_], Labels]:
    """Pixels with a 4-neighbour of another label, and that label (0 elsewhere)."""
    other = np.zeros_like(labels)
    for axis in (0, 1):
        one = (slice(None, -1), slice(None))[:: 1 if axis == 0 else -1]
        two = (slice(1, None), slice(None))[:: 1 if axis == 0 else -1]
        differs = labels[one] != labels[two]
        other[one] = np.where(differs, labels[two], other[one])
        other[two] = np.where(differs, labels[one], other[two])
    return other != 0, other


def junctions(labels: Labels) -> NDArray[np.intp]:
    """Row and column (n, 2) of the 2x2 windows in which three or more labels meet."""
    corners = np.stack([labels[:-1, :-1], labels[:-1, 1:], labels[1:, :-1], labels[1:, 1:]])
    corners.sort(axis=0)
    return np.argwhere((np.diff(corners, axis=0) != 0).sum(axis=0) >= 2)


def mean_intercept(labels: Labels) -> float:
    """Mean length of the test lines along rows and columns between two walls, in pixels."""
    walls = int((labels[1:] != labels[:-1]).sum() + (labels[:, 1:] != labels[:, :-1]).sum())
    return 2 * labels.size / max(walls, sum(labels.shape))


def _connected(labels: Labels) -> Labels:
    """Number the 4-connected regions of equal label 1...n."""
    parts = label(labels, connectivity=1, background=-(2**31))
    return np.asarray(parts, dtype=np.int32)


def tidy(labels: Labels, smallest: float) -> Labels:
    """Connected regions numbered 1...n; those below ``smallest`` pixels join a neighbour."""
    parts = _connected(labels)
    sizes = np.bincount(parts.ravel())
    small = sizes < smallest
    small[0] = False
    if small.any() and not small[1:].all():
        holes = small[parts]
        row, column = ndimage.distance_transform_edt(
            holes, return_distances=False, return_indices=True
        )
        parts = _connected(parts[row, column])
    return parts


def _per_pair(
    rng: np.random.Generator, labels: Labels, other: Labels, draw: tuple[float, float]
) -> Floats:
    """One uniform random number for each pair of neighbours, put on their common wall."""
    table = rng.uniform(*draw, 4093).astype(np.float32)
    low = np.minimum(labels, other).astype(np.int64)
    high = np.maximum(labels, other).astype(np.int64)
    return np.asarray(table[(low * 7919 + high * 104729) % len(table)])


def draw_boundaries(
    rng: np.random.Generator,
    labels: Labels,
    *,
    width: float,
    spread: float = 0.3,
    strength: tuple[float, float] = (0.8, 1.0),
    gaps: float = 0.0,
    ragged: float = 0.0,
    pockets: float = 0.0,
    faint: Floats | None = None,
) -> Floats:
    """Draw the walls of a label image as lines, (H, W) in 0...1.

    Parameters
    ----------
    width
        Mean width in pixels.
    spread
        How much widths differ from wall to wall, relative.
    strength
        Weakest and strongest wall.
    gaps
        Share of the wall length that is not etched, 0...1.
    ragged
        How uneven the rims of the lines are, relative to the width.
    pockets
        How much wider a line is where three grains meet, relative to the width.
    faint
        (n + 1,) number below 1 for objects whose walls are drawn with less strength; of the two
        sides of a wall the fainter counts.
    """
    edge, other = edge_pixels(labels)
    if not edge.any():
        return np.zeros(labels.shape, dtype=np.float32)
    distance, (row, column) = ndimage.distance_transform_edt(~edge, return_indices=True)
    seam = (labels[edge], other[edge])
    value = np.zeros(labels.shape, dtype=np.float32)
    value[edge] = _per_pair(rng, *seam, strength)
    if faint is not None:
        value[edge] *= np.minimum(faint[seam[0]], faint[seam[1]])
    wide = np.zeros(labels.shape, dtype=np.float32)
    wide[edge] = _per_pair(rng, *seam, (max(0.0, 1 - spread), 1 + spread))
    value, wide = value[row, column], wide[row, column]
    if gaps > 0:
        long = float(np.clip(mean_intercept(labels) * rng.uniform(0.15, 0.5), 2, 60))
        field = random_field(rng, labels.shape, long)
        cut = float(np.quantile(field[edge], gaps))
        value *= np.clip((field - cut) * 4 + 0.5, 0, 1)
    if pockets > 0:
        corners = np.zeros(labels.shape, dtype=np.float32)
        corners[tuple(junctions(labels).T)] = 1
        sigma = max(1.0, 0.7 * width)
        corners = ndimage.gaussian_filter(corners, sigma) * np.float32(2 * np.pi * sigma**2)
        wide = wide + np.float32(pockets) * np.minimum(corners, 1.5)
    half = np.maximum(wide, 0) * np.float32(width / 2)
    if ragged > 0:
        rough = random_field(rng, labels.shape, max(0.8, 0.12 * width))
        wave = random_field(rng, labels.shape, max(2.0, width))
        flecks = np.maximum(rough, 0) ** 2 * np.float32(0.35) + np.minimum(rough, 0) * 0.5
        half += np.float32(ragged * width / 2) * (flecks + np.float32(0.5) * wave)
        value *= np.clip(1 - np.float32(ragged) * (0.3 + 0.4 * np.roll(rough, 7, axis=1)), 0.3, 1)
    return np.asarray(value * np.clip(half - distance, 0, 1), dtype=np.float32)
