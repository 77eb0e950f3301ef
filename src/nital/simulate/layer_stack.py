"""Geometry of simulated cross-sections: the frame, the stack and its interfaces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.simulate.scene import random_field

__all__ = [
    "Frame",
    "Stack",
    "assign",
    "draw_frame",
    "draw_stack",
    "interfaces",
    "self_affine",
    "warp",
]

Field = NDArray[np.float32]
_THINNEST = 3.0  # pixels, before roughness


@dataclass(frozen=True)
class Frame:
    """Depth (along the growth direction, from the surface down) and place along the layers."""

    depth: Field
    along: Field
    index: NDArray[np.intp]
    length: int
    extent: float
    angle: float


@dataclass(frozen=True)
class Stack:
    """What lies on what: materials from the surface down, and where vacuum ends the stack."""

    materials: list[int]
    top_vacuum: float
    bottom_vacuum: float
    periodic: bool


def draw_frame(rng: np.random.Generator, shape: tuple[int, int]) -> Frame:
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
        sag = rng.choice([-1, 1]) * np.exp(rng.uniform(np.log(0.02), np.log(0.25))) * max(shape)
        depth = depth + np.float32(sag) * ((along / np.abs(along).max()) ** 2 - np.float32(0.3))
    along = along - along.min()
    length = int(along.max()) + 2
    extent = abs(cos) * shape[0] + abs(sin) * shape[1]
    extent *= 1 - 0.3 * abs(np.sin(2 * angle))
    index = np.asarray(along + rng.uniform(0, 1), dtype=np.intp)
    return Frame(depth, along, index, length, float(extent), float(angle))


def draw_stack(
    rng: np.random.Generator, frame: Frame, n_layers: int | None, n_materials: int | None
) -> Stack:
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
        return Stack(materials, float(top), float(bottom), True)
    likely = 1.0 / np.arange(2, min(8, fits) + 1)
    count = n_layers or 2 + int(rng.choice(likely.size, p=likely / likely.sum()))
    if n_layers is None and n_materials is not None:
        count = max(count, n_materials)
    kinds = n_materials if n_materials is not None else int(rng.integers(min(2, count), count + 1))
    return Stack(_sequence(rng, count, kinds), float(top), float(bottom), False)


def _sequence(rng: np.random.Generator, count: int, kinds: int) -> list[int]:
    """Materials of ``count`` layers that use all ``kinds``, no two neighbours alike."""
    chosen: list[int] = []
    for i in range(count):
        unused = [k for k in range(kinds) if k not in chosen]
        free = [k for k in range(kinds) if not chosen or k != chosen[-1]]
        pool = unused if len(unused) >= count - i else free
        chosen.append(int(rng.choice(pool)))
    return chosen


def _thicknesses(rng: np.random.Generator, stack: Stack, room: float) -> NDArray[np.float64]:
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


def interfaces(rng: np.random.Generator, frame: Frame, stack: Stack) -> NDArray[np.float64]:
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


def _rough_line(rng: np.random.Generator, length: int, deviation: float) -> NDArray[np.float64]:
    """Rough interface of the given deviation (pixels); the steeper, the longer its waves."""
    shortest = min(max(2.0, deviation * rng.choice([0.7, 2.0, 5.0])), 0.3 * length)
    correlation = float(np.exp(rng.uniform(np.log(shortest), np.log(0.5 * length))))
    line = deviation * np.clip(self_affine(rng, length, correlation), -2.5, 2.5)
    return np.asarray(
        ndimage.gaussian_filter1d(line, rng.choice([0.0, 0.7, 2.0]) + 0.1 * deviation)
    )


def self_affine(
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


def _topography(rng: np.random.Generator, frame: Frame, scale: float) -> NDArray[np.float64]:
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
        return size * np.sin(
            2 * np.pi * t / rng.uniform(0.15, 1.2) / frame.length + rng.uniform(0, 7)
        )
    if kind == "rough":
        return size * 0.5 * self_affine(rng, frame.length)
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
    count = int(t.size / width / 1.5) + 1
    centres = np.cumsum(width * rng.uniform(0.7, 3.0, count))
    centres[0] = rng.uniform(0.3, 0.7) * t.size
    caps = np.zeros_like(t)
    for centre in centres:
        half = 0.5 * width * rng.uniform(0.6, 1.1)
        caps = np.maximum(caps, np.sqrt(np.maximum(1 - ((t - centre) / half) ** 2, 0)))
    tallest = max(thick[min(k, len(thick) - 1)], 3.0) if k > 0 else 0.5 * width
    levels[k] = levels[k + 1] - caps * min(tallest, width * rng.uniform(0.2, 1.2))
    for j in range(k - 1, -1, -1):
        levels[j] = np.minimum(levels[j], levels[j + 1] - 1.0)
    return levels


def warp(rng: np.random.Generator, shape: tuple[int, int], levels: NDArray[np.float64]) -> Field:
    """Displacement in depth that makes interfaces overhang and jagged, less than a layer."""
    if rng.random() < 0.4:
        return np.zeros(shape, dtype=np.float32)
    thinnest = float(np.median(np.diff(levels, axis=0), axis=1).min()) if len(levels) > 1 else 40.0
    size = float(np.exp(rng.uniform(np.log(1.0), np.log(0.12 * min(shape)))))
    amount = min(0.5 * size, 0.25 * thinnest, 8.0) * rng.uniform(0.1, 1)
    return np.asarray(amount * random_field(rng, shape, size), dtype=np.float32)


def assign(depth: Field, frame: Frame, levels: NDArray[np.float64]) -> NDArray[np.int32]:
    layer = np.zeros(depth.shape, dtype=np.int32)
    for level in levels.astype(np.float32):
        layer += depth > level[frame.index.clip(0, frame.length - 1)]
    return layer
