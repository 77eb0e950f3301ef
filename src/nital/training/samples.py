"""Endless, seeded streams of training crops: simulated specimens and licensed real images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.models.compact import TARGETS
from nital.simulate import Scene, image_scene, simulate_scene
from nital.training.targets import Sample

__all__ = ["REAL_SETS", "RealImage", "SampleStream", "StreamOptions", "load_real_images"]

REAL_SETS = {"emps_train": "particles", "rock_grains": "particles", "nist_grains": "grains"}
"""Labelled sets whose licence allows training, and what they show."""
HELD_BY_A_MATRIX = ("section", "ooid", "etched")
"""Looks of particles that could as well be asked for as phases."""
Pixel = TypeVar("Pixel", bound=np.generic)


@dataclass(frozen=True)
class RealImage:
    """A labelled real image in memory: image, labels and where the truth is known."""

    name: str
    image: NDArray[np.uint8]
    labels: NDArray[np.int32]
    valid: NDArray[np.bool_]
    target: int


@dataclass(frozen=True)
class StreamOptions:
    """What a stream draws.

    Parameters
    ----------
    size
        Side of the square crops in pixels.
    scene_size
        Side of the simulated scenes that crops are cut from.
    shares
        Probability of each target among simulated crops: grains, phases, particles, layers.
    real_share
        Probability of a real crop where real images are given.
    borrowed
        Share of phases and particles that are drawn as the other kind, see ``simulate_scene``.
    reuse
        Times that a simulated scene is imaged again with other contrast and noise.
    """

    size: int = 256
    scene_size: int = 320
    shares: tuple[float, float, float, float] = (0.28, 0.34, 0.22, 0.16)
    real_share: float = 0.18
    borrowed: float = 0.2
    reuse: int = 3


@dataclass
class SampleStream:
    """Iterate over :class:`Sample`; the same seed and options give the same crops."""

    seed: tuple[int, ...]
    options: StreamOptions = field(default_factory=StreamOptions)
    real: tuple[RealImage, ...] = ()

    def __iter__(self) -> Iterator[Sample]:
        rng = np.random.default_rng(self.seed)
        scenes: list[Scene] = []
        while True:
            if self.real and rng.random() < self.options.real_share:
                yield _telling_crop(rng, self.real, self.options.size)
                continue
            if len(scenes) < 24 or rng.random() < 1.0 / self.options.reuse:
                target = TARGETS[int(rng.choice(4, p=self.options.shares))]
                side = self.options.scene_size
                scene = self._scene(rng, target, side)
                if len(scenes) < 24:
                    scenes.append(scene)
                else:
                    scenes[int(rng.integers(len(scenes)))] = scene
            else:
                scene = scenes[int(rng.integers(len(scenes)))]
            yield _simulated_crop(rng, scene, self.options.size)

    def _scene(self, rng: np.random.Generator, target: str, side: int) -> Scene:
        """A scene; where nothing is borrowed, no particles either that a matrix holds."""
        borrowed = self.options.borrowed
        for _ in range(8):
            scene = simulate_scene(rng, target, (side, side), borrowed=borrowed)
            if borrowed > 0 or scene.look not in HELD_BY_A_MATRIX:
                break
        return scene


def _simulated_crop(rng: np.random.Generator, scene: Scene, size: int) -> Sample:
    """Cut, flip and image a scene."""
    part = _cut(rng, scene, size)
    image = image_scene(rng, part)
    valid = np.ones(image.shape, dtype=bool)
    return Sample(
        image, part.objects, part.phases, valid, TARGETS.index(scene.target), scene.uncertain
    )


def _cut(rng: np.random.Generator, scene: Scene, size: int) -> Scene:
    """A random crop in one of the eight orientations."""
    height, width = scene.objects.shape
    top, left = int(rng.integers(0, height - size + 1)), int(rng.integers(0, width - size + 1))
    turns, mirror = int(rng.integers(4)), bool(rng.random() < 0.5)
    if scene.target == "layers" and rng.random() < 0.7:
        turns = 2 * (turns % 2)

    def view(array: NDArray[Pixel]) -> NDArray[Pixel]:
        piece = np.rot90(array[top : top + size, left : left + size], turns)
        return np.ascontiguousarray(piece[:, ::-1] if mirror else piece)

    return replace(
        scene,
        objects=view(scene.objects),
        phases=view(scene.phases),
        lines=view(scene.lines),
        height=view(scene.height),
        blur=None if scene.blur is None else view(scene.blur),
        whole=(),
        shade=None if scene.shade is None else view(scene.shade),
    )


def _telling_crop(rng: np.random.Generator, images: tuple[RealImage, ...], size: int) -> Sample:
    """A real crop that shows an edge, or the fourth try; small sets come oftener than their size.

    A set is drawn with the square root of its number of images.
    """
    sets: dict[str, list[RealImage]] = {}
    for image in images:
        sets.setdefault(image.name.partition("/")[0], []).append(image)
    chance = np.sqrt([len(members) for members in sets.values()])
    chosen = list(sets.values())[int(rng.choice(len(sets), p=chance / chance.sum()))]
    for _ in range(4):
        sample = _real_crop(rng, chosen, size)
        largest = np.bincount(sample.labels.ravel()).max()
        if largest < 0.985 * sample.labels.size:
            break
    return sample


def _real_crop(rng: np.random.Generator, images: Sequence[RealImage], size: int) -> Sample:
    """A randomly zoomed, turned and re-exposed crop of a real image."""
    chosen = images[int(rng.integers(len(images)))]
    zoom = _zoom(rng, chosen, size)
    height, width = chosen.image.shape
    span = min(height, width, round(size / zoom))
    top, left = int(rng.integers(0, height - span + 1)), int(rng.integers(0, width - span + 1))
    part = np.s_[top : top + span, left : left + span]
    factor = size / span
    source = chosen.image[part].astype(np.float32)
    if factor < 1:
        source = ndimage.gaussian_filter(source, 0.45 / factor)
    picks = np.minimum(((np.arange(size) + 0.5) / factor).astype(int), span - 1)
    positions = (np.arange(size) + 0.5) / factor - 0.5
    grid = np.meshgrid(positions, positions, indexing="ij")
    image = ndimage.map_coordinates(source, grid, order=1, mode="nearest")
    labels = chosen.labels[part][picks][:, picks]
    valid = chosen.valid[part][picks][:, picks]
    turns, mirror = int(rng.integers(4)), bool(rng.random() < 0.5)
    arrays = [np.rot90(a, turns) for a in (image, labels, valid)]
    if mirror:
        arrays = [a[:, ::-1] for a in arrays]
    image, labels, valid = (np.ascontiguousarray(a) for a in arrays)
    labels = _renumbered(labels)
    particles = (labels > 0) & (TARGETS[chosen.target] == "particles")
    phases = np.where(particles, 2, 1).astype(np.uint8)
    return Sample(_reexpose(rng, image), labels, phases, valid, chosen.target)


def _zoom(rng: np.random.Generator, chosen: RealImage, size: int) -> float:
    """A zoom that brings the median object to 8...110 pixels."""
    areas = np.bincount(chosen.labels.ravel())[1:]
    areas = areas[areas > 0]
    ecd = float(np.median(np.sqrt(4 * areas / np.pi))) if len(areas) else 40.0
    natural = float(np.exp(rng.uniform(np.log(0.5), np.log(1.6))))
    wanted = float(np.exp(rng.uniform(np.log(8), np.log(110))))
    zoom = natural if rng.random() < 0.45 else wanted / ecd
    return float(np.clip(zoom, 0.25, 3.0))


def _renumbered(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Renumber the labels of a crop from 1 without gaps."""
    _, inverse = np.unique(labels, return_inverse=True)
    renumbered = inverse.reshape(labels.shape).astype(np.int32)
    return renumbered if (labels == 0).any() else renumbered + 1


