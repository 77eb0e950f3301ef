"""The shipped model, loaded once, and images of plain geometry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nital.models import load_model
from nital.models.compact import CompactModel


def disc_image(
    shape: tuple[int, int], centres: Any, radius: float, noise: float = 0.1
) -> NDArray[np.float32]:
    """Bright discs on a dark ground with a little noise, standardised."""
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    image = np.random.default_rng(0).normal(0, noise, shape)
    for row, col in centres:
        image += np.clip(radius - np.hypot(rows - row, cols - col), 0, 1)
    return ((image - image.mean()) / image.std()).astype(np.float32)


@pytest.fixture(scope="session")
def compact() -> CompactModel:
    return load_model("compact")


@pytest.fixture(scope="session")
def discs() -> Callable[..., NDArray[np.float32]]:
    return disc_image
