"""A network small enough to train in a test, and scenes of known geometry."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from nital.training.samples import StreamOptions
from nital.training.targets import Sample, make_example

if TYPE_CHECKING:
    from nital.training.network import NetworkConfig


@pytest.fixture(scope="session")
def tiny() -> NetworkConfig:
    import torch

    from nital.training.network import NetworkConfig

    torch.set_num_threads(1)  # small tensors: further threads only cost time
    return NetworkConfig(
        widths=(8, 8, 12, 16, 16),
        depths=(1, 1, 1, 1, 1),
        fine=8,
        coarse=16,
        embedding=4,
        mask_channels=4,
        hidden=4,
    )


@pytest.fixture(scope="session")
def small_crops() -> StreamOptions:
    return StreamOptions(size=64, scene_size=64)


def disc_sample(side: int = 96, *, centre: Any = (40, 50), radius: float = 20, **changes: Any):
    """A bright particle on a dark ground."""
    rows, cols = np.mgrid[:side, :side]
    labels = (np.hypot(rows - centre[0], cols - centre[1]) <= radius).astype(np.int32)
    facts = {
        "image": (60 + 120 * labels + (rows + cols) % 7).astype(np.uint8),
        "labels": labels,
        "phases": (1 + labels).astype(np.uint8),
        "valid": np.ones(labels.shape, dtype=bool),
        "target": 2,
    }
    return Sample(**(facts | changes))


def grain_sample(side: int = 64, seed: int = 0) -> Sample:
    """Nearest-seed grains, every pixel of one, in grey levels of their own."""
    rng = np.random.default_rng(seed)
    seeds = rng.uniform(0, side, (9, 2))
    rows, cols = np.mgrid[:side, :side]
    gaps = (rows[..., None] - seeds[:, 0]) ** 2 + (cols[..., None] - seeds[:, 1]) ** 2
    labels = (1 + np.argmin(gaps, axis=2)).astype(np.int32)
    image = (20 * labels + rng.integers(0, 10, labels.shape)).astype(np.uint8)
    everywhere = np.ones(labels.shape)
    return Sample(image, labels, everywhere.astype(np.uint8), everywhere.astype(bool), 0)


@pytest.fixture(scope="session")
def disc() -> Callable[..., Sample]:
    return disc_sample


@pytest.fixture(scope="session")
def grains() -> Callable[..., Sample]:
    return grain_sample


@pytest.fixture(scope="session")
def make_batch() -> Callable[..., dict[str, Any]]:
    """Stack examples of samples into one batch of tensors."""
    import torch

    def make(samples: list[Sample], seed: int = 0) -> dict[str, Any]:
        rng = np.random.default_rng(seed)
        examples = [make_example(rng, sample) for sample in samples]
        return {k: torch.from_numpy(np.stack([e[k] for e in examples])) for k in examples[0]}

    return make
