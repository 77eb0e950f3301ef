"""Textures of unit amplitude that a phase or the whole specimen may carry."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nital.simulate.scene import random_field

__all__ = ["draw_texture"]

Texture = NDArray[np.float32]


def draw_texture(rng: np.random.Generator, shape: tuple[int, int], target: str) -> Texture:
    """Draw one texture, (H, W) of about unit standard deviation, suited to the kind of specimen."""
    weights = np.array(_WEIGHTS[target])
    kind = rng.choice(len(_KINDS), p=weights / weights.sum())
    return _KINDS[kind](rng, shape)


def _mottle(rng: np.random.Generator, shape: tuple[int, int]) -> Texture:
    """Smooth mottling, from pixel-fine to coarse."""
    return random_field(rng, shape, float(np.exp(rng.uniform(np.log(0.8), np.log(14)))))


def _streaks(rng: np.random.Generator, shape: tuple[int, int]) -> Texture:
    """Elongated mottling in one direction: rolling, FIB milling, etching."""
    short, long = float(rng.uniform(0.6, 3)), float(rng.uniform(5, 40))
    return random_field(rng, shape, (short, long) if rng.random() < 0.5 else (long, short))


def _octaves(rng: np.random.Generator, shape: tuple[int, int]) -> Texture:
    """Self-affine roughness over several octaves."""
    total = np.zeros(shape, dtype=np.float32)
    decay = float(rng.uniform(0.4, 0.9))
    for octave in range(5):
        total += decay**octave * random_field(rng, shape, 16.0 / 2**octave)
    return np.asarray(total / max(float(total.std()), 1e-6), dtype=np.float32)


def _waves(rng: np.random.Generator, shape: tuple[int, int]) -> Texture:
    """Parallel waves with a wobble: lamellae, fringes, interference."""
    rows, cols = np.indices(shape, dtype=np.float32)
    angle, period = rng.uniform(0, np.pi), np.exp(rng.uniform(np.log(2.5), np.log(16)))
    wobble = rng.uniform(0, 0.3) * period * random_field(rng, shape, float(rng.uniform(6, 40)))
    phase = 2 * np.pi * (rows * np.sin(angle) + cols * np.cos(angle) + wobble) / period
    return np.asarray(1.4 * np.sin(phase + rng.uniform(0, 6.28)), dtype=np.float32)


def _lattice(rng: np.random.Generator, shape: tuple[int, int]) -> Texture:
    """Atom columns or a mesh: two sets of waves, sharpened to spots."""
    rows, cols = np.indices(shape, dtype=np.float32)
    angle = rng.uniform(0, np.pi)
    between = rng.choice([np.pi / 2, np.pi / 3, rng.uniform(0.9, 1.6)])
    period = float(np.exp(rng.uniform(np.log(2.8), np.log(18))))
    ratio = float(rng.choice([1.0, rng.uniform(0.6, 1.0)]))
    drift = rng.uniform(0, 0.15) * period * random_field(rng, shape, float(rng.uniform(10, 60)))
    total = np.zeros(shape, dtype=np.float32)
    for direction, length in ((angle, period), (angle + between, period * ratio)):
        along = rows * np.sin(direction) + cols * np.cos(direction)
        total += np.cos(2 * np.pi * (along + drift) / length)
    spots = np.exp(float(rng.uniform(0.3, 1.6)) * total)
    return np.asarray((spots - spots.mean()) / max(float(spots.std()), 1e-6), dtype=np.float32)


def _specks(rng: np.random.Generator, shape: tuple[int, int]) -> Texture:
    """Isolated fine specks of one sign."""
    field = random_field(rng, shape, float(rng.uniform(0.7, 2.0)))
    specks = np.clip(field - rng.uniform(1.0, 2.2), 0, None) * rng.choice([-1.0, 1.0])
    return np.asarray(specks / max(float(specks.std()), 1e-6), dtype=np.float32)


_KINDS: tuple[Callable[[np.random.Generator, tuple[int, int]], Texture], ...] = (
    _mottle,
    _streaks,
    _octaves,
    _waves,
    _lattice,
    _specks,
)
_WEIGHTS = {
    "grains": (4, 2, 2, 1, 0.2, 2),
    "phases": (4, 2, 3, 1.5, 0.5, 2),
    "particles": (4, 1, 3, 0.7, 0.7, 2),
    "layers": (3, 2, 1.5, 2, 5, 1),
}
