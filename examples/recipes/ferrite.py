"""Grains: ultra-low-carbon steel, polished and etched, in the light microscope."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from nital.simulate import random_field
from nital.simulate.boundaries import draw_boundaries, tidy
from nital.simulate.cells import Seeds, cells_of, grid, warped
from recipes.common import Field, Labels, Shape, Specimen, scratches, to_bytes

__all__ = ["etched_ferrite"]


def etched_ferrite(seed: int, shape: Shape = (1024, 1024), diameter: float = 50.0) -> Specimen:
    """Ferrite grains with thin dark boundaries; inclusions, etch pits and two scratches.

    A plane section through a random three-dimensional structure, its walls then rounded by
    curvature; ``diameter`` is that of the mean grain in pixels.
    """
    rng = np.random.default_rng(seed)
    labels = tidy(_rounded(_section(rng, shape, diameter), 3.0, 6), 60)
    count = int(labels.max()) + 1
    level = rng.normal(0, 1, count).astype(np.float32)
    image = 0.80 + 0.016 * ndimage.gaussian_filter(level[labels], 0.8)
    image += 0.010 * random_field(rng, shape, 90) + 0.006 * random_field(rng, shape, 6)
    image -= _facet_shading(rng, labels)
    lines = draw_boundaries(
        rng, labels, width=2.3, spread=0.55, strength=(0.55, 1.0), pockets=1.1, ragged=0.35
    )
    faded = np.clip(1.05 + 0.22 * random_field(rng, shape, 14), 0.25, 1)
    lines = ndimage.gaussian_filter(lines * faded, 0.55)
    image = image * (1 - 0.80 * np.clip(1.1 * lines, 0, 1))
    image -= 0.05 * ndimage.gaussian_filter(lines, 2.5)
    image = _pits(rng, image, labels)
    image = scratches(rng, image, 2)
    image *= _vignette(shape, 0.07)
    image = ndimage.gaussian_filter(image, 0.75)
    image += 0.011 * rng.standard_normal(shape, dtype=np.float32)
    return Specimen(to_bytes(image), labels, np.ones(shape, dtype=np.uint8))


def _section(rng: np.random.Generator, shape: Shape, diameter: float) -> Labels:
    """Section through a three-dimensional Voronoi structure: a power diagram in the plane."""
    edge = 0.98 * diameter
    depth = 2.2 * edge
    margin = 2 * edge
    count = int((shape[0] + 2 * margin) * (shape[1] + 2 * margin) * 2 * depth / edge**3)
    low, high = (-margin, -margin, -depth), (shape[0] + margin, shape[1] + margin, depth)
    places = rng.uniform(low, high, (count, 3)).astype(np.float32)
    radii = np.sqrt(np.maximum(depth**2 - places[:, 2] ** 2, 0))
    coordinates = warped(rng, grid(shape), 0.45 * diameter, 0.10 * diameter)
    coordinates = warped(rng, coordinates, 0.14 * diameter, 0.03 * diameter)
    seeds = Seeds(np.ascontiguousarray(places[:, :2]), radii.astype(np.float32))
    joined = np.arange(count)
    some = rng.random(count) < 0.3
    joined[some] = cKDTree(places).query(places[some], k=2)[1][:, 1]
    return joined[cells_of(coordinates, seeds, neighbours=12).owner].astype(np.int32) + 1


def _rounded(labels: Labels, sigma: float, steps: int) -> Labels:
    """Let walls move by their curvature: each pixel joins the label that weighs most around it."""
    reach = int(4 * sigma) + 1
    for _ in range(steps):
        best = np.zeros(labels.shape, dtype=np.float32)
        moved = labels.copy()
        for index, box in enumerate(ndimage.find_objects(labels), 1):
            if box is None:
                continue
            wide = tuple(slice(max(0, s.start - reach), s.stop + reach) for s in box)
            weight = ndimage.gaussian_filter((labels[wide] == index).astype(np.float32), sigma)
            wins = weight > best[wide]
            best[wide][wins] = weight[wins]
            moved[wide][wins] = index
        labels = moved
    return labels


def _facet_shading(rng: np.random.Generator, labels: Labels) -> Field:
    """Etching lowers grains by different amounts; steps are dark on one side of a boundary."""
    level = rng.uniform(0, 1, int(labels.max()) + 1).astype(np.float32)
    height = ndimage.gaussian_filter(level[labels], 1.3)
    down, right = np.gradient(height)
    return np.asarray(0.22 * np.hypot(down, right) + 0.10 * (0.8 * right - 0.6 * down))


def _pits(rng: np.random.Generator, image: Field, labels: Labels) -> Field:
    """Round inclusions, some in rows, and fine etch pits that crowd in some of the grains."""
    shape = (image.shape[0], image.shape[1])
    crowded = rng.random(int(labels.max()) + 1) ** 6
    places = rng.uniform(0, 1, (2600, 2)) * shape
    places = places[rng.random(len(places)) < 0.04 + crowded[labels[tuple(places.astype(int).T)]]]
    dots = [(p, rng.uniform(0.45, 0.95), rng.uniform(0.08, 0.4)) for p in places]
    loose = rng.uniform(0, 1, (26, 2)) * shape
    dots += [(p, float(rng.lognormal(0.45, 0.35)), rng.uniform(0.5, 0.75)) for p in loose]
    start = np.array([0.62, 0.2]) * shape
    for step in np.cumsum(rng.uniform(9, 34, 6)):
        place = start + step * np.array([0.08, 1.0]) + rng.normal(0, 2.5, 2)
        dots.append((place, rng.uniform(1.2, 2.6), 0.66))
    for (row, column), radius, strength in dots:
        image = _darkened(image, row, column, radius, strength)
    return image


def _darkened(image: Field, row: float, column: float, radius: float, strength: float) -> Field:
    reach = int(3 * radius) + 3
    top, left = max(0, int(row) - reach), max(0, int(column) - reach)
    part = image[top : int(row) + reach, left : int(column) + reach]
    y = np.arange(part.shape[0])[:, None] + top - row
    x = np.arange(part.shape[1])[None, :] + left - column
    edge = np.clip(radius + 0.7 - np.hypot(y, x), 0, 1.4) / 1.4
    part *= (1 - strength * edge).astype(np.float32)
    return image


def _vignette(shape: Shape, depth: float) -> Field:
    rows = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None] - np.float32(0.1)
    columns = np.linspace(-1, 1, shape[1], dtype=np.float32)[None] + np.float32(0.15)
    return np.asarray(1 - np.float32(depth) * (rows**2 + columns**2) / 2, dtype=np.float32)
