"""What is inside the layers of a cross-section: columns, walls, pores, cracks, diffusion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.simulate.layer_stack import Frame, self_affine
from nital.simulate.scene import random_field

__all__ = [
    "add_columns",
    "add_cracks",
    "add_delaminations",
    "add_domain_walls",
    "add_pores",
    "diffusion",
    "polishing_relief",
]

Field = NDArray[np.float32]
_OPEN_CRACK = 2.5  # pixels; narrower cracks are lines


def polishing_relief(rng: np.random.Generator, layer: NDArray[np.int32], count: int) -> Field:
    """Polishing relief: every layer at its own height, or all flat."""
    if rng.random() < 0.5:
        return np.zeros(layer.shape, dtype=np.float32)
    steps = rng.uniform(0.3, 1.0, count + 1).astype(np.float32)
    steps[0] = 0
    height = steps[layer]
    if rng.random() < 0.5:
        height += 0.05 * random_field(rng, layer.shape, float(np.exp(rng.uniform(0, 2.5))))
    return np.asarray(ndimage.gaussian_filter(height, rng.uniform(0.5, 2.5)).clip(0, 1))


def _some_layer(rng: np.random.Generator, layer: NDArray[np.int32]) -> NDArray[np.bool_]:
    present = np.flatnonzero(np.bincount(layer.ravel())[1:]) + 1
    return np.asarray(layer == (rng.choice(present) if present.size else -1))


def _wander(rng: np.random.Generator, frame: Frame, amount: float) -> Field:
    """Sideways displacement as a function of depth."""
    size = int(np.ptp(frame.depth)) + 2
    shortest = min(4.0 + 2.0 * amount, 0.3 * size)
    line = amount * self_affine(rng, size, float(rng.uniform(shortest, 0.5 * size)))
    line = ndimage.gaussian_filter1d(line, rng.choice([0.5, 2.0]))
    at = np.asarray(frame.depth - frame.depth.min(), dtype=np.intp)
    return np.asarray(line.astype(np.float32)[at])


def add_columns(
    rng: np.random.Generator,
    frame: Frame,
    layer: NDArray[np.int32],
    lines: Field,
    height: Field,
) -> None:
    """Columnar growth in one layer: boundaries across the film, each column at its own height."""
    if rng.random() > 0.2:
        return
    width = float(np.exp(rng.uniform(np.log(4.0), np.log(40.0))))
    here = _some_layer(rng, layer)
    walls = np.cumsum(width * rng.uniform(0.4, 1.6, int(2.5 * frame.length / width) + 8))
    fan = 1 + rng.choice([0.0, 0.3]) * frame.depth / max(1.0, float(np.ptp(frame.depth)))
    wavy = 0.15 * width * random_field(rng, layer.shape, max(1.0, 0.6 * width))
    along = frame.along * fan + wavy + _wander(rng, frame, 0.2 * width)
    column = np.searchsorted(walls, along - along.min())
    strength = rng.uniform(0.2, 1.0)
    for axis in (0, 1):
        edge = np.diff(column, axis=axis, prepend=column[:1] if axis == 0 else column[:, :1]) != 0
        lines[edge & here] = strength
    if rng.random() < 0.5:
        offset = rng.uniform(0, 0.3, len(walls) + 1).astype(np.float32)[column]
        height[here] = np.clip(height[here] + offset[here], 0, 1)


def add_domain_walls(
    rng: np.random.Generator, frame: Frame, layer: NDArray[np.int32], lines: Field
) -> None:
    """Antiphase boundaries, stacking faults and threading defects: lines in one layer."""
    if rng.random() > 0.18:
        return
    here = _some_layer(rng, layer)
    for _ in range(int(rng.integers(1, 6))):
        slope = rng.choice([0.0, 0.0, rng.uniform(-1.2, 1.2)])
        path = frame.along - slope * frame.depth + _wander(rng, frame, rng.uniform(0, 6))
        width = float(np.exp(rng.uniform(np.log(0.7), np.log(6.0))))
        profile = np.exp(-(((path - rng.uniform(0, frame.length)) / width) ** 2))
        np.maximum(lines, rng.uniform(0.3, 1.0) * profile * here, out=lines)


def add_pores(
    rng: np.random.Generator,
    frame: Frame,
    layer: NDArray[np.int32],
    holes: NDArray[np.bool_],
    height: Field,
) -> None:
    """Pores in one or two layers; the smallest are pits of the relief, not holes."""
    if rng.random() > 0.3:
        return
    for _ in range(int(rng.integers(1, 3))):
        here = _some_layer(rng, layer)
        size = float(np.exp(rng.uniform(np.log(1.0), np.log(0.03 * frame.extent + 2))))
        squeeze = rng.choice([1.0, 1.0, 2.5])
        flat = abs(np.cos(frame.angle)) > 0.7
        field = random_field(
            rng, layer.shape, (size, size * squeeze) if flat else (size * squeeze, size)
        )
        pore = here & (field > rng.uniform(1.2, 2.6))
        if size < 2:
            height[pore] = np.minimum(height[pore], 0.1)
        else:
            holes |= pore


def add_cracks(
    rng: np.random.Generator,
    frame: Frame,
    layer: NDArray[np.int32],
    lines: Field,
    holes: NDArray[np.bool_],
) -> None:
    """Cracks from the surface down."""
    if rng.random() > 0.15:
        return
    solid = layer > 0
    for _ in range(int(rng.integers(1, 5))):
        path = frame.along + _wander(rng, frame, rng.uniform(1, 0.04 * frame.extent + 1))
        width = float(np.exp(rng.uniform(np.log(0.8), np.log(6.0))))
        reach = (frame.depth.min() + rng.uniform(0.2, 1.0) * np.ptp(frame.depth)) - frame.depth
        half = 0.5 * width * np.sqrt(np.clip(reach / 30, 0, 1))
        crack = solid & (np.abs(path - rng.uniform(0, frame.length)) < half)
        if width > _OPEN_CRACK:
            holes |= crack
        else:
            lines[crack] = 1


def add_delaminations(
    rng: np.random.Generator,
    frame: Frame,
    depth: Field,
    levels: NDArray[np.float64],
    lines: Field,
    holes: NDArray[np.bool_],
) -> None:
    """Gaps along an interface."""
    if rng.random() > 0.1 or not len(levels):
        return
    level = levels[rng.integers(0, len(levels))]
    width = float(np.exp(rng.uniform(np.log(1.0), np.log(0.02 * frame.extent + 3))))
    gape = np.clip(self_affine(rng, frame.length) + rng.uniform(-1, 1), 0, 1) * width / 2
    index = frame.index.clip(0, frame.length - 1)
    gap = np.abs(depth - level.astype(np.float32)[index]) < gape.astype(np.float32)[index]
    if width > _OPEN_CRACK:
        holes |= gap
    else:
        lines[gap] = 1


def diffusion(
    rng: np.random.Generator, frame: Frame, depth: Field, levels: NDArray[np.float64]
) -> Field | None:
    """Local blur where an interface is interdiffused."""
    if rng.random() > 0.12 or not len(levels):
        return None
    level = levels[rng.integers(0, len(levels))].astype(np.float32)
    width = float(np.exp(rng.uniform(np.log(1.0), np.log(5.0))))
    away = (depth - level[frame.index.clip(0, frame.length - 1)]) / (2.5 * width)
    return np.asarray(width * np.exp(-(away**2)), dtype=np.float32)
