"""A labelled set of drawn images: bright discs and dark squares on grey."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SETTINGS = (
    'name = "drawn"\ntask = "semantic"\nuse = "train"\n'
    '[classes]\n1 = "ground"\n2 = "disc"\n3 = "square"\n'
)


def draw(seed: int, side: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Image and class numbers."""
    rng = np.random.default_rng(seed)
    row, column = np.indices((side, side))
    truth = np.ones((side, side), dtype=np.uint8)
    top, left = rng.integers(4, side // 2, 2)
    truth[top : top + 14, left : left + 14] = 3
    centre = rng.integers(side // 2, side - 8, 2)
    truth[np.hypot(row - centre[0], column - centre[1]) < 9] = 2
    grey = np.array([0, 120, 200, 40])[truth] + rng.normal(0, 6, truth.shape)
    return np.clip(grey, 0, 255).astype(np.uint8), truth


def write(folder: Path, name: str, image: np.ndarray, truth: np.ndarray | None) -> None:
    for part, values in (("images", image), ("labels", truth)):
        (folder / part).mkdir(parents=True, exist_ok=True)
        if values is not None:
            Image.fromarray(values).save(folder / part / f"{name}.png")


@pytest.fixture
def make_set(tmp_path: Path) -> Callable[..., Path]:
    """Write a set of ``count`` images; returns its folder."""

    def make(count: int = 5, settings: str = SETTINGS) -> Path:
        folder = tmp_path / "drawn"
        for number in range(count):
            write(folder, f"image {number}", *draw(number))
        (folder / "dataset.toml").write_text(settings, encoding="utf-8")
        return folder

    return make
