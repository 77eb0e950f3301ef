"""Simulated polycrystals: grains, twins, islands, pores, and how their boundaries are etched."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.simulate.boundaries import draw_boundaries, edge_pixels, junctions, tidy
from nital.simulate.cells import (
    Cells,
    Seeds,
    cells_of,
    frame,
    grid,
    lattice_seeds,
    random_seeds,
    thin_out,
    warped,
)
from nital.simulate.scene import Scene, random_field

__all__ = ["GRAIN_FAMILIES", "draw_scale", "simulate_grains"]

Labels = NDArray[np.int32]
Floats = NDArray[np.float32]

DIAMETER_TO_SPACING = float(np.sqrt(np.pi) / 2)


def draw_scale(
    rng: np.random.Generator, shape: tuple[int, int], low: float, high: float
) -> float:
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
    large = scale * float(rng.uniform(1.4, 2.2)) * DIAMETER_TO_SPACING
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


GRAIN_FAMILIES: dict[str, Callable[[np.random.Generator, Floats, float], Cells]] = {
    "voronoi": voronoi,
    "power_lognormal": power_lognormal,
    "grown": grown,
    "duplex": duplex,
}


def tessellation(
    rng: np.random.Generator, shape: tuple[int, int], scale: float, family: str
) -> Labels:
    """Grains 1...n of a family, bent, and sometimes rolled or columnar."""
    coordinates = bent(rng, grid(shape), scale)
    if rng.random() < 0.25:
        aspect = float(np.exp(rng.uniform(np.log(1.3), np.log(8.0))))
        angle = float(rng.uniform(0, np.pi) if rng.random() < 0.6 else rng.choice([0, np.pi / 2]))
        coordinates = frame(coordinates, angle, aspect)
    owner = GRAIN_FAMILIES[family](rng, coordinates, scale).owner
    return tidy(owner + 1, max(6.0, 0.008 * scale**2))


def add_twins(
    rng: np.random.Generator, labels: Labels, scale: float
) -> tuple[Labels, NDArray[np.bool_]]:
    """Straight bands across some grains, as grains of their own; also which labels they have."""
    count = int(labels.max())
    size = np.sqrt(np.bincount(labels.ravel(), minlength=count + 1)).astype(np.float32)
    index = np.arange(1, count + 1)
    middle = np.array(ndimage.center_of_mass(labels > 0, labels, index), dtype=np.float32)
    middle = np.concatenate([np.zeros((1, 2), np.float32), middle])
    angle = rng.uniform(0, np.pi, count + 1).astype(np.float32)
    row, column = grid((labels.shape[0], labels.shape[1]))
    row, column = row - middle[labels, 0], column - middle[labels, 1]
    across = row * np.cos(angle)[labels] + column * np.sin(angle)[labels]
    along = column * np.cos(angle)[labels] - row * np.sin(angle)[labels]
    share = rng.uniform(0.15, 0.7)
    band = np.zeros(labels.shape, dtype=bool)
    for repeat in range(2):
        has = rng.random(count + 1) < share / (repeat + 1)
        half = np.maximum(1.5, size * rng.uniform(0.03, 0.16, count + 1).astype(np.float32))
        offset = size * rng.normal(0, 0.22, count + 1).astype(np.float32)
        stops = np.where(rng.random(count + 1) < 0.25, size * rng.uniform(-0.2, 0.3), 1e6)
        has &= size > 12
        inside = np.abs(across - offset[labels]) < half[labels]
        band |= inside & has[labels] & (along < stops.astype(np.float32)[labels])
    split = tidy(labels * 2 + band, max(6.0, 0.004 * scale**2))
    votes = np.bincount(split.ravel(), weights=band.ravel())
    total = np.bincount(split.ravel())
    return split, votes > 0.5 * np.maximum(total, 1)


def add_islands(
    rng: np.random.Generator, labels: Labels, scale: float, where: str
) -> NDArray[np.bool_]:
    """Where blobs of another phase or pores lie: at triple points, walls, or anywhere."""
    shape = (labels.shape[0], labels.shape[1])
    if where == "junctions":
        places = junctions(labels)
    elif where == "walls":
        places = np.argwhere(edge_pixels(labels)[0])
    else:
        places = rng.integers(0, shape, (int(3 + 4 * labels.size / scale**2), 2))
    wanted = int(np.ceil(rng.uniform(0.1, 0.6) * (1 + labels.size / scale**2)))
    if len(places) == 0:
        return np.zeros(shape, dtype=bool)
    chosen = places[rng.permutation(len(places))[:wanted]].astype(np.float32) + 0.5
    radii = np.maximum(
        1.3, rng.lognormal(0, 0.4, len(chosen)) * scale * rng.uniform(0.05, 0.2)
    ).astype(np.float32)
    coordinates = warped(rng, grid(shape), max(1.5, 0.15 * scale), 0.04 * scale)
    exponent = float(rng.choice([1.4, 2.0, 2.0, 3.0]))
    return cells_of(
        coordinates, Seeds(chosen, radii), metric="grown", exponent=exponent
    ).depth < 0


def etch(
    rng: np.random.Generator, labels: Labels, scale: float, twin: NDArray[np.bool_]
) -> Floats:
    """Boundaries as one of the ways a specimen shows them: not at all, thin, broken, wide, ragged."""
    style = rng.choice(["none", "thin", "broken", "wide", "ragged"], p=[0.2, 0.3, 0.17, 0.13, 0.2])
    if style == "none":
        return np.zeros(labels.shape, dtype=np.float32)
    faint = np.where(twin, rng.choice([0.0, 0.2, 0.5, 1.0], p=[0.1, 0.3, 0.3, 0.3]), 1.0)
    faint = faint.astype(np.float32)
    if style in ("thin", "broken"):
        width = float(np.clip(scale * rng.uniform(0.02, 0.1), 1.0, 4.0))
        return draw_boundaries(
            rng,
            labels,
            width=width,
            spread=float(rng.uniform(0, 0.5)),
            strength=(float(rng.uniform(0.1, 0.9)), 1.0),
            gaps=float(rng.uniform(0.05, 0.35)) if style == "broken" else 0.0,
            pockets=float(rng.choice([0.0, 0.5, 1.0])),
            faint=faint,
        )
    width = float(np.clip(scale * rng.uniform(0.08, 0.22), 2.0, 14.0))
    return draw_boundaries(
        rng,
        labels,
        width=width,
        spread=float(rng.uniform(0.1, 0.6)),
        strength=(float(rng.uniform(0.5, 0.9)), 1.0),
        gaps=float(rng.choice([0.0, 0.0, 0.05, 0.1])),
        ragged=float(rng.uniform(0.4, 1.0)) if style == "ragged" else 0.0,
        pockets=float(rng.uniform(0.0, 1.5)),
        faint=faint,
    )


def relief(rng: np.random.Generator, labels: Labels, lines: Floats) -> Floats:
    """Height of the surface: flat, one level for each grain, grooves, or gentle undulation."""
    style = rng.choice(["flat", "steps", "grooves", "waves"], p=[0.5, 0.2, 0.2, 0.1])
    if style == "flat":
        return np.zeros(labels.shape, dtype=np.float32)
    if style == "steps":
        levels = rng.uniform(0, 1, int(labels.max()) + 1).astype(np.float32)
        return np.asarray(levels[labels])
    if style == "grooves":
        return np.asarray(1 - ndimage.gaussian_filter(lines, 1.0), dtype=np.float32)
    field = random_field(rng, (labels.shape[0], labels.shape[1]), 0.1 * min(labels.shape))
    return np.asarray(np.clip(0.5 + 0.2 * field, 0, 1), dtype=np.float32)


def simulate_grains(
    rng: np.random.Generator,
    shape: tuple[int, int],
    *,
    scale: float | None = None,
    family: str | None = None,
) -> Scene:
    """Draw a polycrystal of a random family.

    Parameters
    ----------
    rng
        Source of all that is random: the same state gives the same scene.
    shape
        Rows and columns, at least 16 each.
    scale
        Mean grain diameter (of the circle of equal area) in pixels; log-uniform in 8...150 when
        ``None``, fewer in small images.
    family
        A key of ``GRAIN_FAMILIES``; random when ``None``.
    """
    if scale is None:
        scale = draw_scale(rng, shape, 8, 150)
    if family is None:
        family = str(rng.choice(list(GRAIN_FAMILIES)))
    labels = tessellation(rng, shape, scale, family)
    twin = np.zeros(int(labels.max()) + 1, dtype=bool)
    if scale > 20 and rng.random() < 0.3:
        labels, twin = add_twins(rng, labels, scale)
    lines = etch(rng, labels, scale, twin)
    phases = np.ones(shape, dtype=np.uint8)
    if rng.random() < 0.3:
        for phase in range(2, 2 + int(rng.choice([1, 1, 2]))):
            where = str(rng.choice(["junctions", "walls", "anywhere"]))
            phases[add_islands(rng, labels, scale, where)] = phase
        merged = np.where(phases > 1, -phases.astype(np.int32), labels)
        labels = tidy(merged, 4.0)
        first = np.unique(labels, return_index=True)[1]
        phases = phases.ravel()[first][labels - 1]
    height = relief(rng, labels, lines)
    return Scene("grains", labels, np.asarray(phases, dtype=np.uint8), lines, height)
