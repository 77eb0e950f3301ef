"""Candidates of known geometry on windows of any size and place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nital.masks.instances import Instances

GRID = 48


def cell_centres(window: NDArray[np.float32], grid: int) -> tuple[Any, Any]:
    """Rows and columns of the cell centres of one window."""
    steps = (np.arange(grid) + 0.5) / grid
    rows, cols = (window[k] + steps * (window[k + 2] - window[k]) for k in (0, 1))
    return rows[:, None], cols[None]


def disc_candidates(
    discs: Any, windows: Any, scores: Any = None, grid: int = GRID, softness: float = 1.0
) -> Instances:
    """Logits that fall linearly through 0 at the rim of (row, col, radius) discs.

    Rows and columns are those of pixel edges: the first pixel's centre is (0.5, 0.5).
    """
    discs = np.asarray(discs, dtype=np.float64).reshape(-1, 3)
    windows = np.asarray(windows, dtype=np.float32).reshape(-1, 4)
    logits = np.zeros((len(discs), grid, grid), dtype=np.float16)
    for index, (row, col, radius) in enumerate(discs):
        rows, cols = cell_centres(windows[index], grid)
        depth = radius - np.hypot(rows - row, cols - col)
        logits[index] = np.clip(depth / softness, -20, 20)
    scores = np.linspace(0.9, 0.5, len(discs)) if scores is None else scores
    return Instances(
        logits,
        windows,
        np.asarray(scores, dtype=np.float32),
        discs[:, :2].astype(np.float32),
        "test",
    )


@pytest.fixture(scope="session")
def candidates() -> Callable[..., Instances]:
    return disc_candidates


@pytest.fixture(scope="session")
def random_discs() -> Callable[..., Instances]:
    """Discs at random places with windows around them, some of which reach outside 64 x 64."""

    def make(seed: int, count: int, **options: Any) -> Instances:
        rng = np.random.default_rng(seed)
        radii = rng.uniform(2, 18, count)
        centres = rng.uniform(0, 64, (count, 2))
        half = (radii * rng.uniform(1.05, 2.5, count))[:, None]
        middle = centres + rng.uniform(-0.3, 0.3, (count, 2)) * radii[:, None]
        windows = np.concatenate([middle - half, middle + half], axis=1)
        scores = rng.permutation(count) / max(count, 1)
        discs = np.concatenate([centres, radii[:, None]], axis=1)
        return disc_candidates(discs, windows, scores, **options)

    return make
