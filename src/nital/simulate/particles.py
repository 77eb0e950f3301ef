"""Simulated particles: shapes, sizes and arrangements with exact truth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.errors import UsageError
from nital.simulate.particle_canvas import Canvas, separate_crumbs
from nital.simulate.particle_plans import PLANNERS, Plan, scatter
from nital.simulate.particle_sections import SECTIONS
from nital.simulate.particle_shapes import Stamp, Style, draw_style
from nital.simulate.scene import Outline, Scene, random_field

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
    "sparse": 0.18,
    "scatter": 0.2,
    "raft": 0.12,
    "lattice": 0.12,
    "cluster": 0.17,
    "bed": 0.12,
    "pile": 0.09,
}
_HIDDEN = 0.25  # below this visible fraction an object is uncertain
_SMALLEST = 6  # pixels


@dataclass(frozen=True)
class _Specimen:
    """A kind of specimen: how often, how large its particles may be, its bodies and plans."""

    share: float
    scales: tuple[float, float]
    families: dict[str, float]
    arrangements: dict[str, float]
    looks: dict[str, float]
    transmission: float


_SPECIMENS = (
    _Specimen(
        0.44, (4, 150), _FAMILIES, _ARRANGEMENTS, {"": 0.55, "emission": 0.25, "film": 0.2}, 0.45
    ),
    _Specimen(  # metal powder
        0.12,
        (9, 60),
        {"sphere": 0.75, "ellipsoid": 0.05, "potato": 0.12, "aggregate": 0.08},
        {"powder": 0.8, "cluster": 0.1, "bed": 0.1},
        {"emission": 0.8, "": 0.2},
        0.0,
    ),
    _Specimen(  # agglomerates of facetted crystals
        0.11,
        (9, 90),
        {"crystal": 0.8, "grit": 0.2},
        {"cluster": 0.55, "bed": 0.2, "pile": 0.25},
        {"emission": 0.6, "": 0.15, "film": 0.25},
        0.3,
    ),
    _Specimen(  # bright field
        0.08,
        (6, 120),
        _FAMILIES,
        {"cluster": 0.3, "scatter": 0.3, "raft": 0.2, "pile": 0.2},
        {"film": 1.0},
        1.0,
    ),
    _Specimen(  # grains in a matrix
        0.06,
        (7, 110),
        {"grit": 0.35, "flake": 0.2, "potato": 0.25, "crystal": 0.1, "rod": 0.1},
        {"fragments": 0.75, "raft": 0.25},
        {"section": 1.0},
        0.0,
    ),
    _Specimen(  # ooids
        0.02,
        (20, 110),
        {"sphere": 0.5, "ellipsoid": 0.3, "potato": 0.2},
        {"raft": 0.6, "fragments": 0.4},
        {"ooid": 1.0},
        0.0,
    ),
    _Specimen(0.07, (8, 80), {}, {"mosaic": 1.0}, {"section": 1.0}, 0.0),
    _Specimen(0.1, (4, 40), {}, {"etched": 1.0}, {"etched": 1.0}, 0.0),
)
_FLAT = {"section", "ooid", "etched"}


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
        Median equivalent circle diameter in pixels; ``None`` draws it, log-uniform in the range
        of the specimen (4...150 at most).

    Returns
    -------
    Scene
        ``objects`` holds the front particle; particles that are mostly hidden or out of focus
        are listed as uncertain; ``whole`` keeps the outlines of partly hidden ones.

    Raises
    ------
    UsageError
        The shape or the scale is out of range.
    """
    if min(shape) < 16:
        raise UsageError(f"Shape {shape} is too small to simulate; give at least 16 x 16 pixels.")
    if scale is not None and not 2 <= scale <= 4096:
        raise UsageError(f"Scale {scale} is out of range; give 2...4096 pixels.")
    shares = np.array([specimen.share for specimen in _SPECIMENS])
    specimen = _SPECIMENS[int(rng.choice(len(_SPECIMENS), p=shares / shares.sum()))]
    if scale is None:
        low, high = specimen.scales
        largest = max(low, min(high, 0.8 * min(shape)))
        scale = float(np.exp(rng.uniform(np.log(low), np.log(largest))))
    arrangement = _draw(rng, specimen.arrangements)
    transmission = bool(arrangement != "bed" and rng.random() < specimen.transmission)
    look = _draw(rng, specimen.looks)
    if look == "film":
        look = "transmission" if transmission else ""
    elif transmission:
        look = ""
    canvas = Canvas(shape, transmission)
    if arrangement in SECTIONS:
        canvas.fill(*SECTIONS[arrangement](rng, shape, scale))
        return _finish(rng, canvas, scale, look)
    style = draw_style(rng, _draw(rng, specimen.families), scale, transmission=transmission)
    plan = PLANNERS[arrangement](rng, shape, scale, style)
    _lay_plan(rng, canvas, style, plan, kind=2)
    if len(canvas.areas) == 1:
        middle = np.array([shape], dtype=np.float64) / 2
        _lay_plan(rng, canvas, style, Plan(middle, np.array([scale / 2])), kind=2)
    if look not in _FLAT and rng.random() < 0.12:
        _second_kind(rng, canvas, scale)
    return _finish(rng, canvas, scale, look)


