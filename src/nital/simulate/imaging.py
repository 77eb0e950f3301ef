"""From the truth of a scene to grey levels: contrast, texture, relief, optics, noise, files.

Every effect is a small function ``(rng, image, ...) -> image`` on float32 grey in about 0...1;
:func:`image_scene` draws which of them occur and how strongly, from one generator.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.simulate.annotations import draw_annotations
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
    image = _structure(rng, scene)
    visibility = _Visibility.of(image, scene)
    image = _textures(rng, image, scene, visibility.contrast)
    if options.artefacts:
        image = _specimen_artefacts(rng, image, float(np.clip(2.5 * visibility.contrast, 0.15, 1)))
    image = _illumination(rng, image)
    image = _optics(rng, image, scene, options.severity * visibility.softness)
    if options.artefacts:
        image = _scan_artefacts(rng, image, min(1.0, 3 * visibility.contrast))
    image = _noise(rng, image, options.severity * visibility.contrast)
    image = _exposure(rng, image)
    result = np.clip(image * 255.0, 0, 255).astype(np.uint8)
    if options.annotations and rng.random() < (0.35 if scene.target == "particles" else 0.06):
        result = draw_annotations(rng, result)
    if options.compression and rng.random() < 0.3:
        result = _jpeg(result, int(rng.integers(30, 96)))
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


def _edge_pixels(labels: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Pixels that differ from the one above or to the left."""
    edge = np.zeros(labels.shape, dtype=bool)
    edge[1:] |= labels[1:] != labels[:-1]
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    return edge


def _structure(rng: np.random.Generator, scene: Scene) -> Grey:
    """What carries the information: phase and channelling contrast, rims, relief, etched lines."""
    n_phases = max(2, int(scene.phases.max()))
    greys = _phase_greys(rng, scene, n_phases)
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
    if rng.random() >= chance or not (scene.objects == 0).any() and scene.target != "grains":
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
    shaded = rng.uniform(0, 0.25) * lateral / scale + rng.uniform(0, 0.35) * np.minimum(steep / scale, 1.5)
    return np.asarray(image + shaded + float(rng.uniform(-0.05, 0.25)) * height, dtype=np.float32)


def _lines(rng: np.random.Generator, image: Grey, scene: Scene) -> Grey:
    """Etched boundaries and facet edges, mostly dark."""
    if not scene.lines.any():
        return image
    dark = rng.random() < (0.8 if scene.target == "grains" else 0.35)
    lines = scene.lines
    if rng.random() < 0.4:
        ragged = 1 + float(rng.uniform(0.1, 0.6)) * random_field(rng, image.shape, float(rng.uniform(0.7, 3)))
        lines = np.clip(lines * ragged, 0, 1)
    strength = float(rng.uniform(0.12, 0.9))
    end = float(rng.uniform(0.0, 0.25)) if dark else float(rng.uniform(0.75, 1.0))
    return np.asarray(image + strength * lines * (end - image), dtype=np.float32)


def _specimen_artefacts(rng: np.random.Generator, image: Grey, strength: float) -> Grey:
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
        image = _spots(rng, image, int(rng.integers(1, 60)), (0.6, 3.0), (-0.5 * strength, 0.15 * strength))
    if rng.random() < 0.12:
        image = _spots(rng, image, int(rng.integers(1, 6)), (3.0, 9.0), (-0.4 * strength, 0.3 * strength))
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
        image[top:bottom, left:right] += sign_depth * np.exp(-((y**2 * stretch + x**2 / stretch) / r**2) ** 1.5)
    return image


def _illumination(rng: np.random.Generator, image: Grey) -> Grey:
    """Uneven light: a tilt, a vignette or a smooth field, multiplied or added."""
    if rng.random() < 0.5:
        return image
    height, width = image.shape
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    cols = np.linspace(-1, 1, width, dtype=np.float32)[None]
    light = rng.normal(0, 0.08) * rows + rng.normal(0, 0.08) * cols
    light = light + rng.normal(0, 0.06) * (rows**2 + cols**2)
    if rng.random() < 0.4:
        light = light + rng.uniform(0, 0.08) * random_field(rng, image.shape, max(height, width) / 5)
    multiply = rng.random() < 0.5
    return np.asarray(image * (1 + 1.5 * light) if multiply else image + light, dtype=np.float32)


def _optics(rng: np.random.Generator, image: Grey, scene: Scene, severity: float) -> Grey:
    """Focus, local defocus, and drift blur along one direction."""
    if scene.blur is not None:
        strongest = float(scene.blur.max())
        if strongest > 0.3:
            soft = ndimage.gaussian_filter(image, strongest)
            weight = np.clip(scene.blur / strongest, 0, 1)
            weight = ndimage.gaussian_filter(weight, 1.5)
            image = np.asarray(image * (1 - weight) + soft * weight, dtype=np.float32)
    sigma = severity * float(rng.choice([rng.uniform(0.3, 0.8), rng.uniform(0.6, 2.2)], p=[0.6, 0.4]))
    if rng.random() < 0.08:
        sigmas = (sigma, sigma * 2.5) if rng.random() < 0.5 else (sigma * 2.5, sigma)
        return np.asarray(ndimage.gaussian_filter(image, sigmas), dtype=np.float32)
    return np.asarray(ndimage.gaussian_filter(image, sigma), dtype=np.float32)


def _scan_artefacts(rng: np.random.Generator, image: Grey, strength: float) -> Grey:
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
        shifts = np.round(ndimage.gaussian_filter1d(rng.standard_normal(height), 1.0) * 1.5).astype(int)
        columns = (np.arange(width)[None] + shifts[:, None]).clip(0, width - 1)
        image = np.take_along_axis(image, columns, axis=1)
    if rng.random() < 0.03:
        seam = int(rng.integers(1, width - 1))
        image = image.copy()
        image[:, seam:] += rng.normal(0, 0.05)
    return np.asarray(image, dtype=np.float32)


def _noise(rng: np.random.Generator, image: Grey, severity: float) -> Grey:
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


def _exposure(rng: np.random.Generator, image: Grey) -> Grey:
    """Detector offset, gain and gamma; sometimes saturated, sometimes very flat."""
    low, high = np.percentile(image, [0.5, 99.5])
    image = (image - low) / max(float(high - low), 1e-3)
    image = np.sign(image) * np.abs(image) ** float(np.exp(rng.normal(0, 0.2)))
    if rng.random() < 0.12:
        gain, offset = rng.uniform(1.0, 1.5), rng.uniform(-0.3, 0.1)
    else:
        gain = rng.uniform(0.25, 0.95)
        offset = rng.uniform(0.02, max(0.03, 0.98 - gain))
    return np.asarray(image * gain + offset, dtype=np.float32)


def _jpeg(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Compress and read back."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    buffer.seek(0)
    with Image.open(buffer) as decoded:
        return np.array(decoded, dtype=np.uint8)
