"""Simulated cross-sections: stacks of layers with rough interfaces, pores, cracks and columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.errors import UsageError
from nital.simulate.scene import Scene, random_field

__all__ = ["simulate_layers"]

Field = NDArray[np.float32]
_THINNEST = 3.0  # pixels, before roughness
_OPEN_CRACK = 2.5  # pixels; narrower cracks are lines


@dataclass(frozen=True)
class _Frame:
    """Depth (along the growth direction, from the surface down) and place along the layers."""

    depth: Field
    along: Field
    index: NDArray[np.intp]
    length: int
    extent: float
    angle: float


@dataclass(frozen=True)
class _Stack:
    """What lies on what: materials from the surface down, and where vacuum ends the stack."""

    materials: list[int]
    top_vacuum: float
    bottom_vacuum: float
    periodic: bool


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
    frame = _draw_frame(rng, shape)
    stack = _draw_stack(rng, frame, n_layers, n_materials)
    levels = _interfaces(rng, frame, stack)
    depth = frame.depth + _warp(rng, shape, levels)
    layer = _assign(depth, frame, levels)
    if stack.top_vacuum == 0:
        layer += 1
    vacuum = (layer == 0) | (layer > len(stack.materials))
    layer[vacuum] = 0
    height = _relief(rng, layer, len(stack.materials))
    lines = np.zeros(shape, dtype=np.float32)
    holes = np.zeros(shape, dtype=bool)
    _columns(rng, frame, layer, lines, height)
    _domain_walls(rng, frame, layer, lines)
    _pores(rng, frame, layer, holes, height)
    _cracks(rng, frame, layer, lines, holes)
    _delaminations(rng, frame, depth, levels, lines, holes)
    layer[holes] = 0
    height[layer == 0] = 0
    lines[layer == 0] = 0
    return _scene(layer, stack, lines, height, _diffusion(rng, frame, depth, levels))


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


# ---------------------------------------------------------------------------------------------
# geometry of the stack


def _draw_frame(rng: np.random.Generator, shape: tuple[int, int]) -> _Frame:
    kind = rng.random()
    if kind < 0.55:
        angle = 0.06 * rng.standard_normal() + rng.choice([0.0, 0.0, 0.0, np.pi])
    elif kind < 0.75:
        angle = rng.choice([-0.5, 0.5]) * np.pi + 0.05 * rng.standard_normal()
    else:
        angle = rng.uniform(0, 2 * np.pi)
    rows = np.arange(shape[0], dtype=np.float32)[:, None] - np.float32(shape[0] / 2)
    cols = np.arange(shape[1], dtype=np.float32)[None, :] - np.float32(shape[1] / 2)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    depth, along = cos * rows + sin * cols, cos * cols - sin * rows
    if rng.random() < 0.2:
        bend = np.float32(rng.choice([-1, 1]) * rng.uniform(0.1, 0.6) / max(shape))
        depth = depth + bend * along**2
    along = along - along.min()
    length = int(along.max()) + 2
    extent = abs(cos) * shape[0] + abs(sin) * shape[1]
    extent *= 1 - 0.3 * abs(np.sin(2 * angle))
    index = np.asarray(along + rng.uniform(0, 1), dtype=np.intp)
    return _Frame(depth, along, index, length, float(extent), float(angle))


def _draw_stack(
    rng: np.random.Generator, frame: _Frame, n_layers: int | None, n_materials: int | None
) -> _Stack:
    fits = max(2, int(frame.extent // 8))
    periodic = n_layers is None and n_materials is None and rng.random() < 0.2
    top = frame.extent * rng.uniform(0.04, 0.4) * (rng.random() < 0.55)
    bottom = frame.extent * rng.uniform(0.04, 0.25) * (rng.random() < 0.06)
    if periodic:
        pairs = int(rng.integers(2, min(16, max(3, fits // 2))))
        motif = [0, 1] if rng.random() < 0.8 else [0, 1, 2]
        materials = (motif * pairs)[: 2 * pairs]
        if rng.random() < 0.7:
            materials.append(max(motif) + 1 if rng.random() < 0.7 else motif[0])
            if materials[-1] == materials[-2]:
                materials[-1] = max(motif) + 1
        if rng.random() < 0.4:
            materials.insert(0, max(materials) + 1)
        return _Stack(materials, float(top), float(bottom), True)
    likely = 1.0 / np.arange(2, min(8, fits) + 1)
    count = n_layers or 2 + int(rng.choice(likely.size, p=likely / likely.sum()))
    if n_layers is None and n_materials is not None:
        count = max(count, n_materials)
    kinds = n_materials if n_materials is not None else int(rng.integers(min(2, count), count + 1))
    return _Stack(_sequence(rng, count, kinds), float(top), float(bottom), False)


def _sequence(rng: np.random.Generator, count: int, kinds: int) -> list[int]:
    """Materials of ``count`` layers that use all ``kinds``, no two neighbours alike."""
    chosen: list[int] = []
    for i in range(count):
        unused = [k for k in range(kinds) if k not in chosen]
        free = [k for k in range(kinds) if not chosen or k != chosen[-1]]
        pool = unused if len(unused) >= count - i else free
        chosen.append(int(rng.choice(pool)))
    return chosen


def _thicknesses(rng: np.random.Generator, stack: _Stack, room: float) -> NDArray[np.float64]:
    count = len(stack.materials)
    share = np.exp(rng.choice([0.2, 0.7, 1.3]) * rng.standard_normal(count))
    if stack.periodic:
        of_material = np.exp(rng.choice([0.0, 0.6]) * rng.standard_normal(max(stack.materials) + 1))
        share = of_material[stack.materials] * np.exp(0.05 * rng.standard_normal(count))
    if rng.random() < 0.6:
        share[-1] *= rng.uniform(1.5, 6)
    if not stack.periodic and rng.random() < 0.4:
        share[rng.integers(0, count)] *= 0.02
    return np.asarray(_THINNEST + share / share.sum() * max(0.0, room - _THINNEST * count))


def _interfaces(rng: np.random.Generator, frame: _Frame, stack: _Stack) -> NDArray[np.float64]:
    """(m, length) depth of every interface, the uppermost first; they never cross."""
    room = frame.extent - stack.top_vacuum - stack.bottom_vacuum
    thick = _thicknesses(rng, stack, room)
    tops = -frame.extent / 2 + stack.top_vacuum + np.r_[0, np.cumsum(thick)]
    first = 0 if stack.top_vacuum > 0 else 1
    last = len(thick) + (1 if stack.bottom_vacuum > 0 else 0)
    scale = float(np.median(thick))
    ground, healing = _topography(rng, frame, scale), rng.choice([0.0, 0.05, 0.3])
    rough = np.exp(rng.uniform(np.log(0.2), np.log(0.15 * frame.extent**0.7)))
    equal = rng.random() < 0.5
    levels = np.empty((last - first, frame.length))
    for k in range(last - 1, first - 1, -1):
        above = float(tops[-1] - tops[k])
        form = ndimage.gaussian_filter1d(ground, 0.1 + healing * above, mode="nearest")
        own = rough * (1.0 if equal else float(np.exp(0.8 * rng.standard_normal())))
        thinner = min(thick[max(k - 1, 0)], thick[min(k, len(thick) - 1)])
        own = min(own, 0.35 * thinner + 0.5)
        level = tops[k] + form + _rough_line(rng, frame.length, own)
        if k < last - 1:
            least = max(2.0, 0.3 * thick[k])
            level = np.minimum(level, levels[k - first + 1] - least)
        levels[k - first] = level
    levels -= np.median(ground)
    return _islands(rng, levels, thick[first:], scale)


def _rough_line(
    rng: np.random.Generator, length: int, deviation: float
) -> NDArray[np.float64]:
    """Rough interface of the given deviation (pixels); the steeper, the longer its waves."""
    shortest = min(max(2.0, deviation * rng.choice([0.7, 2.0, 5.0])), 0.3 * length)
    correlation = float(np.exp(rng.uniform(np.log(shortest), np.log(0.5 * length))))
    line = deviation * np.clip(_self_affine(rng, length, correlation), -2.5, 2.5)
    return np.asarray(ndimage.gaussian_filter1d(line, rng.choice([0.0, 0.7, 2.0]) + 0.1 * deviation))


def _self_affine(
    rng: np.random.Generator, length: int, correlation: float | None = None
) -> NDArray[np.float64]:
    """Rough line of unit deviation: flat spectrum beyond a correlation length, a power below."""
    size = 1 << int(np.ceil(np.log2(2 * length)))
    if correlation is None:
        correlation = float(np.exp(rng.uniform(np.log(2.0), np.log(0.5 * length))))
    decay = rng.uniform(0.3, 1.0) + 0.5  # Hurst exponent + 1/2
    k = np.fft.rfftfreq(size)
    gain = (1 + (2 * np.pi * k * correlation) ** 2) ** (-decay / 2)
    line = np.fft.irfft(np.fft.rfft(rng.standard_normal(size)) * gain, size)
    return np.asarray((line / line.std())[:length])


def _topography(rng: np.random.Generator, frame: _Frame, scale: float) -> NDArray[np.float64]:
    """Form that the layers inherit from below: steps, trenches, bumps, waves."""
    t = np.arange(frame.length, dtype=np.float64)
    kind = str(
        rng.choice(
            ["flat", "wave", "step", "trench", "bump", "rough"], p=[0.5, 0.12, 0.1, 0.1, 0.08, 0.1]
        )
    )
    size = min(0.12 * frame.extent, scale * float(np.exp(rng.uniform(-1.0, 0.8))))
    if kind == "flat":
        return np.zeros(frame.length)
    if kind == "wave":
        return size * np.sin(2 * np.pi * t / rng.uniform(0.15, 1.2) / frame.length + rng.uniform(0, 7))
    if kind == "rough":
        return size * 0.5 * _self_affine(rng, frame.length)
    soft = float(np.exp(rng.uniform(np.log(0.5), np.log(8.0))))
    if kind == "step":
        edges = rng.uniform(0, frame.length, int(rng.integers(1, 5)))
        signs = rng.choice([-1, 1], edges.size)
        return np.asarray(0.5 * size * (signs * np.tanh((t[:, None] - edges) / soft)).sum(axis=1))
    period = frame.length * rng.uniform(0.1, 0.5)
    phase = np.abs((t / period + rng.uniform()) % 1 - 0.5)
    if kind == "trench":
        wall = np.tanh((phase - rng.uniform(0.12, 0.38)) * period / soft)
        return np.asarray(size * wall)
    return np.asarray(-size * np.sqrt(np.maximum(1 - (phase / rng.uniform(0.1, 0.4)) ** 2, 0)))


def _islands(
    rng: np.random.Generator,
    levels: NDArray[np.float64],
    thick: NDArray[np.float64],
    scale: float,
) -> NDArray[np.float64]:
    """Make one film discontinuous (islands, droplets) now and then."""
    if rng.random() > 0.15 or len(levels) < 2:
        return levels
    k = int(rng.integers(0, len(levels) - 1))
    t = np.arange(levels.shape[1], dtype=np.float64)
    width = max(4.0, 2 * scale * float(np.exp(rng.uniform(-1.5, 0.5))))
    caps = np.zeros_like(t)
    for centre in np.cumsum(width * rng.uniform(0.7, 3.0, int(t.size / width / 1.5) + 1)):
        half = 0.5 * width * rng.uniform(0.6, 1.1)
        caps = np.maximum(caps, np.sqrt(np.maximum(1 - ((t - centre) / half) ** 2, 0)))
    tallest = max(thick[min(k, len(thick) - 1)], 3.0) if k > 0 else 0.5 * width
    levels[k] = levels[k + 1] - caps * min(tallest, width * rng.uniform(0.2, 1.2))
    for j in range(k - 1, -1, -1):
        levels[j] = np.minimum(levels[j], levels[j + 1] - 1.0)
    return levels


def _warp(rng: np.random.Generator, shape: tuple[int, int], levels: NDArray[np.float64]) -> Field:
    """Displacement in depth that makes interfaces overhang and jagged, less than a layer."""
    if rng.random() < 0.4:
        return np.zeros(shape, dtype=np.float32)
    thinnest = float(np.median(np.diff(levels, axis=0), axis=1).min()) if len(levels) > 1 else 40.0
    size = float(np.exp(rng.uniform(np.log(1.0), np.log(0.12 * min(shape)))))
    amount = min(0.5 * size, 0.25 * thinnest, 8.0) * rng.uniform(0.1, 1)
    return np.asarray(amount * random_field(rng, shape, size), dtype=np.float32)


def _assign(depth: Field, frame: _Frame, levels: NDArray[np.float64]) -> NDArray[np.int32]:
    layer = np.zeros(depth.shape, dtype=np.int32)
    for level in levels.astype(np.float32):
        layer += depth > level[frame.index.clip(0, frame.length - 1)]
    return layer


# ---------------------------------------------------------------------------------------------
# what is inside the layers


def _relief(rng: np.random.Generator, layer: NDArray[np.int32], count: int) -> Field:
    """Polishing relief: every layer at its own height, or all flat."""
    if rng.random() < 0.5:
        return np.zeros(layer.shape, dtype=np.float32)
    steps = rng.uniform(0.3, 1.0, count + 1).astype(np.float32)
    steps[0] = 0
    height = steps[layer]
    if rng.random() < 0.5:
        height += 0.05 * random_field(rng, layer.shape, float(np.exp(rng.uniform(0, 2.5))))
    return np.asarray(ndimage.gaussian_filter(height, rng.uniform(0.5, 2.5)).clip(0, 1))


def _some_layer(rng: np.random.Generator, layer: NDArray[np.int32]) -> NDArray[np.bool_]:
    present = np.flatnonzero(np.bincount(layer.ravel())[1:]) + 1
    return np.asarray(layer == (rng.choice(present) if present.size else -1))


def _wander(rng: np.random.Generator, frame: _Frame, amount: float) -> Field:
    """Sideways displacement as a function of depth."""
    size = int(np.ptp(frame.depth)) + 2
    line = amount * _self_affine(rng, size)
    at = np.asarray(frame.depth - frame.depth.min(), dtype=np.intp)
    return np.asarray(line.astype(np.float32)[at])


def _columns(
    rng: np.random.Generator,
    frame: _Frame,
    layer: NDArray[np.int32],
    lines: Field,
    height: Field,
) -> None:
    """Columnar growth in one layer: boundaries across the film, each column at its own height."""
    if rng.random() > 0.2:
        return
    width = float(np.exp(rng.uniform(np.log(4.0), np.log(40.0))))
    here = _some_layer(rng, layer)
    walls = np.cumsum(width * rng.uniform(0.4, 1.6, int(2.5 * frame.length / width) + 8))
    fan = 1 + rng.choice([0.0, 0.3]) * frame.depth / max(1.0, float(np.ptp(frame.depth)))
    wavy = 0.15 * width * random_field(rng, layer.shape, max(1.0, 0.6 * width))
    along = frame.along * fan + wavy + _wander(rng, frame, 0.2 * width)
    column = np.searchsorted(walls, along - along.min())
    strength = rng.uniform(0.2, 1.0)
    for axis in (0, 1):
        edge = np.diff(column, axis=axis, prepend=column[:1] if axis == 0 else column[:, :1]) != 0
        lines[edge & here] = strength
    if rng.random() < 0.5:
        offset = rng.uniform(0, 0.3, len(walls) + 1).astype(np.float32)[column]
        height[here] = np.clip(height[here] + offset[here], 0, 1)


def _domain_walls(
    rng: np.random.Generator, frame: _Frame, layer: NDArray[np.int32], lines: Field
) -> None:
    """Antiphase boundaries, stacking faults and threading defects: lines in one layer."""
    if rng.random() > 0.18:
        return
    here = _some_layer(rng, layer)
    for _ in range(int(rng.integers(1, 6))):
        slope = rng.choice([0.0, 0.0, rng.uniform(-1.2, 1.2)])
        path = frame.along - slope * frame.depth + _wander(rng, frame, rng.uniform(0, 6))
        width = float(np.exp(rng.uniform(np.log(0.7), np.log(6.0))))
        profile = np.exp(-(((path - rng.uniform(0, frame.length)) / width) ** 2))
        np.maximum(lines, rng.uniform(0.3, 1.0) * profile * here, out=lines)


def _pores(
    rng: np.random.Generator,
    frame: _Frame,
    layer: NDArray[np.int32],
    holes: NDArray[np.bool_],
    height: Field,
) -> None:
    """Pores in one or two layers; the smallest are pits of the relief, not holes."""
    if rng.random() > 0.3:
        return
    for _ in range(int(rng.integers(1, 3))):
        here = _some_layer(rng, layer)
        size = float(np.exp(rng.uniform(np.log(1.0), np.log(0.03 * frame.extent + 2))))
        squeeze = rng.choice([1.0, 1.0, 2.5])
        flat = abs(np.cos(frame.angle)) > 0.7
        field = random_field(
            rng, layer.shape, (size, size * squeeze) if flat else (size * squeeze, size)
        )
        pore = here & (field > rng.uniform(1.2, 2.6))
        if size < 2:
            height[pore] = np.minimum(height[pore], 0.1)
        else:
            holes |= pore


def _cracks(
    rng: np.random.Generator,
    frame: _Frame,
    layer: NDArray[np.int32],
    lines: Field,
    holes: NDArray[np.bool_],
) -> None:
    """Cracks from the surface down."""
    if rng.random() > 0.15:
        return
    solid = layer > 0
    for _ in range(int(rng.integers(1, 5))):
        path = frame.along + _wander(rng, frame, rng.uniform(1, 0.04 * frame.extent + 1))
        width = float(np.exp(rng.uniform(np.log(0.8), np.log(6.0))))
        reach = (frame.depth.min() + rng.uniform(0.2, 1.0) * np.ptp(frame.depth)) - frame.depth
        half = 0.5 * width * np.sqrt(np.clip(reach / 30, 0, 1))
        crack = solid & (np.abs(path - rng.uniform(0, frame.length)) < half)
        if width > _OPEN_CRACK:
            holes |= crack
        else:
            lines[crack] = 1


def _delaminations(
    rng: np.random.Generator,
    frame: _Frame,
    depth: Field,
    levels: NDArray[np.float64],
    lines: Field,
    holes: NDArray[np.bool_],
) -> None:
    """Gaps along an interface."""
    if rng.random() > 0.1 or not len(levels):
        return
    level = levels[rng.integers(0, len(levels))]
    width = float(np.exp(rng.uniform(np.log(1.0), np.log(0.02 * frame.extent + 3))))
    gape = np.clip(_self_affine(rng, frame.length) + rng.uniform(-1, 1), 0, 1) * width / 2
    index = frame.index.clip(0, frame.length - 1)
    gap = np.abs(depth - level.astype(np.float32)[index]) < gape.astype(np.float32)[index]
    if width > _OPEN_CRACK:
        holes |= gap
    else:
        lines[gap] = 1


def _diffusion(
    rng: np.random.Generator, frame: _Frame, depth: Field, levels: NDArray[np.float64]
) -> Field | None:
    """Local blur where an interface is interdiffused."""
    if rng.random() > 0.12 or not len(levels):
        return None
    level = levels[rng.integers(0, len(levels))].astype(np.float32)
    width = float(np.exp(rng.uniform(np.log(1.0), np.log(5.0))))
    away = (depth - level[frame.index.clip(0, frame.length - 1)]) / (2.5 * width)
    return np.asarray(width * np.exp(-(away**2)), dtype=np.float32)


def _scene(
    layer: NDArray[np.int32], stack: _Stack, lines: Field, height: Field, blur: Field | None
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
