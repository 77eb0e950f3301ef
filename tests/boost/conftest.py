"""Rectangular candidates of exactly known shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from nital.masks.instances import Instances


def rectangles(
    boxes: Sequence[tuple[float, float, float, float]],
    scores: Sequence[float] | None = None,
    grid: int = 40,
) -> Instances:
    """Masks that fill the middle half of their windows: top, left, bottom, right of each."""
    logits = np.full((len(boxes), grid, grid), -8, dtype=np.float16)
    logits[:, grid // 4 : 3 * grid // 4, grid // 4 : 3 * grid // 4] = 8
    edges = np.asarray(boxes, dtype=np.float32).reshape(-1, 4)
    half = (edges[:, 2:] - edges[:, :2]) / 2
    windows = np.concatenate([edges[:, :2] - half, edges[:, 2:] + half], axis=1)
    centres = (edges[:, :2] + edges[:, 2:]) / 2
    values = np.full(len(boxes), 0.9) if scores is None else np.asarray(scores)
    return Instances(logits, windows, values.astype(np.float32), centres)


@pytest.fixture(scope="session")
def boxes_as_masks() -> Callable[..., Instances]:
    return rectangles
