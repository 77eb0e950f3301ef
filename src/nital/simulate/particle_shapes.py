"""Bodies of single particles: outline, relief and edges, drawn in a small box."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["Stamp", "Style", "draw_style"]

Field = NDArray[np.float32]


@dataclass(frozen=True)
class Surface:
    """A body seen from above on a grid: ``rho`` is below 1 inside; relief and facets if flat."""

    rho: Field
    relief: Field | None = None
    facets: NDArray[np.intp] | None = None


@dataclass(frozen=True)
class Solid:
    """One body in units of its radius; ``reach`` bounds the distance of its outline."""

    reach: float
    surface: Callable[[Field, Field], Surface]


# A maker draws one body of a family; the families draw their own parameters once per scene.
Maker = Callable[[np.random.Generator], Solid]


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
    tile: Field | None = None

    def stamp(self, rng: np.random.Generator, radius: float, angle: float | None = None) -> Stamp:
        """Draw one particle whose outline has about the area of a circle of ``radius`` pixels.

        ``angle`` (radians) turns the long axis away from the columns; ``None`` draws one.
        """
        turn = rng.uniform(0, 2 * np.pi) if angle is None else angle
        unit = radius * self.area_factor
        solid = self.maker(rng)
        half = int(np.ceil(unit * solid.reach * (1 + self.warp))) + 2
        axis = np.arange(-half, half + 1, dtype=np.float32)
        shift = rng.uniform(-0.5, 0.5, 2)
        y, x = (axis[:, None] - shift[0]) / unit, (axis[None, :] - shift[1]) / unit
        cos, sin = np.cos(turn), np.sin(turn)
        u, v = _single(cos * x + sin * y), _single(cos * y - sin * x)
        noise = None if self.tile is None else _cut(rng, self.tile, u.shape)
        if noise is not None and self.warp > 0:
            u, v = u + self.warp * noise, v + self.warp * noise[::-1, ::-1]
        surface = solid.surface(v, u)
        inside, relief, lines = self._relief(surface, unit)
        if noise is not None:
            relief, lines = _roughen(relief, lines, noise, self.texture, self.roughness)
        return _cropped(inside, relief * unit, lines)

    def _relief(self, surface: Surface, unit: float) -> tuple[NDArray[np.bool_], Field, Field]:
        inside = surface.rho < 1
        lines = np.zeros(inside.shape, dtype=np.float32)
        if surface.relief is None:
            relief = self.profile(np.clip(surface.rho, 0, 1)) * self.thickness
            return inside, _single(relief), lines
        relief = surface.relief * self.thickness
        if surface.facets is not None and self.edge > 0:
            lines = _edges(surface.facets, inside) * np.float32(self.edge)
        if self.rounding * unit > 0.4:
            sigma = self.rounding * unit
            inside = ndimage.gaussian_filter(inside.astype(np.float32), sigma) > 0.5
            relief = ndimage.gaussian_filter(relief, 0.5 * sigma)
        return inside, _single(relief), lines


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
    texture = str(rng.choice(_TEXTURES[1:] if rough or rng.random() < 0.35 else ["smooth"]))
    warp = rng.uniform(0.03, 0.12) if rough else rng.choice([0.0, 0.0, 0.0, 0.03])
    tile = None
    if texture != "smooth" or warp > 0:
        length = 0.5 * scale * np.exp(rng.uniform(np.log(0.04), np.log(0.4)))
        tile = _tile(rng, max(1.0, length), rng.uniform(1.5, 4.0))
    style = Style(
        maker,
        _draw_profile(rng, transmission),
        transmission,
        thickness=rng.uniform(0.5, 1.0),
        rounding=float(rng.choice([0.0, 0.06, 0.15])),
        edge=float(rng.choice([0.0, 0.4, 1.0])),
        warp=float(warp),
        texture=texture,
        roughness=float(np.exp(rng.uniform(np.log(0.02), np.log(0.25 if rough else 0.1)))),
        tile=tile,
    )
    return _calibrated(rng, style)


def _calibrated(rng: np.random.Generator, style: Style) -> Style:
    """Find the factor that gives stamps the area asked for, and the extents of a typical one."""
    stamps = [replace(style, rounding=0.0).stamp(rng, 12.0, angle=0.0) for _ in range(3)]
    factor = float(np.mean([12.0 / max(1.0, np.sqrt(s.inside.sum() / np.pi)) for s in stamps]))
    rows, cols = np.mean([s.inside.shape for s in stamps], axis=0) / 24.0 * factor
    return replace(style, area_factor=factor, half_length=float(cols), half_width=float(rows))


def _single(values: NDArray[np.floating]) -> Field:
    return np.asarray(values, dtype=np.float32)


def _cropped(inside: NDArray[np.bool_], height: Field, lines: Field) -> Stamp:
    rows, cols = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if rows.size == 0:
        one = np.ones((1, 1), dtype=np.float32)
        return Stamp(one > 0, one, 0 * one)
    box = np.s_[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    return Stamp(inside[box], np.maximum(height[box], 0), lines[box])


def _edges(facets: NDArray[np.intp], inside: NDArray[np.bool_]) -> Field:
    edge = np.zeros(inside.shape, dtype=np.float32)
    down = (facets[1:] != facets[:-1]) & inside[1:] & inside[:-1]
    right = (facets[:, 1:] != facets[:, :-1]) & inside[:, 1:] & inside[:, :-1]
    edge[1:][down] = 1
    edge[:, 1:][right] = 1
    return edge


# ---------------------------------------------------------------------------------------------
# surface texture

_TEXTURES = ["smooth", "rough", "rough", "bumps", "ridges", "pits"]
_ROUGH = {"potato", "grit", "flower", "flake", "urchin"}


def _tile(rng: np.random.Generator, length: float, decay: float) -> Field:
    """Periodic random field of unit variance; white below ``length``, falling as k^-decay."""
    size = 128 if length < 8 else 256
    k = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    gain = (1 + (2 * np.pi * k * length) ** 2) ** (-decay / 2)
    noise = rng.standard_normal((size, size), dtype=np.float32)
    field = np.fft.irfft2(np.fft.rfft2(noise) * gain, (size, size))
    return _single((field - field.mean()) / field.std())


def _cut(rng: np.random.Generator, tile: Field, shape: tuple[int, ...]) -> Field:
    top, left = rng.integers(0, tile.shape[0], 2)
    rows = (top + np.arange(shape[0])) % tile.shape[0]
    cols = (left + np.arange(shape[1])) % tile.shape[1]
    return _single(tile[rows[:, None], cols[None, :]])


def _roughen(
    relief: Field, lines: Field, noise: Field, texture: str, amount: float
) -> tuple[Field, Field]:
    if texture == "rough":
        return _single(relief + amount * noise), lines
    if texture == "bumps":
        return _single(relief + amount * np.maximum(noise, 0) * 1.5), lines
    if texture == "pits":
        return _single(relief - amount * np.maximum(noise - 0.8, 0) * 2), lines
    if texture == "ridges":
        ridge = np.exp(-((noise / 0.35) ** 2))
        return _single(relief + 1.5 * amount * ridge), np.maximum(lines, _single(0.4 * ridge))
    return relief, lines


# ---------------------------------------------------------------------------------------------
# profiles: relief over rho, in units of the radius


def _draw_profile(rng: np.random.Generator, transmission: bool) -> Callable[[Field], Field]:
    kinds = ["dome", "pillow", "disc", "dimple", "shell", "core"]
    weights = [0.4, 0.1, 0.05, 0.05, 0.2, 0.2] if transmission else [0.7, 0.15, 0.06, 0.05, 0.04, 0]
    kind = str(rng.choice(kinds, p=weights))
    inner = rng.uniform(0.35, 0.92)
    power = rng.uniform(2.5, 6)
    strength = rng.uniform(0.5, 3.0)

    def profile(rho: Field) -> Field:
        dome = np.sqrt(np.maximum(1 - rho**2, 0))
        if kind == "pillow":
            return _single((1 - rho**power) ** (1 / power))
        if kind == "disc":
            return _single(0.3 * (1 - rho**12))
        if kind == "dimple":
            return _single(dome - 0.45 * np.exp(-((rho / 0.45) ** 2)))
        if kind == "shell":
            return _single(dome - 0.97 * np.sqrt(np.maximum(inner**2 - rho**2, 0)))
        if kind == "core":
            core = 0.75 * inner
            return _single(0.5 * dome + strength * np.sqrt(np.maximum(core**2 - rho**2, 0)))
        return _single(dome)

    return profile


# ---------------------------------------------------------------------------------------------
# smooth bodies


def _ellipsoids(rng: np.random.Generator) -> Maker:
    aspect = rng.choice([1.0, 1.0, 1.0, rng.uniform(1.0, 1.3), rng.uniform(1.2, 3.0)])
    spread = rng.choice([0.0, 0.02, 0.1])

    def make(rng: np.random.Generator) -> Solid:
        ratio = max(1.0, aspect * float(np.exp(spread * rng.standard_normal())))
        long, short = np.sqrt(ratio), 1 / np.sqrt(ratio)
        return Solid(long, lambda y, x: Surface(_single(np.hypot(y / short, x / long))))

    return make


def _pillows(rng: np.random.Generator) -> Maker:
    """Rounded squares and bricks: superellipses."""
    power = rng.uniform(2.5, 8.0)
    aspect = rng.choice([1.0, 1.05, rng.uniform(1.0, 2.0)])
    spread = rng.uniform(0, 0.1)

    def make(rng: np.random.Generator) -> Solid:
        ratio = max(1.0, aspect * float(np.exp(spread * rng.standard_normal())))
        long, short = np.sqrt(ratio), 1 / np.sqrt(ratio)

        def surface(y: Field, x: Field) -> Surface:
            rho = (np.abs(y / short) ** power + np.abs(x / long) ** power) ** (1 / power)
            return Surface(_single(rho))

        return Solid(1.42 * long, surface)

    return make


def _rods(rng: np.random.Generator) -> Maker:
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
            return Surface(_single(np.where(np.abs(x) < long, rho, 2)))

        return Solid(1.2 * long + abs(curve) * long, surface)

    return make


def _radial(
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
        long = np.sqrt(rng.uniform(1.0, squeeze))

        def surface(y: Field, x: Field) -> Surface:
            u, v = x / long, y * long
            radius = np.interp(np.arctan2(v, u), angles, outline)
            return Surface(_single(np.hypot(u, v) / radius))

        return Solid(float(outline.max() * long), surface)

    return make


def _aggregates(rng: np.random.Generator) -> Maker:
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
            return Surface(_single(np.where(square > 0, 0.5, 2)), _single(relief))

        return Solid(float(np.max(np.hypot(*centres.T) + sizes)), surface)

    return make


# ---------------------------------------------------------------------------------------------
# facetted bodies: intersections of half spaces


def _sides(count: int, tilt: float = 0.0) -> NDArray[np.float64]:
    """Normals of a prism (tilt 0) or of one half of a pyramid (tilt towards +z, radians)."""
    turn = 2 * np.pi * np.arange(count) / count
    return np.stack(
        [np.cos(tilt) * np.cos(turn), np.cos(tilt) * np.sin(turn), np.full(count, np.sin(tilt))], 1
    )


_CAPS = np.array([[0, 0, 1.0], [0, 0, -1.0]])
_CUBE = np.concatenate([np.eye(3), -np.eye(3)])
_OCTA = np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)]) / np.sqrt(3)
_RHOMBIC = np.array(
    [v for i in (-1, 1) for j in (-1, 1) for v in ((i, j, 0), (i, 0, j), (0, i, j))]
) / np.sqrt(2)
_TETRA = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
_PHI = (1 + np.sqrt(5)) / 2
_ICOSA = np.concatenate(
    [
        _OCTA,
        np.array(
            [
                v
                for i in (-1, 1)
                for j in (-1, 1)
                for v in ((0, i / _PHI, j * _PHI), (i / _PHI, j * _PHI, 0), (i * _PHI, 0, j / _PHI))
            ]
        )
        / np.sqrt(3),
    ]
)

Planes = tuple[NDArray[np.float64], NDArray[np.float64]]


def _crystal(rng: np.random.Generator, habit: str) -> Planes:
    """Unit normals and distances of the faces of one habit."""
    if habit == "cube":
        return _CUBE, np.tile(rng.choice([1.0, rng.uniform(0.6, 1.0)], 3), 2)
    if habit == "octahedron":
        return np.concatenate([_OCTA, _CUBE]), np.repeat([1.0, rng.uniform(1.0, 1.75)], [8, 6])
    if habit == "cuboctahedron":
        return np.concatenate([_OCTA, _CUBE]), np.repeat([1.0, rng.uniform(0.65, 1.0)], [8, 6])
    if habit == "dodecahedron":
        return _RHOMBIC, np.ones(12)
    if habit == "icosahedron":
        return _ICOSA, np.ones(20)
    if habit == "tetrahedron":
        return np.concatenate([_TETRA, -_TETRA]), np.repeat([1.0, rng.uniform(1.5, 3.0)], 4)
    if habit == "plate":
        sides = int(rng.choice([3, 6, 6, 8]))
        normals = np.concatenate([_sides(sides), _CAPS])
        return normals, np.r_[np.ones(sides), np.full(2, rng.uniform(0.08, 0.35))]
    if habit == "triangle":
        cut, thick = rng.uniform(1.1, 2.0), rng.uniform(0.08, 0.3)
        normals = np.concatenate([_sides(3), -_sides(3), _CAPS])
        return normals, np.r_[np.ones(3), np.full(3, cut), np.full(2, thick)]
    if habit == "prism":
        sides, length = int(rng.choice([4, 5, 6, 8])), np.exp(rng.uniform(0.4, 2.0))
        tilt = rng.uniform(0.4, 1.2)
        tips = np.concatenate([_sides(sides, tilt), -_sides(sides, tilt)])
        normals = np.concatenate([_sides(sides), tips, _CAPS])
        tip = length * np.sin(tilt)
        return normals, np.r_[np.ones(sides), np.full(2 * sides, tip), np.full(2, length * 0.97)]
    if habit == "bipyramid":
        sides, tilt = int(rng.choice([4, 5, 6, 10])), rng.uniform(0.12, 0.8)
        up = _sides(sides, tilt)
        normals = np.concatenate([up, up * [1, 1, -1], _CAPS])
        cap = rng.uniform(0.6, 1.0) / np.sin(tilt)
        return normals, np.r_[np.ones(2 * sides), np.full(2, cap)]
    count = int(rng.integers(7, 26))
    normals = rng.standard_normal((count, 3))
    normals = np.concatenate([normals, _CUBE])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return normals, np.r_[rng.uniform(0.7, 1.1, count), np.full(6, 1.2)]


_HABITS = ["cube", "octahedron", "cuboctahedron", "dodecahedron", "icosahedron", "tetrahedron"]
_HABITS += ["plate", "plate", "triangle", "prism", "prism", "bipyramid", "random"]
_LYING = {"cube", "plate", "triangle", "prism"}


def _reach(normals: NDArray[np.float64], distances: NDArray[np.float64]) -> float:
    """Largest distance of a corner from the centre."""
    triples = np.array(list(combinations(range(len(normals)), 3)))
    matrix = normals[triples]
    good = np.abs(np.linalg.det(matrix)) > 1e-3
    corners = np.linalg.solve(matrix[good], distances[triples[good]][..., None])[..., 0]
    corners = corners[(corners @ normals.T <= distances + 1e-6).all(axis=1)]
    return float(np.linalg.norm(corners, axis=1).max())


def _polyhedra(rng: np.random.Generator, habit: str, transmission: bool = False) -> Maker:
    normals, distances = _crystal(rng, habit)
    reach = _reach(normals, distances)
    spread = rng.uniform(0, 0.08)
    lying = habit in _LYING and rng.random() < 0.7
    wobble = rng.uniform(0, 0.25)

    def make(rng: np.random.Generator) -> Solid:
        faces = distances * np.exp(spread * rng.standard_normal(len(distances)))
        turned = normals @ _orientation(rng, wobble if lying else None, upright=habit != "prism")

        def surface(y: Field, x: Field) -> Surface:
            return _facetted(turned, faces, y, x)

        return Solid(reach * float(np.exp(2 * spread)), surface)

    return make


def _orientation(
    rng: np.random.Generator, wobble: float | None, upright: bool
) -> NDArray[np.float64]:
    """Random rotation, or a near-lying one that a substrate would give (``wobble`` in radians)."""
    if wobble is None:
        matrix, _ = np.linalg.qr(rng.standard_normal((3, 3)))
        return np.asarray(matrix)
    a, b = wobble * rng.standard_normal(2)
    tilt = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    lean = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    base = np.eye(3) if upright else np.array([[0, 0, 1.0], [0, 1, 0], [1, 0, 0]])
    return np.asarray(base @ tilt @ lean)


def _facetted(
    normals: NDArray[np.float64], distances: NDArray[np.float64], y: Field, x: Field
) -> Surface:
    top = np.full(x.shape, np.inf, dtype=np.float32)
    bottom = np.full(x.shape, -np.inf, dtype=np.float32)
    facets = np.zeros(x.shape, dtype=np.intp)
    for index, ((nx, ny, nz), distance) in enumerate(zip(normals, distances, strict=True)):
        slope = nz if abs(nz) > 1e-3 else 1e-3
        level = (
            np.float32(distance / slope) - np.float32(nx / slope) * x - np.float32(ny / slope) * y
        )
        if slope > 0:
            lower = level < top
            facets[lower] = index
            np.minimum(top, level, out=top)
        else:
            np.maximum(bottom, level, out=bottom)
    inside = top > bottom
    foot = float(bottom[inside].min()) if inside.any() else 0.0
    relief = np.where(inside, 0.5 * (top - foot), 0)
    return Surface(_single(np.where(inside, 0.5, 2)), _single(relief), facets)


def _shards(rng: np.random.Generator) -> Maker:
    return _polyhedra(rng, "random")


def _crystals(rng: np.random.Generator) -> Maker:
    return _polyhedra(rng, str(rng.choice(_HABITS)))


FAMILIES: dict[str, Callable[[np.random.Generator], Maker]] = {
    "ellipsoid": _ellipsoids,
    "pillow": _pillows,
    "rod": _rods,
    "crystal": _crystals,
    "aggregate": _aggregates,
    "grit": _shards,
    "potato": lambda rng: _radial(rng, (2, 12), rng.uniform(1.2, 2.2), rng.uniform(0.05, 0.25)),
    "flake": lambda rng: _radial(rng, (2, 24), rng.uniform(0.8, 1.3), rng.uniform(0.15, 0.3)),
    "flower": lambda rng: _radial(rng, (5, 16), rng.uniform(0.0, 1.0), rng.uniform(0.05, 0.15)),
    "urchin": lambda rng: _radial(rng, (12, 40), 0.0, rng.uniform(0.06, 0.2)),
}
