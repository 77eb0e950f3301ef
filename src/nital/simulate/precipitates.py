"""Precipitates in a matrix: cuboids, lobed ones, fine ones in the channels, carbides, few blobs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from nital.simulate.boundaries import draw_boundaries, edge_pixels
from nital.simulate.cells import (
    Floats,
    Seeds,
    cells_of,
    frame,
    grid,
    lattice_seeds,
    random_seeds,
    smooth,
    thin_out,
    warped,
)
from nital.simulate.scene import random_field

__all__ = ["add_fine", "blobs", "carbides", "cuboids", "few_blobs", "lobed", "round_precipitates"]

Phases = NDArray[np.uint8]


def blobs(
    rng: np.random.Generator,
    shape: tuple[int, int],
    seeds: Seeds,
    *,
    gap: float,
    exponent: float = 2.0,
    rough: float = 0.08,
) -> NDArray[np.bool_]:
    """Discs, superellipses or bent blobs round seeds, at least ``gap`` pixels apart.

    ``rough`` is the displacement of the rim relative to the mean radius.
    """
    if len(seeds) == 0:
        return np.zeros(shape, dtype=bool)
    mean = float(seeds.radii.mean())
    coordinates = grid(shape)
    if rough > 0 and mean > 2:
        coordinates = warped(rng, coordinates, max(1.0, 0.6 * mean), rough * mean)
    cells = cells_of(coordinates, seeds, metric="grown", exponent=exponent, neighbours=5)
    inside = cells.depth < 0
    return inside & (cells.inside() > gap / 2) if gap > 0 else inside


def turned(rng: np.random.Generator, seeds: Seeds, longest: float, *, alike: bool) -> Seeds:
    """Seeds with aspect ratios of 1...``longest``, in one direction or in any."""
    count = len(seeds)
    angle = np.full(count, rng.uniform(0, np.pi)) if alike else rng.uniform(0, np.pi, count)
    aspect = np.exp(np.abs(rng.normal(0, 0.5 * np.log(longest), count)))
    turns = np.stack([angle, np.minimum(aspect, longest)], axis=1).astype(np.float32)
    return Seeds(seeds.centres, seeds.radii, turns)


def add_fine(
    rng: np.random.Generator, phases: Phases, *, phase: int, radius: float, density: float
) -> None:
    """Put tiny round precipitates into the matrix where there is room, touching nothing.

    ``density`` is the share of places taken, 0...1; it varies smoothly over the image. A rim round
    the larger precipitates stays free, as the matrix there is depleted.
    """
    shape = (phases.shape[0], phases.shape[1])
    room = ndimage.distance_transform_edt(phases == 1)
    seeds = random_seeds(rng, grid(shape), radius * 3.0)
    radii = radius * rng.lognormal(0, 0.3, len(seeds)).astype(np.float32)
    place = np.rint(seeds.centres).astype(int)
    seen = ((place >= 0) & (place < shape)).all(axis=1)
    place, radii, centres = place[seen], radii[seen], seeds.centres[seen]
    thinning = random_field(rng, shape, 0.15 * min(shape))[tuple(place.T)]
    keep = room[tuple(place.T)] > radii + 1.5 + rng.uniform(0, 2) * radius
    keep &= rng.random(len(radii)) < density * np.clip(1 + 0.8 * thinning, 0, 2)
    chosen = thin_out(Seeds(centres[keep], radii[keep]), max(1.0, 0.4 * radius))
    phases[blobs(rng, shape, chosen, gap=1.0, rough=0.0)] = phase


def cuboids(
    rng: np.random.Generator, shape: tuple[int, int], scale: float
) -> tuple[Phases, Floats]:
    """Cuboidal precipitates on a turned, disturbed lattice, parted by channels of even width."""
    angle = float(rng.uniform(0, np.pi / 2))
    coordinates = warped(rng, grid(shape), 0.8 * scale, float(rng.uniform(0.0, 0.1)) * scale)
    rafted = float(rng.uniform(1.5, 5.0)) if scale > 15 and rng.random() < 0.15 else 1.0
    coordinates = frame(coordinates, angle, rafted * float(np.exp(rng.normal(0, 0.1))))
    channel = max(1.2, scale * float(rng.uniform(0.08, 0.35)))
    seeds = lattice_seeds(
        rng, coordinates, scale + channel, float(rng.uniform(0.03, 0.22)), hexagonal=False
    )
    radii = seeds.radii * rng.uniform(0.85, 1.1, len(seeds)).astype(np.float32)
    keep = rng.random(len(seeds)) < rng.uniform(0.85, 1.0)
    keep[:4] = True
    seeds = Seeds(seeds.centres[keep], radii[keep])
    exponent = float(rng.choice([2.0, 4.0, 4.0, 8.0]))
    cells = cells_of(coordinates, seeds, metric="grown", exponent=exponent)
    inner = np.minimum(
        cells.inside(float(rng.uniform(0.02, 0.12)) * scale), 0.2 * scale - cells.depth
    )
    phases = np.where(inner > channel / 2, 2, 1).astype(np.uint8)
    if rng.random() < 0.3:
        add_fine(rng, phases, phase=2, radius=max(1.3, 0.2 * channel), density=0.6)
    return phases, np.zeros(shape, dtype=np.float32)


def lobed(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> tuple[Phases, Floats]:
    """Large precipitates grown into lobes, notched and split by narrow channels; fine ones between.

    Small cells (the lobes) are joined to groups (the precipitates). Walls between groups become
    channels of even width; walls within a group become notches that reach in only so far.
    """
    lobe = scale * float(rng.uniform(0.28, 0.55))
    channel = max(1.3, scale * float(rng.uniform(0.05, 0.16)))
    coordinates = warped(rng, grid(shape), 0.35 * scale, float(rng.uniform(0.02, 0.08)) * scale)
    if rng.random() < 0.4:
        coordinates = frame(coordinates, float(rng.uniform(0, np.pi)))
        seeds = lattice_seeds(
            rng, coordinates, lobe, float(rng.uniform(0.1, 0.25)), hexagonal=False
        )
    else:
        seeds = lattice_seeds(rng, coordinates, lobe, float(rng.uniform(0.2, 0.4)), hexagonal=True)
    spacing = scale * float(rng.uniform(0.95, 1.4))
    parents = random_seeds(rng, coordinates, spacing)
    group = cKDTree(parents.centres).query(seeds.centres)[1]
    loose = rng.random(len(seeds)) < rng.choice([0.0, 0.1, 0.25])
    group = np.where(loose, len(parents) + np.arange(len(seeds)), group)
    gone = np.flatnonzero(rng.random(group.max() + 1) < rng.uniform(0.0, 0.3))
    cells = cells_of(coordinates, seeds, neighbours=9)
    outer = cells.inside(float(rng.uniform(0.02, 0.12)) * lobe, group)
    inner = ndimage.distance_transform_edt(~edge_pixels(cells.owner)[0]).astype(np.float32)
    matrix = np.isin(group, gone)[cells.owner]
    if matrix.any() and not matrix.all():
        outer = np.minimum(outer, ndimage.distance_transform_edt(~matrix).astype(np.float32))
    widen = np.clip(1 + float(rng.uniform(0, 0.7)) * random_field(rng, shape, 0.8 * scale), 0.8, 4)
    depth = float(rng.uniform(0.1, 0.6)) * scale
    reach = depth * np.clip(0.6 + 0.6 * random_field(rng, shape, 0.5 * lobe), 0, 2)
    notch = inner - channel / 2 * float(rng.uniform(0.5, 1.0)) + np.maximum(outer - reach, 0)
    field = np.minimum(outer - channel / 2 * widen, notch)
    field = np.where(matrix, -channel, np.clip(field, -channel, 2 * channel))
    phases = np.where(smooth(field, max(0.7, 0.35 * channel)) > 0, 2, 1).astype(np.uint8)
    if rng.random() < 0.65:
        fine = float(np.clip(scale * rng.uniform(0.03, 0.09), 1.2, 8.0))
        add_fine(rng, phases, phase=2, radius=fine, density=float(rng.uniform(0.2, 1.0)))
    return phases, np.zeros(shape, dtype=np.float32)


def round_precipitates(
    rng: np.random.Generator, shape: tuple[int, int], scale: float
) -> tuple[Phases, Floats]:
    """Round to squarish precipitates of one or two size classes, from a few per cent to crowded."""
    spread = float(rng.uniform(0.05, 0.5))
    spacing = scale * float(np.exp(rng.uniform(np.log(0.5), np.log(4.0))))
    seeds = random_seeds(rng, grid(shape), spacing)
    radii = np.sort(rng.lognormal(-(spread**2), spread, len(seeds)))[::-1] * scale / 2
    gap = float(rng.uniform(0.5, 3.0))
    seeds = thin_out(Seeds(seeds.centres, np.maximum(radii, 1.2).astype(np.float32)), gap)
    if rng.random() < 0.5:
        seeds = turned(rng, seeds, float(rng.uniform(1.2, 3.0)), alike=rng.random() < 0.5)
    mask = blobs(
        rng,
        shape,
        seeds,
        gap=1.0,
        exponent=float(rng.choice([1.5, 2.0, 2.0, 2.0, 3.0, 5.0])),
        rough=float(rng.uniform(0, 0.15)),
    )
    phases = np.where(mask, 2, 1).astype(np.uint8)
    if scale > 12 and rng.random() < 0.4:
        radius = max(1.3, 0.5 * scale * float(rng.uniform(0.08, 0.25)))
        add_fine(rng, phases, phase=2, radius=radius, density=float(rng.uniform(0.2, 0.9)))
    return phases, np.zeros(shape, dtype=np.float32)


def carbides(
    rng: np.random.Generator, shape: tuple[int, int], scale: float
) -> tuple[Phases, Floats]:
    """Round carbides of two size classes: fine within, coarser along prior grain boundaries."""
    grain = float(np.clip(scale * rng.uniform(6, 18), 25, 0.7 * min(shape) + 25))
    coordinates = warped(rng, grid(shape), 0.2 * grain, 0.08 * grain)
    walls = cells_of(coordinates, random_seeds(rng, coordinates, grain)).owner + 1
    on_wall = np.argwhere(edge_pixels(walls)[0]).astype(np.float32)
    share = rng.uniform(0.3, 2.0) / scale
    some = on_wall[rng.random(len(on_wall)) < min(1.0, 0.5 * share)]
    coarse = scale / 2 * float(rng.uniform(1.0, 2.2)) * rng.lognormal(0, 0.35, len(some))
    fine = random_seeds(rng, grid(shape), scale * float(rng.uniform(1.2, 2.6)))
    small = scale / 2 * rng.lognormal(-0.1, 0.35, len(fine))
    together = Seeds(
        np.concatenate([some + 0.5, fine.centres]).astype(np.float32),
        np.maximum(1.1, np.concatenate([np.sort(coarse)[::-1], small])).astype(np.float32),
    )
    together = thin_out(together, float(rng.uniform(0.3, 1.5)))
    if rng.random() < 0.6:
        together = turned(rng, together, float(rng.uniform(1.2, 3.0)), alike=False)
    mask = blobs(rng, shape, together, gap=0.8, exponent=float(rng.choice([2.0, 2.0, 3.0])))
    lines = np.zeros(shape, dtype=np.float32)
    if rng.random() < 0.6:
        lines = draw_boundaries(
            rng,
            walls,
            width=float(rng.uniform(0.8, 2.0)),
            strength=(0.3, 1.0),
            gaps=float(rng.uniform(0, 0.6)),
        )
        lines[mask] = 0
    return np.where(mask, 2, 1).astype(np.uint8), lines


def few_blobs(
    rng: np.random.Generator, shape: tuple[int, int], scale: float
) -> tuple[Phases, Floats]:
    """One to fifteen smooth blobs, scattered or in a row; some inside a round specimen."""
    disc = rng.random() < 0.35
    middle = np.array(shape) * rng.uniform(0.4, 0.6, 2)
    radius = min(shape) * float(rng.uniform(0.38, 0.55))
    count = int(rng.integers(1, 16))
    spread = radius * float(rng.uniform(0.3, 0.9))
    if rng.random() < 0.4:
        steps = np.linspace(-1, 1, count)[:, None] if count > 1 else np.zeros((1, 1))
        turn = rng.uniform(0, np.pi)
        centres = middle + steps * spread * np.array([np.cos(turn), np.sin(turn)])
        centres = centres + rng.normal(0, 0.15 * spread, (count, 2))
    else:
        centres = middle + rng.uniform(-1, 1, (count, 2)) * spread
    size = min(scale, 0.6 * radius)
    radii = np.maximum(1.5, size / 2 * rng.lognormal(0, 0.35, count)).astype(np.float32)
    seeds = thin_out(Seeds(centres.astype(np.float32), radii), 2.0)
    seeds = turned(rng, seeds, 2.5, alike=rng.random() < 0.5)
    mask = blobs(
        rng,
        shape,
        seeds,
        gap=1.5,
        rough=float(rng.uniform(0.05, 0.35)),
    )
    phases = np.where(mask, 2, 1).astype(np.uint8)
    lines = np.zeros(shape, dtype=np.float32)
    if disc:
        row, column = warped(rng, grid(shape), 0.3 * radius, 0.01 * radius)
        outside = np.hypot(row - middle[0], column - middle[1]) > radius
        phases[outside] = rng.choice([1, 3], p=[0.8, 0.2])
        if rng.random() < 0.5:
            rim = outside.astype(np.int32)
            lines = draw_boundaries(rng, rim, width=float(rng.uniform(1, 5)), gaps=0.3, ragged=0.5)
    return phases, lines
