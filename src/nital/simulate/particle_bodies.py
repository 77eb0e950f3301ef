"""Smooth and irregular bodies of single particles, in units of their radius."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Field",
    "Maker",
    "Solid",
    "Surface",
    "aggregates",
    "ellipsoids",
    "pillows",
    "polygons",
    "radial",
    "rods",
    "single",
    "spheres",
    "stars",
]

Field = NDArray[np.float32]


def single(values: NDArray[np.floating]) -> Field:
    """The same values in single precision."""
    return np.asarray(values, dtype=np.float32)


@dataclass(frozen=True)
class Surface:
    """A body seen from above on a grid: ``rho`` is below 1 inside; relief and facets if flat."""

    rho: Field
    relief: Field | None = None
    facets: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Solid:
    """One body in units of its radius; ``reach`` bounds the distance of its outline."""

    reach: float
    surface: Callable[[Field, Field], Surface]


# A maker draws one body of a family; the families draw their own parameters once per scene.
Maker = Callable[[np.random.Generator], Solid]


def ellipsoids(rng: np.random.Generator) -> Maker:
    aspect = rng.choice([1.0, 1.0, 1.0, rng.uniform(1.0, 1.3), rng.uniform(1.2, 3.0)])
    return _ellipsoids(float(aspect), float(rng.choice([0.0, 0.02, 0.1])))


def spheres(rng: np.random.Generator) -> Maker:
    """Round bodies, some of them a little out of round, as atomised drops are."""
    return _ellipsoids(1.0, float(rng.choice([0.0, 0.05, 0.12])))


def _ellipsoids(aspect: float, spread: float) -> Maker:
    def make(rng: np.random.Generator) -> Solid:
        ratio = max(1.0, aspect * float(np.exp(spread * rng.standard_normal())))
        long, short = np.sqrt(ratio), 1 / np.sqrt(ratio)
        return Solid(long, lambda y, x: Surface(single(np.hypot(y / short, x / long))))

    return make


def pillows(rng: np.random.Generator) -> Maker:
    """Rounded squares and bricks: superellipses."""
    power = rng.uniform(2.5, 8.0)
    aspect = rng.choice([1.0, 1.05, rng.uniform(1.0, 2.0)])
    spread = rng.uniform(0, 0.1)

    def make(rng: np.random.Generator) -> Solid:
        ratio = max(1.0, aspect * float(np.exp(spread * rng.standard_normal())))
        long, short = np.sqrt(ratio), 1 / np.sqrt(ratio)

        def surface(y: Field, x: Field) -> Surface:
            rho = (np.abs(y / short) ** power + np.abs(x / long) ** power) ** (1 / power)
            return Surface(single(rho))

        return Solid(1.42 * long, surface)

    return make


def rods(rng: np.random.Generator) -> Maker:
    """Bodies of revolution about a straight or bent axis: capsules, spindles, dumbbells, wires."""
    aspect = np.exp(rng.uniform(np.log(1.5), np.log(9)))
    spread = rng.uniform(0, 0.25)
    bend = rng.choice([0.0, 0.0, 0.08, 0.25])
    end = rng.choice(["capsule", "capsule", "flat", "spindle", "waist", "drop"])

    def make(rng: np.random.Generator) -> Solid:
        ratio = max(1.15, aspect * float(np.exp(spread * rng.standard_normal())))
        long, short = np.sqrt(ratio), 1 / np.sqrt(ratio)
        curve = bend * rng.standard_normal()

        def surface(y: Field, x: Field) -> Surface:
            t = np.minimum(np.abs(x) / long, 1)
            width = np.float32(short) * np.ones_like(x)
            if end == "capsule":
                over = np.maximum(np.abs(x) - (long - short), 0) / short
                width = short * np.sqrt(np.maximum(1 - over**2, 0))
            elif end == "spindle":
                width = short * (1 - t**2) ** 0.8
            elif end == "waist":
                width = short * (0.6 + 0.9 * t**2) * np.sqrt(1 - t**6)
            elif end == "drop":
                width = short * (0.75 + 0.35 * np.clip(x / long, -1, 1)) * np.sqrt(1 - t**8)
            rho = np.abs(y - curve * (x**2 / long - long / 3)) / np.maximum(width, 1e-3)
            return Surface(single(np.where(np.abs(x) < long, rho, 2)))

        return Solid(1.2 * long + abs(curve) * long, surface)

    return make


def radial(
    rng: np.random.Generator, orders: tuple[int, int], decay: float, amplitude: float
) -> Maker:
    """Star-shaped outlines, r(angle) a random Fourier series with a power-law spectrum."""
    low, high = orders
    squeeze = rng.uniform(1.0, 1.6)

    def make(rng: np.random.Generator) -> Solid:
        n = np.arange(low, high + 1)
        size = n.astype(np.float64) ** -decay
        size *= amplitude / np.sqrt((size**2).sum())
        angles = np.linspace(-np.pi, np.pi, 361)
        phase = rng.uniform(0, 2 * np.pi, n.size)
        series = (size[:, None] * np.cos(n[:, None] * angles + phase[:, None])).sum(axis=0)
        outline = np.exp(np.clip(1.2 * series, -0.9, 0.6))
        return _outlined(angles, outline, float(rng.uniform(1.0, squeeze)))

    return make


def stars(rng: np.random.Generator) -> Maker:
    """Concave cubes, stars and pods: a few equal arms."""
    arms = int(rng.choice([3, 4, 4, 5, 6, 8]))
    depth = rng.uniform(0.06, 0.4)
    sharp = rng.choice([1.0, 2.0])
    spread = rng.uniform(0, 0.15)

    def make(rng: np.random.Generator) -> Solid:
        angles = np.linspace(-np.pi, np.pi, 361)
        arm = np.abs(np.cos(0.5 * arms * angles)) ** sharp
        outline = 1 - depth + 2 * depth * arm
        swell = rng.standard_normal(7)
        swell[-1] = swell[0]
        outline *= np.exp(spread * np.interp(angles, angles[::60], swell))
        return _outlined(angles, outline)

    return make


def polygons(rng: np.random.Generator) -> Maker:
    """Straight-edged irregular outlines: flakes, splinters, crumpled sheets."""
    most = int(rng.integers(5, 13))
    spread = rng.uniform(0.05, 0.35)
    squeeze = rng.uniform(1.0, 2.2)

    def make(rng: np.random.Generator) -> Solid:
        count = int(rng.integers(4, most + 1))
        gaps = rng.uniform(0.6, 1.4, count)
        corners = np.r_[0, np.cumsum(gaps)] / gaps.sum() * 2 * np.pi - np.pi
        radii = np.exp(spread * rng.standard_normal(count))
        radii = np.r_[radii, radii[0]]
        angles = np.linspace(-np.pi, np.pi, 361)
        side = np.clip(np.searchsorted(corners, angles, side="right") - 1, 0, count - 1)
        # A straight side in polar coordinates: 1/r is a sum of sines.
        before, after = corners[side], corners[side + 1]
        inverse = np.sin(after - angles) / radii[side] + np.sin(angles - before) / radii[side + 1]
        outline = np.sin(after - before) / np.maximum(inverse, 0.05)
        return _outlined(angles, np.clip(outline, 0.2, 2.5), float(rng.uniform(1.0, squeeze)))

    return make


def _outlined(
    angles: NDArray[np.float64], outline: NDArray[np.float64], aspect: float = 1.0
) -> Solid:
    """The body whose outline is ``outline`` over polar ``angles``, stretched to ``aspect``."""
    long = float(np.sqrt(aspect))

    def surface(y: Field, x: Field) -> Surface:
        u, v = x / long, y * long
        radius = np.interp(np.arctan2(v, u), angles, outline)
        return Surface(single(np.hypot(u, v) / radius))

    return Solid(float(outline.max()) * long, surface)


def aggregates(rng: np.random.Generator) -> Maker:
    """Several balls that have grown together and count as one particle."""
    most = int(rng.integers(3, 30))
    ball = rng.uniform(0.25, 0.6)

    def make(rng: np.random.Generator) -> Solid:
        count = int(rng.integers(2, most + 1))
        centres = rng.normal(0, 0.33, (count, 2)) * (1 - 0.5 * ball)
        sizes = ball * rng.uniform(0.7, 1.2, count)
        centres[0] = 0
        sizes[0] = max(sizes[0], 0.5)

        def surface(y: Field, x: Field) -> Surface:
            square = np.full(x.shape, -1, dtype=np.float32)
            for (cy, cx), size in zip(centres, sizes, strict=True):
                np.maximum(square, size**2 - (y - cy) ** 2 - (x - cx) ** 2, out=square)
            relief = np.sqrt(np.maximum(square, 0))
            return Surface(single(np.where(square > 0, 0.5, 2)), single(relief))

        return Solid(float(np.max(np.hypot(*centres.T) + sizes)), surface)

    return make
