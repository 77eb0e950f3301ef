"""Particles in polished and etched sections: grain mosaics, carbides, faint precipitates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label

from nital.simulate.cells import Seeds, cells_of, frame, grid, random_seeds, warped
from nital.simulate.precipitates import carbides, cuboids, round_precipitates

__all__ = ["SECTIONS"]

Section = tuple[NDArray[np.int32], NDArray[np.float32]]


def _mosaic(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> Section:
    """Rock or sand in section: angular grains of uneven size, some of the space matrix.

    Returns the objects 1...n and no lines.
    """
    coordinates = warped(rng, grid(shape), 0.4 * scale, float(rng.uniform(0.0, 0.08)) * scale)
    if rng.random() < 0.4:  # foliated
        coordinates = frame(coordinates, float(rng.uniform(0, np.pi)), float(rng.uniform(1.2, 2.5)))
    seeds = random_seeds(rng, coordinates, scale)
    spread = float(rng.uniform(0.0, 0.5))
    seeds = Seeds(seeds.centres, seeds.radii * rng.lognormal(0, spread, len(seeds)).astype("f4"))
    cells = cells_of(coordinates, seeds)
    gap = scale * float(rng.choice([0.0, 0.02, rng.uniform(0.02, 0.2)]))
    rounding = scale * float(rng.uniform(0.02, 0.12))
    lost = rng.random(len(seeds)) < rng.choice([0.0, 0.1, rng.uniform(0.1, 0.6)])
    grains = np.where(lost[cells.owner], 0, cells.owner + 1)
    if gap > 0:
        grains[cells.inside(rounding) < gap / 2] = 0
    return _numbered(grains), np.zeros(shape, dtype=np.float32)


def _etched(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> Section:
    """Carbides or precipitates, with the grain boundaries of the matrix as lines beside them."""
    make = [carbides, carbides, round_precipitates, cuboids][int(rng.integers(4))]
    phases, lines = make(rng, shape, scale)
    return _numbered(phases > 1), lines


def _numbered(regions: NDArray[np.generic]) -> NDArray[np.int32]:
    """The 4-connected regions of equal value, 1...n; 0 stays 0."""
    values = regions.astype(np.int32)
    return np.asarray(label(values, connectivity=1, background=0), dtype=np.int32)


SECTIONS: dict[str, Callable[[np.random.Generator, tuple[int, int], float], Section]] = {
    "mosaic": _mosaic,
    "etched": _etched,
}
