"""Dark-field STEM images by linear imaging: atomic columns convolved with the probe.

Incoherent imaging (HAADF) is linear in what each column scatters, here Z^1.7 per atom (Z^1.2 to
Z^1.9 with the detector's inner angle), times the thickness. Channelling, tilt and thick foils take
contrast from the columns and give it to the mean of the crystal. The scan adds drift, jitter and
gain of its rows; counting adds noise. It was not compared with multislice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.simulate.scene import random_field
from nital.simulate.stem_crystals import CRYSTALS, Projection, project
from nital.simulate.stem_specimen import StemScene, draw_stem_scene

__all__ = [
    "Optics",
    "StemMicrograph",
    "column_image",
    "draw_optics",
    "image_stem",
    "simulate_stem",
    "splat",
]

Field = NDArray[np.float32]
CARBON_DENSITY = 0.10  # atoms per cubic angstrom, 2 g/cm^3
PLATINUM_SHARE = 0.55  # by volume of a platinum deposit
GRAIN = 24.0  # angstrom, of platinum in carbon
GRAINS_THROUGH = 4  # that lie one behind another
PLATINUM_111 = 2.265  # angstrom between the densest planes
WEAK = 0.03  # columns below this share of the strongest are left to the mean


@dataclass(frozen=True)
class Optics:
    """Microscope and exposure.

    Parameters
    ----------
    probe
        Sigma of the probe with the vibration of atoms, angstrom.
    exponent
        Of the atomic number in what an atom scatters.
    contrast
        Share of a crystal's signal that its columns keep in a thin, well oriented foil, 0...1.
    dose
        Counts of a pixel of mean grey.
    jitter, drift
        Standard deviation of a row's shift, and slow drift over the frame, pixels.
    """

    probe: float = 0.45
    exponent: float = 1.7
    contrast: float = 0.7
    dose: float = 400.0
    jitter: float = 0.2
    drift: float = 2.0


@dataclass(frozen=True)
class StemMicrograph:
    """An (H, W) uint8 image and the scene it shows, both with the distortions of the scan."""

    image: NDArray[np.uint8]
    scene: StemScene


def draw_optics(rng: np.random.Generator, difficulty: int) -> Optics:
    """Optics as they vary between sessions; noise grows with the difficulty class."""
    lowest = {1: 150.0, 2: 60.0, 3: 30.0}[difficulty]
    return Optics(
        probe=float(rng.uniform(0.35, 0.65)),
        exponent=float(rng.uniform(1.2, 1.9)),
        contrast=float(rng.uniform(0.35, 0.85)),
        dose=float(np.exp(rng.uniform(np.log(lowest), np.log(2000)))),
        jitter=float(rng.uniform(0, 0.35)),
        drift=float(rng.uniform(0, 4)),
    )


def simulate_stem(
    seed: int | np.random.Generator,
    shape: tuple[int, int] = (512, 512),
    *,
    difficulty: int = 1,
    materials: int | tuple[str, ...] | None = None,
    pixel: float | None = None,
    vacuum: bool | None = None,
) -> StemMicrograph:
    """Simulate one cross-section; the same seed and arguments give the same pixels.

    The arguments are those of :func:`nital.simulate.stem_specimen.draw_stem_scene`.
    """
    rng = np.random.default_rng(seed)
    scene = draw_stem_scene(
        rng, shape, difficulty=difficulty, materials=materials, pixel=pixel, vacuum=vacuum
    )
    return image_stem(rng, scene, draw_optics(rng, difficulty))


def image_stem(rng: np.random.Generator, scene: StemScene, optics: Optics) -> StemMicrograph:
    """Image a scene."""
    signal = np.zeros(scene.phases.shape, dtype=np.float32)
    shared_angle = float(rng.normal(0, 0.02))
    mixing = float(rng.uniform(0.5, 4)) / scene.pixel  # diffuse interfaces
    for number, name in enumerate(scene.materials, start=1):
        inside = scene.phases == number
        if not inside.any():
            continue
        soft = ndimage.gaussian_filter(inside.astype(np.float32), mixing)
        if name in CRYSTALS:
            wall = scene.wall if number in scene.walled else np.ones_like(scene.wall)
            signal += _crystal(
                rng, project(name, _zone(rng, name)), soft, wall, scene, optics, shared_angle
            )
        else:
            signal += soft * _deposit(rng, name, scene, optics)
    signal *= scene.thickness / float(scene.thickness.mean())
    image, phases = _scan(rng, signal, scene.phases, optics)
    moved = StemScene(
        scene.materials, phases, scene.thickness, scene.wall, scene.walled, scene.pixel
    )
    return StemMicrograph(_expose(rng, image, optics), moved)


def column_image(
    projection: Projection,
    shape: tuple[int, int],
    pixel: float,
    optics: Optics,
    *,
    angle: float = 0.0,
    origin: tuple[float, float] = (0.0, 0.0),
    shift: Field | None = None,
) -> Field:
    """Noise-free signal of a perfect crystal that fills an (H, W) image.

    Parameters
    ----------
    projection
        The crystal along the beam.
    shape, pixel
        Size, and angstrom a pixel.
    optics
        Probe and exponent count here.
    angle
        Turn of the crystal in the plane, radian.
    origin
        Row and column of a corner of the cell, pixels.
    shift
        (H, W), negative where columns sit half a cell further: beyond an antiphase wall.

    Returns
    -------
    ndarray
        (H, W) float32: scattering power per square angstrom and angstrom of thickness; its mean is
        that of the crystal.
    """
    weights = np.array(
        [sum(n * z**optics.exponent for z, n in column.atoms) for column in projection.columns]
    )
    places = np.array([column.place for column in projection.columns])
    strong = weights > WEAK * weights.max()
    mean = float(weights.sum()) / projection.area
    vectors = _turned(projection.vectors, angle) / pixel
    found, powers = [], []
    for place, weight in zip(places[strong], weights[strong], strict=True):
        points = _lattice(vectors, place, origin, shape)
        if shift is not None:
            points = _parted(points, 0.5 * (vectors[0] + vectors[1]), shift)
        found.append(points)
        powers.append(np.full(len(points), weight))
    deltas = splat(shape, np.concatenate(found), np.concatenate(powers)) / pixel**2
    sharp = ndimage.gaussian_filter(deltas, max(optics.probe / pixel, 0.5), mode="nearest")
    return np.asarray(sharp + mean - float(weights[strong].sum()) / projection.area, np.float32)


def _crystal(
    rng: np.random.Generator,
    projection: Projection,
    soft: Field,
    wall: Field,
    scene: StemScene,
    optics: Optics,
    angle: float,
) -> Field:
    """One material's share of the signal: its columns, and its mean where they lose contrast."""
    origin = (float(rng.uniform(0, 40)), float(rng.uniform(0, 40)))
    tilt = float(rng.exponential(0.25))  # share of the contrast lost, and smear of the columns
    lattice = column_image(
        projection,
        soft.shape,
        scene.pixel,
        optics,
        angle=angle + float(rng.normal(0, 0.004)),
        origin=origin,
        shift=wall,
    )
    if tilt > 0.2:
        smear = tilt * 0.8 / scene.pixel
        sigmas = (smear, 0.0) if rng.random() < 0.5 else (0.0, smear)
        lattice = ndimage.gaussian_filter(lattice, sigmas)
    mean = float(np.median(lattice.mean()))
    kept = optics.contrast / (1 + tilt) * np.exp(-scene.thickness / 120)
    lost = 1 - float(rng.uniform(0.05, 0.3)) * (1 - np.abs(wall))  # strained and dark at the wall
    return np.asarray(soft * lost * (mean + kept * (lattice - mean)), dtype=np.float32)


