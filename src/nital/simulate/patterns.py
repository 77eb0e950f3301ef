"""Patterns of phases: level sets, lamellae, dendrites, needles, films, networks, dual phase."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.simulate.boundaries import draw_boundaries, mean_intercept
from nital.simulate.cells import (
    Floats,
    Seeds,
    cells_of,
    frame,
    grid,
    lattice_seeds,
    random_seeds,
    smooth,
    spectral_field,
    thin_out,
    warped,
)
from nital.simulate.precipitates import blobs
from nital.simulate.scene import random_field
from nital.simulate.tessellation import bent, tessellation

__all__ = [
    "channelled",
    "dendrites",
    "dual_phase",
    "eutectic",
    "field_levels",
    "flat",
    "lamellae",
    "lath_films",
    "needles",
    "network",
]

Phases = NDArray[np.uint8]
Shape = tuple[int, int]


def flat(shape: Shape) -> Floats:
    """No lines, no relief."""
    return np.zeros(shape, dtype=np.float32)


def _fraction(rng: np.random.Generator, low: float = 0.03, high: float = 0.7) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def field_levels(rng: np.random.Generator, shape: Shape, scale: float) -> tuple[Phases, Floats]:
    """Level sets of a Gaussian random field: bicontinuous to isolated, two or three phases."""
    if rng.random() < 0.6:
        field = spectral_field(
            rng,
            shape,
            2.0 * scale,
            float(rng.uniform(0.08, 0.6)),
            angle=float(rng.uniform(0, np.pi)),
            aspect=float(np.exp(rng.choice([0.0, 0.0, rng.uniform(0.2, 2.2)]))),
        )
    else:
        field = random_field(rng, shape, 0.45 * scale)
        if scale > 12 and rng.random() < 0.5:
            field = field + np.float32(rng.uniform(0.05, 0.25)) * random_field(
                rng, shape, float(rng.uniform(0.8, 0.12 * scale + 0.8))
            )
    fraction = float(rng.uniform(0.03, 0.7))
    phases = np.where(field > np.quantile(field, 1 - fraction), 2, 1).astype(np.uint8)
    if rng.random() < 0.2:
        phases[field < np.quantile(field, (1 - fraction) * float(rng.uniform(0.1, 0.5)))] = 3
    return phases, flat(shape)


def lamellae(rng: np.random.Generator, shape: Shape, scale: float) -> tuple[Phases, Floats]:
    """Colonies of parallel plates: straight or wavy, whole or broken, of any share."""
    colony = float(np.clip(scale * rng.uniform(6, 30), 24, 0.8 * max(shape)))
    coordinates = bent(rng, grid(shape), colony)
    owner = cells_of(coordinates, random_seeds(rng, coordinates, colony)).owner
    count = int(owner.max()) + 1
    angle = rng.uniform(0, np.pi, count).astype(np.float32)
    if rng.random() < 0.3:
        angle = angle[rng.integers(0, min(3, count), count)]
    pitch = np.maximum(3.0, 2 * scale * rng.lognormal(0, 0.12, count)).astype(np.float32)
    waviness = float(rng.choice([0.0, rng.uniform(0.1, 0.7)])) * scale
    row, column = warped(rng, grid(shape), 3 * scale, waviness)
    across = (row * np.cos(angle)[owner] + column * np.sin(angle)[owner]) / pitch[owner]
    wave = np.sin(2 * np.pi * (across + rng.random(count).astype(np.float32)[owner]))
    share = float(rng.choice([rng.uniform(0.1, 0.3), rng.uniform(0.3, 0.7), rng.uniform(0.7, 0.9)]))
    if rng.random() < 0.6:
        wave = wave + np.float32(rng.uniform(0.1, 0.7)) * random_field(rng, shape, 1.2 * scale)
    phases = np.where(wave > np.quantile(wave, 1 - share), 2, 1).astype(np.uint8)
    if rng.random() < 0.4:
        free = rng.random(count) < rng.uniform(0.1, 0.5)
        phases[free[owner]] = rng.choice([1, 2, 3])
    lines = flat(shape)
    if rng.random() < 0.3:
        lines = draw_boundaries(rng, owner + 1, width=float(rng.uniform(1, 2.5)), gaps=0.2)
    return phases, lines


def _tree(
    rng: np.random.Generator, scale: float, turn: float, lean: float
) -> tuple[Floats, Floats]:
    """One dendrite round the origin: discs (n, 2) and radii (n,) along trunks and side arms."""
    reach = scale * float(rng.uniform(3, 9))
    pitch = scale * float(rng.uniform(1.15, 1.9))
    trunks = 4 if rng.random() < 0.5 else 2
    centres, radii = [], []
    for trunk in range(trunks):
        heading = turn + trunk * 2 * np.pi / trunks + rng.normal(0, 0.04)
        axis = np.array([np.cos(heading), np.sin(heading)])
        length = reach * float(rng.uniform(0.6, 1.2))
        along = np.arange(0, length, 0.3 * scale)
        centres.append(along[:, None] * axis)
        radii.append(scale * (0.55 - 0.2 * along / length))
        for step in np.arange(pitch * rng.uniform(0.4, 1), length, pitch):
            for side in (-1, 1):
                tilt = heading + side * lean + rng.normal(0, 0.06)
                longest = min(length - step, step if trunks == 4 else length) * 0.75 + 0.3 * scale
                arm = np.arange(0, longest * rng.uniform(0.5, 1.1), 0.3 * scale)
                centres.append(step * axis + arm[:, None] * np.array([np.cos(tilt), np.sin(tilt)]))
                swell = rng.uniform(0.75, 1.1) * (1 + 0.15 * np.sin(arm / scale * 2.5))
                radii.append(scale * 0.45 * swell * (1 - 0.25 * arm / max(longest, 1e-3)))
    return (
        np.concatenate(centres).astype(np.float32),
        np.concatenate(radii).astype(np.float32),
    )


def dendrites(rng: np.random.Generator, shape: Shape, scale: float) -> tuple[Phases, Floats]:
    """Trees of trunks and side arms with smooth, merging outlines; the arms are ``scale`` wide.

    Cut by the section, some leave rows of rounded blobs only.
    """
    spread = scale * float(rng.uniform(4, 13))
    trees = int(np.clip(shape[0] * shape[1] / spread**2, 1, 600))
    common = float(rng.uniform(0, np.pi))
    aligned = rng.random() < 0.5
    lean = float(rng.choice([np.pi / 2, np.pi / 2, np.pi / 3]))
    forest = []
    for _ in range(trees):
        turn = common + rng.normal(0, 0.05) if aligned else rng.uniform(0, np.pi)
        centres, radii = _tree(rng, scale, float(turn), lean)
        forest.append((centres + (rng.uniform(-0.05, 1.05, 2) * shape).astype(np.float32), radii))
    seeds = Seeds(np.concatenate([c for c, _ in forest]), np.concatenate([r for _, r in forest]))
    if rng.random() < 0.35:
        place = np.clip(np.rint(seeds.centres), 0, np.array(shape) - 1).astype(int)
        seeds = seeds.chosen(
            random_field(rng, shape, scale)[tuple(place.T)] > rng.uniform(-0.6, 0.6)
        )
    if len(seeds) == 0:
        return np.ones(shape, dtype=np.uint8), flat(shape)
    coordinates = warped(rng, grid(shape), 1.2 * scale, float(rng.uniform(0.05, 0.2)) * scale)
    depth = cells_of(coordinates, seeds, metric="grown", neighbours=3).depth
    outside = smooth(np.clip(depth, -scale, scale), max(0.8, 0.18 * scale)) > 0
    phases = np.where(outside, 1, 2).astype(np.uint8)
    if rng.random() < 0.35:
        wavelength = max(6.0, scale * float(rng.uniform(0.5, 1.2)))
        fine = spectral_field(rng, shape, wavelength, 0.2)
        phases[(phases == 1) & (fine > rng.uniform(-0.3, 0.8))] = 3
    return phases, flat(shape)


def dual_phase(rng: np.random.Generator, shape: Shape, scale: float) -> tuple[Phases, Floats]:
    """Grains that each belong to a phase; grains of one phase that touch are one object.

    Boundaries between grains of one phase may be etched, and one phase may be striped by plates
    too fine to be phases of their own (pearlite).
    """
    labels = tessellation(rng, shape, scale)
    count = int(labels.max()) + 1
    shares = np.array([1.0, _fraction(rng, 0.08, 0.7)])
    if rng.random() < 0.2:
        shares = np.append(shares, _fraction(rng, 0.05, 0.3))
    choice = rng.choice(len(shares), count, p=shares / shares.sum()) + 1
    phases = choice.astype(np.uint8)[labels]
    lines = flat(shape)
    if rng.random() < 0.4:
        lines = draw_boundaries(
            rng,
            labels,
            width=float(np.clip(0.06 * scale, 1, 3)),
            strength=(0.2, 0.9),
            gaps=float(rng.uniform(0, 0.4)),
        )
    if scale > 20 and rng.random() < 0.3:
        pitch, strength = float(rng.uniform(3, 5)), np.float32(rng.uniform(0.3, 0.8))
        for part, turn in enumerate(rng.uniform(0, np.pi, 3).tolist()):
            stripes = spectral_field(rng, shape, pitch, 0.15, angle=turn, aspect=6.0)
            here = (phases == 2) & (labels % 3 == part)
            lines[here] = np.clip(stripes[here], 0, 1) * strength
    return phases, lines


def channelled(rng: np.random.Generator, shape: Shape, scale: float) -> tuple[Phases, Floats]:
    """Rounded cells parted by a film of another phase: liquid-phase sintered, films, dual cells."""
    coordinates = bent(rng, grid(shape), scale)
    if rng.random() < 0.3:
        coordinates = frame(coordinates, float(rng.uniform(0, np.pi)), float(rng.uniform(1.3, 5)))
    if rng.random() < 0.5:
        seeds = random_seeds(rng, coordinates, scale)
        seeds = thin_out(Seeds(seeds.centres, seeds.radii * 0.8), 0)
    else:
        seeds = lattice_seeds(rng, coordinates, scale, float(rng.uniform(0.1, 0.4)), hexagonal=True)
    cells = cells_of(coordinates, seeds)
    inner = cells.inside(float(rng.uniform(0.02, 0.15)) * scale)
    film = max(1.0, scale * float(rng.uniform(0.04, 0.3)))
    wide = film / 2 * np.clip(1 + rng.uniform(0, 0.6) * random_field(rng, shape, scale), 0, 3)
    solid = smooth(np.clip(inner - wide, -film, film), 0.6) > 0
    swap = rng.random() < 0.3
    return np.where(solid ^ swap, 2, 1).astype(np.uint8), flat(shape)


def needles(rng: np.random.Generator, shape: Shape, scale: float) -> tuple[Phases, Floats]:
    """Needles, plates or bent flakes, at random or in a few directions (Widmanstätten)."""
    aspect = float(rng.uniform(4, 16))
    width = max(1.5, scale / np.sqrt(aspect) * 1.1)
    length = width * aspect
    variants = rng.uniform(0, np.pi, int(rng.integers(1, 5))) if rng.random() < 0.6 else None
    bend = float(rng.choice([0.0, 0.0, rng.uniform(0.05, 0.35)]))
    tip = float(rng.choice([2.0, 4.0, 8.0]))
    area = shape[0] * shape[1]
    count = int(np.clip(rng.uniform(0.05, 0.6) * area / (width * length * 0.7) + 1, 1, 6000))
    distance = np.full(shape, 1e3, dtype=np.float32)
    for _ in range(count):
        turn = rng.uniform(0, np.pi) if variants is None else rng.choice(variants)
        turn += rng.normal(0, 0.03)
        half, thick = length / 2 * rng.lognormal(0, 0.3), width / 2 * rng.lognormal(0, 0.25)
        middle = rng.uniform(-0.05, 1.05, 2) * shape
        reach = np.abs([np.cos(turn), np.sin(turn)]) * half + thick + bend * 2 * half + 2
        low = np.clip(middle - reach, 0, shape).astype(int)
        high = np.clip(middle + reach + 1, 0, shape).astype(int)
        if (low >= high).any():
            continue
        row = np.arange(low[0], high[0], dtype=np.float32)[:, None] - np.float32(middle[0])
        column = np.arange(low[1], high[1], dtype=np.float32)[None] - np.float32(middle[1])
        along = np.abs(row * np.float32(np.cos(turn)) + column * np.float32(np.sin(turn)))
        across = column * np.float32(np.cos(turn)) - row * np.float32(np.sin(turn))
        bow = np.float32(bend * rng.normal() * half) * (along / np.float32(half)) ** 2
        body = np.abs(across - bow) - np.float32(thick) * (
            1 - (along / np.float32(half)) ** np.float32(tip)
        )
        window = distance[low[0] : high[0], low[1] : high[1]]
        np.minimum(window, body, out=window)
    return np.where(distance < 0, 2, 1).astype(np.uint8), flat(shape)


def eutectic(rng: np.random.Generator, shape: Shape, scale: float) -> tuple[Phases, Floats]:
    """Fine lamellar, rod or maze eutectic between primary crystals."""
    fine = max(3.0, scale * float(rng.uniform(0.15, 0.4)))
    field = spectral_field(
        rng,
        shape,
        2 * fine,
        float(rng.uniform(0.08, 0.25)),
        angle=float(rng.uniform(0, np.pi)),
        aspect=float(np.exp(rng.uniform(0, 1.2))),
    )
    phases = np.where(field > rng.uniform(-0.4, 0.7), 2, 1).astype(np.uint8)
    if rng.random() < 0.5:
        primary = dendrites(rng, shape, scale)[0] == 2
    else:
        seeds = random_seeds(rng, grid(shape), scale * float(rng.uniform(1.0, 2.0)))
        primary = blobs(rng, shape, thin_out(seeds, 2.0), gap=2.0, rough=0.2)
    rim = ndimage.binary_dilation(primary, iterations=int(rng.integers(2, 5)))
    phases[rim] = 1 if rng.random() < 0.5 else 2
    phases[primary] = rng.choice([1, 2, 3])
    return phases, flat(shape)


def lath_films(rng: np.random.Generator, shape: Shape, scale: float) -> tuple[Phases, Floats]:
    """Packets of laths with films of another phase between them, in places broken (Ti-6Al-4V)."""
    family = "laths" if rng.random() < 0.75 else None
    labels = tessellation(rng, shape, scale, family)
    width = float(np.clip(mean_intercept(labels) * rng.uniform(0.08, 0.3), 1.2, 12.0))
    film = draw_boundaries(
        rng,
        labels,
        width=width,
        spread=float(rng.uniform(0.1, 0.8)),
        strength=(1.0, 1.0),
        gaps=float(rng.choice([0.0, rng.uniform(0.05, 0.5)])),
        pockets=float(rng.uniform(0, 1.5)),
    )
    return np.where(smooth(film, 0.7) > 0.5, 2, 1).astype(np.uint8), flat(shape)


def network(rng: np.random.Generator, shape: Shape, scale: float) -> tuple[Phases, Floats]:
    """A film of width ``scale`` along grain boundaries; plates, needles or dots in the grains."""
    labels = tessellation(rng, shape, float(np.clip(scale * rng.uniform(8, 20), 30, 200)))
    film = draw_boundaries(
        rng,
        labels,
        width=max(2.0, 0.7 * scale),
        spread=float(rng.uniform(0.2, 0.9)),
        strength=(1.0, 1.0),
        gaps=float(rng.choice([0.0, rng.uniform(0.1, 0.6)])),
        pockets=float(rng.uniform(0, 2)),
        ragged=float(rng.choice([0.0, 0.3])),
    )
    film_here = smooth(film, 0.8) > 0.5
    kind = rng.choice(["empty", "plates", "needles", "dots"])
    fine = max(3.0, scale * float(rng.uniform(0.3, 0.8)))
    phases = np.ones(shape, dtype=np.uint8)
    if kind == "plates":
        phases = np.minimum(lamellae(rng, shape, fine)[0], 2)
    elif kind == "needles":
        phases = needles(rng, shape, 2 * fine)[0]
    elif kind == "dots":
        phases = field_levels(rng, shape, fine)[0]
    if kind != "empty":
        near = smooth(film_here.astype(np.float32), max(1.0, 0.4 * scale)) > 0.1
        phases[near] = 1
    phases[film_here] = rng.choice([2, 3]) if kind != "empty" else 2
    return phases, flat(shape)
