"""What a simulated specimen is, before it is imaged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.segmentation import Target

__all__ = ["Outline", "Scene", "random_field", "relabel_connected"]


@dataclass(frozen=True)
class Outline:
    """Whole outline of a partly hidden object: its label, the corner of its box, a (h, w) mask."""

    label: int
    top: int
    left: int
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class Scene:
    """Exact truth of a simulated specimen; imaging turns it into grey levels.

    Parameters
    ----------
    target
        The kind of structure: grains, phases, particles or layers.
    objects
        (H, W) int32; 0 = no object, 1...n consecutive. Grains: every pixel of a grain, no gaps
        (pores may be 0 or objects of their own phase). Phases: connected regions of all phases but
        the matrix. Particles: the front particle. Layers: each layer; vacuum 0.
    phases
        (H, W) uint8; 1 = matrix (particles: the background; layers: vacuum), 2... the others.
        Grains: 1 everywhere but in second phases and pores.
    lines
        (H, W) float32 in 0...1: how strongly a narrow line is etched or drawn here (grain
        boundaries, facet edges); may have gaps where the truth has a boundary.
    height
        (H, W) float32 in 0...1: surface relief that gives shading; zeros where flat.
    uncertain
        Labels of objects that an expert would not outline with certainty (out of focus, buried).
    blur
        (H, W) float32 extra local defocus in pixels (sigma), or ``None``: for out-of-focus parts.
    look
        How particles are imaged: ``"emission"``, ``"transmission"``, ``"section"``, ``"ooid"`` or
        ``"etched"``; empty for a random mixture of contrasts.
    whole
        Whole outlines, within the frame, of the particles that others hide in part. They belong
        to the uncropped scene.
    shade
        (H, W) float32 grey that bounds nothing (cracks, scratches, pits, surroundings), in units
        of the contrast of the structure, or ``None``.
    """

    target: Target
    objects: NDArray[np.int32]
    phases: NDArray[np.uint8]
    lines: NDArray[np.float32]
    height: NDArray[np.float32]
    uncertain: frozenset[int] = frozenset()
    blur: NDArray[np.float32] | None = None
    look: str = ""
    whole: tuple[Outline, ...] = ()
    shade: NDArray[np.float32] | None = None


def random_field(
    rng: np.random.Generator, shape: tuple[int, int], scale: float | tuple[float, float]
) -> NDArray[np.float32]:
    """Smooth Gaussian random field of zero mean and unit variance.

    ``scale`` is the correlation length (sigma of the smoothing) in pixels, one or (row, col).
    Coarse fields are made small and enlarged, so the cost does not grow with the scale.
    """
    scales = (scale, scale) if isinstance(scale, int | float) else scale
    steps = [max(1, int(s / 3)) for s in scales]
    small = tuple(-(-n // step) + 2 for n, step in zip(shape, steps, strict=True))
    noise = rng.standard_normal(small, dtype=np.float32)
    noise = ndimage.gaussian_filter(
        noise, [s / t for s, t in zip(scales, steps, strict=True)], mode="wrap"
    )
    if max(steps) > 1:
        noise = ndimage.zoom(noise, steps, order=1, mode="grid-wrap", grid_mode=True)
    top, left = (int(rng.integers(0, n - m + 1)) for n, m in zip(noise.shape, shape, strict=True))
    field = noise[top : top + shape[0], left : left + shape[1]]
    field = field - field.mean()
    return np.asarray(field / max(float(field.std()), 1e-6), dtype=np.float32)


def relabel_connected(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Label the 4-connected regions of a mask 1...n."""
    labels, _ = ndimage.label(mask)
    return np.asarray(labels, dtype=np.int32)
