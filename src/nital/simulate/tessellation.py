"""Tessellations of the plane into grains: families that differ in sizes and in their walls."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from nital.simulate.boundaries import tidy
from nital.simulate.cells import (
    Cells,
    Floats,
    Seeds,
    cells_of,
    frame,
    grid,
    lattice_seeds,
    random_seeds,
    thin_out,
    warped,
)

__all__ = ["GRAIN_FAMILIES", "bent", "draw_family", "draw_scale", "tessellation"]

Labels = NDArray[np.int32]
Shape = tuple[int, int]

NARROWEST = 4.0
DIAMETER_TO_SPACING = float(np.sqrt(np.pi) / 2)


def draw_scale(rng: np.random.Generator, shape: tuple[int, int], low: float, high: float) -> float:
    """Mean object size in pixels, log-uniform, such that a few objects fit in the image."""
    high = max(low * 1.01, min(high, min(shape) / 2.5))
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def bent(rng: np.random.Generator, coordinates: Floats, scale: float) -> Floats:
    """Coordinates bent so that straight walls become curved or wavy, at none to three scales."""
    for _ in range(int(rng.choice([0, 1, 1, 2, 3]))):
        length = scale * float(np.exp(rng.uniform(np.log(0.12), np.log(1.0))))
        if length >= 1.0:
            coordinates = warped(rng, coordinates, length, length * float(rng.uniform(0.05, 0.4)))
    return coordinates


def voronoi(rng: np.random.Generator, coordinates: Floats, scale: float) -> Cells:
    """Voronoi cells of seeds between a jittered lattice and complete disorder."""
    spacing = scale * DIAMETER_TO_SPACING
    if rng.random() < 0.4:
        seeds = random_seeds(rng, coordinates, spacing)
    else:
        seeds = lattice_seeds(
            rng, coordinates, spacing, float(rng.uniform(0.12, 0.45)), hexagonal=rng.random() < 0.7
        )
    return cells_of(coordinates, seeds)


def power_lognormal(rng: np.random.Generator, coordinates: Floats, scale: float) -> Cells:
    """Power diagram of log-normal discs that hardly overlap: flat walls, wide size spread."""
    seeds = lognormal_seeds(rng, coordinates, scale, float(rng.uniform(0.25, 0.7)))
    return cells_of(coordinates, seeds, neighbours=10)


def grown(rng: np.random.Generator, coordinates: Floats, scale: float) -> Cells:
    """Grains that grew at different times or speeds: their walls are hyperbolas or arcs."""
    metric = "grown" if rng.random() < 0.5 else "scaled"
    seeds = lognormal_seeds(rng, coordinates, scale, float(rng.uniform(0.15, 0.5)))
    shrink = np.float32(rng.uniform(0.5, 0.9))
    radii = seeds.radii * shrink if metric == "grown" else np.sqrt(seeds.radii * scale / 2)
    return cells_of(coordinates, Seeds(seeds.centres, radii), metric=metric, neighbours=10)


def duplex(rng: np.random.Generator, coordinates: Floats, scale: float) -> Cells:
    """Two size classes: large grains, alone or in colonies, among small ones."""
    large = scale * float(rng.uniform(2.0, 3.2)) * DIAMETER_TO_SPACING
    small = large / float(rng.uniform(2.5, 5.0))
    big = lattice_seeds(rng, coordinates, large, 0.25, hexagonal=True)
    keep = rng.random(len(big)) < rng.uniform(0.2, 0.7)
    keep[:1] = True
    big = Seeds(big.centres[keep], big.radii[keep] * np.float32(rng.uniform(0.8, 1.1)))
    fine = lattice_seeds(rng, coordinates, small, 0.25, hexagonal=True)
    together = Seeds(
        np.concatenate([big.centres, fine.centres]), np.concatenate([big.radii, fine.radii])
    )
    return cells_of(coordinates, thin_out(together, -0.4 * small), neighbours=12)


def lognormal_seeds(
    rng: np.random.Generator, coordinates: Floats, scale: float, sigma: float
) -> Seeds:
    """Discs of log-normal radii, the largest placed first, none deep inside another."""
    seeds = random_seeds(rng, coordinates, scale * DIAMETER_TO_SPACING * 0.62)
    radii = rng.lognormal(0, sigma, len(seeds)) * scale / 2 / np.exp(1.2 * sigma**2)
    radii = np.sort(np.minimum(radii, 2.5 * scale))[::-1].astype(np.float32)
    return thin_out(Seeds(seeds.centres, radii), -0.35 * scale)


def merged(rng: np.random.Generator, shape: Shape, scale: float) -> Labels:
    """Grains of several small cells each: concave, interlocking, with corners of all angles."""
    part = max(4.0, scale * float(rng.uniform(0.25, 0.55)))
    coordinates = bent(rng, grid(shape), part)
    small = lattice_seeds(rng, coordinates, part, float(rng.uniform(0.2, 0.45)), hexagonal=True)
    large = random_seeds(rng, coordinates, scale * DIAMETER_TO_SPACING)
    group = cKDTree(large.centres).query(small.centres)[1]
    return np.asarray(group[cells_of(coordinates, small).owner], dtype=np.int32)


def laths(rng: np.random.Generator, shape: Shape, scale: float) -> Labels:
    """Packets of parallel laths in a few directions: lath martensite, bainite, alpha colonies."""
    aspect = float(np.clip(rng.uniform(3.0, 12.0), 1.5, max(1.5, (scale / NARROWEST) ** 2)))
    packet = scale * float(rng.uniform(2.5, 7.0))
    coordinates = bent(rng, grid(shape), packet)
    packets = cells_of(coordinates, random_seeds(rng, coordinates, packet)).owner
    variants = int(rng.integers(2, 4))
    choice = rng.integers(0, variants, int(packets.max()) + 1)[packets]
    wavy = warped(rng, grid(shape), 0.5 * scale, float(rng.uniform(0.0, 0.08)) * scale)
    start = rng.uniform(0, np.pi)
    labels = np.zeros(shape, dtype=np.int64)
    for variant in range(variants):
        angle = start + variant * np.pi / variants + rng.normal(0, 0.15)
        turned = frame(wavy, angle, aspect)
        owner = voronoi(rng, turned, 1.25 * scale).owner
        labels = np.where(choice == variant, owner + labels.max() + 1, labels)
    _, together = np.unique(labels * (int(packets.max()) + 1) + packets, return_inverse=True)
    return np.asarray(together.reshape(shape), dtype=np.int32)


def _equiaxed(
    draw: Callable[[np.random.Generator, Floats, float], Cells],
) -> Callable[[np.random.Generator, Shape, float], Labels]:
    """Grains of a family, bent, and sometimes rolled or columnar."""

    def family(rng: np.random.Generator, shape: Shape, scale: float) -> Labels:
        coordinates = bent(rng, grid(shape), scale)
        if rng.random() < 0.25:
            aspect = float(np.exp(rng.uniform(np.log(1.3), np.log(8.0))))
            aspect = min(aspect, max(1.0, (scale / NARROWEST) ** 2))
            angle = rng.uniform(0, np.pi) if rng.random() < 0.6 else rng.choice([0, np.pi / 2])
            coordinates = frame(coordinates, float(angle), aspect)
        return draw(rng, coordinates, scale).owner

    return family


GRAIN_FAMILIES: dict[str, tuple[float, Callable[[np.random.Generator, Shape, float], Labels]]] = {
    "voronoi": (1.0, _equiaxed(voronoi)),
    "power_lognormal": (1.3, _equiaxed(power_lognormal)),
    "grown": (1.3, _equiaxed(grown)),
    "duplex": (0.8, _equiaxed(duplex)),
    "merged": (0.8, merged),
    "laths": (0.5, laths),
}


def draw_family(rng: np.random.Generator) -> str:
    """A key of ``GRAIN_FAMILIES``, by its weight."""
    weights = np.array([weight for weight, _ in GRAIN_FAMILIES.values()])
    return str(rng.choice(list(GRAIN_FAMILIES), p=weights / weights.sum()))


def tessellation(
    rng: np.random.Generator, shape: Shape, scale: float, family: str | None = None
) -> Labels:
    """Grains 1...n of a family (a key of ``GRAIN_FAMILIES``), or of a random one."""
    labels = GRAIN_FAMILIES[family or draw_family(rng)][1](rng, shape, scale)
    return tidy(labels + 1, max(6.0, 0.008 * scale**2))
