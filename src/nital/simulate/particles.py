"""Simulated particles: shapes, sizes and arrangements with exact truth."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.errors import UsageError
from nital.simulate.particle_shapes import Stamp, Style, draw_style
from nital.simulate.scene import Scene, random_field

__all__ = ["simulate_particles"]

_FAMILIES = {
    "ellipsoid": 0.34,
    "pillow": 0.06,
    "rod": 0.14,
    "crystal": 0.18,
    "star": 0.03,
    "aggregate": 0.05,
    "grit": 0.06,
    "potato": 0.07,
    "flake": 0.03,
    "flower": 0.03,
    "urchin": 0.02,
}
_ARRANGEMENTS = {
    "sparse": 0.2,
    "scatter": 0.2,
    "lattice": 0.15,
    "cluster": 0.2,
    "bed": 0.15,
    "pile": 0.1,
}
_HIDDEN = 0.25  # below this visible fraction an object is uncertain
_SMALLEST = 6  # pixels


@dataclass(frozen=True)
class _Plan:
    """Where particles go, in the order in which they are laid down."""

    centres: NDArray[np.float64]
    radii: NDArray[np.float64]
    angles: NDArray[np.float64] | None = None
    layers: NDArray[np.intp] | None = None
    overlap: float = 0.0


@dataclass
class _Canvas:
    """The picture being laid down, particle on particle."""

    shape: tuple[int, int]
    transmission: bool
    objects: NDArray[np.int32] = field(init=False)
    height: NDArray[np.float32] = field(init=False)
    lines: NDArray[np.float32] = field(init=False)
    areas: list[int] = field(default_factory=lambda: [0])
    radii: list[float] = field(default_factory=lambda: [0.0])
    kinds: list[int] = field(default_factory=lambda: [1])

    def __post_init__(self) -> None:
        self.objects = np.zeros(self.shape, dtype=np.int32)
        self.height = np.zeros(self.shape, dtype=np.float32)
        self.lines = np.zeros(self.shape, dtype=np.float32)

    def lay(
        self, stamp: Stamp, centre: NDArray[np.float64], overlap: float, first: int, kind: int
    ) -> bool:
        """Lay one particle on top unless it covers too much of those from ``first`` on."""
        h, w = stamp.inside.shape
        top, left = round(centre[0] - h / 2), round(centre[1] - w / 2)
        r0, c0 = max(0, top), max(0, left)
        r1, c1 = min(self.shape[0], top + h), min(self.shape[1], left + w)
        if r0 >= r1 or c0 >= c1:
            return False
        there = np.s_[r0:r1, c0:c1]
        here = np.s_[r0 - top : r1 - top, c0 - left : c1 - left]
        inside = stamp.inside[here]
        area = int(np.count_nonzero(inside))
        if area == 0:
            return False
        below = self.objects[there]
        if overlap < 1:
            covered = np.count_nonzero((below >= first) & inside)
            if covered > overlap * area:
                return False
        ground = self.height[there]
        if self.transmission:
            ground += np.where(inside, stamp.height[here], 0)
        else:
            foot = 0.8 * float(ground[inside].mean())
            np.copyto(ground, stamp.height[here] + np.float32(foot), where=inside)
        np.copyto(self.lines[there], stamp.lines[here], where=inside)
        np.copyto(below, np.int32(len(self.areas)), where=inside)
        self.areas.append(area)
        self.radii.append(0.5 * float(np.sqrt(h * w)))
        self.kinds.append(kind)
        return True


def simulate_particles(
    rng: np.random.Generator, shape: tuple[int, int], *, scale: float | None = None
) -> Scene:
    """Simulate a micrograph's worth of particles.

    Parameters
    ----------
    rng
        Source of all randomness; the same state gives the same scene.
    shape
        Rows and columns, each at least 16.
    scale
        Median equivalent circle diameter in pixels; ``None`` draws it, log-uniform in 4...150.

    Returns
    -------
    Scene
        ``objects`` holds the front particle; particles that are mostly hidden or out of focus
        are listed as uncertain.

    Raises
    ------
    UsageError
        The shape or the scale is out of range.
    """
    if min(shape) < 16:
        raise UsageError(f"Shape {shape} is too small to simulate; give at least 16 x 16 pixels.")
    if scale is not None and not 2 <= scale <= 4096:
        raise UsageError(f"Scale {scale} is out of range; give 2...4096 pixels.")
    if scale is None:
        largest = min(150.0, 0.8 * min(shape))
        scale = float(np.exp(rng.uniform(np.log(4.0), np.log(largest))))
    transmission = bool(rng.random() < 0.45)
    canvas = _Canvas(shape, transmission)
    arrangement = _draw(rng, _ARRANGEMENTS)
    style = draw_style(rng, _draw(rng, _FAMILIES), scale, transmission=transmission)
    plan = _PLANNERS[arrangement](rng, shape, scale, style)
    _lay_plan(rng, canvas, style, plan, kind=2)
    if len(canvas.areas) == 1:
        middle = np.array([shape], dtype=np.float64) / 2
        _lay_plan(rng, canvas, style, _Plan(middle, np.array([scale / 2])), kind=2)
    if rng.random() < 0.12:
        _second_kind(rng, canvas, scale)
    return _finish(rng, canvas, scale)


def _draw(rng: np.random.Generator, weights: dict[str, float]) -> str:
    share = np.array(list(weights.values()))
    return str(rng.choice(list(weights), p=share / share.sum()))


def _second_kind(rng: np.random.Generator, canvas: _Canvas, scale: float) -> None:
    """Particles of another kind among the first, in phase 3."""
    size = max(3.0, scale * float(np.exp(rng.uniform(-1.0, 0.5))))
    style = draw_style(rng, _draw(rng, _FAMILIES), size, transmission=canvas.transmission)
    plan = _scatter(rng, canvas.shape, size, style)
    few = slice(0, max(1, plan.radii.size // 3))
    plan = _Plan(plan.centres[few], plan.radii[few], overlap=rng.choice([0.0, 1.0]))
    _lay_plan(rng, canvas, style, plan, kind=3)


def _lay_plan(
    rng: np.random.Generator, canvas: _Canvas, style: Style, plan: _Plan, kind: int
) -> None:
    bank: dict[int, list[Stamp]] = {}
    count = plan.radii.size
    reuse = count > 150
    first, layer = len(canvas.areas), 0
    for i in range(count):
        if plan.layers is not None and plan.layers[i] != layer:
            first, layer = len(canvas.areas), int(plan.layers[i])
        angle = None if plan.angles is None else float(plan.angles[i])
        if reuse and angle is None:
            stamp = _from_bank(rng, bank, style, float(plan.radii[i]))
        else:
            stamp = style.stamp(rng, float(plan.radii[i]), angle)
        canvas.lay(stamp, plan.centres[i], plan.overlap, first, kind)


def _from_bank(
    rng: np.random.Generator, bank: dict[int, list[Stamp]], style: Style, radius: float
) -> Stamp:
    """One of a few dozen stamps of about this radius: tiny particles need not all differ."""
    size = round(8 * np.log2(max(radius, 1.0)))
    stamps = bank.setdefault(size, [])
    pick = int(rng.integers(0, 16))
    if pick < len(stamps):
        return stamps[pick]
    stamps.append(style.stamp(rng, radius))
    return stamps[-1]


# ---------------------------------------------------------------------------------------------
# sizes and arrangements


def _radii(rng: np.random.Generator, count: int, scale: float, limit: float) -> NDArray[np.float64]:
    """Radii in pixels: one size, log-normal, or bimodal; the median diameter is ``scale``."""
    spread = float(rng.choice([0.0, 0.03, 0.1, 0.25, 0.5]))
    factor = np.exp(spread * np.clip(rng.standard_normal(count), -2.5, 2.5))
    if rng.random() < 0.12:
        factor = np.where(rng.random(count) < 0.3, factor * rng.uniform(1.6, 3.5), factor)
    return np.clip(0.5 * scale * factor, 1.5, limit)


def _anywhere(
    rng: np.random.Generator, count: int, shape: tuple[int, int], margin: float
) -> NDArray[np.float64]:
    low, high = -margin, np.array(shape) + margin
    return rng.uniform(low, high, (count, 2))


def _limit(shape: tuple[int, int]) -> float:
    return 0.75 * max(shape)


def _number(shape: tuple[int, int], scale: float, cover: float) -> int:
    return max(1, int(cover * shape[0] * shape[1] / (0.7854 * scale**2)))


def _sparse(rng: np.random.Generator, shape: tuple[int, int], scale: float, style: Style) -> _Plan:
    count = int(rng.integers(1, 11))
    centres = _anywhere(rng, count, shape, 0.3 * scale)
    centres[0] = rng.uniform(0.2, 0.8, 2) * shape
    return _Plan(centres, _radii(rng, count, scale, _limit(shape)), overlap=rng.choice([0.0, 0.1]))


def _scatter(rng: np.random.Generator, shape: tuple[int, int], scale: float, style: Style) -> _Plan:
    cover = rng.uniform(0.03, 0.6 if scale > 10 else 0.3)
    count = _number(shape, scale, cover)
    return _Plan(
        _anywhere(rng, count, shape, 0.4 * scale),
        _radii(rng, count, scale, _limit(shape)),
        overlap=rng.choice([0.0, 0.05, 0.3]),
    )


def _lattice(rng: np.random.Generator, shape: tuple[int, int], scale: float, style: Style) -> _Plan:
    """Monolayers on a lattice: hexagonal for round bodies, rows side by side for long ones."""
    gap = rng.uniform(1.0, 1.15)
    long, wide = (gap * scale * s for s in (style.half_length, style.half_width))
    elongated = style.half_length > 1.25 * style.half_width
    hexagonal = not elongated and rng.random() < 0.75
    reach = float(np.hypot(*shape)) / 2 + scale
    rows = np.arange(-int(reach / wide) - 1, int(reach / wide) + 2)
    cols = np.arange(-int(reach / long) - 1, int(reach / long) + 2)
    j, i = np.meshgrid(cols, rows)
    pitch = wide * (0.866 if hexagonal else 1.0)
    stagger = 0.5 if hexagonal else rng.choice([0.0, 0.5]) * elongated
    sites = np.stack([i.ravel() * pitch, (j.ravel() + stagger * (i.ravel() % 2)) * long], 1)
    turn = rng.uniform(0, np.pi)
    cos, sin = np.cos(turn), np.sin(turn)
    sites = sites @ np.array([[cos, -sin], [sin, cos]]) + np.array(shape) / 2
    sites += rng.choice([0.0, 0.02, 0.06]) * scale * rng.standard_normal(sites.shape)
    keep = ((sites > -0.6 * scale) & (sites < np.array(shape) + 0.6 * scale)).all(axis=1)
    keep &= rng.random(len(sites)) > rng.choice([0.0, 0.02, 0.15])
    sites = sites[keep]
    if rng.random() < 0.3:
        patch = random_field(rng, shape, 0.2 * min(shape))
        at = np.clip(sites.astype(int), 0, np.array(shape) - 1)
        sites = sites[patch[at[:, 0], at[:, 1]] > rng.uniform(-1, 0.5)]
    spread = float(rng.choice([0.0, 0.02, 0.05]))
    radii = 0.5 * scale * np.exp(spread * rng.standard_normal(len(sites)))
    aligned = elongated or rng.random() < 0.5
    angles = turn + rng.choice([0.0, 0.03, 0.1]) * rng.standard_normal(len(sites))
    return _Plan(sites, radii, angles if aligned else None, overlap=0.25)


def _cluster(rng: np.random.Generator, shape: tuple[int, int], scale: float, style: Style) -> _Plan:
    """Agglomerates: each new particle is set against one of its cluster."""
    count = min(_number(shape, scale, rng.uniform(0.1, 0.7)), 1500)
    groups = int(rng.integers(1, max(2, min(12, count // 3 + 1))))
    closeness = rng.uniform(0.55, 1.0)
    radii = _radii(rng, count, scale, _limit(shape))
    centres = _anywhere(rng, count, shape, 0.0)
    parents = (rng.random(count) * np.arange(count)).astype(int)
    chain = rng.random() < 0.3
    directions = rng.uniform(0, 2 * np.pi, count)
    for i in range(groups, count):
        parent = max(parents[i], i - 3) if chain else parents[i]
        step = closeness * (radii[i] + radii[parent])
        centres[i, 0] = centres[parent, 0] + step * np.sin(directions[i])
        centres[i, 1] = centres[parent, 1] + step * np.cos(directions[i])
    overlap = float(rng.choice([0.1, 0.4, 1.0]))
    return _Plan(centres, radii, overlap=overlap)


def _bed(rng: np.random.Generator, shape: tuple[int, int], scale: float, style: Style) -> _Plan:
    """Powder that fills the frame, layer upon layer."""
    depth = int(rng.integers(2, 4))
    count = _number(shape, scale, 1.6)
    total = min(count * depth, 6000)
    radii = _radii(rng, total, scale, _limit(shape))
    layers = np.arange(total) * depth // total
    return _Plan(
        _anywhere(rng, total, shape, 0.5 * scale),
        radii,
        layers=layers,
        overlap=rng.choice([0.1, 0.25, 0.4]),
    )


def _pile(rng: np.random.Generator, shape: tuple[int, int], scale: float, style: Style) -> _Plan:
    """Free overlap at a moderate cover."""
    count = min(_number(shape, scale, rng.uniform(0.3, 1.2)), 2500)
    radii = _radii(rng, count, scale, _limit(shape))
    return _Plan(_anywhere(rng, count, shape, 0.4 * scale), radii, overlap=1.0)


_PLANNERS = {
    "sparse": _sparse,
    "scatter": _scatter,
    "lattice": _lattice,
    "cluster": _cluster,
    "bed": _bed,
    "pile": _pile,
}


# ---------------------------------------------------------------------------------------------
# support and truth


def _support(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Relief of what the particles lie on, in 0...1: flat, rough, wavy, lacey or holey film."""
    kind = str(
        rng.choice(["flat", "rough", "wavy", "lacey", "holey"], p=[0.5, 0.2, 0.12, 0.1, 0.08])
    )
    if kind == "flat":
        return np.zeros(shape, dtype=np.float32)
    if kind == "rough":
        field = random_field(rng, shape, float(np.exp(rng.uniform(0, 2))))
        return np.asarray(np.clip(0.5 + 0.2 * field, 0, 1), dtype=np.float32)
    size = rng.uniform(0.04, 0.2) * max(shape)
    field = random_field(rng, shape, float(size))
    if kind == "wavy":
        return np.asarray(np.clip(0.5 + 0.2 * field, 0, 1), dtype=np.float32)
    if kind == "lacey":
        return np.asarray(np.exp(-((field / rng.uniform(0.08, 0.3)) ** 2)), dtype=np.float32)
    return np.asarray(np.clip((0.9 - field) * 0.1 * size, 0, 1), dtype=np.float32)


