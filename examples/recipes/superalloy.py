"""Phases: nickel superalloy, the precipitates etched away, in the SEM."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from nital.simulate import random_field
from nital.simulate.cells import Seeds, cells_of, frame, grid, lattice_seeds, warped
from nital.simulate.precipitates import add_fine
from recipes.common import Field, Labels, Shape, Specimen, scanned, scratches, to_bytes

__all__ = ["superalloy"]


def superalloy(seed: int, shape: Shape = (884, 1024), size: float = 62.0) -> Specimen:
    """Cuboidal precipitates, dark and recessed, in bright channels; fine ones in the wide channels.

    ``size`` is the edge of a precipitate in pixels.
    """
    rng = np.random.default_rng(seed)
    phases = _precipitates(rng, shape, size)
    dark = phases == 2
    depth = ndimage.distance_transform_edt(dark).astype(np.float32)
    outside = ndimage.distance_transform_edt(~dark).astype(np.float32)
    image = np.where(dark, 0.36, 0.60).astype(np.float32)
    image += np.where(dark, 0, 0.15 * np.exp(-outside / 2.6))
    image -= np.where(dark, 0.07 * np.exp(-depth / 4.0), 0)
    wall = ndimage.gaussian_filter(np.clip(3.0 - depth, 0, 3), 1.4)
    down, right = np.gradient(wall)
    image += 0.16 * (0.75 * right - 0.5 * down)
    floor = random_field(rng, shape, 1.6) + 0.8 * random_field(rng, shape, 5)
    image += np.where(dark, 0.020 * floor, 0.010 * random_field(rng, shape, 1.2))
    image += np.where(dark, 0.016 * random_field(rng, shape, 22), 0)
    image = _residue(rng, image, 24)
    image = scratches(rng, image, 3)
    image += 0.022 * random_field(rng, shape, 260)
    image = ndimage.gaussian_filter(image, 0.95)
    image += 0.006 * ndimage.gaussian_filter1d(rng.standard_normal((shape[0], 1)), 0.6, axis=0)
    image = scanned(rng, image, 0.050)
    return Specimen(to_bytes(image), _regions(dark), phases)


def _precipitates(rng: np.random.Generator, shape: Shape, size: float) -> NDArray[np.uint8]:
    """Squares on a disturbed lattice that have grown together here and there; fine spheres."""
    channel = 0.40 * size
    coordinates = warped(rng, grid(shape), 1.1 * size, 0.10 * size)
    coordinates = frame(warped(rng, coordinates, 0.3 * size, 0.025 * size), 0.33)
    seeds = lattice_seeds(rng, coordinates, size + channel, 0.15, hexagonal=False)
    radii = seeds.radii * rng.lognormal(0, 0.16, len(seeds)).astype(np.float32)
    kept = rng.random(len(seeds)) > 0.06
    seeds = Seeds(seeds.centres[kept], radii[kept])
    group = np.arange(len(seeds))
    joins = rng.random(len(seeds)) < 0.10
    group[joins] = cKDTree(seeds.centres).query(seeds.centres[joins], k=2)[1][:, 1]
    cells = cells_of(coordinates, seeds, metric="grown", exponent=4.0, neighbours=9)
    gap = channel * np.clip(1 + 0.30 * random_field(rng, shape, 1.3 * size), 0.45, 2)
    walls = cells.inside(0.05 * size, group)
    inner = np.minimum(walls - gap / 2, 0.10 * size - cells.depth)
    inner = ndimage.gaussian_filter(np.clip(inner, -8, 8), 0.035 * size)
    phases = np.where(inner > 0, 2, 1).astype(np.uint8)
    add_fine(rng, phases, phase=2, radius=0.042 * size, density=0.5)
    small = _regions(phases == 2)
    phases[np.bincount(small.ravel())[small] < 9] = 1
    return phases


def _regions(mask: NDArray[np.bool_]) -> Labels:
    return np.asarray(ndimage.label(mask)[0], dtype=np.int32)


def _residue(rng: np.random.Generator, image: Field, count: int) -> Field:
    """Bright specks of etching residue, of one to three pixels."""
    specks = np.zeros_like(image)
    places = (rng.uniform(0, 1, (count, 2)) * image.shape).astype(int)
    specks[tuple(places.T)] = rng.uniform(0.5, 2.2, count)
    return np.asarray(image + ndimage.gaussian_filter(specks, 1.1), dtype=np.float32)
