"""From the truth of a scene to grey levels: contrast, texture, relief, optics, noise, files.

Every effect is a small function ``(rng, image, ...) -> image`` on float32 grey in about 0...1;
:func:`image_scene` draws which of them occur and how strongly, from one generator.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.simulate.annotations import draw_annotations
from nital.simulate.instrument import (
    add_noise,
    add_scan_artefacts,
    add_specimen_artefacts,
    compress,
    expose,
    focus,
    light_unevenly,
)
from nital.simulate.particle_imaging import particle_structure
from nital.simulate.scene import Scene, random_field
from nital.simulate.texture import draw_texture

__all__ = ["ImagingOptions", "image_scene"]

Grey = NDArray[np.float32]


@dataclass(frozen=True)
class ImagingOptions:
    """Which artefacts may occur; the defaults are those of training.

    Parameters
    ----------
    artefacts
        Scratches, pits, stains, dirt, curtaining, charging, seams, drift.
    annotations
        Burnt-in text and scale bars, as in published figures.
    compression
        JPEG artefacts.
    severity
        0...1: upper limit of blur and noise; 1 is as bad as real files get.
    """

    artefacts: bool = True
    annotations: bool = True
    compression: bool = True
    severity: float = 1.0


def image_scene(
    rng: np.random.Generator, scene: Scene, options: ImagingOptions | None = None
) -> NDArray[np.uint8]:
    """Image a scene.

    Returns
    -------
    ndarray
        (H, W) uint8 micrograph.
    """
    options = options or ImagingOptions()
    by_texture = _shows_by_texture(rng, scene)
    image = _structure(rng, scene, by_texture)
    visibility = _Visibility.of(image, scene)
    if by_texture:
        image = image + _own_textures(rng, scene)
        visibility = _Visibility(max(visibility.contrast, 0.15), visibility.softness)
    else:
        image = _textures(rng, image, scene, visibility.contrast)
    if scene.shade is not None:
        image = image + np.float32(visibility.contrast) * scene.shade
    if options.artefacts:
        image = add_specimen_artefacts(
            rng, image, float(np.clip(2.5 * visibility.contrast, 0.15, 1))
        )
    image = light_unevenly(rng, image)
    image = focus(rng, image, scene, options.severity * visibility.softness)
    if options.artefacts:
        image = add_scan_artefacts(rng, image, min(1.0, 3 * visibility.contrast))
    coarse = 1.4 if visibility.softness == 1 and rng.random() < 0.25 else 1.0
    image = add_noise(rng, image, options.severity * visibility.contrast * coarse)
    image = expose(rng, image)
    result: NDArray[np.uint8] = np.clip(image * 255.0, 0, 255).astype(np.uint8)
    if options.annotations and rng.random() < (0.35 if scene.target == "particles" else 0.06):
        result = draw_annotations(rng, result)
    if options.compression and rng.random() < 0.3:
        result = compress(result, int(rng.integers(30, 96)))
    return result


def _phase_greys(rng: np.random.Generator, scene: Scene, n_phases: int) -> NDArray[np.float32]:
    """Grey of every phase (index 0 unused): a base and distinct steps of random polarity."""
    contrast = float(np.exp(rng.uniform(np.log(0.06), np.log(0.6))))
    if scene.target in ("particles", "layers"):
        contrast = max(contrast, float(rng.uniform(0.06, 0.2)))
    order = np.arange(n_phases - 1) + 1.0
    rng.shuffle(order)
    if rng.random() < 0.5 and n_phases > 2:
        order = order * rng.choice([-1.0, 1.0], n_phases - 1)
    steps = np.concatenate([[0.0], order * contrast * rng.uniform(0.7, 1.3, n_phases - 1)])
    steps *= rng.choice([-1.0, 1.0])
    greys = np.concatenate([[0.0], steps - steps.min()])
    room = max(0.0, 0.95 - float(greys.max()))
    return (greys / max(1.0, float(greys.max()) / 0.9) + rng.uniform(0.03, 0.03 + room)).astype(
        np.float32
    )


@dataclass(frozen=True)
class _Visibility:
    """How well the structure can be seen: texture, noise and blur are drawn relative to it."""

    contrast: float
    softness: float

    @classmethod
    def of(cls, image: Grey, scene: Scene) -> _Visibility:
        """Typical grey range across object edges, and a limit of blur from the objects' size."""
        labels = scene.objects if scene.objects.any() else scene.phases
        edge = _edge_pixels(labels)
        if not edge.any():
            return cls(0.1, 1.0)
        size = 5
        span = ndimage.maximum_filter(image, size) - ndimage.minimum_filter(image, size)
        areas = np.bincount(scene.objects.ravel())[1:]
        areas = areas[areas > 0]
        ecd = float(np.median(np.sqrt(1.27 * areas))) if len(areas) else 30.0
        return cls(max(0.02, float(np.median(span[edge]))), float(np.clip(ecd / 16, 0.35, 1.0)))


