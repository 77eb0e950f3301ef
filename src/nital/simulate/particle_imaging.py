"""How kinds of instruments show particles: secondary electrons, bright field, sections."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.simulate.boundaries import edge_pixels
from nital.simulate.scene import Scene, random_field

__all__ = ["particle_structure"]

Grey = NDArray[np.float32]


def particle_structure(rng: np.random.Generator, scene: Scene) -> Grey:
    """Grey levels of about 0...1, (H, W), as the ``look`` of the scene asks for."""
    return np.asarray(_LOOKS[scene.look](rng, scene), dtype=np.float32)


def _diameter(scene: Scene) -> float:
    """Median equivalent circle diameter in pixels."""
    areas = np.bincount(scene.objects.ravel())[1:]
    return float(np.median(np.sqrt(1.2732 * areas[areas > 0]))) if areas.any() else 10.0


def _rim_distance(labels: NDArray[np.int32]) -> Grey:
    """Distance to the nearest edge of an object."""
    edge, _ = edge_pixels(labels)
    if not edge.any():
        return np.full(labels.shape, 1e3, dtype=np.float32)
    return np.asarray(ndimage.distance_transform_edt(~edge), dtype=np.float32)


def _emission(rng: np.random.Generator, scene: Scene) -> Grey:
    """Secondary electrons: steep flanks bright, crevices dark, sometimes charging."""
    diameter = _diameter(scene)
    height = ndimage.gaussian_filter(scene.height, float(rng.uniform(0.5, 1.0)))
    down, right = np.gradient(height)
    steep = np.hypot(down, right)
    inside = scene.objects > 0
    usual = max(float(np.percentile(steep[inside], 90)), 1e-4) if inside.any() else 1.0
    angle = rng.uniform(0, 2 * np.pi)
    lateral = np.clip((np.cos(angle) * down + np.sin(angle) * right) / usual, -1.5, 1.5)
    crevice = ndimage.gaussian_filter(height, max(1.0, float(rng.uniform(0.15, 0.5)) * diameter))
    crevice = np.clip((crevice - height) / max(float(height.std()), 1e-4), -0.5, 2)
    ground = float(rng.uniform(0.0, 0.4) if rng.random() < 0.8 else rng.uniform(0.4, 0.8))
    image = np.where(inside, np.float32(rng.uniform(0.3, 0.6)), np.float32(ground))
    image = image + rng.uniform(0.1, 0.5) * np.minimum(steep / usual, 1.8) ** rng.uniform(1, 3)
    image = image + rng.uniform(0, 0.25) * lateral - rng.uniform(0.03, 0.2) * crevice
    if rng.random() < 0.5:
        spread = float(rng.uniform(0.0, 0.1))
        greys = spread * rng.standard_normal(int(scene.objects.max()) + 1)
        greys[0] = 0
        image = image + greys[scene.objects]
    if rng.random() < 0.25:
        image = _charged(rng, image.astype(np.float32), diameter)
    return np.asarray(image, dtype=np.float32)


def _charged(rng: np.random.Generator, image: Grey, diameter: float) -> Grey:
    """Charging: bright flanks flare, and smear or shadow along the scan."""
    hot = np.clip(image - np.quantile(image, 0.8), 0, None)
    flare = ndimage.gaussian_filter(hot, float(rng.uniform(0.05, 0.3)) * diameter + 1)
    long = float(rng.uniform(0.3, 2.0)) * diameter + 3
    streak = ndimage.gaussian_filter(hot, (0.6, long))
    sign = float(rng.choice([1.0, -1.0]))
    return np.asarray(image + rng.uniform(0.3, 1.2) * flare + sign * rng.uniform(0, 1) * streak)


def _transmission(rng: np.random.Generator, scene: Scene) -> Grey:
    """Bright field: dark by thickness and orientation, Fresnel fringes, grain of the film."""
    inside = scene.objects > 0
    usual = max(float(np.median(scene.height[inside])), 0.02) if inside.any() else 1.0
    absorbed = float(np.exp(rng.uniform(np.log(0.25), np.log(2.5)))) / usual
    orientation = np.exp(rng.uniform(0, 0.45) * rng.standard_normal(int(scene.objects.max()) + 1))
    orientation[0] = 1
    weight = orientation.astype(np.float32)[scene.objects]
    image = float(rng.uniform(0.5, 0.95)) * np.exp(-np.float32(absorbed) * weight * scene.height)
    if rng.random() < 0.6:
        distance = _rim_distance(scene.objects)
        period = float(rng.uniform(1.2, 4.0))
        fringe = np.cos(np.pi * distance / period) * np.exp(-distance / period)
        side = np.where(inside, np.float32(-1), np.float32(1))
        image = image * (
            1 + float(rng.choice([1, 1, -1]) * rng.uniform(0.03, 0.25)) * fringe * side
        )
    grain = random_field(rng, image.shape, float(rng.uniform(0.6, 1.8)))
    return np.asarray(image + float(np.exp(rng.uniform(-6, -3.2))) * grain, dtype=np.float32)


def _section(rng: np.random.Generator, scene: Scene) -> Grey:
    """Polished section: every grain has a grey and a texture of its own, on a mottled matrix."""
    count = int(scene.objects.max())
    ground = float(rng.uniform(0.05, 0.8))
    crossed = rng.random() < 0.5
    if crossed:  # polarisers: any grey
        greys = rng.uniform(0.05, 0.95, count + 1)
    else:  # a few minerals
        minerals = rng.uniform(0.05, 0.95, int(rng.integers(1, 4)))
        apart = np.abs(minerals - ground) > 0.12
        minerals = np.where(apart, minerals, (ground + 0.45) % 0.95)
        greys = rng.choice(minerals, count + 1) + 0.03 * rng.standard_normal(count + 1)
    greys[0] = ground
    image = greys.astype(np.float32)[scene.objects]
    inside = scene.objects > 0
    mottle = random_field(rng, image.shape, float(np.exp(rng.uniform(-0.3, 2.0))))
    fine = random_field(rng, image.shape, float(rng.uniform(0.6, 2.5)))
    image = image + np.where(inside, rng.uniform(0, 0.06) * mottle, rng.uniform(0, 0.15) * fine)
    if rng.random() < 0.5:
        cracks = random_field(rng, image.shape, max(2.0, 0.25 * _diameter(scene)))
        wild = random_field(rng, image.shape, max(3.0, 0.8 * _diameter(scene))) > 0
        line = np.exp(-((cracks / float(rng.uniform(0.03, 0.12))) ** 2)) * wild * inside
        image = image - float(rng.uniform(0.1, 0.4)) * line
    if not crossed or rng.random() < 0.3:  # like grains meet in a seam
        seam = np.exp(-_rim_distance(scene.objects) / float(rng.uniform(0.5, 1.5)))
        image = image + float(rng.choice([-1, -1, 1]) * rng.uniform(0.1, 0.4)) * seam
    return np.asarray(image, dtype=np.float32)


def _ooid(rng: np.random.Generator, scene: Scene) -> Grey:
    """Grains of rings and rays about a core: ooids, spherulites, nodules."""
    labels = scene.objects
    count = np.maximum(np.bincount(labels.ravel()), 1)
    rows, columns = np.indices(labels.shape, dtype=np.float32)
    centre = [np.bincount(labels.ravel(), c.ravel()) / count for c in (rows, columns)]
    down, right = rows - centre[0][labels], columns - centre[1][labels]
    depth = np.where(labels > 0, _rim_distance(labels), 0)
    period = max(2.5, _diameter(scene) * float(rng.uniform(0.04, 0.2)))
    wobble = random_field(rng, labels.shape, float(rng.uniform(1.0, 4.0)))
    rings = np.sin(2 * np.pi * depth / period + 1.5 * wobble)
    rays = np.sin(np.arctan2(down, right) * int(rng.integers(8, 40)) + 1.5 * wobble)
    ground = float(rng.uniform(0.1, 0.9))
    body = float(rng.uniform(0.2, 0.6)) if ground > 0.5 else float(rng.uniform(0.4, 0.8))
    texture = rng.uniform(0, 0.15) * rings + rng.uniform(0, 0.15) * rays
    core = depth > _diameter(scene) * float(rng.uniform(0.2, 0.45))
    texture = texture + rng.uniform(-0.3, 0.3) * core
    matrix = ground + rng.uniform(0, 0.08) * random_field(rng, labels.shape, 2.0)
    return np.asarray(np.where(labels > 0, body + texture, matrix), dtype=np.float32)


def _etched(rng: np.random.Generator, scene: Scene) -> Grey:
    """Precipitates on an etched matrix: a step, a rim, or hardly any contrast."""
    inside = scene.objects > 0
    ground = float(rng.uniform(0.25, 0.75))
    faint = rng.random() < 0.35
    step = float(rng.uniform(0.03, 0.07) if faint else rng.uniform(0.1, 0.5))
    image = ground + float(rng.choice([-1, 1])) * step * inside
    if rng.random() < 0.5:
        rim = np.exp(-_rim_distance(scene.objects) / float(rng.uniform(0.6, 2.0)))
        side = ~inside if rng.random() < 0.5 else np.ones_like(inside)
        image = image + float(rng.choice([-1, -1, 1])) * rng.uniform(0.5, 1.5) * step * rim * side
    drift = random_field(rng, image.shape, float(rng.uniform(0.1, 0.4)) * min(image.shape))
    return np.asarray(image + rng.uniform(0, 0.6) * step * drift, dtype=np.float32)


_LOOKS: dict[str, Callable[[np.random.Generator, Scene], Grey]] = {
    "emission": _emission,
    "transmission": _transmission,
    "section": _section,
    "ooid": _ooid,
    "etched": _etched,
}
