"""Endless, seeded stream of labelled crops for the detector."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nital.simulate import Scene, image_scene
from nital.simulate.particles import simulate_particles
from nital.simulate.scene import Outline
from nital.training.samples import RealImage, SampleStream, StreamOptions

__all__ = ["LENGTH_SCALES", "Crop", "CropStream"]

LENGTH_SCALES = {"both": (0.0, math.inf), "low": (0.0, 32.0), "high": (32.0, math.inf)}
"""Median diameter in pixels of the objects of a crop: at low magnification particles are small."""

SMALLEST = 9  # pixels: smaller objects are neither asked for nor held against the detector
REUSE = 3


@dataclass(frozen=True)
class Crop:
    """One crop and its truth.

    Parameters
    ----------
    image
        (H, W) float32, standardised.
    labels
        (H, W) int32; 0 = no object.
    numbers
        (G,) labels of the objects.
    boxes
        (G, 4) float32 of what is seen of them.
    certain
        (G,) whether an expert would sign the outline.
    ignored
        (G,) too small to be asked for.
    whole
        Whole outlines of partly hidden objects, by label; ``None`` where they are not known.
    valid
        (H, W) bool; False where the truth is not known.
    """

    image: NDArray[np.float32]
    labels: NDArray[np.int32]
    numbers: NDArray[np.int32]
    boxes: NDArray[np.float32]
    certain: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    whole: dict[int, Outline] | None
    valid: NDArray[np.bool_]

    @property
    def median_diameter(self) -> float:
        """Of what is seen of the objects, in pixels; there must be one."""
        areas = np.bincount(self.labels.ravel())[self.numbers]
        return float(np.median(np.sqrt(4 / np.pi * areas)))


@dataclass
class CropStream:
    """Simulated particles, and crops of real images in between; the same seed, the same crops.

    Parameters
    ----------
    seed
        Any integers.
    size
        Side of the crops in pixels.
    real
        Licensed real images; those of particles are taken.
    real_share
        Share of real crops where there are any.
    length_scale
        One of :data:`LENGTH_SCALES`; crops of other objects are passed over.
    """

    seed: tuple[int, ...]
    size: int = 256
    real: tuple[RealImage, ...] = ()
    real_share: float = 0.5
    length_scale: str = "both"
    scenes: list[Scene] = field(default_factory=list)

    def __iter__(self) -> Iterator[Crop]:
        least, most = LENGTH_SCALES[self.length_scale]
        for crop in self._of_all_scales():
            if len(crop.boxes) == 0 or least <= crop.median_diameter < most:
                yield crop

    def _of_all_scales(self) -> Iterator[Crop]:
        rng = np.random.default_rng(self.seed)
        particles = tuple(image for image in self.real if image.target == 2)
        options = StreamOptions(size=self.size, real_share=1.0)
        real = iter(SampleStream((*self.seed, 1), options, particles))
        while True:
            if particles and rng.random() < self.real_share:
                sample = next(real)
                yield make_crop(sample.image, sample.labels, valid=sample.valid)
                continue
            scene = self._scene(rng)
            whole = {outline.label: outline for outline in scene.whole}
            image = image_scene(rng, scene)
            yield make_crop(image, scene.objects, scene.uncertain, whole)

    def _scene(self, rng: np.random.Generator) -> Scene:
        """A fresh scene, or one of the last twelve."""
        if len(self.scenes) >= 12 and rng.random() > 1 / REUSE:
            return self.scenes[int(rng.integers(len(self.scenes)))]
        scene = simulate_particles(rng, (self.size, self.size))
        self.scenes = [*self.scenes[-11:], scene]
        return scene


def make_crop(
    image: NDArray[np.uint8],
    labels: NDArray[np.int32],
    uncertain: frozenset[int] = frozenset(),
    whole: dict[int, Outline] | None = None,
    valid: NDArray[np.bool_] | None = None,
) -> Crop:
    """Boxes and flags of the objects of one labelled image."""
    from scipy import ndimage

    areas = np.bincount(labels.ravel())
    areas[0] = 0
    numbers = np.flatnonzero(areas).astype(np.int32)
    found = ndimage.find_objects(labels)
    slices = [found[number - 1] for number in numbers]
    boxes = np.array(
        [[r.start, c.start, r.stop, c.stop] for r, c in slices], dtype=np.float32
    ).reshape(-1, 4)
    grey = image.astype(np.float32)
    return Crop(
        (grey - grey.mean()) / max(float(grey.std()), 1.0),
        labels,
        numbers,
        boxes,
        ~np.isin(numbers, list(uncertain)),
        areas[numbers] < SMALLEST,
        whole,
        np.ones(labels.shape, dtype=bool) if valid is None else valid,
    )
