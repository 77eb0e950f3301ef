"""Simulated cross-sections for STEM: materials, rough interfaces, antiphase walls, thickness.

The three difficulty classes follow the paper's experts (SAM-I-Am, section 4), who ranked images by
the intricacy of their texture: 1, few wide layers that differ plainly; 2, more and thinner layers,
rougher, with walls, gaps and a foil whose thickness varies; 3, neighbours that are twins but for a
dopant, beside thin layers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.errors import UsageError
from nital.simulate.scene import random_field

__all__ = ["DIFFICULTIES", "StemScene", "draw_stem_scene"]

Field = NDArray[np.float32]
DIFFICULTIES = (1, 2, 3)
MOST_MATERIALS = 5
SUBSTRATES = ("SrTiO3", "Ge", "Si", "Nb:SrTiO3")
FILMS = ("SrTiO3", "LaFeO3", "LaMnO3", "WO3", "La0.8Sr0.2FeO3", "Ge", "Si")
CAPS = ("Pt/C", "Pt/C", "C", "Pt")
TWINS = (
    ("SrTiO3", "La:SrTiO3"),
    ("SrTiO3", "Nb:SrTiO3"),
    ("LaFeO3", "La0.8Sr0.2FeO3"),
    ("LaMnO3", "LaFeO3"),
)
FAMILIES = {
    "La:SrTiO3": "SrTiO3",
    "Nb:SrTiO3": "SrTiO3",
    "La0.8Sr0.2FeO3": "LaFeO3",
    "LaMnO3": "LaFeO3",
    "Pt/C": "Pt",
}


@dataclass(frozen=True)
class StemScene:
    """Exact truth of a cross-section.

    Parameters
    ----------
    materials
        Names from the substrate up; material k of the list is phase k + 1.
    phases
        (H, W) uint8; 0 = vacuum and unfilled gaps.
    thickness
        (H, W) float32, of the foil along the beam, nanometres.
    wall
        (H, W) float32, -1 and 1 on the two sides of an antiphase wall, 0 on it.
    walled
        Phases that the wall runs through.
    pixel
        Angstrom.
    """

    materials: tuple[str, ...]
    phases: NDArray[np.uint8]
    thickness: Field
    wall: Field
    walled: frozenset[int]
    pixel: float


def draw_stem_scene(
    rng: np.random.Generator,
    shape: tuple[int, int],
    *,
    difficulty: int = 1,
    materials: int | tuple[str, ...] | None = None,
    pixel: float | None = None,
    vacuum: bool | None = None,
) -> StemScene:
    """Draw a cross-section.

    Parameters
    ----------
    rng
        Source of all randomness.
    shape
        (H, W), each at least 64; the growth direction is up.
    difficulty
        1, 2 or 3.
    materials
        How many (2...5), or their names from the substrate up; drawn when ``None``.
    pixel
        Angstrom, 0.05...4; drawn when ``None``.
    vacuum
        Whether vacuum lies above the layers; in a third of images when ``None``.

    Raises
    ------
    UsageError
        An argument is out of range.
    """
    _check(shape, difficulty, materials, pixel)
    if pixel is None:
        pixel = float(np.exp(rng.uniform(np.log(0.16), np.log(0.55))))
    if isinstance(materials, tuple):
        names = materials
    else:
        names = _names(rng, difficulty, materials or int(rng.integers(2, 5)))
    height = _height(rng, shape, difficulty)
    phases = np.zeros(shape, dtype=np.uint8)
    lower: NDArray[np.floating] = np.full(shape[1], -10.0)
    empty = rng.random() < 0.3 if vacuum is None else vacuum
    tops = _tops(rng, difficulty, names, float(rng.uniform(0.05, 0.2)) if empty else 0.0)
    for number, (top, gap) in enumerate(tops, start=1):
        rough = _roughness(rng, shape[1], difficulty, pixel, 0.025 * shape[0]) / shape[0]
        upper = np.maximum(top + rough, lower)
        phases[(height >= lower) & (height < upper)] = number
        lower = upper + gap
    slope = 0.15 if difficulty == 1 else 0.4
    field = random_field(rng, shape, max(shape) / 3)
    thickness = float(rng.uniform(15, 60)) * (1 + slope * rng.uniform(-1, 1) * height)
    thickness = thickness * (1 + 0.25 * slope * field)
    wall, walled = _wall(rng, shape, difficulty, names, pixel)
    return StemScene(
        names, phases, np.maximum(thickness, 3).astype(np.float32), wall, walled, pixel
    )


def _check(
    shape: tuple[int, int],
    difficulty: int,
    materials: int | tuple[str, ...] | None,
    pixel: float | None,
) -> None:
    from nital.simulate.stem_crystals import MATERIALS

    if min(shape) < 64:
        raise UsageError(f"a simulated micrograph needs at least 64x64 pixels, not {shape}")
    if difficulty not in DIFFICULTIES:
        raise UsageError(f"the difficulty class is 1, 2 or 3, not {difficulty}")
    if isinstance(materials, tuple):
        unknown = [name for name in materials if name not in MATERIALS]
        if unknown or not materials:
            raise UsageError(
                f"{', '.join(unknown) or 'no material'} cannot be simulated; choose among "
                f"{', '.join(MATERIALS)}"
            )
    elif materials is not None and not 2 <= materials <= MOST_MATERIALS:
        raise UsageError(f"a cross-section has 2 to {MOST_MATERIALS} materials, not {materials}")
    if pixel is not None and not 0.05 <= pixel <= 4:
        raise UsageError(f"the pixel size must lie between 0.05 and 4 angstrom, not {pixel}")


def _names(rng: np.random.Generator, difficulty: int, count: int) -> tuple[str, ...]:
    """Materials from the substrate up; neighbours of one family only in class 3."""
    names = list(TWINS[rng.integers(len(TWINS))]) if difficulty == 3 else []
    if not names:
        names = [str(rng.choice(SUBSTRATES))]
    cap = count > len(names) and rng.random() < 0.7
    while len(names) < count - cap:
        families = {FAMILIES.get(name, name) for name in names}
        fitting = [name for name in FILMS if FAMILIES.get(name, name) not in families]
        names.append(str(rng.choice(fitting)))
    if cap:
        names.append(str(rng.choice(CAPS)))
    return tuple(names)


def _height(rng: np.random.Generator, shape: tuple[int, int], difficulty: int) -> Field:
    """(H, W) height above the lower edge over the image's height."""
    rows = np.arange(shape[0], dtype=np.float32)[:, None]
    cols = np.arange(shape[1], dtype=np.float32)[None] - shape[1] / 2
    lean = float(rng.normal(0, 0.03 if difficulty == 1 else 0.06))
    return np.asarray((shape[0] - 1 - rows + lean * cols) / shape[0], dtype=np.float32)


