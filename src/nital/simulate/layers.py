"""Simulated cross-sections: stacks of layers with rough interfaces, pores, cracks and columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nital.errors import UsageError
from nital.simulate.layer_features import (
    add_columns,
    add_cracks,
    add_delaminations,
    add_domain_walls,
    add_pores,
    diffusion,
    polishing_relief,
)
from nital.simulate.layer_stack import Stack, assign, draw_frame, draw_stack, interfaces, warp
from nital.simulate.scene import Scene

__all__ = ["simulate_layers"]

Field = NDArray[np.float32]


def simulate_layers(
    rng: np.random.Generator,
    shape: tuple[int, int],
    *,
    n_layers: int | None = None,
    n_materials: int | None = None,
) -> Scene:
    """Simulate a cross-section of layers.

    Parameters
    ----------
    rng
        Source of all randomness; the same state gives the same scene.
    shape
        Rows and columns, each at least 16.
    n_layers
        Number of layers, vacuum not counted; drawn when ``None`` (2...8, periodic stacks more).
    n_materials
        Number of materials, 2...n_layers; drawn when ``None``.

    Returns
    -------
    Scene
        ``objects``: each layer; vacuum, pores and open cracks are 0. ``phases``: 1 = vacuum and
        pores, 2... the materials; layers of one material share their phase.

    Raises
    ------
    UsageError
        The shape is too small, or the numbers do not fit.
    """
    _check(shape, n_layers, n_materials)
    frame = draw_frame(rng, shape)
    stack = draw_stack(rng, frame, n_layers, n_materials)
    levels = interfaces(rng, frame, stack)
    depth = frame.depth + warp(rng, shape, levels)
    layer = assign(depth, frame, levels)
    if stack.top_vacuum == 0:
        layer += 1
    vacuum = (layer == 0) | (layer > len(stack.materials))
    layer[vacuum] = 0
    height = polishing_relief(rng, layer, len(stack.materials))
    lines = np.zeros(shape, dtype=np.float32)
    holes = np.zeros(shape, dtype=bool)
    add_columns(rng, frame, layer, lines, height)
    add_domain_walls(rng, frame, layer, lines)
    add_pores(rng, frame, layer, holes, height)
    add_cracks(rng, frame, layer, lines, holes)
    add_delaminations(rng, frame, depth, levels, lines, holes)
    layer[holes] = 0
    height[layer == 0] = 0
    lines[layer == 0] = 0
    return _scene(layer, stack, lines, height, diffusion(rng, frame, depth, levels))


def _check(shape: tuple[int, int], n_layers: int | None, n_materials: int | None) -> None:
    if min(shape) < 16:
        raise UsageError(f"Shape {shape} is too small to simulate; give at least 16 x 16 pixels.")
    if n_layers is not None and not 1 <= n_layers <= min(shape) // 8:
        raise UsageError(
            f"{n_layers} layers do not fit into {shape} pixels; give 1...{min(shape) // 8}."
        )
    most = n_layers if n_layers is not None else 8
    if n_materials is not None and not min(2, most) <= n_materials <= most:
        raise UsageError(
            f"{n_materials} materials do not fit {most} layers; give {min(2, most)}...{most}."
        )


def _scene(
    layer: NDArray[np.int32], stack: Stack, lines: Field, height: Field, blur: Field | None
) -> Scene:
    seen = np.bincount(layer.ravel(), minlength=len(stack.materials) + 1)
    present = seen > 0
    present[0] = False
    new = np.where(present, np.cumsum(present), 0).astype(np.int32)
    # Materials are numbered from 2 in the order of their first layer from the surface.
    order = list(dict.fromkeys(m for m, p in zip(stack.materials, present[1:], strict=True) if p))
    phase = np.array([1] + [order.index(m) + 2 if m in order else 1 for m in stack.materials])
    span = max(1.0, float(np.hypot(*layer.shape)) / 2)
    doubtful = present & ((seen < 24) | (seen < 1.2 * span))
    return Scene(
        "layers",
        new[layer],
        phase.astype(np.uint8)[layer],
        np.clip(lines, 0, 1),
        height,
        frozenset(int(n) for n in new[doubtful]),
        blur,
    )
