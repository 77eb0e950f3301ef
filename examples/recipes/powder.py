"""Particles: gas-atomised metal powder on carbon tape, in the SEM."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from nital.simulate import random_field
from nital.simulate.cells import cells_of, grid, lattice_seeds, warped
from recipes.common import Field, Labels, Shape, Specimen, scanned, to_bytes

__all__ = ["atomised_powder"]


def atomised_powder(seed: int, shape: Shape = (768, 1024), diameter: float = 60.0) -> Specimen:
    """Nearly round metal particles with satellites, touching and lying on one another.

    ``diameter`` is the median in pixels; the sizes are log-normal.
    """
    rng = np.random.default_rng(seed)
    tape = 0.5 * random_field(rng, shape, 40) + random_field(rng, shape, 2.2)
    image = np.asarray(0.15 + 0.013 * tape, dtype=np.float32)
    labels = np.zeros(shape, dtype=np.int32)
    crystals = _solidified(rng, 512)
    for number, (row, column, radius) in enumerate(_heap(rng, shape, diameter), 1):
        _lay_ball(rng, image, labels, (row, column, radius), number, crystals)
    labels = _visible(labels, 25)
    image = image + np.float32(0.03) * np.linspace(0.5, -0.5, shape[0], dtype=np.float32)[:, None]
    image = ndimage.gaussian_filter(image, 0.8)
    image = scanned(rng, image, 0.026)
    phases = np.where(labels > 0, 2, 1).astype(np.uint8)
    return Specimen(to_bytes(image), labels, phases)


def _heap(rng: np.random.Generator, shape: Shape, diameter: float) -> list[tuple[float, ...]]:
    """Row, column and radius of balls in the order of laying: a layer, a few on top, satellites."""
    balls: list[tuple[float, ...]] = []
    for wanted, overlap in ((215, 0.97), (7, 0.5)):
        radii = np.sort(0.5 * diameter * rng.lognormal(-0.12, 0.55, wanted))[::-1]
        ground = len(balls)
        for radius in np.clip(radii, 0.1 * diameter, 1.15 * diameter):
            for _ in range(60):
                row, column = rng.uniform(-0.5 * radius, np.array(shape) + 0.5 * radius)
                others = balls if ground == 0 else balls[ground:]
                if all(
                    np.hypot(row - r, column - c) > overlap * (radius + other)
                    for r, c, other in others
                ):
                    balls.append((float(row), float(column), float(radius)))
                    break
    satellites = []
    for row, column, radius in balls:
        for _ in range(rng.poisson(0.9 if radius > 0.4 * diameter else 0.2)):
            small = radius * rng.uniform(0.12, 0.3)
            turn, out = rng.uniform(0, 2 * np.pi), radius * rng.uniform(0.7, 1.08)
            satellites.append((row + out * np.sin(turn), column + out * np.cos(turn), small))
    return balls + [ball for ball in satellites if ball[2] > 4.5]


def _lay_ball(
    rng: np.random.Generator,
    image: Field,
    labels: Labels,
    ball: tuple[float, ...],
    number: int,
    crystals: Field,
) -> None:
    """Draw one ball over what is there, with the shadow that it casts on its surroundings."""
    row, column, radius = ball
    reach = int(1.9 * radius) + 4
    top, left = int(row) - reach, int(column) - reach
    r0, c0 = max(0, top), max(0, left)
    r1, c1 = min(image.shape[0], top + 2 * reach), min(image.shape[1], left + 2 * reach)
    if r0 >= r1 or c0 >= c1:
        return
    y, x = (grid((r1 - r0, c1 - c0)) + np.array([r0 - row, c0 - column])[:, None, None]) / radius
    rho, y, x = _outline(rng, y, x)
    inside = rho < 1
    part = image[r0:r1, c0:c1]
    part *= 1 - 0.75 * np.exp(-np.maximum(rho - 1, 0) / 0.28)
    upright = np.sqrt(np.clip(1 - rho**2, 0.01, 1))
    skin = _skin(rng, crystals, y, x, radius)
    grey = 0.40 + rng.normal(0, 0.02) + 0.17 * (upright**-0.7 - 1)
    grey = grey - 0.10 * y + 0.05 * x + skin * (0.4 + 0.6 * upright)
    cover = np.clip((1 - rho) * radius + 0.5, 0, 1)
    part += cover * (np.minimum(grey, 0.88) - part)
    labels[r0:r1, c0:c1][inside] = number


def _outline(rng: np.random.Generator, y: Field, x: Field) -> tuple[Field, Field, Field]:
    """Distance from the centre over that of the rim; slightly oval and uneven."""
    angle = rng.uniform(0, np.pi)
    aspect = 1 + 0.5 * rng.uniform() ** 5 + 0.05 * rng.uniform()
    u = (np.cos(angle) * x + np.sin(angle) * y) / np.sqrt(aspect)
    v = (np.cos(angle) * y - np.sin(angle) * x) * np.sqrt(aspect)
    turn = np.arctan2(v, u)
    uneven = np.zeros_like(turn)
    for order in range(2, 7):
        uneven += rng.normal(0, 0.022 / order) * np.cos(order * turn + rng.uniform(0, 6.28))
    return np.hypot(u, v) * (1 + uneven), v, u


def _skin(rng: np.random.Generator, crystals: Field, y: Field, x: Field, radius: float) -> Field:
    """The solidified surface, wrapped round the ball."""
    depth = np.sqrt(np.clip(1 - y * y - x * x, 0.15, 1))
    size = crystals.shape[0]
    start = rng.uniform(0, size, 2)
    rows = (start[0] + radius * y * (1.6 - 0.6 * depth)).astype(int) % size
    columns = (start[1] + radius * x * (1.6 - 0.6 * depth)).astype(int) % size
    return np.asarray(crystals[rows, columns] * rng.uniform(0.5, 1.3), dtype=np.float32)


def _solidified(rng: np.random.Generator, size: int) -> Field:
    """Cells of solidification, their walls grooved, in crystals of slightly different grey."""
    shape = (size, size)
    coordinates = warped(rng, grid(shape), 9, 1.6)
    fine = cells_of(coordinates, lattice_seeds(rng, coordinates, 8.5, 0.3, hexagonal=True))
    coarse = cells_of(coordinates, lattice_seeds(rng, coordinates, 34.0, 0.35, hexagonal=True))
    level = rng.normal(0, 0.017, int(coarse.owner.max()) + 1).astype(np.float32)
    groove = -0.06 * np.exp(-fine.inside() / 1.1) - 0.035 * np.exp(-coarse.inside() / 1.3)
    rough = 0.012 * random_field(rng, shape, 1.5)
    return np.asarray(ndimage.gaussian_filter(level[coarse.owner] + groove + rough, 0.6))


def _visible(labels: Labels, smallest: int) -> Labels:
    """Renumber what can be seen; slivers below ``smallest`` pixels are nobody's."""
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    numbers = np.where(sizes >= smallest, np.cumsum(sizes >= smallest), 0)
    return numbers.astype(np.int32)[labels]