def _finish(rng: np.random.Generator, canvas: _Canvas, scale: float) -> Scene:
    count = len(canvas.areas)
    seen = np.bincount(canvas.objects.ravel(), minlength=count)
    alive = seen > 0
    alive[0] = True
    new = np.cumsum(alive) - 1
    new[~alive] = 0
    doubtful = alive & ((seen < _HIDDEN * np.array(canvas.areas)) | (seen < _SMALLEST))
    blur, soft = _defocus(rng, canvas, scale)
    doubtful |= alive & soft
    doubtful[0] = False
    objects = new.astype(np.int32)[canvas.objects]
    phases = np.array(canvas.kinds, dtype=np.uint8)[canvas.objects]
    top = max(float(canvas.height.max()), 1e-6)
    height = canvas.height / np.float32(top)
    support = _support(rng, canvas.shape)
    amount = np.float32(np.exp(rng.uniform(np.log(0.02), np.log(0.25))))
    bare = phases == 1
    height = np.where(bare | canvas.transmission, height + amount * support, height)
    height = np.clip(height / max(1.0, float(height.max())), 0, 1)
    return Scene(
        "particles",
        objects,
        phases,
        np.clip(canvas.lines, 0, 1),
        np.asarray(height, dtype=np.float32),
        frozenset(int(n) for n in new[doubtful]),
        blur,
    )


def _defocus(
    rng: np.random.Generator, canvas: _Canvas, scale: float
) -> tuple[NDArray[np.float32] | None, NDArray[np.bool_]]:
    """Local defocus of single particles; strongly blurred ones become uncertain."""
    radii = np.array(canvas.radii)
    soft = np.zeros(radii.size, dtype=bool)
    if rng.random() > 0.12:
        return None, soft
    chosen = rng.random(radii.size) < rng.uniform(0.05, 0.35)
    sigma = np.where(chosen, radii * rng.uniform(0.05, 0.25, radii.size), 0)
    sigma[0] = 0
    soft = sigma > 0.12 * radii
    soft[0] = False
    blur = sigma.astype(np.float32)[canvas.objects]
    spread = min(0.1 * scale, 6.0)
    return np.asarray(ndimage.gaussian_filter(blur, spread), dtype=np.float32), soft
