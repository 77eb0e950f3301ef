"""Resampling of images and maps between the image's scale and the model's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["halved", "rescale", "resize_map"]


def rescale(image: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
    """Enlarge or shrink an (H, W) float32 image, low-pass filtered when it shrinks."""
    if factor == 1.0:
        return image
    shape = tuple(max(1, round(side * factor)) for side in image.shape)
    return resize_map(image, (shape[0], shape[1]))


def halved(image: NDArray[np.floating]) -> NDArray[np.floating]:
    """Means of two by two pixels of an (H, W) image, an odd last row or column counted twice."""
    rows, columns = image.shape
    even = np.pad(image, ((0, rows % 2), (0, columns % 2)), mode="edge")
    means = even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2).mean((1, 3))
    return np.asarray(means)


def resize_map(values: NDArray[np.floating], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Bilinear resize of an (h, w) map to ``shape``; averages where it shrinks."""
    from PIL import Image

    source = np.ascontiguousarray(values, dtype=np.float32)
    if source.shape == shape:
        return source
    resized = Image.fromarray(source).resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
    return np.array(resized, dtype=np.float32)
