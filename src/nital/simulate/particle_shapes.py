"""Single particles drawn in a small box: outline, relief, surface texture and edges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.simulate.particle_bodies import (
    Field,
    Maker,
    Surface,
    aggregates,
    ellipsoids,
    pillows,
    polygons,
    radial,
    rods,
    single,
    spheres,
    stars,
)
from nital.simulate.particle_crystals import crystals, shards

__all__ = ["FAMILIES", "Stamp", "Style", "draw_style"]


@dataclass(frozen=True)
class Stamp:
    """One particle in its bounding box.

    Parameters
    ----------
    inside
        (h, w) bool; the outline.
    height
        (h, w) float32; relief above the particle's foot, in pixels.
    lines
        (h, w) float32 in 0...1; facet edges and folds.
    """

    inside: NDArray[np.bool_]
    height: Field
    lines: Field


@dataclass(frozen=True)
class Style:
    """How all particles of one kind in a scene look."""

    maker: Maker
    profile: Callable[[Field], Field]
    transmission: bool
    area_factor: float = 1.0
    half_length: float = 1.0
    half_width: float = 1.0
    thickness: float = 1.0
    rounding: float = 0.0
    edge: float = 0.0
    warp: float = 0.0
    texture: str = "smooth"
    roughness: float = 0.0
    thickness_spread: float = 0.0
    bands: float = 0.0
    tile: Field | None = None

    def stamp(self, rng: np.random.Generator, radius: float, angle: float | None = None) -> Stamp:
        """Draw one particle whose outline has about the area of a circle of ``radius`` pixels.

        ``angle`` (radians) turns the long axis away from the columns; ``None`` draws one.
        """
        turn = rng.uniform(0, 2 * np.pi) if angle is None else angle
        unit = radius * self.area_factor
        solid = self.maker(rng)
        half = int(np.ceil(unit * (solid.reach + 3 * self.warp))) + 2
        axis = np.arange(-half, half + 1, dtype=np.float32)
        shift = rng.uniform(-0.5, 0.5, 2)
        y, x = (axis[:, None] - shift[0]) / unit, (axis[None, :] - shift[1]) / unit
        cos, sin = np.cos(turn), np.sin(turn)
        u, v = single(cos * x + sin * y), single(cos * y - sin * x)
        noise = None if self.tile is None else _cut(rng, self.tile, u.shape)
        if noise is not None and self.warp > 0:
            u, v = u + self.warp * noise, v + self.warp * noise[::-1, ::-1]
        surface = solid.surface(v, u)
        inside, relief, lines = self._relief(surface, unit)
        if noise is not None:
            relief, lines = _roughen(relief, lines, noise, self.texture, self.roughness)
        if rng.random() < self.bands:
            np.maximum(lines, _bands(rng, u), out=lines)
        if self.thickness_spread > 0:
            relief = relief * np.float32(np.exp(self.thickness_spread * rng.standard_normal()))
        return _cropped(inside, relief * np.float32(unit), lines)

    def _relief(self, surface: Surface, unit: float) -> tuple[NDArray[np.bool_], Field, Field]:
        inside = surface.rho < 1
        lines = np.zeros(inside.shape, dtype=np.float32)
        if surface.relief is None:
            relief = self.profile(np.clip(surface.rho, 0, 1)) * self.thickness
            return inside, single(relief), lines
        relief = surface.relief * self.thickness
        if surface.facets is not None and self.edge > 0:
            lines = _edges(surface.facets, inside) * np.float32(self.edge)
        if self.rounding * unit > 0.4:
            sigma = self.rounding * unit
            inside = ndimage.gaussian_filter(inside.astype(np.float32), sigma, truncate=2.5) > 0.5
            relief = ndimage.gaussian_filter(relief, 0.5 * sigma, truncate=2.5)
        return inside, single(relief), lines


def draw_style(
    rng: np.random.Generator, family: str, scale: float, *, transmission: bool = False
) -> Style:
    """Draw what the particles of one scene have in common.

    Parameters
    ----------
    family
        A key of ``FAMILIES``.
    scale
        Median equivalent circle diameter in pixels; sets the grain of the surface texture.
    transmission
        Relief is the projected thickness, not the upper surface.
    """
    maker = FAMILIES[family](rng)
    rough = family in _ROUGH
    texture = str(rng.choice(_TEXTURES)) if rough or rng.random() < 0.35 else "smooth"
    if family == "flower" and rng.random() < 0.6:
        texture = "ridges"
    grain = float(np.exp(rng.uniform(np.log(0.05), np.log(0.5))))  # of the radius
    warp = 0.0
    if rough or rng.random() < 0.25:
        warp = min(rng.uniform(0.01, 0.12), rng.uniform(0.1, 0.35) * grain)
    steepest = float(np.exp(rng.uniform(np.log(0.1), np.log(1.2 if rough else 0.6))))
    tile = None
    if texture != "smooth" or warp > 0:
        tile = _tile(rng, max(1.0, 0.5 * scale * grain), rng.uniform(1.8, 4.0))
    crystalline = family in ("crystal", "ellipsoid", "grit")
    style = Style(
        maker,
        _draw_profile(rng, family, transmission),
        transmission,
        thickness=rng.uniform(0.5, 1.0),
        rounding=float(rng.choice([0.0, 0.06, 0.15])),
        edge=float(rng.choice([0.0, 0.4, 1.0])),
        warp=float(warp),
        texture=texture,
        roughness=min(0.25, steepest * grain),
        thickness_spread=float(rng.choice([0.0, 0.15, 0.4])) if transmission else 0.0,
        bands=float(rng.choice([0.0, 0.5], p=[0.7, 0.3])) if transmission and crystalline else 0.0,
        tile=tile,
    )
    return _calibrated(rng, style)


def _calibrated(rng: np.random.Generator, style: Style) -> Style:
    """Find the factor that gives stamps the area asked for, and the extents of a typical one."""
    stamps = [replace(style, rounding=0.0).stamp(rng, 12.0, angle=0.0) for _ in range(3)]
    factor = float(np.mean([12.0 / max(1.0, np.sqrt(s.inside.sum() / np.pi)) for s in stamps]))
    rows, cols = np.mean([s.inside.shape for s in stamps], axis=0) / 24.0 * factor
    return replace(style, area_factor=factor, half_length=float(cols), half_width=float(rows))


def _cropped(inside: NDArray[np.bool_], height: Field, lines: Field) -> Stamp:
    rows, cols = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if rows.size == 0:
        one = np.ones((1, 1), dtype=np.float32)
        return Stamp(one > 0, one, 0 * one)
    box = np.s_[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    return Stamp(inside[box], np.maximum(height[box], 0), lines[box])


def _edges(facets: NDArray[np.uint8], inside: NDArray[np.bool_]) -> Field:
    edge = np.zeros(inside.shape, dtype=np.float32)
    down = (facets[1:] != facets[:-1]) & inside[1:] & inside[:-1]
    right = (facets[:, 1:] != facets[:, :-1]) & inside[:, 1:] & inside[:, :-1]
    edge[1:][down] = 1
    edge[:, 1:][right] = 1
    return edge


# ---------------------------------------------------------------------------------------------
# surface texture

_TEXTURES = ["rough", "rough", "bumps", "dots", "ridges", "pits"]
_ROUGH = {"potato", "grit", "flower", "flake", "urchin"}


def _tile(rng: np.random.Generator, length: float, decay: float) -> Field:
    """Periodic random field of unit variance; white below ``length``, falling as k^-decay."""
    size = 128 if length < 8 else 256
    k = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    gain = (1 + (2 * np.pi * k * length) ** 2) ** (-decay / 2)
    noise = rng.standard_normal((size, size), dtype=np.float32)
    field = np.fft.irfft2(np.fft.rfft2(noise) * gain, (size, size))
    return single((field - field.mean()) / field.std())


def _cut(rng: np.random.Generator, tile: Field, shape: tuple[int, ...]) -> Field:
    top, left = rng.integers(0, tile.shape[0], 2)
    rows = (top + np.arange(shape[0])) % tile.shape[0]
    cols = (left + np.arange(shape[1])) % tile.shape[1]
    return single(tile[rows[:, None], cols[None, :]])


def _roughen(
    relief: Field, lines: Field, noise: Field, texture: str, amount: float
) -> tuple[Field, Field]:
    if texture == "rough":
        return single(relief + amount * noise), lines
    if texture == "bumps":
        return single(relief + amount * np.maximum(noise, 0) * 1.5), lines
    if texture == "dots":
        return single(relief + 2 * amount * np.clip(4 * (noise - 1), 0, 1)), lines
    if texture == "pits":
        return single(relief - amount * np.maximum(noise - 0.8, 0) * 2), lines
    if texture == "ridges":
        ridge = np.exp(-((noise / 0.35) ** 2))
        return single(relief + 1.5 * amount * ridge), np.maximum(lines, single(0.4 * ridge))
    return relief, lines


def _bands(rng: np.random.Generator, across: Field) -> Field:
    """Twins, stacking faults and bend contours: straight bands across a crystal."""
    profile = np.zeros(across.shape, dtype=np.float32)
    for _ in range(int(rng.integers(1, 4))):
        width = np.exp(rng.uniform(np.log(0.03), np.log(0.35)))
        away = (across - np.float32(rng.uniform(-0.7, 0.7))) / np.float32(width)
        np.maximum(profile, np.float32(rng.uniform(0.2, 0.8)) * np.exp(-(away**4)), out=profile)
    return profile


# ---------------------------------------------------------------------------------------------
# profiles: relief over rho, in units of the radius


def _draw_profile(
    rng: np.random.Generator, family: str, transmission: bool
) -> Callable[[Field], Field]:
    kinds = ["dome", "pillow", "disc", "dimple", "shell", "core"]
    weights = [0.4, 0.1, 0.05, 0.05, 0.2, 0.2] if transmission else [0.7, 0.15, 0.06, 0.05, 0.04, 0]
    kind = str(rng.choice(kinds, p=weights))
    if family == "flake" and rng.random() < 0.8:
        kind = "disc"
    inner = rng.uniform(0.35, 0.92)
    power = rng.uniform(2.5, 6)
    strength = rng.uniform(0.5, 3.0)

    def profile(rho: Field) -> Field:
        dome = np.sqrt(np.maximum(1 - rho**2, 0))
        if kind == "pillow":
            return single((1 - rho**power) ** (1 / power))
        if kind == "disc":
            return single(0.3 * (1 - rho**12))
        if kind == "dimple":
            return single(dome - 0.45 * np.exp(-((rho / 0.45) ** 2)))
        if kind == "shell":
            return single(dome - 0.97 * np.sqrt(np.maximum(inner**2 - rho**2, 0)))
        if kind == "core":
            core = 0.75 * inner
            return single(0.5 * dome + strength * np.sqrt(np.maximum(core**2 - rho**2, 0)))
        return single(dome)

    return profile


FAMILIES: dict[str, Callable[[np.random.Generator], Maker]] = {
    "ellipsoid": ellipsoids,
    "sphere": spheres,
    "pillow": pillows,
    "rod": rods,
    "crystal": crystals,
    "star": stars,
    "aggregate": aggregates,
    "grit": shards,
    "potato": lambda rng: radial(rng, (2, 12), rng.uniform(1.2, 2.2), rng.uniform(0.05, 0.25)),
    "flake": polygons,
    "flower": lambda rng: radial(rng, (5, 16), rng.uniform(0.0, 1.0), rng.uniform(0.02, 0.12)),
    "urchin": lambda rng: radial(rng, (12, 40), 0.0, rng.uniform(0.06, 0.2)),
}
