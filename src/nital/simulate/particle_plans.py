"""Sizes and arrangements of simulated particles: where each goes, in the order of laying."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from nital.simulate.particle_shapes import Style
from nital.simulate.scene import random_field

__all__ = ["PLANNERS", "Plan", "fragments", "powder", "scatter"]

Numbers = NDArray[np.float64]
Shape = tuple[int, int]


@dataclass(frozen=True)
class Plan:
    """Where particles go, in the order in which they are laid down.

    Parameters
    ----------
    centres
        (n, 2) row, column in pixels; may lie outside the frame.
    radii
        (n,) radius in pixels of the circle of equal area.
    angles
        (n,) turn of the long axis in radians, or ``None`` for random ones.
    layers
        (n,) rising layer numbers, or ``None`` for one layer.
    overlap
        A particle is left out if it would cover more than this share of its own area with
        others of its layer; 1 allows all.
    """

    centres: Numbers
    radii: Numbers
    angles: Numbers | None = None
    layers: NDArray[np.intp] | None = None
    overlap: float = 0.0


def _radii(rng: np.random.Generator, count: int, scale: float, shape: Shape) -> Numbers:
    """One size, log-normal or bimodal; the median diameter is ``scale``."""
    spread = float(rng.choice([0.0, 0.03, 0.1, 0.25, 0.5]))
    factor = np.exp(spread * np.clip(rng.standard_normal(count), -2.5, 2.5))
    if rng.random() < 0.12:
        factor = np.where(rng.random(count) < 0.3, factor * rng.uniform(1.6, 3.5), factor)
    return np.clip(0.5 * scale * factor, 1.5, max(0.75 * max(shape), 0.5 * scale))


def _anywhere(rng: np.random.Generator, count: int, shape: Shape, margin: float) -> Numbers:
    return rng.uniform(-margin, np.array(shape) + margin, (count, 2))


def _number(shape: Shape, scale: float, cover: float, most: float = 8000.0) -> int:
    """Particles that cover the share ``cover`` of the frame, at most ``most`` per 256 x 256."""
    area = shape[0] * shape[1]
    return max(1, int(min(cover * area / (0.7854 * scale**2), most * area / 65536)))


def _dense_here(
    rng: np.random.Generator, shape: Shape, centres: Numbers, share: float
) -> NDArray[np.bool_]:
    """Whether each centre lies in random patches that hold about ``share`` of the frame."""
    patch = random_field(rng, shape, float(rng.uniform(0.08, 0.3)) * min(shape))
    at = np.clip(centres.astype(int), 0, np.array(shape) - 1)
    return np.asarray(patch[at[:, 0], at[:, 1]] > np.quantile(patch, 1 - share))


def _sparse(rng: np.random.Generator, shape: Shape, scale: float, style: Style) -> Plan:
    count = int(rng.integers(1, 11))
    centres = _anywhere(rng, count, shape, 0.3 * scale)
    centres[0] = rng.uniform(0.2, 0.8, 2) * shape
    return Plan(centres, _radii(rng, count, scale, shape), overlap=float(rng.choice([0.0, 0.1])))


def scatter(rng: np.random.Generator, shape: Shape, scale: float, style: Style) -> Plan:
    """Random places, in the whole frame or in patches; satellites on the larger ones at times."""
    cover = rng.uniform(0.03, 0.6 if scale > 10 else 0.3)
    count = _number(shape, scale, cover)
    centres = _anywhere(rng, count, shape, 0.4 * scale)
    radii = _radii(rng, count, scale, shape)
    if rng.random() < 0.25:
        keep = _dense_here(rng, shape, centres, float(rng.uniform(0.2, 0.8)))
        centres, radii = centres[keep], radii[keep]
    overlap = float(rng.choice([0.0, 0.05, 0.3]))
    if scale > 14 and rng.random() < 0.25 and len(radii):
        return _with_satellites(rng, centres, radii, overlap)
    angles = None
    if rng.random() < 0.15:  # flow or a field has turned them all one way
        angles = rng.uniform(0, np.pi) + rng.uniform(0, 0.3) * rng.standard_normal(len(radii))
    return Plan(centres, radii, angles, overlap=overlap)


def _with_satellites(
    rng: np.random.Generator, centres: Numbers, radii: Numbers, overlap: float
) -> Plan:
    """Small particles on the rims of large ones, as on atomised powder."""
    count = int(len(radii) * rng.uniform(0.5, 4)) + 1
    parent = rng.integers(0, len(radii), count)
    size = np.maximum(2.0, radii[parent] * rng.uniform(0.1, 0.35, count))
    turn, out = rng.uniform(0, 2 * np.pi, count), radii[parent] * rng.uniform(0.5, 1.1, count)
    near = centres[parent] + out[:, None] * np.stack([np.sin(turn), np.cos(turn)], 1)
    layers = np.repeat([0, 1], [len(radii), count])
    return Plan(np.r_[centres, near], np.r_[radii, size], layers=layers, overlap=overlap)


def _raft(rng: np.random.Generator, shape: Shape, scale: float, style: Style) -> Plan:
    """Close-packed monolayers without a lattice: neighbours push each other apart."""
    count = _number(shape, scale, rng.uniform(0.45, 0.85), 900)
    centres = _anywhere(rng, count, shape, 0.5 * scale)
    radii = _radii(rng, count, scale, shape)
    shell = radii * rng.uniform(1.0, 1.2) + rng.choice([0.0, 1.0])
    for _ in range(12 if count < 400 else 6):
        pairs = cKDTree(centres).query_pairs(2 * float(shell.max()), output_type="ndarray")
        if not len(pairs):
            break
        one, two = pairs.T
        apart = centres[two] - centres[one]
        distance = np.maximum(np.hypot(*apart.T), 1e-3)
        excess = np.maximum(shell[one] + shell[two] - distance, 0) / distance
        push = 0.5 * excess[:, None] * apart
        np.add.at(centres, two, push)
        np.add.at(centres, one, -push)
    if rng.random() < 0.35:
        keep = _dense_here(rng, shape, centres, float(rng.uniform(0.3, 0.9)))
        centres, radii = centres[keep], radii[keep]
    return Plan(centres, radii, overlap=0.2)


def _lattice(rng: np.random.Generator, shape: Shape, scale: float, style: Style) -> Plan:
    """Monolayers on a lattice: hexagonal for round bodies, rows side by side for long ones."""
    long, wide = (rng.uniform(1.0, 1.15) * scale * s for s in (style.half_length, style.half_width))
    elongated = style.half_length > 1.25 * style.half_width
    hexagonal = not elongated and rng.random() < 0.75
    turn = rng.uniform(0, np.pi)
    sites = _sites(rng, shape, long, wide, turn, hexagonal, elongated)
    sites += rng.choice([0.0, 0.02, 0.06]) * scale * rng.standard_normal(sites.shape)
    keep = ((sites > -0.6 * scale) & (sites < np.array(shape) + 0.6 * scale)).all(axis=1)
    sites = sites[keep & (rng.random(len(sites)) > rng.choice([0.0, 0.02, 0.15]))]
    if rng.random() < 0.35 and len(sites):
        sites = sites[_dense_here(rng, shape, sites, float(rng.uniform(0.3, 0.9)))]
    layers = np.zeros(len(sites), dtype=np.intp)
    if hexagonal and rng.random() < 0.25 and len(sites):
        shift = wide / np.sqrt(3) * np.array([np.sin(turn + 0.5), np.cos(turn + 0.5)])
        upper = sites[_dense_here(rng, shape, sites, float(rng.uniform(0.1, 0.7)))] + shift
        layers = np.repeat([0, 1], [len(sites), len(upper)])
        sites = np.r_[sites, upper]
    spread = float(rng.choice([0.0, 0.02, 0.05]))
    radii = 0.5 * scale * np.exp(spread * rng.standard_normal(len(sites)))
    aligned = elongated or rng.random() < 0.5
    angles = turn + rng.choice([0.0, 0.03, 0.1]) * rng.standard_normal(len(sites))
    return Plan(sites, radii, angles if aligned else None, layers, overlap=0.25)


def _sites(
    rng: np.random.Generator,
    shape: Shape,
    long: float,
    wide: float,
    turn: float,
    hexagonal: bool,
    elongated: bool,
) -> Numbers:
    """Lattice sites that cover the frame, distorted gently or broken into domains."""
    reach = float(np.hypot(*shape)) / 2 + long
    pitch = wide * (0.866 if hexagonal else 1.0)
    rows = np.arange(-int(reach / pitch) - 1, int(reach / pitch) + 2)
    cols = np.arange(-int(reach / long) - 1, int(reach / long) + 2)
    j, i = np.meshgrid(cols, rows)
    stagger = 0.5 if hexagonal else float(rng.choice([0.0, 0.5]) * elongated)
    y, x = i.ravel() * pitch, (j.ravel() + stagger * (i.ravel() % 2)) * long
    if rng.random() < 0.3:  # rows slide past each other
        x = x + (rng.uniform(0, 1, rows.size) * long * 0.5 * elongated)[i.ravel() - rows[0]]
    cos, sin = np.cos(turn), np.sin(turn)
    sites = np.stack([cos * y + sin * x, cos * x - sin * y], 1) + np.array(shape) / 2
    if rng.random() < 0.4:
        at = np.clip(sites.astype(int), 0, np.array(shape) - 1)
        for axis in (0, 1):
            bend = random_field(rng, shape, 0.35 * min(shape))
            sites[:, axis] += 0.4 * wide * bend[at[:, 0], at[:, 1]]
    return sites


def _cluster(rng: np.random.Generator, shape: Shape, scale: float, style: Style) -> Plan:
    """Agglomerates: each new particle is set against one of its cluster."""
    count = _number(shape, scale, rng.uniform(0.1, 0.7), 1500)
    groups = int(rng.integers(1, max(2, min(12, count // 3 + 1))))
    closeness = rng.uniform(0.55, 1.0)
    radii = _radii(rng, count, scale, shape)
    centres = _anywhere(rng, count, shape, 0.0)
    centres[0] = rng.uniform(0.25, 0.75, 2) * shape
    parents = (rng.random(count) * np.arange(count)).astype(int)
    chain = rng.random() < 0.3
    bundle = style.half_length > 1.4 * style.half_width and rng.random() < 0.6
    angles = rng.uniform(0, 2 * np.pi, count)
    directions = rng.uniform(0, 2 * np.pi, count)
    for i in range(groups, count):
        parent = max(parents[i], i - 3) if chain else parents[i]
        step = closeness * (radii[i] + radii[parent])
        if bundle:
            angles[i] = angles[parent] + rng.normal(0, 0.12)
            directions[i] = angles[i] + rng.choice([-0.5, 0.5]) * np.pi + rng.normal(0, 0.15)
            step *= 1.1 * style.half_width
        centres[i, 0] = centres[parent, 0] + step * np.sin(directions[i])
        centres[i, 1] = centres[parent, 1] + step * np.cos(directions[i])
    overlap = float(rng.choice([0.1, 0.4, 1.0]))
    return Plan(centres, radii, angles if bundle else None, overlap=overlap)


def _bed(rng: np.random.Generator, shape: Shape, scale: float, style: Style) -> Plan:
    """Powder that fills the frame, layer upon layer."""
    depth = int(rng.integers(2, 4))
    total = depth * _number(shape, scale, 1.6, 1800)
    return Plan(
        _anywhere(rng, total, shape, 0.5 * scale),
        _radii(rng, total, scale, shape),
        layers=np.arange(total) * depth // total,
        overlap=float(rng.choice([0.1, 0.25, 0.4])),
    )


def powder(rng: np.random.Generator, shape: Shape, scale: float, style: Style) -> Plan:
    """Atomised powder: two or three layers of widely spread sizes, then satellites on them."""
    depth = int(rng.integers(1, 4))
    count = depth * _number(shape, scale, float(rng.uniform(0.7, 1.3)), 700)
    spread = float(rng.uniform(0.15, 0.5))
    radii = 0.5 * scale * np.exp(spread * np.clip(rng.standard_normal(count), -2.2, 2.2))
    few = rng.random(count) < rng.choice([0.0, 0.3, 0.8])
    parent = np.flatnonzero(few)[-max(1, count // depth) :]
    size = np.maximum(2.0, radii[parent] * rng.uniform(0.15, 0.4, len(parent)))
    centres = _anywhere(rng, count, shape, 0.5 * scale)
    turn, out = rng.uniform(0, 2 * np.pi, len(parent)), radii[parent] * rng.uniform(0.5, 1.05)
    near = centres[parent] + out[:, None] * np.stack([np.sin(turn), np.cos(turn)], 1)
    layers = np.r_[np.arange(count) * depth // count, np.full(len(parent), depth)]
    overlap = float(rng.choice([0.05, 0.15, 0.3]))
    return Plan(np.r_[centres, near], np.r_[radii, size], layers=layers, overlap=overlap)


def fragments(rng: np.random.Generator, shape: Shape, scale: float, style: Style) -> Plan:
    """Grains of very unequal sizes, the largest first: crystals and debris in a fine matrix."""
    spread = float(rng.uniform(0.4, 0.9))
    count = min(_number(shape, scale, float(rng.uniform(0.05, 0.6)), 1200), 1200)
    factor = np.exp(spread * np.clip(rng.standard_normal(count), -2, 2.5))
    radii = np.sort(np.clip(0.5 * scale * factor, 1.5, 0.3 * max(shape)))[::-1]
    overlap = float(rng.choice([0.0, 0.05]))
    return Plan(_anywhere(rng, count, shape, 0.3 * scale), radii, overlap=overlap)


def _pile(rng: np.random.Generator, shape: Shape, scale: float, style: Style) -> Plan:
    """Free overlap at a moderate cover."""
    count = _number(shape, scale, rng.uniform(0.3, 1.2), 2500)
    centres = _anywhere(rng, count, shape, 0.4 * scale)
    return Plan(centres, _radii(rng, count, scale, shape), overlap=1.0)


PLANNERS: dict[str, Callable[[np.random.Generator, Shape, float, Style], Plan]] = {
    "sparse": _sparse,
    "scatter": scatter,
    "raft": _raft,
    "lattice": _lattice,
    "cluster": _cluster,
    "bed": _bed,
    "pile": _pile,
    "powder": powder,
    "fragments": fragments,
}
