"""Small labelled sets of drawn images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def discs(shift: int) -> np.ndarray:
    """Labels of two discs."""
    row, column = np.indices((64, 80))
    first = np.hypot(row - 20, column - 20 - shift) < 10
    second = np.hypot(row - 44, column - 55) < 12
    return (first + 2 * second).astype(np.uint8)


def shown(labels: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(3).normal(0, 3, labels.shape)
    return np.clip(np.where(labels > 0, 190, 80) + noise, 0, 255).astype(np.uint8)


@pytest.fixture
def phase_set(tmp_path: Path) -> Path:
    """Three images of two phases."""
    folder = tmp_path / "sets" / "nbs2"
    for number in range(3):
        labels = discs(number)
        save(folder / "images" / f"spot {number}.png", shown(labels))
        save(folder / "labels" / f"spot {number}.png", 1 + (labels > 0).astype(np.uint8))
    (folder / "dataset.toml").write_text(
        'name = "NBS2"\ntask = "phases"\nuse = "evaluate-only"\n'
        '[classes]\n1 = "matrix"\n2 = "phase"\n',
        encoding="utf-8",
    )
    return folder


@pytest.fixture
def particle_set(tmp_path: Path) -> Path:
    """Four images of particles, one of them for validation."""
    folder = tmp_path / "sets" / "particles"
    for name in ("train_1", "train_2", "train_3", "val_1"):
        labels = discs(len(name))
        save(folder / "images" / f"{name}.png", shown(labels))
        save(folder / "labels" / f"{name}.png", labels)
    (folder / "dataset.toml").write_text('task = "instances"\nuse = "train"\n', encoding="utf-8")
    return folder


@pytest.fixture
def grain_set(tmp_path: Path) -> Path:
    """One image of four grains between dark lines."""
    folder = tmp_path / "sets" / "grains"
    row, column = np.indices((80, 80))
    drawn = (abs(row - 40) <= 1) | (abs(column - 40) <= 1)
    save(folder / "images" / "a.png", shown(~drawn))
    save(folder / "labels" / "a.png", drawn.astype(np.uint8))
    (folder / "dataset.toml").write_text(
        'task = "boundaries"\ntolerance = 4\n[classes]\n0 = "grain"\n1 = "grain boundary"\n',
        encoding="utf-8",
    )
    return folder


@pytest.fixture
def layer_set(tmp_path: Path) -> Path:
    """One image of two materials in three layers."""
    folder = tmp_path / "sets" / "layers"
    labels = np.repeat([1, 2, 1], 40)[:, None].repeat(90, axis=1).astype(np.uint8)
    save(folder / "images" / "a.png", shown(labels - 1))
    save(folder / "labels" / "a.png", labels)
    (folder / "dataset.toml").write_text(
        'task = "layers"\nhard = ["oxide"]\n[classes]\n1 = "silicon"\n2 = "oxide"\n',
        encoding="utf-8",
    )
    return folder