def _zone(rng: np.random.Generator, name: str) -> int:
    return int(rng.random() < 0.25) if len(CRYSTALS[name].zones) > 1 else 0


def _deposit(rng: np.random.Generator, name: str, scene: StemScene, optics: Optics) -> Field:
    """Amorphous carbon, or platinum grains in it."""
    shape = scene.phases.shape
    speckle = random_field(rng, shape, max(0.6, 1.2 / scene.pixel))
    carbon = CARBON_DENSITY * 6.0**optics.exponent * (1 + float(rng.uniform(0.03, 0.12)) * speckle)
    if name == "C":
        return np.asarray(carbon, dtype=np.float32)
    platinum = project("Pt", 1)
    weight = sum(n * z**optics.exponent for c in platinum.columns for z, n in c.atoms)
    full = weight / platinum.area
    count = max(4, round(shape[0] * shape[1] * (scene.pixel / GRAIN) ** 2))
    rows, cols = np.indices(shape, dtype=np.float32) * np.float32(scene.pixel)
    grains = np.zeros(shape, dtype=np.float32)
    for _ in range(GRAINS_THROUGH):
        grain = _cells(rng, shape, count)
        bright = np.clip(rng.normal(1, 0.6, count), 0, 3).astype(np.float32)[grain]
        angles = rng.uniform(0, np.pi, count).astype(np.float32)[grain]
        strength = np.clip(rng.normal(0, 0.4, count), 0, 1).astype(np.float32)[grain]
        along = rows * np.cos(angles) + cols * np.sin(angles)
        fringes = np.cos(2 * np.pi / PLATINUM_111 * along) if scene.pixel < 1 else 0.0
        grains += bright * (1 + optics.contrast * strength * fringes) / GRAINS_THROUGH
    grains = ndimage.gaussian_filter(grains, max(1.0 / scene.pixel, 0.5))
    return np.asarray(
        PLATINUM_SHARE * full * grains + (1 - PLATINUM_SHARE) * carbon, dtype=np.float32
    )


