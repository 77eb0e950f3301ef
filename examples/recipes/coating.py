"""Layers: thin films on silicon, in cross-section, by STEM with an annular dark-field detector."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.simulate import random_field
from nital.simulate.cells import cells_of, frame, grid, lattice_seeds, warped
from recipes.common import Field, Shape, Specimen, to_bytes

__all__ = ["coating_stack"]

# From the surface down: material, thickness in pixels, roughness of its top in pixels.
STACK = (
    ("platinum", 96, 0.0),
    ("carbon", 70, 2.4),
    ("tungsten", 232, 4.2),
    ("titanium nitride", 78, 2.0),
    ("hafnium oxide", 46, 1.3),
    ("titanium nitride", 84, 1.5),
    ("silicon oxide", 168, 0.9),
    ("silicon", 250, 0.5),
)
GREYS = {
    "platinum": 0.70,
    "carbon": 0.09,
    "tungsten": 0.77,
    "titanium nitride": 0.37,
    "hafnium oxide": 0.68,
    "silicon oxide": 0.17,
    "silicon": 0.235,
}


def coating_stack(seed: int, shape: Shape = (1024, 1024)) -> Specimen:
    """Eight layers of seven materials; the tungsten and the nitride are columnar."""
    rng = np.random.default_rng(seed)
    names = np.array([name for name, _, _ in STACK])
    layer = _stacked(rng, shape)
    grey = np.array([GREYS[name] for name in names], dtype=np.float32)
    image = ndimage.gaussian_filter(grey[layer], (1.1, 0.6))
    image += _in(layer, names == "tungsten") * _columns(rng, shape, 30.0, 9.0, 0.062)
    image += _in(layer, names == "titanium nitride") * _columns(rng, shape, 11.0, 4.0, 0.035)
    image += _in(layer, names == "hafnium oxide") * _columns(rng, shape, 17.0, 1.5, 0.05)
    image += _in(layer, names == "platinum") * _granules(rng, shape)
    image += _in(layer, names == "carbon") * 0.010 * random_field(rng, shape, 5)
    image += _in(layer, names == "silicon oxide") * 0.006 * random_field(rng, shape, 2)
    image += _in(layer, names == "silicon") * _bend_contours(rng, shape)
    image *= 0.92 + 0.14 * np.linspace(0, 1, shape[0], dtype=np.float32)[:, None]
    image *= 1 + 0.016 * _curtains(rng, shape)
    image = ndimage.gaussian_filter(image, 0.9)
    image += 0.006 * rng.standard_normal((shape[0], 1), dtype=np.float32)
    counts = 420.0
    image = rng.poisson(np.clip(image, 0.01, None) * counts).astype(np.float32) / counts
    return Specimen(to_bytes(image + 0.02), layer.astype(np.int32) + 1, _materials(layer, names))


def _stacked(rng: np.random.Generator, shape: Shape) -> NDArray[np.intp]:
    """Number of the layer at each pixel, 0 at the top; roughness is partly passed on upwards."""
    tilt = 0.012 * (np.arange(shape[1]) - shape[1] / 2)
    depth = np.cumsum([0, *(thick for _, thick, _ in STACK)])
    form = np.zeros(shape[1])
    layer = np.zeros(shape, dtype=np.intp)
    rows = np.arange(shape[0])[:, None]
    for number in range(len(STACK) - 1, 0, -1):
        above = STACK[number - 1][0]
        grain = 30.0 if above == "carbon" else 14.0
        own = sum(
            weight * random_field(rng, (1, shape[1]), (1, length))[0]
            for weight, length in ((0.75, grain), (0.45, 4.0), (0.35, 130.0))
        )
        form = 0.6 * ndimage.gaussian_filter1d(form, 6) + STACK[number][2] * own
        layer += rows >= depth[number] + tilt + form
    return layer


def _in(layer: NDArray[np.intp], chosen: NDArray[np.bool_]) -> Field:
    return ndimage.gaussian_filter(chosen[layer].astype(np.float32), 0.6)


def _columns(
    rng: np.random.Generator, shape: Shape, width: float, aspect: float, spread: float
) -> Field:
    """Columnar crystals that differ in channelling contrast, some striped by defects."""
    bent = warped(rng, grid(shape), 2.2 * width, 0.16 * width)
    coordinates = frame(bent, float(rng.normal(0, 0.03)), aspect)
    seeds = lattice_seeds(rng, coordinates, width * np.sqrt(aspect), 0.38, hexagonal=True)
    cells = cells_of(coordinates, seeds)
    level = rng.standard_normal(len(seeds)).astype(np.float32)
    slope = rng.normal(0, 0.5, len(seeds)).astype(np.float32)
    field = level[cells.owner] + slope[cells.owner] * random_field(rng, shape, width)
    return np.asarray(np.float32(spread) * ndimage.gaussian_filter(field, 0.8))


def _granules(rng: np.random.Generator, shape: Shape) -> Field:
    """Grains of a few pixels in carbon, as an ion beam deposits platinum."""
    grains = np.tanh(1.1 * random_field(rng, shape, 1.7)) + 0.6 * random_field(rng, shape, 3.2)
    clouds = random_field(rng, shape, 9) + random_field(rng, shape, 30)
    return np.asarray(0.11 * grains + 0.035 * clouds, dtype=np.float32)


def _bend_contours(rng: np.random.Generator, shape: Shape) -> Field:
    field = random_field(rng, shape, 150)
    return np.asarray(0.020 * np.exp(-((field / 0.35) ** 2)), dtype=np.float32)


def _curtains(rng: np.random.Generator, shape: Shape) -> Field:
    """Vertical stripes of ion milling that change slowly on the way down."""
    return random_field(rng, shape, (400, 3.5)) + 0.8 * random_field(rng, shape, (600, 30))


def _materials(layer: NDArray[np.intp], names: NDArray[np.str_]) -> NDArray[np.uint8]:
    """Materials numbered by falling area; equal ones share a number."""
    areas = np.bincount(layer.ravel(), minlength=len(names))
    kinds = sorted(set(names.tolist()), key=lambda name: -int(areas[names == name].sum()))
    number = np.array([kinds.index(name) + 1 for name in names], dtype=np.uint8)
    return number[layer]