def _shows_by_texture(rng: np.random.Generator, scene: Scene) -> bool:
    """Whether phases differ by texture rather than by grey: only where they are wide enough."""
    chance = {"phases": 0.15, "layers": 0.12}.get(scene.target, 0.0)
    if rng.random() >= chance:
        return False
    second = scene.phases > 1
    if not second.any() or second.all():
        return False
    inner = ndimage.distance_transform_edt(second)
    return float(np.percentile(inner[second], 90)) > 12


def _own_textures(rng: np.random.Generator, scene: Scene) -> Grey:
    """A strong texture of each phase's own, in place of grey levels."""
    shape = scene.objects.shape
    total = np.zeros(shape, dtype=np.float32)
    amplitude = float(rng.uniform(0.08, 0.25))
    for phase in range(1, int(scene.phases.max()) + 1):
        inside = scene.phases == phase
        if inside.any():
            strength = amplitude * float(np.exp(rng.uniform(-1.2, 0.3)))
            total += inside * np.float32(strength) * draw_texture(rng, shape, scene.target)
    return total


def _edge_pixels(labels: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Pixels that differ from the one above or to the left."""
    edge = np.zeros(labels.shape, dtype=bool)
    edge[1:] |= labels[1:] != labels[:-1]
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    return edge


def _structure(rng: np.random.Generator, scene: Scene, by_texture: bool) -> Grey:
    """What carries the information: phase and channelling contrast, rims, relief, etched lines."""
    if scene.look:
        return _part_touching(rng, _lines(rng, particle_structure(rng, scene), scene), scene)
    n_phases = max(2, int(scene.phases.max()))
    greys = _phase_greys(rng, scene, n_phases)
    if by_texture:
        greys = greys.mean() + 0.1 * (greys - greys.mean())
    n_objects = int(scene.objects.max())
    offsets = np.zeros(n_objects + 1, dtype=np.float32)
    if rng.random() < 0.3:
        offsets[1:] = rng.uniform(-1.7, 1.7, n_objects)
    else:
        offsets[1:] = rng.standard_normal(n_objects)
    image = greys[scene.phases] + _object_spread(rng, scene) * offsets[scene.objects]
    image = _edges(rng, image.astype(np.float32), scene)
    image = _relief(rng, image, scene)
    image = _lines(rng, image, scene)
    return _part_touching(rng, image, scene) if scene.target == "particles" else image


def _part_touching(rng: np.random.Generator, image: Grey, scene: Scene) -> Grey:
    """Draw a faint seam where touching particles would show no edge at all."""
    labels = scene.objects
    span = ndimage.maximum_filter(image, 3) - ndimage.minimum_filter(image, 3)
    edge = _edge_pixels(labels)
    outside = ndimage.minimum_filter(labels, 3) == 0
    seams, rims = edge & ~outside, edge & outside
    if not seams.any():
        return image
    wanted = 0.3 * float(np.median(span[rims])) if rims.any() else 0.1
    if float(np.median(span[seams])) >= wanted:
        return image
    soft = ndimage.gaussian_filter(seams.astype(np.float32), float(rng.uniform(0.5, 1.3)))
    depth = max(wanted, 0.05) * float(rng.uniform(1.0, 3.0)) * float(rng.choice([-1.0, -1.0, 1.0]))
    return np.asarray(image + depth * soft / max(float(soft.max()), 1e-6), dtype=np.float32)


def _textures(rng: np.random.Generator, image: Grey, scene: Scene, contrast: float) -> Grey:
    """A texture shared by all, one of each phase's own, and striations within grains."""
    shape = scene.objects.shape
    added = draw_texture(rng, shape, scene.target) * _texture_amplitude(rng, contrast)
    if rng.random() < 0.75:
        for phase in range(1, int(scene.phases.max()) + 1):
            inside = scene.phases == phase
            if inside.any() and rng.random() < 0.6:
                amplitude = _texture_amplitude(rng, contrast)
                amplitude *= 1.8 if scene.target == "layers" else 1.0
                added = added + inside * amplitude * draw_texture(rng, shape, scene.target)
    n_objects = int(scene.objects.max())
    if scene.target == "grains" and rng.random() < 0.2 and n_objects:
        added = added + contrast * _grain_texture(rng, scene, n_objects)
    return np.asarray(image + added * (1 - 0.7 * scene.lines), dtype=np.float32)


def _object_spread(rng: np.random.Generator, scene: Scene) -> float:
    """Standard deviation of the grey between objects."""
    if scene.target == "grains":
        channelling = not scene.lines.any()
        low, high = (0.08, 0.3) if channelling else (0.0, 0.2)
        if not channelling and rng.random() < 0.4:
            return float(rng.uniform(0.0, 0.02))
        return float(rng.uniform(low, high))
    if scene.target == "particles" and rng.random() < 0.25:
        return float(rng.uniform(0.06, 0.22))
    return float(rng.uniform(0.0, 0.06) if rng.random() < 0.6 else 0.0)


def _texture_amplitude(rng: np.random.Generator, contrast: float) -> float:
    """Standard deviation of a texture: mostly well below the contrast of the structure."""
    if rng.random() < 0.2:
        return 0.0
    return contrast * float(np.exp(rng.uniform(np.log(0.03), np.log(0.45))))


def _grain_texture(rng: np.random.Generator, scene: Scene, n_objects: int) -> Grey:
    """Striations in a direction of each grain's own (slip lines, etch striations, lamellae)."""
    angle = rng.uniform(0, np.pi, n_objects + 1).astype(np.float32)[scene.objects]
    period = rng.uniform(2.5, 12.0, n_objects + 1).astype(np.float32)[scene.objects]
    has = (rng.random(n_objects + 1) < rng.uniform(0.2, 1.0))[scene.objects]
    rows, cols = np.indices(scene.objects.shape, dtype=np.float32)
    wobble = 2.0 * random_field(rng, scene.objects.shape, float(rng.uniform(4, 20)))
    wave = np.sin(2 * np.pi * (cols * np.cos(angle) + rows * np.sin(angle) + wobble) / period)
    return (has * wave * float(rng.uniform(0.05, 0.4))).astype(np.float32)


def _edges(rng: np.random.Generator, image: Grey, scene: Scene) -> Grey:
    """Bright or dark rims along object edges (edge effect, etching, diffraction)."""
    chance = {"grains": 0.15, "phases": 0.55, "particles": 0.6, "layers": 0.25}[scene.target]
    if rng.random() >= chance or (not (scene.objects == 0).any() and scene.target != "grains"):
        return image
    labels = scene.objects
    edge = _edge_pixels(labels)
    if not edge.any():
        return image
    distance = ndimage.distance_transform_edt(~edge).astype(np.float32)
    inside = labels > 0
    amplitude = float(rng.choice([1.0, 1.0, -1.0]) * rng.uniform(0.05, 0.4))
    width = float(np.exp(rng.uniform(np.log(0.8), np.log(6.0))))
    side = rng.random()
    if side < 0.4:
        where = inside.astype(np.float32)
    elif side < 0.65:
        where = (~inside).astype(np.float32)
    else:
        where = np.where(inside, 1.0, float(rng.uniform(-1, 1))).astype(np.float32)
    profile = np.exp(-distance / width) if rng.random() < 0.6 else (distance < width)
    return np.asarray(image + amplitude * where * profile, dtype=np.float32)


def _relief(rng: np.random.Generator, image: Grey, scene: Scene) -> Grey:
    """Topographic shading by a lateral detector, or mass-thickness contrast."""
    height = scene.height
    if not height.any():
        return image
    kind = rng.random()
    if scene.target == "particles" and kind < 0.3:
        return np.asarray(image + float(rng.uniform(-0.6, 0.6)) * height, dtype=np.float32)
    smooth = ndimage.gaussian_filter(height, float(rng.uniform(0.5, 1.5)))
    slope_row, slope_col = np.gradient(smooth)
    angle = rng.uniform(0, 2 * np.pi)
    lateral = np.cos(angle) * slope_row + np.sin(angle) * slope_col
    steep = np.hypot(slope_row, slope_col)
    scale = max(float(np.percentile(steep, 98)), 1e-4)
    shaded = rng.uniform(0, 0.25) * lateral / scale
    shaded = shaded + rng.uniform(0, 0.35) * np.minimum(steep / scale, 1.5)
    return np.asarray(image + shaded + float(rng.uniform(-0.05, 0.25)) * height, dtype=np.float32)


def _lines(rng: np.random.Generator, image: Grey, scene: Scene) -> Grey:
    """Etched boundaries and facet edges, mostly dark."""
    if not scene.lines.any():
        return image
    dark = rng.random() < (0.8 if scene.target == "grains" else 0.35)
    lines = scene.lines
    if rng.random() < 0.4:
        depth = float(rng.uniform(0.1, 0.6))
        ragged = 1 + depth * random_field(rng, image.shape, float(rng.uniform(0.7, 3)))
        lines = np.clip(lines * ragged, 0, 1)
    strength = float(rng.uniform(0.12, 0.9))
    end = float(rng.uniform(0.0, 0.25)) if dark else float(rng.uniform(0.75, 1.0))
    return np.asarray(image + strength * lines * (end - image), dtype=np.float32)
