from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray


@pytest.fixture
def noise() -> NDArray[np.uint8]:
    """(96, 128) uint8 noise: a specimen without a data bar."""
    return np.random.default_rng(1).integers(40, 200, (96, 128), dtype=np.uint8)


@pytest.fixture
def write_tagged(tmp_path: Path, noise: NDArray[np.uint8]) -> Callable[..., Path]:
    """Write a TIFF with one maker's tag, as text, bytes or numbers, and return its path."""

    def write(
        tags: dict[int, str | bytes | float],
        pixels: NDArray[Any] | None = None,
        name: str = "image.tif",
        **options: Any,
    ) -> Path:
        extra = []
        for code, value in tags.items():
            if isinstance(value, str):
                extra.append((code, 2, 0, value, True))
            elif isinstance(value, bytes):
                extra.append((code, 1, len(value), value, True))
            else:
                extra.append((code, 12, 1, value, True))
        path = tmp_path / name
        tifffile.imwrite(
            path, noise if pixels is None else pixels, extratags=extra, metadata=None, **options
        )
        return path

    return write