def _draw(rng: np.random.Generator, weights: dict[str, float]) -> str:
    share = np.array(list(weights.values()))
    return str(rng.choice(list(weights), p=share / share.sum()))


def _second_kind(rng: np.random.Generator, canvas: Canvas, scale: float) -> None:
    """Particles of another kind among the first, in phase 3."""
    size = max(3.0, scale * float(np.exp(rng.uniform(-1.0, 0.5))))
    style = draw_style(rng, _draw(rng, _FAMILIES), size, transmission=canvas.transmission)
    plan = scatter(rng, canvas.shape, size, style)
    few = slice(0, max(1, plan.radii.size // 3))
    plan = Plan(plan.centres[few], plan.radii[few], overlap=rng.choice([0.0, 1.0]))
    _lay_plan(rng, canvas, style, plan, kind=3)


def _lay_plan(
    rng: np.random.Generator, canvas: Canvas, style: Style, plan: Plan, kind: int
) -> None:
    bank: dict[tuple[int, int], list[Stamp]] = {}
    count = plan.radii.size
    first, layer = len(canvas.areas), 0
    for i in range(count):
        if plan.layers is not None and plan.layers[i] != layer:
            first, layer = len(canvas.areas), int(plan.layers[i])
        angle = None if plan.angles is None else float(plan.angles[i])
        if count > 60:
            stamp = _from_bank(rng, bank, style, float(plan.radii[i]), angle)
        else:
            stamp = style.stamp(rng, float(plan.radii[i]), angle)
        canvas.lay(stamp, plan.centres[i], plan.overlap, first, kind)


def _from_bank(
    rng: np.random.Generator,
    bank: dict[tuple[int, int], list[Stamp]],
    style: Style,
    radius: float,
    angle: float | None,
) -> Stamp:
    """One of a few stamps of about this radius and angle: many particles need not all differ."""
    size = round(6 * np.log2(radius))
    turn = 0 if angle is None else round(angle * 30)
    stamps = bank.setdefault((size, turn), [])
    pick = int(rng.integers(0, 16))
    if pick < len(stamps):
        return stamps[pick]
    stamps.append(style.stamp(rng, radius, angle))
    return stamps[-1]


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
    if kind == "wavy":
        return _waves(rng, shape)
    size = rng.uniform(0.04, 0.2) * max(shape)
    field = random_field(rng, shape, float(size))
    if kind == "lacey":
        return np.asarray(np.exp(-((field / rng.uniform(0.08, 0.3)) ** 2)), dtype=np.float32)
    return np.asarray(np.clip((0.9 - field) * 0.1 * size, 0, 1), dtype=np.float32)


def _waves(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Gentle undulation: a few plane waves of random direction, in 0...1."""
    rows = np.arange(shape[0], dtype=np.float32)[:, None]
    cols = np.arange(shape[1], dtype=np.float32)[None, :]
    total = np.zeros(shape, dtype=np.float32)
    for _ in range(4):
        k = 2 * np.pi / (max(shape) * rng.uniform(0.1, 1.5))
        angle, phase = rng.uniform(0, 2 * np.pi, 2)
        total += np.sin(k * np.cos(angle) * rows + (k * np.sin(angle) * cols + phase))
    return np.asarray(0.5 + total / 8, dtype=np.float32)


def _finish(rng: np.random.Generator, canvas: Canvas, scale: float, look: str) -> Scene:
    areas = np.array(canvas.areas)
    seen = np.bincount(canvas.objects.ravel(), minlength=areas.size)
    blur, soft = _defocus(rng, canvas, scale)
    doubtful = soft | (seen < _HIDDEN * areas) | (seen < _SMALLEST)
    objects, crumbs = separate_crumbs(canvas.objects)
    doubtful = np.r_[doubtful, np.ones(crumbs, dtype=bool)]
    alive = np.bincount(objects.ravel(), minlength=doubtful.size) > 0
    alive[0] = doubtful[0] = False
    new = np.where(alive, np.cumsum(alive), 0)
    phases = np.array(canvas.kinds, dtype=np.uint8)[canvas.objects]
    height = canvas.height / np.float32(max(float(canvas.height.max()), 1e-6))
    if look in _FLAT:
        height = np.zeros_like(height)  # polished
    else:
        amount = np.float32(np.exp(rng.uniform(np.log(0.02), np.log(0.25))))
        support = amount * _support(rng, canvas.shape)
        height = height + np.where((phases == 1) | canvas.transmission, support, 0)
    return Scene(
        "particles",
        new.astype(np.int32)[objects],
        phases,
        np.clip(canvas.lines, 0, 1),
        np.asarray(height / max(1.0, float(height.max())), dtype=np.float32),
        frozenset(int(n) for n in new[alive & doubtful]),
        blur,
        look,
        _hidden_in_part(canvas, seen, new),
    )


def _hidden_in_part(
    canvas: Canvas, seen: NDArray[np.intp], new: NDArray[np.intp]
) -> tuple[Outline, ...]:
    """Whole outlines of the particles that are seen, but not all of them."""
    return tuple(
        replace(outline, label=int(new[outline.label]))
        for outline in canvas.outlines
        if 0 < seen[outline.label] < canvas.areas[outline.label] and new[outline.label]
    )


def _defocus(
    rng: np.random.Generator, canvas: Canvas, scale: float
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
