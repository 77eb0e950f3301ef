"""Simulated particles of irregular outline, whose descriptors of shape vary."""

from __future__ import annotations

import math

import numpy as np

from coverage_specimens import Drawn, Structure, clean_of

__all__ = ["rough_structure"]

APART, JITTER = 36, 4  # pixels
RADIUS, SPREAD, LARGEST = 8.0, 0.25, 13.0
HARMONICS, ROUGHNESS = np.arange(2, 8), 0.12


def rough_structure(per_side: int) -> Structure:
    """Particles on a jittered grid, ``per_side`` by ``per_side`` of them, none cut by the frame."""

    def draw(rng: np.random.Generator) -> Drawn:
        labels = np.zeros((per_side * APART,) * 2, dtype=np.int32)
        for index in range(per_side**2):
            corner = [APART * place for place in divmod(index, per_side)]
            window = (slice(corner[0], corner[0] + APART), slice(corner[1], corner[1] + APART))
            labels[window][particle(rng)] = index + 1
        return clean_of(labels, "particles")

    return Structure("rough particles", "particles", per_side**2, draw, {}, times=2)


def particle(rng: np.random.Generator) -> np.ndarray:
    """(APART, APART) mask of a star-shaped particle, clear of the border."""
    centre = (APART - 1) / 2.0 + rng.uniform(-JITTER, JITTER, 2)
    rows, cols = np.indices((APART, APART))
    distance = np.hypot(rows - centre[0], cols - centre[1])
    angle = np.arctan2(rows - centre[0], cols - centre[1])
    height = ROUGHNESS * rng.standard_normal(len(HARMONICS)) / np.sqrt(HARMONICS)
    phase = rng.uniform(0.0, 2.0 * math.pi, len(HARMONICS))
    wave = np.cos(HARMONICS[:, None, None] * angle + phase[:, None, None])
    radius = min(RADIUS * math.exp(SPREAD * rng.standard_normal()), 0.75 * LARGEST)
    edge = radius * np.clip(1.0 + (height[:, None, None] * wave).sum(axis=0), 0.4, None)
    return np.asarray(distance <= np.minimum(edge, LARGEST))
