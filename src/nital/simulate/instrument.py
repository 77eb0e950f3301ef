"""What the preparation and the instrument add: artefacts, light, focus, noise, exposure, files.

Every effect is a function ``(rng, image, ...) -> image`` on float32 grey in about 0...1.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.simulate.scene import Scene, random_field

__all__ = [
    "add_noise",
    "add_scan_artefacts",
    "add_specimen_artefacts",
    "compress",
    "expose",
    "focus",
    "light_unevenly",
]

Grey = NDArray[np.float32]


def add_specimen_artefacts(rng: np.random.Generator, image: Grey, strength: float) -> Grey:
    """Scratches, polishing marks, pits, stains and dirt: none of them is an object."""
    height, width = image.shape
    if rng.random() < 0.25:
        rows, cols = np.indices(image.shape, dtype=np.float32)
        common = rng.uniform(0, np.pi)
        for _ in range(int(rng.integers(1, 12))):
            angle = common + rng.normal(0, 0.05) if rng.random() < 0.6 else rng.uniform(0, np.pi)
            offset = rng.uniform(-0.5, 0.5) * (height + width)
            bend = rng.normal(0, 3e-4)
            across = (cols - width / 2) * np.cos(angle) + (rows - height / 2) * np.sin(angle)
            along = (rows - height / 2) * np.cos(angle) - (cols - width / 2) * np.sin(angle)
            profile = np.exp(-(((across - offset + bend * along**2) / rng.uniform(0.5, 1.6)) ** 2))
            start, length = rng.uniform(-0.7, 0.5) * width, rng.uniform(0.2, 2.0) * width
            profile *= (along > start) & (along < start + length)
            image = image + strength * float(rng.uniform(-0.35, 0.25)) * profile.astype(np.float32)
    if rng.random() < 0.3:
        depths = (-0.5 * strength, 0.15 * strength)
        image = _spots(rng, image, int(rng.integers(1, 60)), (0.6, 3.0), depths)
    if rng.random() < 0.12:
        depths = (-0.4 * strength, 0.3 * strength)
        image = _spots(rng, image, int(rng.integers(1, 6)), (3.0, 9.0), depths)
    if rng.random() < 0.15:
        stain = random_field(rng, image.shape, float(rng.uniform(10, 50)))
        image = image + strength * float(rng.uniform(-0.3, 0.2)) * np.clip(stain - 1.0, 0, 1)
    return np.asarray(image, dtype=np.float32)


def _spots(
    rng: np.random.Generator,
    image: Grey,
    count: int,
    radius: tuple[float, float],
    depth: tuple[float, float],
) -> Grey:
    """Add small blurred spots, each drawn in its own box."""
    image = image.copy()
    height, width = image.shape
    sign_depth = float(rng.uniform(*depth))
    for _ in range(count):
        r = float(rng.uniform(*radius))
        reach = int(np.ceil(2.5 * r))
        row, col = int(rng.integers(0, height)), int(rng.integers(0, width))
        top, left = max(0, row - reach), max(0, col - reach)
        bottom, right = min(height, row + reach + 1), min(width, col + reach + 1)
        y = np.arange(top, bottom, dtype=np.float32)[:, None] - row
        x = np.arange(left, right, dtype=np.float32)[None] - col
        stretch = rng.uniform(0.6, 1.6)
        away = (y**2 * stretch + x**2 / stretch) / r**2
        image[top:bottom, left:right] += sign_depth * np.exp(-(away**1.5))
    return image


def light_unevenly(rng: np.random.Generator, image: Grey) -> Grey:
    """Uneven light: a tilt, a vignette or a smooth field, multiplied or added."""
    if rng.random() < 0.5:
        return image
    height, width = image.shape
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    cols = np.linspace(-1, 1, width, dtype=np.float32)[None]
    light = rng.normal(0, 0.08) * rows + rng.normal(0, 0.08) * cols
    light = light + rng.normal(0, 0.06) * (rows**2 + cols**2)
    if rng.random() < 0.4:
        smooth = random_field(rng, image.shape, max(height, width) / 5)
        light = light + rng.uniform(0, 0.08) * smooth
    multiply = rng.random() < 0.5
    return np.asarray(image * (1 + 1.5 * light) if multiply else image + light, dtype=np.float32)


def focus(rng: np.random.Generator, image: Grey, scene: Scene, severity: float) -> Grey:
    """Focus, local defocus, and drift blur along one direction."""
    if scene.blur is not None:
        strongest = float(scene.blur.max())
        if strongest > 0.3:
            soft = ndimage.gaussian_filter(image, strongest)
            weight = np.clip(scene.blur / strongest, 0, 1)
            weight = ndimage.gaussian_filter(weight, 1.5)
            image = np.asarray(image * (1 - weight) + soft * weight, dtype=np.float32)
    in_focus, soft_focus = rng.uniform(0.3, 0.8), rng.uniform(0.6, 2.2)
    sigma = severity * float(in_focus if rng.random() < 0.6 else soft_focus)
    if rng.random() < 0.08:
        sigmas = (sigma, sigma * 2.5) if rng.random() < 0.5 else (sigma * 2.5, sigma)
        return np.asarray(ndimage.gaussian_filter(image, sigmas), dtype=np.float32)
    return np.asarray(ndimage.gaussian_filter(image, sigma), dtype=np.float32)


def add_scan_artefacts(rng: np.random.Generator, image: Grey, strength: float) -> Grey:
    """Curtaining, charging streaks, row jitter, stitching seams."""
    height, width = image.shape
    if rng.random() < 0.07:
        stripes = ndimage.gaussian_filter1d(rng.standard_normal(width), rng.uniform(0.7, 6))
        fade = np.linspace(rng.uniform(0, 1), rng.uniform(0, 1), height)[:, None]
        image = image + strength * rng.uniform(0.02, 0.12) * stripes[None] / stripes.std() * fade
    if rng.random() < 0.08:
        streaks = ndimage.gaussian_filter1d(rng.standard_normal(height), rng.uniform(0.5, 3))
        image = image + strength * rng.uniform(0.005, 0.05) * (streaks / streaks.std())[:, None]
    if rng.random() < 0.05:
        drift = ndimage.gaussian_filter1d(rng.standard_normal(height), 1.0)
        shifts = np.round(1.5 * drift).astype(int)
        columns = (np.arange(width)[None] + shifts[:, None]).clip(0, width - 1)
        image = np.take_along_axis(image, columns, axis=1)
    if rng.random() < 0.03:
        seam = int(rng.integers(1, width - 1))
        image = image.copy()
        image[:, seam:] += rng.normal(0, 0.05)
    return np.asarray(image, dtype=np.float32)


def add_noise(rng: np.random.Generator, image: Grey, severity: float) -> Grey:
    """Shot noise, read noise, and noise correlated by scanning or denoising; up to ``severity``."""
    level = severity * float(np.exp(rng.uniform(np.log(0.02), np.log(0.7))))
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    if rng.random() < 0.35:
        sigma = float(rng.uniform(0.4, 1.3))
        noise = ndimage.gaussian_filter(noise, (sigma, sigma * float(rng.uniform(0.7, 1.6))))
        noise /= max(float(noise.std()), 1e-6)
    if rng.random() < 0.5:
        noise = noise * np.sqrt(np.clip(image, 0.02, None) / 0.5)
    image = image + level * noise
    if rng.random() < 0.12:
        image = ndimage.median_filter(image, 3)
    return np.asarray(image, dtype=np.float32)


def expose(rng: np.random.Generator, image: Grey) -> Grey:
    """Detector offset, gain and gamma; sometimes saturated, sometimes very flat."""
    low, high = np.percentile(image, [0.5, 99.5])
    grey = (image - low) / max(float(high - low), 1e-3)
    grey = np.sign(grey) * np.abs(grey) ** float(np.exp(rng.normal(0, 0.2)))
    if rng.random() < 0.12:
        gain, offset = rng.uniform(1.0, 1.5), rng.uniform(-0.3, 0.1)
    else:
        gain = rng.uniform(0.25, 0.95)
        offset = rng.uniform(0.02, max(0.03, 0.98 - gain))
    return np.asarray(grey * gain + offset, dtype=np.float32)


def compress(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Compress and read back."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    buffer.seek(0)
    with Image.open(buffer) as decoded:
        return np.array(decoded, dtype=np.uint8)