def _roughness(
    rng: np.random.Generator, length: int, difficulty: int, pixel: float, most: float
) -> Field:
    """(length,) self-affine profile in pixels, of standard deviation up to ``most``.

    Half of the profiles have the steps of a lattice.
    """
    total = np.zeros(length)
    for octave in range(4):
        noise = ndimage.gaussian_filter1d(
            rng.standard_normal(length), max(1.0, length / 8 / 2**octave), mode="wrap"
        )
        total += 0.6**octave * noise / max(noise.std(), 1e-6)
    spread = float(rng.uniform(0.5, 4)) * (1 if difficulty == 1 else 2.5)  # angstrom
    profile = min(spread / pixel, most) * total / max(total.std(), 1e-6)
    if rng.random() < 0.5:
        step = 3.9 / pixel
        profile = step * np.round(profile / step)
    return np.asarray(profile, dtype=np.float32)


def _tops(
    rng: np.random.Generator, difficulty: int, names: tuple[str, ...], vacuum: float
) -> list[tuple[float, float]]:
    """Height, 0...1, up to which each material reaches, and of the unfilled gap above it."""
    least = {1: 0.18, 2: 0.09, 3: 0.06}[difficulty]
    shares = least + rng.dirichlet(np.full(len(names), 1.5)) * (1 - vacuum - least * len(names))
    tops = np.cumsum(shares)
    tops[-1] = 1 - vacuum if vacuum else 2.0
    gaps = np.zeros(len(names))
    if difficulty == 2 and len(names) > 1 and rng.random() < 0.4:
        gaps[-2] = 0.015
    return list(zip(tops.tolist(), gaps.tolist(), strict=True))


def _wall(
    rng: np.random.Generator,
    shape: tuple[int, int],
    difficulty: int,
    names: tuple[str, ...],
    pixel: float,
) -> tuple[Field, frozenset[int]]:
    """An antiphase wall that climbs through one of the crystals."""
    chance = {1: 0.3, 2: 0.6, 3: 0.4}[difficulty]
    crystals = [k for k, name in enumerate(names, start=1) if name not in ("C", "Pt/C")]
    if rng.random() > chance or not crystals:
        return np.ones(shape, dtype=np.float32), frozenset()
    rows = np.arange(shape[0], dtype=np.float32)
    wobble = _roughness(rng, shape[0], 2, pixel, 0.03 * shape[1])
    place = shape[1] * rng.uniform(0.25, 0.75) + rng.normal(0, 0.25) * (rows - shape[0] / 2)
    distance = np.arange(shape[1], dtype=np.float32)[None] - (place + wobble)[:, None]
    width = float(rng.uniform(2, 6)) / pixel
    side = np.clip(distance / width, -1, 1)
    return side.astype(np.float32), frozenset([int(rng.choice(crystals))])
