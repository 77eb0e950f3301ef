"""Groups of crops to learn texture from: several crops of each of several materials of one image.

Crops of one group are compared with each other only, as the masks of one image are. Materials come
from simulated STEM cross-sections, simulated phases and layers, drawn textures and, where a folder
is given, patches of licensed real images (each patch taken as one material, no label is used).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.simulate import image_scene, simulate_scene
from nital.simulate.stem_image import simulate_stem
from nital.simulate.texture import draw_texture

__all__ = [
    "REAL_TEXTURES",
    "CropGroup",
    "TextureOptions",
    "TextureStream",
    "crop_corners",
    "load_patches_from",
]

REAL_TEXTURES = ("pnnl_stem", "nasa_ebc3", "rock_grains", "emps_train")
"""Sets whose licence allows training; none of their labels is used here."""
Field = NDArray[np.float32]
KINDS = ("stem", "specimen", "texture", "real")


@dataclass(frozen=True)
class TextureOptions:
    """What a stream draws.

    Parameters
    ----------
    crops
        Crops of each material.
    sides
        Sides of crops in pixels, one of them for all groups of a step.
    margin
        Pixels of context around a crop.
    shares
        Of STEM cross-sections, other specimens, drawn textures and real patches.
    pool
        Images kept for reuse; a step takes each with other crops, contrast and noise.
    """

    crops: int = 5
    sides: tuple[int, ...] = (32, 48, 60)
    margin: int = 8
    shares: tuple[float, float, float, float] = (0.4, 0.25, 0.2, 0.15)
    pool: int = 400


@dataclass(frozen=True)
class CropGroup:
    """(N, m, m) float32 crops standardised together and the (N,) material of each."""

    crops: Field
    materials: NDArray[np.int64]


@dataclass(frozen=True)
class _Source:
    """An image, and the number of the material at each pixel (0 = none)."""

    image: Field
    materials: NDArray[np.uint8]


class TextureStream:
    """Endless groups; the same seed, options and patches give the same crops."""

    def __init__(
        self,
        seed: int | tuple[int, ...],
        options: TextureOptions | None = None,
        real: tuple[NDArray[np.uint8], ...] = (),
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.options = options or TextureOptions()
        self.real = real
        self.pool: list[_Source] = []

    def group(self, side: int) -> CropGroup:
        """One group of crops of ``side`` and twice the margin."""
        while True:
            group = self._crops(self._source(), side)
            if group is not None:
                return group

    def __iter__(self) -> Iterator[CropGroup]:
        while True:
            yield self.group(int(self.rng.choice(self.options.sides)))

    def _source(self) -> _Source:
        fresh = len(self.pool) < self.options.pool
        if fresh and (len(self.pool) < 8 or self.rng.random() < 0.4):
            self.pool.append(_draw_source(self.rng, self.options, self.real))
            return self.pool[-1]
        if not fresh and self.rng.random() < 0.05:
            place = int(self.rng.integers(len(self.pool)))
            self.pool[place] = _draw_source(self.rng, self.options, self.real)
            return self.pool[place]
        return self.pool[int(self.rng.integers(len(self.pool)))]

    def _crops(self, source: _Source, side: int) -> CropGroup | None:
        """Crops of the source's materials, or ``None`` when fewer than two have room."""
        rng, margin = self.rng, self.options.margin
        image, materials = _zoomed(rng, source)
        image = _varied(rng, image, materials)
        whole = side + 2 * margin
        if min(image.shape) < whole:
            return None
        crops, numbers = [], []
        for number in np.unique(materials[materials > 0]):
            corners = crop_corners(rng, materials == number, side, margin, self.options.crops)
            for top, left in corners:
                crops.append(image[top : top + whole, left : left + whole])
                numbers.append(int(number))
        if len(set(numbers)) < 2:
            return None
        stack = np.stack(crops)
        turns = int(rng.integers(4))
        stack = np.rot90(stack, turns, axes=(1, 2))
        return CropGroup(np.ascontiguousarray(stack, np.float32), np.array(numbers, np.int64))


def _draw_source(
    rng: np.random.Generator, options: TextureOptions, real: tuple[NDArray[np.uint8], ...]
) -> _Source:
    shares = np.array(options.shares) * (1, 1, 1, bool(real))
    kind = KINDS[int(rng.choice(len(KINDS), p=shares / shares.sum()))]
    if kind == "stem":
        stem = simulate_stem(rng, (256, 256), difficulty=int(rng.choice([1, 1, 2, 2, 3])))
        return _Source(stem.image.astype(np.float32), stem.scene.phases)
    if kind == "specimen":
        target = str(rng.choice(["phases", "layers"]))
        scale = None if target == "layers" else float(rng.uniform(50, 110))
        scene = simulate_scene(rng, target, (256, 256), scale=scale)
        return _Source(image_scene(rng, scene).astype(np.float32), scene.phases)
    count = int(rng.integers(2, 5))
    if kind == "texture":
        panels = [_texture_panel(rng) for _ in range(count)]
    else:
        panels = [_real_panel(rng, real[int(rng.integers(len(real)))]) for _ in range(count)]
    materials = np.repeat(np.arange(1, count + 1, dtype=np.uint8), panels[0].shape[1])
    image = np.concatenate(panels, axis=1)
    noise = float(np.exp(rng.uniform(np.log(0.02), np.log(0.8))))
    image = image + noise * rng.standard_normal(image.shape, dtype=np.float32)
    return _Source(image, np.broadcast_to(materials, image.shape).copy())


