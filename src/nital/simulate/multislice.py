"""Reference STEM images by multislice (abTEM), for judging the linear approximation.

A cross-section is built atom by atom, its layers strained sideways to one width, and imaged twice:
by frozen-phonon multislice, which knows channelling along columns and cross-talk between them, and
by the linear imaging of :mod:`nital.simulate.stem_image`. Lengths are in angstrom. Needs the extra
``stem`` (abTEM is under the GPL, so nothing else of Nital imports it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.errors import MissingExtraError, UsageError
from nital.simulate.stem_crystals import ATOMIC_NUMBERS, CRYSTALS, zone_cell
from nital.simulate.stem_image import splat

__all__ = ["Layer", "Microscope", "Slab", "build_slab", "linear_image", "multislice_image"]

Field = NDArray[np.float32]
LONGEST_SAMPLING = 0.07  # angstrom of the potential: scattering to 115 mrad at 200 kV fits in
SLICE = 2.0  # angstrom
PROBE_WINDOW = 12.0  # angstrom that a probe needs around it when plane waves are left out


@dataclass(frozen=True)
class Layer:
    """A crystal, the zone axis it is seen along, and its cells in the growth direction."""

    name: str
    cells: int
    zone: int = 0


@dataclass(frozen=True)
class Microscope:
    """Voltage (V), convergence and detector (mrad), thermal vibration (angstrom, one direction).

    ``configurations`` of displaced atoms are averaged; ``defocus`` is in angstrom.
    """

    energy: float = 200e3
    convergence: float = 22.0
    inner: float = 70.0
    outer: float = 110.0
    vibration: float = 0.08
    configurations: int = 4
    defocus: float = 0.0


@dataclass(frozen=True)
class Slab:
    """Atoms of a cross-section.

    Parameters
    ----------
    numbers
        (N,) atomic numbers.
    positions
        (N, 3) to the right, upwards, along the beam, angstrom.
    size
        Width, height and thickness of the periodic box, angstrom.
    materials
        Names from the substrate up.
    tops
        Height up to which each material reaches, angstrom.
    """

    numbers: NDArray[np.intp]
    positions: NDArray[np.float64]
    size: tuple[float, float, float]
    materials: tuple[str, ...]
    tops: tuple[float, ...]

    def phases(self, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """(H, W) uint8 truth of an image of the whole slab, the growth direction up."""
        height = (shape[0] - 0.5 - np.arange(shape[0])) * self.size[1] / shape[0]
        number = np.minimum(np.searchsorted(self.tops, height, side="right"), len(self.tops) - 1)
        rows = (number + 1).astype(np.uint8)
        return np.repeat(rows[:, None], shape[1], axis=1)


def build_slab(layers: Sequence[Layer], width: float, thickness: float, seed: int = 0) -> Slab:
    """Stack crystals, substrate first, each strained sideways by a few per cent to one width.

    Parameters
    ----------
    width, thickness
        Angstrom; the width is rounded to whole cells of the first crystal.
    seed
        Decides which atoms a dopant replaces.

    Raises
    ------
    UsageError
        Without a layer, or for a crystal that cannot be strained to the width by 5 %.
    """
    if not layers:
        raise UsageError("a slab needs one layer at least")
    rng = np.random.default_rng(seed)
    first = zone_cell(layers[0].name, layers[0].zone).lengths
    width = first[1] * max(1, round(width / first[1]))
    floor, tops, numbers, positions = 0.0, [], [], []
    for layer in layers:
        cell = zone_cell(layer.name, layer.zone)
        beam, along, up = cell.lengths
        beside = max(1, round(width / along))
        if abs(width / (beside * along) - 1) > 0.05:
            raise UsageError(
                f"{layer.name} does not fit a width of {width:.1f} angstrom; choose a wider slab"
            )
        counts = (int(np.ceil(thickness / beam)), beside, layer.cells)
        steps = np.stack(np.meshgrid(*map(np.arange, counts), indexing="ij"), -1).reshape(-1, 3)
        places = (steps[:, None] + cell.fractions[None]).reshape(-1, 3)
        placed = places * np.array([beam, width / beside, up]) + np.array([0, 0, floor])
        atoms = _occupied(rng, layer.name, np.tile(cell.elements, len(steps)))
        inside = placed[:, 0] < thickness
        positions.append(placed[inside][:, [1, 2, 0]])
        numbers.append(atoms[inside])
        floor += layer.cells * up
        tops.append(floor)
    return Slab(
        np.concatenate(numbers),
        np.concatenate(positions),
        (width, floor, thickness),
        tuple(layer.name for layer in layers),
        tuple(tops),
    )


def _occupied(rng: np.random.Generator, name: str, elements: NDArray[np.str_]) -> NDArray[np.intp]:
    """Atomic numbers, a share of one element replaced at random in doped crystals."""
    numbers = np.array([ATOMIC_NUMBERS[str(element)] for element in elements])
    exchanged = CRYSTALS[name].exchanged
    if exchanged is not None:
        element, other, share = exchanged
        chosen = (elements == element) & (rng.random(len(elements)) < share)
        numbers[chosen] = ATOMIC_NUMBERS[other]
    return numbers


def multislice_image(
    slab: Slab, pixel: float, microscope: Microscope | None = None, seed: int = 0
) -> Field:
    """Dark-field image by frozen-phonon multislice (PRISM), noise-free.

    Parameters
    ----------
    pixel
        Angstrom, about; a whole number of pixels fills the slab.
    seed
        Of the thermal displacements.

    Returns
    -------
    ndarray
        (H, W) float32: share of the beam on the annular detector; the growth direction is up.

    Raises
    ------
    MissingExtraError
        When abTEM is not installed.
    """
    try:
        import abtem
        import ase
    except ImportError as error:
        raise MissingExtraError(
            'multislice images need an extra: pip install "nital[stem]"'
        ) from error
    microscope = microscope or Microscope()
    atoms = ase.Atoms(numbers=slab.numbers, positions=slab.positions, cell=slab.size, pbc=True)
    phonons = abtem.FrozenPhonons(
        atoms, num_configs=microscope.configurations, sigmas=microscope.vibration, seed=seed
    )
    potential = abtem.Potential(
        phonons,
        sampling=LONGEST_SAMPLING,
        slice_thickness=SLICE,
        parametrization="lobato",
        projection="infinite",
    )
    matrix = abtem.SMatrix(
        potential=potential,
        energy=microscope.energy,
        semiangle_cutoff=microscope.convergence,
        interpolation=tuple(max(1, int(side // PROBE_WINDOW)) for side in slab.size[:2]),
    )
    columns, rows = (max(8, round(side / pixel)) for side in slab.size[:2])
    measured = matrix.scan(
        scan=abtem.GridScan(start=(0, 0), end=slab.size[:2], gpts=(columns, rows), endpoint=False),
        detectors=abtem.AnnularDetector(inner=microscope.inner, outer=microscope.outer),
        ctf=abtem.CTF(defocus=microscope.defocus, energy=microscope.energy),
    )
    array: Any = measured.compute(progress_bar=False).array
    return np.ascontiguousarray(np.asarray(array, dtype=np.float32).T[::-1])


def linear_image(
    slab: Slab, shape: tuple[int, int], *, exponent: float = 1.7, probe: float = 0.45
) -> Field:
    """The same slab by linear imaging: Z to a power, convolved with the probe; periodic.

    Parameters
    ----------
    shape
        (H, W) of the image of the whole slab.
    exponent
        Of the atomic number in what an atom scatters.
    probe
        Sigma of the probe with the vibration of atoms, angstrom.

    Returns
    -------
    ndarray
        (H, W) float32, mean 1.
    """
    width, height = slab.size[:2]
    pixel = np.array([height / shape[0], width / shape[1]])
    rows = (height - slab.positions[:, 1]) / pixel[0] - 1.0
    cols = slab.positions[:, 0] / pixel[1]
    places = np.stack([rows % shape[0], cols % shape[1]], axis=1)
    powers = slab.numbers.astype(np.float64) ** exponent
    padded = splat((shape[0] + 1, shape[1] + 1), places, powers)
    padded[0] += padded[-1]
    padded[:, 0] += padded[:, -1]
    image = ndimage.gaussian_filter(padded[:-1, :-1], probe / pixel, mode="wrap")
    return np.asarray(image / image.mean(), dtype=np.float32)
