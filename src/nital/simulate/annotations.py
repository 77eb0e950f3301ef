"""Burnt-in text and scale bars, as micrographs in publications have them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["draw_annotations"]


def draw_annotations(rng: np.random.Generator, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Draw a scale bar, a figure letter or both into a copy of an (H, W) uint8 image."""
    from PIL import Image, ImageDraw, ImageFont

    height, width = image.shape
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    ink = int(rng.choice([0, 255]))
    size = int(rng.uniform(0.05, 0.11) * min(height, width)) + 6
    font = ImageFont.load_default(size=size)
    if rng.random() < 0.75:
        length = int(rng.uniform(0.1, 0.35) * width)
        thick = max(2, int(rng.uniform(0.006, 0.02) * height))
        right = bool(rng.random() < 0.6)
        left = width - length - int(0.04 * width) if right else int(0.04 * width)
        top = height - thick - int(rng.uniform(0.02, 0.06) * height)
        if rng.random() < 0.2:
            draw.rectangle((left - 6, top - size - 8, left + length + 6, height), fill=255 - ink)
        draw.rectangle((left, top, left + length, top + thick), fill=ink)
        if rng.random() < 0.8:
            unit = str(rng.choice(["nm", "um", "mm", " nm"]))
            number = rng.choice([1, 2, 5, 10, 20, 50, 100, 200, 500])
            draw.text((left, top - size - 4), f"{number}{unit}", fill=ink, font=font)
    if rng.random() < 0.6:
        letter = str(rng.choice(["a", "(a)", "b", "(b)", "A", "C", "(c)", "d", "f)", "B)"]))
        corner = (int(rng.integers(2, 9)), int(rng.integers(0, 6)))
        draw.text(corner, letter, fill=int(rng.choice([0, 255])), font=font)
    return np.array(canvas, dtype=np.uint8)
