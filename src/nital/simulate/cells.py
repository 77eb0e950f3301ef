"""Cells around seeds: Voronoi, power and grown tessellations, and the distance to their walls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage
from scipy.spatial import cKDTree

from nital.simulate.scene import random_field

__all__ = [
    "Cells",
    "Floats",
    "Seeds",
    "cells_of",
    "frame",
    "grid",
    "lattice_seeds",
    "random_seeds",
    "smooth",
    "spectral_field",
    "thin_out",
    "warped",
]

Floats = NDArray[np.float32]

FAR = 1e3
STRIP = 1 << 16


@dataclass(frozen=True)
class Seeds:
    """Centres (n, 2), row and column in pixels, and radii (n,) of cells.

    ``turns`` (n, 2), if given: direction of the long axis (radians, from the rows' axis) and
    aspect ratio of each.
    """

    centres: Floats
    radii: Floats
    turns: Floats | None = None

    def __len__(self) -> int:
        return len(self.radii)

    def chosen(self, keep: NDArray[Any]) -> Seeds:
        """The seeds that a boolean mask or an index picks."""
        turns = None if self.turns is None else self.turns[keep]
        return Seeds(self.centres[keep], self.radii[keep], turns)


@dataclass(frozen=True)
class Cells:
    """Which seed owns each pixel; made by :func:`cells_of`.

    Parameters
    ----------
    owner
        (H, W) int32, number of the seed that owns the pixel.
    depth
        (H, W) float32, what the owner scores there (low wins): for the metric ``grown`` minus the
        distance to the rim of its own disc.
    blocks, found, seeds, metric, exponent
        The coordinates by blocks of pixels, the candidate seeds of each block, and how they score.
    """

    owner: NDArray[np.int32]
    depth: Floats
    blocks: Floats
    found: NDArray[np.intp]
    seeds: Seeds
    metric: str
    exponent: float

    def inside(self, softness: float = 0.0, group: NDArray[np.int_] | None = None) -> Floats:
        """Distance to the nearest wall in pixels, (H, W); corners rounded over ``softness`` pixels.

        With ``group`` (one number per seed) only walls between different groups count.
        """
        result = np.empty(self.blocks.shape[1:], dtype=np.float32)
        for part in _strips(self.blocks, self.found):
            ids = self.found[:, part, None, :, None]
            score = _score(self.blocks[:, part], self.seeds, ids, self.metric, self.exponent)
            best = score.argmin(axis=0)[None]
            owner = np.take_along_axis(np.broadcast_to(ids, score.shape), best, axis=0)[0]
            walls = score - np.take_along_axis(score, best, axis=0)
            walls *= self._to_pixels(ids, owner)
            if group is None:
                np.put_along_axis(walls, best, np.float32(FAR), axis=0)
            else:
                walls[group[ids] == group[owner]] = FAR
            nearest = walls.min(axis=0)
            if softness > 0:
                excess = np.exp((nearest - walls) / np.float32(softness)).sum(axis=0)
                nearest -= np.float32(softness) * np.log(excess)
            result[part] = nearest
        return _whole(result, self.owner.shape)

    def _to_pixels(self, ids: NDArray[np.intp], owner: NDArray[np.intp]) -> Floats:
        """Factor that turns a difference of scores into the distance to the wall."""
        if self.metric == "power":
            row, column = np.ascontiguousarray(self.seeds.centres.T)
            down, right = row[ids] - row[owner], column[ids] - column[owner]
            distance = np.sqrt(down * down + right * right)
            return np.asarray(np.float32(0.5) / np.maximum(distance, np.float32(1e-3)))
        if self.metric == "scaled":
            both = self.seeds.radii[owner] * self.seeds.radii[ids]
            return np.asarray(np.float32(0.5) * np.sqrt(both))
        return np.full((1, 1, 1, 1, 1), 0.5, dtype=np.float32)


def _strips(blocks: Floats, found: NDArray[np.intp]) -> Iterator[slice]:
    """Rows of blocks, few enough at a time that their scores stay in the processor's cache."""
    rows, step, columns, _ = blocks.shape[1:]
    height = max(1, STRIP // (len(found) * step * step * columns))
    for top in range(0, rows, height):
        yield slice(top, top + height)


def _whole(blocks: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    rows, step, columns, _ = blocks.shape
    return blocks.reshape(rows * step, columns * step)[: shape[0], : shape[1]]


def grid(shape: tuple[int, int]) -> Floats:
    """Row and column of every pixel, (2, H, W)."""
    rows = np.arange(shape[0], dtype=np.float32)
    columns = np.arange(shape[1], dtype=np.float32)
    return np.stack(np.meshgrid(rows, columns, indexing="ij"))


def warped(
    rng: np.random.Generator, coordinates: Floats, length: float, amplitude: float
) -> Floats:
    """Displace coordinates by a smooth random field: its correlation length and size in pixels."""
    shape = (coordinates.shape[1], coordinates.shape[2])
    shift = np.stack([random_field(rng, shape, max(length, 0.7)) for _ in range(2)])
    return coordinates + np.float32(amplitude) * shift


def frame(coordinates: Floats, angle: float, aspect: float = 1.0) -> Floats:
    """Turn coordinates by ``angle`` (radians); ``aspect`` stretches what is drawn in them.

    Areas stay as they are: lengths grow by sqrt(aspect) along the turned rows' axis.
    """
    row, column = coordinates
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    stretch = np.float32(np.sqrt(aspect))
    along = (cosine * row + sine * column) / stretch
    across = (cosine * column - sine * row) * stretch
    return np.stack([along, across])


def _window(coordinates: Floats, margin: float) -> tuple[Floats, Floats]:
    flat = coordinates.reshape(2, -1)
    return flat.min(axis=1) - np.float32(margin), flat.max(axis=1) + np.float32(margin)


def lattice_seeds(
    rng: np.random.Generator, coordinates: Floats, spacing: float, jitter: float, *, hexagonal: bool
) -> Seeds:
    """Seeds on a square or hexagonal lattice, moved at random by ``jitter`` x spacing (sigma)."""
    low, high = _window(coordinates, 2.5 * spacing)
    pitch = np.array([spacing, spacing])
    if hexagonal:
        pitch = np.array([np.sqrt(np.sqrt(3) / 2), 1 / np.sqrt(np.sqrt(3) / 2)]) * spacing
    rows = np.arange(low[0], high[0], pitch[0]) + rng.uniform(0, pitch[0])
    columns = np.arange(low[1], high[1], pitch[1]) + rng.uniform(0, pitch[1])
    centres = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)
    if hexagonal:
        centres[1::2, :, 1] += pitch[1] / 2
    centres = centres.reshape(-1, 2)
    centres += rng.normal(0, jitter * spacing, centres.shape)
    radii = np.full(len(centres), spacing / 2, dtype=np.float32)
    return Seeds(centres.astype(np.float32), radii)


def random_seeds(rng: np.random.Generator, coordinates: Floats, spacing: float) -> Seeds:
    """Seeds at random places, one per spacing squared on average, at least three."""
    low, high = _window(coordinates, 2.5 * spacing)
    count = max(3, int(np.prod(high - low) / spacing**2))
    centres = rng.uniform(low, high, (count, 2)).astype(np.float32)
    return Seeds(centres, np.full(count, spacing / 2, dtype=np.float32))


def thin_out(seeds: Seeds, gap: float) -> Seeds:
    """Drop every seed whose disc comes nearer than ``gap`` to that of one before it."""
    if len(seeds) < 2:
        return seeds
    tree = cKDTree(seeds.centres)
    reach = 2 * float(seeds.radii.max()) + gap
    pairs = tree.query_pairs(reach, output_type="ndarray")
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    first, second = pairs.T
    apart = np.hypot(*(seeds.centres[first] - seeds.centres[second]).T)
    near = apart < seeds.radii[first] + seeds.radii[second] + gap
    keep = np.ones(len(seeds), dtype=bool)
    for one, other in zip(first[near].tolist(), second[near].tolist(), strict=True):
        if keep[one]:
            keep[other] = False
    return seeds.chosen(keep)


def cells_of(
    coordinates: Floats,
    seeds: Seeds,
    *,
    metric: str = "power",
    exponent: float = 2.0,
    neighbours: int = 8,
) -> Cells:
    """Give every pixel to a seed.

    ``metric``: ``power`` scores distance squared less radius squared (straight walls), ``grown``
    distance less radius (walls bend round the larger cell), ``scaled`` distance over radius
    (walls are arcs). ``exponent`` is that of the distance: 2 round, larger squarer.

    Candidates are looked up once per block of pixels, in the lifted tree whose nearest points are
    those of the power diagram.
    """
    height, width = coordinates.shape[1:]
    neighbours = min(neighbours, len(seeds))
    extent = np.maximum(seeds.centres.max(axis=0) - seeds.centres.min(axis=0), 1)
    spacing = float(np.sqrt(np.prod(extent) / len(seeds)))
    step = int(np.clip(spacing / (2.5 * _pixel(coordinates)), 1, 16))
    if step == 1:
        neighbours = min(neighbours, 4)
    rows, columns = -(-height // step), -(-width // step)
    padding = ((0, 0), (0, rows * step - height), (0, columns * step - width))
    blocks = np.pad(coordinates, padding, mode="edge").reshape(2, rows, step, columns, step)
    lift = np.sqrt(np.maximum(seeds.radii.max() ** 2 - seeds.radii**2, 0))
    tree = cKDTree(np.column_stack([seeds.centres, lift]))
    middle = blocks.mean(axis=(2, 4)).reshape(2, -1).T
    _, found = tree.query(np.column_stack([middle, np.zeros(len(middle))]), k=neighbours)
    found = found.reshape(rows, columns, neighbours).transpose(2, 0, 1)
    owner = np.empty(blocks.shape[1:], dtype=np.int32)
    depth = np.empty(blocks.shape[1:], dtype=np.float32)
    for part in _strips(blocks, found):
        ids = found[:, part, None, :, None]
        score = _score(blocks[:, part], seeds, ids, metric, exponent)
        best = score.argmin(axis=0)[None]
        owner[part] = np.take_along_axis(np.broadcast_to(ids, score.shape), best, axis=0)[0]
        depth[part] = np.take_along_axis(score, best, axis=0)[0]
    size = (height, width)
    return Cells(_whole(owner, size), _whole(depth, size), blocks, found, seeds, metric, exponent)


def _score(
    blocks: Floats, seeds: Seeds, ids: NDArray[np.intp], metric: str, exponent: float
) -> Floats:
    """What each candidate scores at each pixel, (k, rows, step, columns, step)."""
    row = blocks[0] - seeds.centres[ids, 0]
    column = blocks[1] - seeds.centres[ids, 1]
    radii = seeds.radii[ids]
    if seeds.turns is not None:
        angle, aspect = seeds.turns.T
        cosine, sine, stretch = np.cos(angle)[ids], np.sin(angle)[ids], np.sqrt(aspect)[ids]
        row, column = (
            (row * cosine + column * sine) / stretch,
            (column * cosine - row * sine) * stretch,
        )
    if exponent == 2:
        distance = row * row + column * column
        if metric == "power":
            return np.asarray(distance - radii**2)
        distance = np.sqrt(distance)
    elif exponent == 4:
        distance = np.sqrt(np.sqrt((row * row) ** 2 + (column * column) ** 2))
    else:
        row, column = np.abs(row), np.abs(column)
        longer = np.maximum(np.maximum(row, column), np.float32(1e-6))
        ratio = np.minimum(row, column) / longer
        distance = longer * (1 + ratio ** np.float32(exponent)) ** np.float32(1 / exponent)
    if metric == "power":
        return np.asarray(distance**2 - radii**2)
    return np.asarray(distance / radii if metric == "scaled" else distance - radii)


def _pixel(coordinates: Floats) -> float:
    """The largest distance, on average, between neighbouring pixels in these coordinates."""
    down = coordinates[:, ::8, ::8]
    return max(
        1e-3,
        *(
            float(np.hypot(*np.diff(down, axis=axis)).mean()) / 8
            for axis in (1, 2)
            if down.shape[axis] > 1
        ),
    )


def spectral_field(
    rng: np.random.Generator,
    shape: tuple[int, int],
    wavelength: float,
    bandwidth: float,
    *,
    angle: float = 0.0,
    aspect: float = 1.0,
) -> Floats:
    """Gaussian random field of one wavelength (pixels), zero mean and unit variance.

    ``bandwidth`` is the relative width of the band: 0.1 gives even meanders, 1 loose clouds.
    Structures are stretched by ``aspect`` along ``angle`` (radians, from the rows' axis).
    """
    size = tuple(fft.next_fast_len(n + int(min(n, 2 * wavelength)), real=True) for n in shape)
    down = fft.fftfreq(size[0])[:, None]
    right = fft.rfftfreq(size[1])[None, :]
    along = (np.cos(angle) * down + np.sin(angle) * right) * np.sqrt(aspect)
    across = (np.cos(angle) * right - np.sin(angle) * down) / np.sqrt(aspect)
    frequency = np.maximum(np.hypot(along, across) * wavelength, 1e-6)
    weight = np.exp(-0.5 * (np.log(frequency) / bandwidth) ** 2) / frequency
    noise = fft.rfft2(rng.standard_normal(size, dtype=np.float32))
    field = fft.irfft2(noise * weight.astype(np.float32), s=size)[: shape[0], : shape[1]]
    return np.asarray((field - field.mean()) / max(float(field.std()), 1e-6), dtype=np.float32)


def smooth(field: Floats, sigma: float) -> Floats:
    """Gaussian smoothing."""
    return np.asarray(ndimage.gaussian_filter(field, sigma), dtype=np.float32)
