"""One call from a seed to a micrograph and its truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from nital.errors import UsageError
from nital.segmentation import TARGETS
from nital.simulate.convert import as_particles, as_phases
from nital.simulate.grains import simulate_grains
from nital.simulate.imaging import ImagingOptions, image_scene
from nital.simulate.layers import simulate_layers
from nital.simulate.particles import simulate_particles
from nital.simulate.phases import simulate_phases
from nital.simulate.scene import Scene

__all__ = ["SimulatedMicrograph", "simulate", "simulate_scene"]

BORROWED = 0.2


@dataclass(frozen=True)
class SimulatedMicrograph:
    """An (H, W) uint8 image and the scene it shows."""

    image: NDArray[np.uint8]
    scene: Scene


def simulate_scene(
    rng: np.random.Generator,
    target: str,
    shape: tuple[int, int] = (512, 512),
    *,
    scale: float | None = None,
    borrowed: float = BORROWED,
) -> Scene:
    """Draw the truth of one specimen.

    Parameters
    ----------
    rng
        Source of all randomness.
    target
        ``"grains"``, ``"phases"``, ``"particles"`` or ``"layers"``.
    shape
        (H, W), each at least 64.
    scale
        Mean object size in pixels; drawn when ``None``; layers ignore it.
    borrowed
        Share of phases that are drawn as particles on a support, and of particles that are drawn
        as precipitates; none where a scale is given.

    Raises
    ------
    UsageError
        For an unknown target or a shape below 64 pixels.
    """
    if target not in TARGETS:
        raise UsageError(f"target must be one of {', '.join(TARGETS)}, not {target!r}")
    if min(shape) < 64:
        raise UsageError(f"a simulated micrograph needs at least 64x64 pixels, not {shape}")
    if target == "grains":
        return simulate_grains(rng, shape, scale=scale)
    if target == "layers":
        return simulate_layers(rng, shape)
    borrows = scale is None and rng.random() < borrowed
    if target == "phases":
        if borrows:
            return as_phases(simulate_particles(rng, shape))
        return simulate_phases(rng, shape, scale=scale)
    if borrows:
        for _ in range(3):
            scene = as_particles(simulate_phases(rng, shape))
            if scene is not None:
                return scene
    return simulate_particles(rng, shape, scale=scale)


def simulate(
    seed: int | np.random.Generator,
    target: str | None = None,
    shape: tuple[int, int] = (512, 512),
    *,
    scale: float | None = None,
    options: ImagingOptions | None = None,
) -> SimulatedMicrograph:
    """Simulate one micrograph; the same seed and arguments give the same pixels.

    ``target=None`` draws one of the four kinds.
    """
    rng = np.random.default_rng(seed)
    chosen = target or cast(str, rng.choice(TARGETS))
    scene = simulate_scene(rng, chosen, shape, scale=scale)
    return SimulatedMicrograph(image_scene(rng, scene, options), scene)
