"""Simulated polycrystals: grains, twins, islands, pores, and how their boundaries are etched."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.simulate.boundaries import (
    draw_boundaries,
    edge_pixels,
    junctions,
    mean_intercept,
    tidy,
)
from nital.simulate.cells import Floats, Seeds, cells_of, grid, warped
from nital.simulate.distractors import deep_scratches, etch_pits
from nital.simulate.scene import Scene, random_field
from nital.simulate.tessellation import draw_family, draw_scale, tessellation

__all__ = ["simulate_grains"]

Labels = NDArray[np.int32]


def _across(angle: Floats, labels: Labels) -> tuple[Floats, Floats]:
    """Coordinates across and along a direction that each label has of its own."""
    row, column = grid((labels.shape[0], labels.shape[1]))
    cosine, sine = np.cos(angle)[labels], np.sin(angle)[labels]
    return row * cosine + column * sine, column * cosine - row * sine


def add_twins(
    rng: np.random.Generator, labels: Labels, scale: float
) -> tuple[Labels, NDArray[np.bool_]]:
    """Straight bands across some grains, grains of their own; and which labels are such bands."""
    count = int(labels.max())
    size = np.sqrt(np.bincount(labels.ravel(), minlength=count + 1)).astype(np.float32)
    index = np.arange(1, count + 1)
    middle = np.array(ndimage.center_of_mass(labels > 0, labels, index), dtype=np.float32)
    middle = np.concatenate([np.zeros((1, 2), np.float32), middle])
    angle = rng.uniform(0, np.pi, count + 1).astype(np.float32)
    across, along = _across(angle, labels)
    across -= (middle[:, 0] * np.cos(angle) + middle[:, 1] * np.sin(angle))[labels]
    along -= (middle[:, 1] * np.cos(angle) - middle[:, 0] * np.sin(angle))[labels]
    share = rng.uniform(0.15, 0.7)
    band = np.zeros(labels.shape, dtype=bool)
    for repeat in range(int(rng.integers(1, 4))):
        has = rng.random(count + 1) < share / (repeat + 1)
        has &= size > 22
        half = np.maximum(2.0, size * rng.uniform(0.02, 0.16, count + 1).astype(np.float32))
        offset = size * rng.normal(0, 0.22, count + 1).astype(np.float32)
        stops = np.where(rng.random(count + 1) < 0.25, size * rng.uniform(-0.2, 0.3), 1e6)
        inside = np.abs(across - offset[labels]) < half[labels]
        band |= inside & has[labels] & (along < stops.astype(np.float32)[labels])
    split = tidy(labels * 2 + band, max(8.0, 0.006 * scale**2))
    votes = np.bincount(split.ravel(), weights=band.ravel())
    return split, votes > 0.5 * np.maximum(np.bincount(split.ravel()), 1)


def islands(rng: np.random.Generator, labels: Labels, scale: float) -> NDArray[np.bool_]:
    """Blobs of a second phase, or pores: at triple points, on walls, or anywhere."""
    shape = (labels.shape[0], labels.shape[1])
    where = rng.choice(["junctions", "walls", "anywhere"])
    if where == "junctions":
        places = junctions(labels)
    elif where == "walls":
        places = np.argwhere(edge_pixels(labels)[0])
    else:
        places = rng.integers(0, shape, (int(3 + 4 * labels.size / scale**2), 2))
    if len(places) == 0:
        return np.zeros(shape, dtype=bool)
    wanted = int(np.ceil(rng.uniform(0.1, 0.7) * (1 + labels.size / scale**2)))
    chosen = places[rng.permutation(len(places))[:wanted]].astype(np.float32) + 0.5
    radii = rng.lognormal(0, 0.4, len(chosen)) * scale * rng.uniform(0.05, 0.2)
    turns = np.stack(
        [rng.uniform(0, np.pi, len(chosen)), np.exp(np.abs(rng.normal(0, 0.4, len(chosen))))], 1
    )
    seeds = Seeds(chosen, np.maximum(1.3, radii).astype(np.float32), turns.astype(np.float32))
    coordinates = warped(rng, grid(shape), max(1.5, 0.15 * scale), 0.04 * scale)
    exponent = float(rng.choice([1.4, 2.0, 2.0, 4.0]))
    depth = cells_of(coordinates, seeds, metric="grown", exponent=exponent, neighbours=4).depth
    return np.asarray(depth < 0)


def binder(rng: np.random.Generator, labels: Labels) -> NDArray[np.bool_]:
    """A film of another phase between the grains, wider where three meet: sintered, cemented."""
    width = mean_intercept(labels) * float(rng.uniform(0.08, 0.35))
    film = draw_boundaries(
        rng,
        labels,
        width=max(1.5, width),
        spread=float(rng.uniform(0.2, 1.0)),
        strength=(1.0, 1.0),
        gaps=float(rng.choice([0.0, rng.uniform(0.1, 0.5)])),
        pockets=float(rng.uniform(0.5, 2.0)),
    )
    return np.asarray(ndimage.gaussian_filter(film, 0.8) > 0.5)


def etch(rng: np.random.Generator, labels: Labels, twin: NDArray[np.bool_]) -> Floats:
    """Boundaries in one of the ways a specimen shows them: none, thin, broken, wide, ragged."""
    style = rng.choice(
        ["none", "thin", "broken", "wide", "ragged"], p=[0.2, 0.28, 0.17, 0.13, 0.22]
    )
    if style == "none":
        return np.zeros(labels.shape, dtype=np.float32)
    intercept = mean_intercept(labels)
    faint = np.where(twin, rng.choice([0.2, 0.5, 1.0], p=[0.35, 0.3, 0.35]), 1.0)
    if style in ("thin", "broken"):
        lines = draw_boundaries(
            rng,
            labels,
            width=float(np.clip(intercept * rng.uniform(0.02, 0.12), 1.0, 4.0)),
            spread=float(rng.uniform(0, 0.6)),
            strength=(float(rng.uniform(0.1, 0.9)), 1.0),
            gaps=float(rng.uniform(0.05, 0.35)) if style == "broken" else 0.0,
            pockets=float(rng.choice([0.0, 0.5, 1.0])),
            faint=faint.astype(np.float32),
        )
    else:
        lines = draw_boundaries(
            rng,
            labels,
            width=float(np.clip(intercept * rng.uniform(0.08, 0.28), 2.0, 14.0)),
            spread=float(rng.uniform(0.1, 0.7)),
            strength=(float(rng.uniform(0.4, 0.9)), 1.0),
            gaps=float(rng.choice([0.0, 0.0, 0.05, 0.1])),
            ragged=float(rng.uniform(0.3, 1.0)) if style == "ragged" else 0.0,
            pockets=float(rng.uniform(0.0, 1.5)),
            faint=faint.astype(np.float32),
        )
    if intercept > 20 and rng.random() < 0.15:
        lines = np.maximum(lines, slip_traces(rng, labels, intercept))
    return lines


def slip_traces(rng: np.random.Generator, labels: Labels, intercept: float) -> Floats:
    """Faint parallel lines in parts of some grains, which bound nothing: slip, striations."""
    count = int(labels.max()) + 1
    angle = rng.uniform(0, np.pi, count).astype(np.float32)
    pitch = rng.uniform(4, max(5.0, 0.25 * intercept), count).astype(np.float32)
    across, _ = _across(angle, labels)
    turns = across / pitch[labels]
    distance = np.abs(turns - np.round(turns)) * pitch[labels]
    shape = (labels.shape[0], labels.shape[1])
    patch = np.clip(2 * random_field(rng, shape, 0.5 * intercept), 0, 1)
    strength = rng.uniform(0.1, 0.45) * (rng.random(count) < rng.uniform(0.1, 0.5))
    lines = np.clip(1.2 - distance, 0, 1) * patch * strength.astype(np.float32)[labels]
    return np.asarray(lines, dtype=np.float32)


def relief(rng: np.random.Generator, labels: Labels, lines: Floats) -> Floats:
    """Height of the surface: flat, one level for each grain, grooves, or gentle undulation."""
    style = rng.choice(["flat", "steps", "grooves", "waves"], p=[0.5, 0.2, 0.2, 0.1])
    shape = (labels.shape[0], labels.shape[1])
    if style == "steps":
        levels = rng.uniform(0, 1, int(labels.max()) + 1).astype(np.float32)
        return np.asarray(ndimage.gaussian_filter(levels[labels], float(rng.uniform(0.4, 1.5))))
    if style == "grooves" and lines.any():
        return np.asarray(1 - ndimage.gaussian_filter(lines, 1.0), dtype=np.float32)
    if style == "waves":
        field = random_field(rng, shape, 0.1 * min(shape))
        return np.asarray(np.clip(0.5 + 0.2 * field, 0, 1), dtype=np.float32)
    return np.zeros(shape, dtype=np.float32)


def _second_phases(
    rng: np.random.Generator, labels: Labels, scale: float
) -> tuple[Labels, NDArray[np.uint8]]:
    """Cut binder, islands and pores out of the grains; they become objects of phases 2 and 3."""
    phases = np.ones(labels.shape, dtype=np.uint8)
    if rng.random() < 0.3:
        phases[binder(rng, labels)] = 2
    if phases.max() == 1 or rng.random() < 0.3:
        for phase in range(int(phases.max()) + 1, 2 + int(rng.choice([1, 1, 2]))):
            phases[islands(rng, labels, scale)] = phase
    labels = tidy(np.where(phases > 1, -phases.astype(np.int32), labels), 4.0)
    first = np.unique(labels, return_index=True)[1]
    return labels, phases.ravel()[first][labels - 1]


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
        ``None``, and at most 0.4 of the shorter side.
    family
        A key of ``tessellation.GRAIN_FAMILIES``; random when ``None``.
    """
    if scale is None:
        scale = draw_scale(rng, shape, 8, 150)
    family = family or draw_family(rng)
    labels = tessellation(rng, shape, scale, family)
    grains, twin = labels, np.zeros(int(labels.max()) + 1, dtype=bool)
    if scale > 20 and family != "laths" and rng.random() < 0.3:
        labels, twin = add_twins(rng, labels, scale)
    lines = etch(rng, labels, twin)
    if lines.any() and rng.random() < 0.85:
        labels = grains  # etched twin boundaries are seen but not counted (ASTM E112)
    phases = np.ones(shape, dtype=np.uint8)
    if rng.random() < 0.3:
        labels, phases = _second_phases(rng, labels, scale)
        lines[phases > 1] = 0
        if lines.any() and rng.random() < 0.5:
            rims = draw_boundaries(rng, labels, width=float(rng.uniform(1.0, 2.5)))
            lines = np.maximum(lines, rims)
    height = relief(rng, labels, lines)
    return Scene("grains", labels, phases, lines, height, shade=_wear(rng, labels, scale))


def _wear(rng: np.random.Generator, labels: Labels, scale: float) -> Floats | None:
    """Etch pits and deep scratches, which bound no grain."""
    shade = np.zeros(labels.shape, dtype=np.float32)
    if scale > 15 and rng.random() < 0.25:
        reach = scale * float(rng.uniform(0.05, 0.3))
        shade += etch_pits(rng, edge_pixels(labels)[0], float(rng.uniform(3, 9)), reach)
    if rng.random() < 0.2:
        shade += deep_scratches(rng, (labels.shape[0], labels.shape[1]))
    return shade if shade.any() else None