def _reexpose(rng: np.random.Generator, image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Other gamma, gain, blur and noise than the original exposure."""
    grey = image / 255.0
    if rng.random() < 0.5:
        grey = np.clip(grey, 0, 1) ** float(np.exp(rng.normal(0, 0.25)))
    if rng.random() < 0.15:
        grey = 1 - grey
    if rng.random() < 0.25:
        grey = ndimage.gaussian_filter(grey, float(rng.uniform(0.3, 1.5)))
    if rng.random() < 0.35:
        grey = grey + float(rng.uniform(0, 0.08)) * rng.standard_normal(grey.shape)
    gain = float(rng.uniform(0.4, 1.1))
    grey = grey * gain + float(rng.uniform(0, max(0.01, 1 - gain)))
    return np.asarray(np.clip(grey, 0, 1) * 255, dtype=np.uint8)


def load_real_images(folder: Path, *, validation: bool = False) -> tuple[RealImage, ...]:
    """Read the sets below ``folder`` that are licensed for training.

    Parameters
    ----------
    folder
        Holds ``emps_train``, ``rock_grains`` and ``nist_grains``; sets that are absent are left
        out.
    validation
        Take the held-out part of each set instead of the training part.
    """
    from nital.evaluation.datasets import is_validation
    from nital.io import read, read_labels

    found: list[RealImage] = []
    for name, target in REAL_SETS.items():
        for path in sorted((folder / name / "images").glob("*.png")):
            if name == "nist_grains" and path.stem != "steel":
                continue  # its Ti-6Al-4V map is another tool's output, not truth
            if is_validation(path.name) is not validation:
                continue
            labels = read_labels(folder / name / "labels" / path.name)
            image = read(path).pixels.astype(np.uint8)
            valid = np.ones(labels.shape, dtype=bool)
            if name == "rock_grains":  # some grains are not labelled
                valid = ndimage.binary_dilation(labels > 0, iterations=3)
            if name == "nist_grains":
                labels = _grains_from_lines(labels > 0)
            found.append(
                RealImage(f"{name}/{path.stem}", image, labels, valid, TARGETS.index(target))
            )
    return tuple(found)


def _grains_from_lines(lines: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Regions between drawn boundaries, grown until they meet."""
    from skimage.segmentation import expand_labels

    regions, _ = ndimage.label(~lines)
    grown = expand_labels(regions, 20)
    return np.asarray(grown, dtype=np.int32)
