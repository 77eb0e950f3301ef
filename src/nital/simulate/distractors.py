"""What shows on a specimen but bounds nothing: cracks, deep scratches, etch pits, surroundings.

Every function returns (H, W) float32 grey to add, in units of the contrast of the structure; the
truth does not change. They go into ``Scene.shade``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.simulate.scene import random_field

__all__ = ["cracks", "deep_scratches", "etch_pits", "speckle"]

Grey = NDArray[np.float32]


def cracks(rng: np.random.Generator, shape: tuple[int, int]) -> Grey:
    """Dark winding lines, some with a bright fringe; parts of the zero level of a smooth field."""
    field = random_field(rng, shape, float(rng.uniform(0.1, 0.35)) * max(shape))
    field += np.float32(0.03) * random_field(rng, shape, float(rng.uniform(2, 8)))
    slope = np.hypot(*np.gradient(field))
    distance = np.abs(field) / np.maximum(slope, 1e-3)
    half = float(rng.uniform(0.6, 2.5))
    line = np.clip(half + 0.5 - distance, 0, 1)
    part = random_field(rng, shape, 0.15 * max(shape)) > rng.uniform(-1.0, 0.8)
    shade = -float(rng.uniform(0.6, 4.0)) * line
    if rng.random() < 0.4:
        fringe = np.exp(-(((distance - 2 * half) / half) ** 2))
        shade = shade + float(rng.uniform(0.3, 1.5)) * fringe
    return np.asarray(shade * part, dtype=np.float32)


def deep_scratches(rng: np.random.Generator, shape: tuple[int, int]) -> Grey:
    """Straight dark or bright grooves that cross everything, alone or in sheaves."""
    rows, cols = np.indices(shape, dtype=np.float32)
    common = rng.uniform(0, np.pi)
    spread = float(rng.choice([0.02, 0.1, 1.0]))
    strength = float(rng.uniform(0.4, 2.0)) * float(rng.choice([-1.0, -1.0, -1.0, 1.0]))
    total = np.zeros(shape, dtype=np.float32)
    for _ in range(int(rng.integers(1, 14))):
        angle = common + rng.normal(0, spread)
        across = (cols - shape[1] / 2) * np.cos(angle) + (rows - shape[0] / 2) * np.sin(angle)
        along = (rows - shape[0] / 2) * np.cos(angle) - (cols - shape[1] / 2) * np.sin(angle)
        offset = rng.uniform(-0.5, 0.5) * sum(shape)
        start, length = rng.uniform(-0.7, 0.5) * shape[1], rng.uniform(0.2, 1.5) * shape[1]
        profile = np.clip(float(rng.uniform(0.8, 2.2)) - np.abs(across - offset), 0, 1)
        profile *= (along > start) & (along < start + length)
        total = np.maximum(total, profile * float(rng.uniform(0.3, 1.0)))
    return np.asarray(strength * total, dtype=np.float32)


def etch_pits(
    rng: np.random.Generator, walls: NDArray[np.bool_], spacing: float, reach: float
) -> Grey:
    """Small dark pits, dense near the walls of grains and rare within.

    Parameters
    ----------
    walls
        (H, W) where boundaries run.
    spacing
        Mean distance of neighbouring pits beside a wall, in pixels.
    reach
        Distance from the wall, in pixels, over which they become rarer by a factor e.
    """
    distance = ndimage.distance_transform_edt(~walls) if walls.any() else np.full(walls.shape, 1e3)
    density = (np.exp(-distance / reach) + rng.uniform(0, 0.15)) / spacing**2
    seeds = rng.random(walls.shape) < density
    depth = rng.uniform(0.3, 1.0, walls.shape).astype(np.float32) * seeds
    radius = float(rng.uniform(0.5, 1.8))
    spots = ndimage.gaussian_filter(depth, radius) * np.float32(2 * np.pi * radius**2)
    return np.asarray(-float(rng.uniform(0.4, 1.8)) * np.minimum(spots, 1.2), dtype=np.float32)


def speckle(rng: np.random.Generator, where: NDArray[np.bool_]) -> Grey:
    """Noise-like surroundings of a specimen: mount, crucible, edge of a tomogram."""
    grain = random_field(rng, (where.shape[0], where.shape[1]), float(rng.uniform(0.6, 2.5)))
    tails = np.sign(grain) * np.abs(grain) ** float(rng.uniform(1.0, 2.0))
    return np.asarray(float(rng.uniform(0.1, 1.2)) * tails * where, dtype=np.float32)
