"""Facetted bodies of single particles: intersections of half spaces."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from nital.simulate.particle_bodies import Field, Maker, Solid, Surface, single

__all__ = ["crystals", "shards"]


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
    facets = np.zeros(x.shape, dtype=np.uint8)
    for index, ((nx, ny, nz), distance) in enumerate(zip(normals, distances, strict=True)):
        slope = nz if abs(nz) > 1e-3 else 1e-3
        level = (
            np.float32(distance / slope) - np.float32(nx / slope) * x - np.float32(ny / slope) * y
        )
        if slope > 0:
            np.copyto(facets, index, where=level < top)
            np.minimum(top, level, out=top)
        else:
            np.maximum(bottom, level, out=bottom)
    inside = top > bottom
    foot = float(bottom[inside].min()) if inside.any() else 0.0
    relief = np.where(inside, 0.5 * (top - foot), 0)
    return Surface(single(np.where(inside, 0.5, 2)), single(relief), facets)


def shards(rng: np.random.Generator) -> Maker:
    return _polyhedra(rng, "random")


def crystals(rng: np.random.Generator) -> Maker:
    return _polyhedra(rng, str(rng.choice(_HABITS)))