def _cells(rng: np.random.Generator, shape: tuple[int, int], count: int) -> NDArray[np.intp]:
    """(H, W) number of the nearest of some random seeds."""
    seeds = np.zeros(shape, dtype=np.intp)
    rows, cols = (rng.integers(0, side, count) for side in shape)
    seeds[rows, cols] = np.arange(count)
    free = np.ones(shape, dtype=bool)
    free[rows, cols] = False
    nearest = ndimage.distance_transform_edt(free, return_distances=False, return_indices=True)
    return np.asarray(seeds[tuple(nearest)], dtype=np.intp)


def _turned(vectors: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.asarray(vectors @ np.array([[cos, -sin], [sin, cos]]), dtype=np.float64)


def _lattice(
    vectors: NDArray[np.float64],
    place: NDArray[np.float64],
    origin: tuple[float, float],
    shape: tuple[int, int],
) -> NDArray[np.float64]:
    """(N, 2) rows and columns of a lattice's points in an image and a little around it."""
    corners = np.array([[0, 0], [0, shape[1]], [shape[0], 0], shape], dtype=np.float64)
    fractions = np.linalg.solve(vectors.T, (corners - origin).T)
    low, high = np.floor(fractions.min(1)) - 2, np.ceil(fractions.max(1)) + 2
    first, second = (np.arange(a, b + 1) for a, b in zip(low, high, strict=True))
    steps = np.stack(np.meshgrid(first, second, indexing="ij"), axis=-1).reshape(-1, 2) + place
    points = steps @ vectors + np.array(origin)
    near = ((points > -2) & (points < np.array(shape) + 1)).all(1)
    return np.asarray(points[near], dtype=np.float64)


def _parted(
    points: NDArray[np.float64], half_cell: NDArray[np.float64], shift: Field
) -> NDArray[np.float64]:
    """Points where ``shift`` is positive, and half a cell further where it is negative."""
    sides = []
    for where, side in ((points, 1), (points + half_cell, -1)):
        rows, cols = where.round().astype(int).T
        sign = np.sign(shift[rows.clip(0, len(shift) - 1), cols.clip(0, shift.shape[1] - 1)])
        sides.append(where[sign == side])
    return np.concatenate(sides)


def splat(
    shape: tuple[int, int], points: NDArray[np.float64], weights: NDArray[np.float64]
) -> Field:
    """Sum of weighted points, each shared by the four pixels around it."""
    base = np.floor(points).astype(int)
    part = points - base
    total = np.zeros(shape[0] * shape[1])
    for down in (0, 1):
        for right in (0, 1):
            rows, cols = base[:, 0] + down, base[:, 1] + right
            share = np.abs(1 - down - part[:, 0]) * np.abs(1 - right - part[:, 1]) * weights
            ok = (rows >= 0) & (rows < shape[0]) & (cols >= 0) & (cols < shape[1])
            total += np.bincount(rows[ok] * shape[1] + cols[ok], share[ok], total.size)
    return np.asarray(total.reshape(shape), dtype=np.float32)


def _scan(
    rng: np.random.Generator, signal: Field, phases: NDArray[np.uint8], optics: Optics
) -> tuple[Field, NDArray[np.uint8]]:
    """Shift rows as a drifting, jittering scan does; the truth moves with the image."""
    height, width = signal.shape
    time = np.linspace(0, 1, height)
    walk = ndimage.gaussian_filter1d(rng.standard_normal(height), height / 12, mode="nearest")
    slow = optics.drift * (rng.uniform(-1, 1) * time + 0.5 * walk / max(walk.std(), 1e-6))
    shift = slow + optics.jitter * rng.standard_normal(height)
    stretch = 1 + float(rng.normal(0, 0.004)) * optics.drift
    rows = np.broadcast_to(np.arange(height)[:, None] * stretch, (height, width))
    cols = np.arange(width)[None] + shift[:, None]
    image = ndimage.map_coordinates(signal, [rows, cols], order=1, mode="nearest")
    places = tuple(
        np.clip(np.round(c).astype(int), 0, side - 1) for c, side in ((rows, height), (cols, width))
    )
    return np.asarray(image, dtype=np.float32), phases[places]


def _expose(rng: np.random.Generator, image: Field, optics: Optics) -> NDArray[np.uint8]:
    """Count, read out, and store with 8 bits."""
    grey = image / max(float(image.mean()), 1e-6)
    dark = float(rng.uniform(0.02, 0.2))
    counts = optics.dose * (grey + dark)
    noisy = counts + np.sqrt(counts) * rng.standard_normal(image.shape, dtype=np.float32)
    rows = 1 + float(rng.uniform(0, 0.015)) * rng.standard_normal((image.shape[0], 1))
    noisy = noisy * rows
    if rng.random() < 0.3:
        noisy = ndimage.gaussian_filter(noisy, float(rng.uniform(0.3, 0.9)))
    low, high = np.percentile(noisy, [0.3, 99.8])
    scaled = (noisy - low) / max(float(high - low), 1e-6)
    scaled = np.clip(scaled, 0, None) ** float(np.exp(rng.normal(0, 0.15)))
    gain, offset = rng.uniform(0.7, 1.0), rng.uniform(0, 0.08)
    return np.asarray(np.clip((scaled * gain + offset) * 255, 0, 255), dtype=np.uint8)
