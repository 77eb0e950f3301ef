"""What the recipes share: the specimen and the artefacts that any microscope adds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nital.simulate import random_field
from nital.simulate.cells import grid

__all__ = ["Field", "Labels", "Shape", "Specimen", "scanned", "scratches", "to_bytes"]

Field = NDArray[np.float32]
Labels = NDArray[np.int32]
Shape = tuple[int, int]


@dataclass(frozen=True)
class Specimen:
    """A micrograph and its truth.

    Parameters
    ----------
    image
        (H, W) uint8 grey levels.
    labels
        (H, W) int32; 0 = no object, 1...n.
    phases
        (H, W) uint8; 1 = matrix or the largest phase, 2... by falling area.
    """

    image: NDArray[np.uint8]
    labels: Labels
    phases: NDArray[np.uint8]


def scratches(rng: np.random.Generator, image: Field, count: int) -> Field:
    """Thin polishing scratches, fainter along part of their way."""
    shape = (image.shape[0], image.shape[1])
    rows, columns = grid(shape)
    for _ in range(count):
        angle = float(rng.uniform(-0.5, 0.2))
        bend = float(rng.normal(0, 2e-5))
        along = columns * np.cos(angle) + rows * np.sin(angle)
        across = rows * np.cos(angle) - columns * np.sin(angle) + bend * along**2
        middle = float(rng.uniform(0.15, 0.85) * shape[0])
        profile = np.exp(-(((across - middle) / rng.uniform(0.55, 0.9)) ** 2))
        fade = np.clip(0.6 + 0.6 * random_field(rng, (1, shape[1]), (1, 60)), 0, 1)
        image = image - np.float32(rng.uniform(0.05, 0.09)) * profile * fade
    return np.asarray(image, dtype=np.float32)


def to_bytes(image: Field) -> NDArray[np.uint8]:
    return np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)


def scanned(rng: np.random.Generator, image: Field, noise: float) -> Field:
    """Noise of an electron detector: it grows with the signal and trails along the scan."""
    grain = rng.standard_normal(image.shape, dtype=np.float32)
    grain = 0.85 * grain + 0.35 * np.roll(grain, 1, axis=1)
    return np.asarray(image + noise * np.sqrt(np.clip(image, 0.05, 1)) * grain, dtype=np.float32)
