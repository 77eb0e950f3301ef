"""Tilings and particles whose quantities are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from nital.metrology import Measurements, Quantity

Labels = NDArray[np.int32]


def numbered(*parts: NDArray[np.integer]) -> Labels:
    """Number the combinations of several integer images 1...n."""
    stacked = np.stack([part.ravel() for part in parts], axis=1)
    _, inverse = np.unique(stacked, axis=0, return_inverse=True)
    return (inverse.reshape(parts[0].shape) + 1).astype(np.int32)


def square_tiling(side: int, number: int, shift: float = 0.5) -> Labels:
    """number x number squares, the first cut by the frame at this share of its side."""
    index = (np.arange(side * number) + int(shift * side)) // side
    return numbered(*np.broadcast_arrays(index[:, None], index))


def brick_tiling(height: int, width: int, shape: tuple[int, int]) -> Labels:
    """Running bond: each row of bricks moved on by half a brick."""
    rows, cols = np.indices(shape)
    course = (rows + height // 2) // height
    return numbered(course, (cols + width // 4 + (course % 2) * (width // 2)) // width)


def hexagon_tiling(edge: float, shape: tuple[int, int]) -> Labels:
    """Regular hexagons, standing on a corner: cells of a triangular lattice of points."""
    rows, cols = np.indices(shape) + 0.37
    across, down = np.sqrt(3.0) * edge, 1.5 * edge
    best = np.full(shape, np.inf)
    owner = np.zeros((2, *shape), dtype=int)
    course = np.round(rows / down)
    for step in (-1, 0, 1):
        row = course + step
        shift = (row % 2) / 2.0
        col = np.round(cols / across - shift)
        distance = (rows - row * down) ** 2 + (cols - (col + shift) * across) ** 2
        nearer = distance < best
        best[nearer] = distance[nearer]
        owner[0][nearer], owner[1][nearer] = row[nearer], col[nearer]
    return numbered(owner[0] + 1000, owner[1] + 1000)


def discs(
    shape: tuple[int, int], centres: NDArray[np.float64], radii: NDArray[np.float64]
) -> Labels:
    """Discs that may leave the image; where they overlap, the later one is in front."""
    labels = np.zeros(shape, dtype=np.int32)
    for label, ((row, col), radius) in enumerate(zip(centres, radii, strict=True), start=1):
        top, left = max(int(row - radius) - 1, 0), max(int(col - radius) - 1, 0)
        window = labels[top : int(row + radius) + 2, left : int(col + radius) + 2]
        if window.size:
            rows, cols = np.indices(window.shape)
            window[(rows + top - row) ** 2 + (cols + left - col) ** 2 <= radius**2] = label
    return labels


@pytest.fixture(scope="session")
def poisson_voronoi(voronoi: Callable[..., Labels]) -> Callable[..., Labels]:
    """Cut out of the middle of Voronoi cells of a Poisson process with this mean number."""

    def make(mean: float, side: int, seed: int) -> Labels:
        margin = side // 3
        whole = side + 2 * margin
        count = np.random.default_rng(seed).poisson(mean * (whole / side) ** 2)
        cells = voronoi(count, (whole, whole), seed)[margin:-margin, margin:-margin]
        return numbered(cells)

    return make


@pytest.fixture(scope="session")
def by_name() -> Callable[..., dict[str, Quantity]]:
    """Quantities of one phase, or of one layer, by name."""

    def select(
        measured: Measurements, phase: int | None = None, label: int | None = None
    ) -> dict[str, Quantity]:
        return {
            quantity.name: quantity
            for quantity in measured.quantities
            if quantity.phase == phase and quantity.object == label
        }

    return select


@pytest.fixture(scope="session")
def tilings() -> dict[str, Callable[..., Labels]]:
    return {"square": square_tiling, "brick": brick_tiling, "hexagon": hexagon_tiling}


@pytest.fixture(scope="session")
def make_discs() -> Callable[..., Labels]:
    return discs