def _texture_panel(rng: np.random.Generator, side: int = 144) -> Field:
    """One or two drawn textures on a grey of their own."""
    kind = str(rng.choice(["grains", "phases", "particles", "layers"]))
    panel = draw_texture(rng, (side, side), kind) * float(rng.uniform(0.3, 1.2))
    if rng.random() < 0.4:
        panel = panel + float(rng.uniform(0.2, 0.7)) * draw_texture(rng, (side, side), kind)
    return np.asarray(panel + float(rng.normal(0, 0.5)), dtype=np.float32)


def _real_panel(rng: np.random.Generator, image: NDArray[np.uint8], side: int = 144) -> Field:
    """A patch of a real image, zoomed, with a grey of its own."""
    span = min(*image.shape, int(side * np.exp(rng.uniform(np.log(0.7), np.log(1.8)))))
    top, left = (int(rng.integers(0, n - span + 1)) for n in image.shape)
    patch = image[top : top + span, left : left + span].astype(np.float32)
    patch = ndimage.zoom(patch, side / span, order=1, mode="nearest", grid_mode=True)
    patch = np.pad(patch, ((0, max(0, side - len(patch))),) * 2, mode="edge")[:side, :side]
    spread = max(float(patch.std()), 2.0)
    return np.asarray((patch - patch.mean()) / spread + rng.normal(0, 0.5), dtype=np.float32)


def _zoomed(rng: np.random.Generator, source: _Source) -> tuple[Field, NDArray[np.uint8]]:
    """The source enlarged or reduced a little, half of the times."""
    if rng.random() < 0.5:
        return source.image, source.materials
    factor = float(np.exp(rng.uniform(np.log(0.6), np.log(1.4))))
    shape = [round(n * factor) for n in source.image.shape]
    places = [((np.arange(n) + 0.5) / factor - 0.5) for n in shape]
    blurred = source.image
    if factor < 1:
        blurred = ndimage.gaussian_filter(blurred, 0.4 / factor)
    image = ndimage.map_coordinates(
        blurred, np.meshgrid(*places, indexing="ij"), order=1, mode="nearest"
    )
    picks = [
        np.clip(np.round(p).astype(int), 0, n - 1)
        for p, n in zip(places, source.image.shape, strict=True)
    ]
    return np.asarray(image, np.float32), source.materials[picks[0][:, None], picks[1][None]]


def _varied(rng: np.random.Generator, image: Field, materials: NDArray[np.uint8]) -> Field:
    """Standardised, with some of the difference in mean grey taken away, uneven light, noise."""
    image = (image - image.mean()) / max(float(image.std()), 1e-3)
    if rng.random() < 0.5:
        share = float(rng.choice([1.0, rng.uniform(0, 1)]))
        counts = np.maximum(np.bincount(materials.ravel()), 1)
        means = np.bincount(materials.ravel(), image.ravel()) / counts
        image = image - share * means[materials].astype(np.float32)
    if rng.random() < 0.5:
        rows, cols = (np.linspace(-1, 1, n, dtype=np.float32) for n in image.shape)
        light = rng.normal(0, 0.3) * rows[:, None] + rng.normal(0, 0.3) * cols[None]
        image = image + light
    if rng.random() < 0.4:
        noise = rng.standard_normal(image.shape, dtype=np.float32)
        image = image + float(np.exp(rng.uniform(np.log(0.05), np.log(1.0)))) * noise
    if rng.random() < 0.2:
        image = ndimage.gaussian_filter(image, float(rng.uniform(0.3, 1.2)))
    if rng.random() < 0.15:
        image = -image
    return np.asarray((image - image.mean()) / max(float(image.std()), 1e-3), dtype=np.float32)


def crop_corners(
    rng: np.random.Generator, mask: NDArray[np.bool_], side: int, margin: int, count: int
) -> list[tuple[int, int]]:
    """Corners of up to ``count`` crops, context included, of which 90 % lie in a mask."""
    whole = side + 2 * margin
    if min(mask.shape) < whole:
        return []
    total = np.pad(mask.astype(np.int32).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    inner = total[margin : total.shape[0] - margin, margin : total.shape[1] - margin]
    share = (
        inner[side:, side:] - inner[:-side, side:] - inner[side:, :-side] + inner[:-side, :-side]
    )
    places = np.flatnonzero(share >= 0.9 * side**2)
    if len(places) < count:
        return []
    chosen = rng.choice(places, count, replace=False)
    return [(int(p // share.shape[1]), int(p % share.shape[1])) for p in chosen]


def load_patches_from(folder: Path) -> tuple[NDArray[np.uint8], ...]:
    """Read the real images below ``folder`` that are licensed for training, without labels.

    Held-out parts (validation and test by file name) are left out; at most 40 images of a set.
    """
    from nital.evaluation.datasets import is_validation
    from nital.io import read

    found: list[NDArray[np.uint8]] = []
    for name in REAL_TEXTURES:
        paths = sorted((folder / name / "images").glob("*.png"))
        chosen = [p for p in paths if not is_validation(p.name) and not p.stem.startswith("test")]
        for path in chosen[:: max(1, len(chosen) // 40)][:40]:
            pixels = read(path).content
            if min(pixels.shape) >= 96:
                found.append(pixels.astype(np.uint8))
    return tuple(found)
