"""Label images of known geometry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from nital.micrograph import Micrograph, PixelSize
from nital.segmentation import ModelInfo, Segmentation

Labels = NDArray[np.int32]


def ellipse_mask(
    shape: tuple[int, int], axes: tuple[float, float], degrees: float = 0.0
) -> NDArray[np.bool_]:
    """Ellipse of these half axes in the middle; the first axis turned up from the rows."""
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    right = cols - (shape[1] - 1) / 2
    up = (shape[0] - 1) / 2 - rows
    turn = np.radians(degrees)
    along = right * np.cos(turn) + up * np.sin(turn)
    across = -right * np.sin(turn) + up * np.cos(turn)
    return np.asarray((along / axes[0]) ** 2 + (across / axes[1]) ** 2 <= 1)


def voronoi_labels(count: int, shape: tuple[int, int], seed: int = 0) -> Labels:
    """Voronoi cells of random points: a polycrystal without gaps."""
    rng = np.random.default_rng(seed)
    seeds = np.zeros(shape, dtype=np.int32)
    chosen = rng.choice(seeds.size, count, replace=False)
    seeds.flat[chosen] = np.arange(1, count + 1)
    nearest = ndimage.distance_transform_edt(
        seeds == 0, return_distances=False, return_indices=True
    )
    return seeds[tuple(nearest)]


def make_segmentation(
    labels: Labels,
    phases: NDArray[np.uint8] | None = None,
    *,
    scale: float | None = None,
    **changes: Any,
) -> Segmentation:
    """Wrap labels; pixels count up along the rows, the confidence is 204 everywhere."""
    pixels = np.arange(labels.size, dtype=np.uint16).reshape(labels.shape)
    micrograph = Micrograph(
        pixels,
        pixel_size=None if scale is None else PixelSize(scale, "test"),
        name="made up",
        data_bar_row=changes.pop("data_bar_row", None),
    )
    if phases is None:
        phases = np.where(labels > 0, 2, 1).astype(np.uint8)
    return Segmentation(
        micrograph=micrograph,
        labels=labels.astype(np.int32),
        phases=phases,
        confidence=np.full(labels.shape, 204, dtype=np.uint8),
        target=changes.pop("target", "particles"),
        target_reason="given",
        model=ModelInfo("none", None),
        **changes,
    )


@pytest.fixture(scope="session")
def ellipse() -> Callable[..., NDArray[np.bool_]]:
    return ellipse_mask


@pytest.fixture(scope="session")
def voronoi() -> Callable[..., Labels]:
    return voronoi_labels


@pytest.fixture(scope="session")
def wrap() -> Callable[..., Segmentation]:
    return make_segmentation
