"""Simulated multi-phase structures: bicontinuous, lamellar, dendritic, acicular, dual-phase, ..."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.errors import UsageError
from nital.simulate.boundaries import draw_boundaries
from nital.simulate.cells import Floats, Seeds, grid, random_seeds, smooth, thin_out, warped
from nital.simulate.distractors import cracks, deep_scratches, speckle
from nital.simulate.patterns import (
    channelled,
    dendrites,
    dual_phase,
    eutectic,
    field_levels,
    flat,
    lamellae,
    lath_films,
    needles,
    network,
)
from nital.simulate.precipitates import (
    blobs,
    carbides,
    cuboids,
    few_blobs,
    lobed,
    round_precipitates,
)
from nital.simulate.scene import Scene, relabel_connected
from nital.simulate.tessellation import draw_scale

__all__ = ["PHASE_FAMILIES", "simulate_phases"]

Phases = NDArray[np.uint8]
Shape = tuple[int, int]
Draw = Callable[[np.random.Generator, Shape, float], tuple[Phases, Floats]]

SMALLEST = 3


class PhaseFamily(NamedTuple):
    """How often a family is drawn, its usual sizes of features in pixels, and what draws it."""

    weight: float
    smallest: float
    largest: float
    draw: Draw


PHASE_FAMILIES: dict[str, PhaseFamily] = {
    "field_levels": PhaseFamily(1.3, 4, 100, field_levels),
    "cuboids": PhaseFamily(1.0, 5, 100, cuboids),
    "lobed": PhaseFamily(2.0, 14, 128, lobed),
    "round_precipitates": PhaseFamily(1.4, 3, 80, round_precipitates),
    "carbides": PhaseFamily(1.4, 3, 25, carbides),
    "few_blobs": PhaseFamily(1.0, 8, 120, few_blobs),
    "lamellae": PhaseFamily(1.0, 3, 30, lamellae),
    "lath_films": PhaseFamily(0.9, 12, 120, lath_films),
    "dendrites": PhaseFamily(0.8, 4, 40, dendrites),
    "dual_phase": PhaseFamily(1.0, 6, 100, dual_phase),
    "channelled": PhaseFamily(0.8, 8, 120, channelled),
    "needles": PhaseFamily(0.8, 4, 60, needles),
    "network": PhaseFamily(0.7, 3, 15, network),
    "eutectic": PhaseFamily(0.7, 12, 100, eutectic),
}


def _add_phase(rng: np.random.Generator, phases: Phases, phase: int) -> None:
    """Make one phase more: some of the objects, a shell round them, or spots anywhere."""
    shape = (phases.shape[0], phases.shape[1])
    parts = relabel_connected(phases == 2)
    chosen = rng.random(int(parts.max()) + 1) < rng.uniform(0.15, 0.6)
    chosen[0] = False
    way = rng.choice(["objects", "shell", "spots"])
    if way == "objects" and chosen.any() and not chosen[1:].all():
        phases[chosen[parts]] = phase
        return
    if way == "shell" and parts.any():
        distance = ndimage.distance_transform_edt(phases != 2)
        inner = ndimage.distance_transform_edt(phases == 2)
        thick = float(rng.uniform(1.5, max(2.0, 0.6 * float(inner.max()))))
        phases[(phases == 1) & (distance < thick)] = phase
        return
    seeds = random_seeds(rng, grid(shape), float(rng.uniform(12, 50)))
    spots = Seeds(seeds.centres, rng.uniform(1.5, 6.0, len(seeds)).astype(np.float32))
    phases[blobs(rng, shape, thin_out(spots, 2.0), gap=1.0)] = phase


def _with_phases(rng: np.random.Generator, phases: Phases, wanted: int) -> Phases:
    """Merge surplus phases, or add some, until there are ``wanted``; numbers without gaps."""
    present = np.unique(np.append(phases, 1))
    phases = np.searchsorted(present, phases).astype(np.uint8) + np.uint8(1)
    phases = np.minimum(phases, wanted).astype(np.uint8)
    for phase in range(len(present) + 1, wanted + 1):
        _add_phase(rng, phases, phase)
    return phases


def _objects(phases: Phases) -> NDArray[np.int32]:
    """Connected regions of every phase but the matrix, 1...n."""
    objects = np.zeros(phases.shape, dtype=np.int32)
    for phase in range(2, int(phases.max()) + 1):
        parts = relabel_connected(phases == phase)
        objects[parts > 0] = parts[parts > 0] + objects.max()
    return objects


def simulate_phases(
    rng: np.random.Generator,
    shape: tuple[int, int],
    *,
    scale: float | None = None,
    n_phases: int | None = None,
    family: str | None = None,
) -> Scene:
    """Draw a multi-phase structure of a random family.

    Parameters
    ----------
    rng
        Source of all that is random: the same state gives the same scene.
    shape
        Rows and columns, at least 16 each.
    scale
        Size of the features in pixels (diameter of precipitates, width of plates and arms);
        log-uniform in the family's range within 3...120 when ``None``, and at most 0.4 of the
        shorter side.
    n_phases
        Number of phases with the matrix, 2...4; mostly 2 when ``None``.
    family
        A key of ``PHASE_FAMILIES``; random when ``None``.

    Raises
    ------
    UsageError
        For a number of phases outside 2...4.
    """
    if n_phases is not None and not 2 <= n_phases <= 4:
        raise UsageError(f"n_phases must be 2, 3 or 4, not {n_phases}")
    if family is None:
        weights = np.array([kind.weight for kind in PHASE_FAMILIES.values()])
        family = str(rng.choice(list(PHASE_FAMILIES), p=weights / weights.sum()))
    kind = PHASE_FAMILIES[family]
    for _ in range(4):
        size = draw_scale(rng, shape, kind.smallest, kind.largest) if scale is None else scale
        phases, lines = kind.draw(rng, shape, size)
        if 0.003 < float((phases > 1).mean()) < 0.99:
            break
    else:
        phases, lines = few_blobs(rng, shape, min(shape) / 4)
    wanted = n_phases or max(2, len(np.unique(np.append(phases, 1))) + int(rng.random() < 0.1))
    phases = _with_phases(rng, phases, min(wanted, 4))
    objects = _objects(phases)
    shade = _wear(rng, shape)
    if rng.random() < 0.08 + 0.25 * (family == "few_blobs"):
        shade = shade + _round_specimen(rng, phases, lines)
        objects = _objects(phases)
    specks = np.bincount(objects.ravel()) < SMALLEST
    specks[0] = False
    if specks.any():
        phases[specks[objects]] = 1
        objects = _objects(phases)
    height = flat(shape)
    if rng.random() < 0.3:
        relief = rng.uniform(0, 1, int(phases.max()) + 1).astype(np.float32)[phases]
        height = smooth(relief, float(rng.uniform(0.5, 2.0)))
    return Scene("phases", objects, phases, lines, height, shade=shade if shade.any() else None)


def _wear(rng: np.random.Generator, shape: Shape) -> Floats:
    """Cracks and deep scratches, which are no phase."""
    shade = flat(shape)
    if rng.random() < 0.1:
        shade = shade + cracks(rng, shape)
    if rng.random() < 0.08:
        shade = shade + deep_scratches(rng, shape)
    return shade


def _round_specimen(rng: np.random.Generator, phases: Phases, lines: Floats) -> Floats:
    """Make the specimen a disc in a mount, as in a tomogram: all outside counts as matrix.

    ``phases`` and ``lines`` are changed; returns the speckle of the mount.
    """
    shape = (phases.shape[0], phases.shape[1])
    middle = np.array(shape) * rng.uniform(0.2, 0.8, 2)
    radius = min(shape) * float(rng.uniform(0.35, 0.8))
    row, column = warped(rng, grid(shape), 0.3 * radius, 0.01 * radius)
    away = np.hypot(row - middle[0], column - middle[1])
    outside = away > radius
    phases[outside] = 1
    lines[outside] = 0
    shade = speckle(rng, outside & (away < radius * float(rng.uniform(1.1, 1.8))))
    if rng.random() < 0.7 and outside.any():
        gap = draw_boundaries(
            rng, outside.astype(np.int32), width=float(rng.uniform(1, 6)), gaps=0.3, ragged=0.5
        )
        shade = shade - float(rng.uniform(0.8, 4.0)) * gap
        rim = ndimage.gaussian_filter(gap, 2.0) * float(rng.uniform(0.0, 2.0))
        shade = shade + rim * (gap < 0.1)
    return np.asarray(shade, dtype=np.float32)
