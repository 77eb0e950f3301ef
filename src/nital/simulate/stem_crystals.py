"""Crystals for simulated STEM images: unit cells, and how they look along a zone axis.

Lengths are in angstrom. Cells are orthogonal: gamma-WO3 (monoclinic, beta 90.9 degrees) is taken
with beta = 90 degrees. Structures: SrTiO3 (Pm-3m), Ge and Si (Fd-3m), Pt (Fm-3m), LaFeO3 (Pbnm;
Marezio, Dernier, Mater. Res. Bull. 1971), LaMnO3 (Pbnm; Rodriguez-Carvajal et al., Phys. Rev. B
1998), gamma-WO3 (P21/n; Loopstra, Rietveld, Acta Cryst. B 1969). Doped crystals exchange a share
of one element. Amorphous carbon has a density and no cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nital.errors import UsageError

__all__ = [
    "ATOMIC_NUMBERS",
    "CRYSTALS",
    "MATERIALS",
    "Column",
    "Crystal",
    "Projection",
    "ZoneCell",
    "project",
    "zone_cell",
]

ATOMIC_NUMBERS = {
    "C": 6,
    "O": 8,
    "Si": 14,
    "Ti": 22,
    "Mn": 25,
    "Fe": 26,
    "Ge": 32,
    "Sr": 38,
    "Nb": 41,
    "La": 57,
    "W": 74,
    "Pt": 78,
}
Vector = tuple[int, int, int]


@dataclass(frozen=True)
class Crystal:
    """An orthogonal unit cell.

    Parameters
    ----------
    name
        As users write it.
    lengths
        a, b, c in angstrom.
    atoms
        Element and fractional position of every atom of the cell.
    zones
        Zone axes that a cross-section shows: beam direction, then the direction along the
        interface and the growth direction, as indices of the cell.
    exchanged
        Element, the element that replaces a share of it, and that share.
    """

    name: str
    lengths: tuple[float, float, float]
    atoms: tuple[tuple[str, float, float, float], ...]
    zones: tuple[tuple[Vector, Vector, Vector], ...]
    exchanged: tuple[str, str, float] | None = None


@dataclass(frozen=True)
class Column:
    """An atomic column: its place in the projected cell (fractions) and atoms per length of beam.

    ``atoms`` holds pairs of atomic number and atoms per angstrom.
    """

    place: tuple[float, float]
    atoms: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Projection:
    """A crystal along a zone axis: (2, 2) lattice vectors in angstrom as rows, each (down, right).

    The first vector runs along the interface, the second along the growth direction, upwards.
    """

    crystal: str
    vectors: NDArray[np.float64]
    columns: tuple[Column, ...]

    @property
    def area(self) -> float:
        """Of the projected cell, square angstrom."""
        return float(abs(np.linalg.det(self.vectors)))


@dataclass(frozen=True)
class ZoneCell:
    """The cell that a zone axis and the two directions across it span, taken as orthogonal.

    ``lengths`` in angstrom and (N, 3) ``fractions`` along the beam, the interface and the growth
    direction; ``elements`` (N,) symbols.
    """

    lengths: tuple[float, float, float]
    elements: NDArray[np.str_]
    fractions: NDArray[np.float64]


CUBE: tuple[tuple[Vector, Vector, Vector], ...] = (
    ((0, 0, 1), (1, 0, 0), (0, 1, 0)),
    ((1, 1, 0), (1, -1, 0), (0, 0, 1)),
)
DIAMOND_ZONES: tuple[tuple[Vector, Vector, Vector], ...] = (
    ((1, 1, 0), (1, -1, 0), (0, 0, 1)),
    ((0, 0, 1), (1, 0, 0), (0, 1, 0)),
)
PBNM_ZONES: tuple[tuple[Vector, Vector, Vector], ...] = (
    ((0, 0, 1), (1, 1, 0), (-1, 1, 0)),
    ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
)
PEROVSKITE = (
    ("Sr", 0.0, 0.0, 0.0),
    ("Ti", 0.5, 0.5, 0.5),
    ("O", 0.5, 0.5, 0.0),
    ("O", 0.5, 0.0, 0.5),
    ("O", 0.0, 0.5, 0.5),
)
FACES = ((0.0, 0.0, 0.0), (0.5, 0.5, 0.0), (0.5, 0.0, 0.5), (0.0, 0.5, 0.5))

# Equivalent positions as (sign and offset in halves) of x, y, z.
PBNM = (
    ((1, 0), (1, 0), (1, 0)),
    ((-1, 0), (-1, 0), (1, 1)),
    ((1, 1), (-1, 1), (-1, 0)),
    ((-1, 1), (1, 1), (-1, 1)),
    ((-1, 0), (-1, 0), (-1, 0)),
    ((1, 0), (1, 0), (-1, 1)),
    ((-1, 1), (1, 1), (1, 0)),
    ((1, 1), (-1, 1), (1, 1)),
)
P21N = (
    ((1, 0), (1, 0), (1, 0)),
    ((-1, 1), (1, 1), (-1, 1)),
    ((-1, 0), (-1, 0), (-1, 0)),
    ((1, 1), (-1, 1), (1, 1)),
)

Sites = tuple[tuple[str, float, float, float], ...]


def _orbit(sites: Sites, operations: tuple[tuple[tuple[int, int], ...], ...]) -> Sites:
    """All atoms of a cell from its asymmetric unit."""
    found: dict[tuple[str, float, float, float], tuple[str, float, float, float]] = {}
    for element, *position in sites:
        for operation in operations:
            x, y, z = (
                round((sign * value + half / 2) % 1.0, 6) % 1.0
                for (sign, half), value in zip(operation, position, strict=True)
            )
            key = (element, round(x, 3) % 1, round(y, 3) % 1, round(z, 3) % 1)
            found.setdefault(key, (element, x, y, z))
    return tuple(found.values())


def _diamond(element: str) -> Sites:
    return tuple((element, x + s, y + s, z + s) for s in (0.0, 0.25) for x, y, z in FACES)


LAFEO3 = _orbit(
    (
        ("La", 0.9930, 0.0291, 0.25),
        ("Fe", 0.0, 0.5, 0.0),
        ("O", 0.0740, 0.4875, 0.25),
        ("O", 0.7186, 0.2817, 0.0384),
    ),
    PBNM,
)
LAMNO3 = _orbit(
    (
        ("La", 0.9922, 0.0490, 0.25),
        ("Mn", 0.5, 0.0, 0.0),
        ("O", 0.0745, 0.4874, 0.25),
        ("O", 0.7256, 0.3066, 0.0384),
    ),
    PBNM,
)
WO3 = _orbit(
    (
        ("W", 0.2528, 0.0260, 0.2855),
        ("W", 0.2497, 0.0344, 0.7805),
        ("O", 0.0003, 0.0337, 0.2122),
        ("O", 0.9988, 0.4632, 0.2161),
        ("O", 0.2826, 0.2605, 0.2870),
        ("O", 0.2141, 0.2568, 0.7318),
        ("O", 0.2841, 0.0383, 0.0046),
        ("O", 0.2856, 0.4840, 0.9944),
    ),
    P21N,
)
CRYSTALS = {
    crystal.name: crystal
    for crystal in (
        Crystal("SrTiO3", (3.905, 3.905, 3.905), PEROVSKITE, CUBE),
        Crystal("La:SrTiO3", (3.910, 3.910, 3.910), PEROVSKITE, CUBE, ("Sr", "La", 0.06)),
        Crystal("Nb:SrTiO3", (3.908, 3.908, 3.908), PEROVSKITE, CUBE, ("Ti", "Nb", 0.05)),
        Crystal("Ge", (5.658, 5.658, 5.658), _diamond("Ge"), DIAMOND_ZONES),
        Crystal("Si", (5.431, 5.431, 5.431), _diamond("Si"), DIAMOND_ZONES),
        Crystal("LaFeO3", (5.5532, 5.5630, 7.8620), LAFEO3, PBNM_ZONES),
        Crystal("La0.8Sr0.2FeO3", (5.5250, 5.5560, 7.8310), LAFEO3, PBNM_ZONES, ("La", "Sr", 0.2)),
        Crystal("LaMnO3", (5.5367, 5.7473, 7.6929), LAMNO3, PBNM_ZONES),
        Crystal("WO3", (7.306, 7.540, 7.692), WO3, CUBE[:1]),
        Crystal("Pt", (3.924, 3.924, 3.924), tuple(("Pt", *p) for p in FACES), CUBE[::-1]),
    )
}
MATERIALS = (*CRYSTALS, "C", "Pt/C")
"""What a simulated cross-section may consist of: crystals, carbon, platinum in carbon."""


@lru_cache(maxsize=64)
def project(name: str, zone: int = 0) -> Projection:
    """Project a crystal along one of its zone axes.

    Parameters
    ----------
    name
        A key of :data:`CRYSTALS`.
    zone
        Which of its zone axes, in their order.

    Raises
    ------
    UsageError
        When there is no such crystal or zone.
    """
    crystal = _with_zone(name, zone)
    lengths = np.array(crystal.lengths)
    beam, along, up = (np.array(direction) * lengths for direction in crystal.zones[zone])
    length = float(np.linalg.norm(beam))
    towards = beam / length
    right = along - (along @ towards) * towards
    right /= np.linalg.norm(right)
    upwards = np.cross(towards, right)
    upwards *= np.sign(upwards @ up)
    plane = np.stack([-upwards, right])  # down, right
    vectors = np.stack([plane @ along, plane @ up])
    basis = np.stack([beam, along, up])
    places: dict[tuple[float, float], dict[int, float]] = {}
    for element, position in _filled(crystal, basis):
        fractions = np.linalg.solve(vectors.T, plane @ position)
        first, second = (float(v) for v in np.round(fractions % 1.0, 3) % 1.0)
        column = places.setdefault((first, second), {})
        for number, share in _occupants(crystal, element):
            column[number] = column.get(number, 0.0) + share / length
    columns = tuple(Column(place, tuple(atoms.items())) for place, atoms in sorted(places.items()))
    return Projection(name, vectors, columns)


def zone_cell(name: str, zone: int = 0) -> ZoneCell:
    """All atoms of a crystal in the cell of one of its zone axes.

    Raises
    ------
    UsageError
        When there is no such crystal or zone.
    """
    crystal = _with_zone(name, zone)
    basis = np.array(crystal.zones[zone], dtype=np.float64) * np.array(crystal.lengths)
    atoms = _filled(crystal, basis)
    fractions = np.linalg.solve(basis.T, np.array([position for _, position in atoms]).T).T
    beam, along, up = (float(length) for length in np.linalg.norm(basis, axis=1))
    elements = np.array([element for element, _ in atoms])
    return ZoneCell((beam, along, up), elements, np.asarray(fractions, dtype=np.float64))


def _with_zone(name: str, zone: int) -> Crystal:
    if name not in CRYSTALS:
        raise UsageError(f"no crystal {name!r}; there are {', '.join(CRYSTALS)}")
    crystal = CRYSTALS[name]
    if not 0 <= zone < len(crystal.zones):
        raise UsageError(f"{name} has zone axes 0 to {len(crystal.zones) - 1}, not {zone}")
    return crystal


def _filled(crystal: Crystal, basis: NDArray[np.float64]) -> list[tuple[str, NDArray[np.float64]]]:
    """Atoms of the cell that three lattice vectors (rows, angstrom) span."""
    steps = np.array(np.meshgrid(*[range(-3, 4)] * 3, indexing="ij")).reshape(3, -1).T
    found = []
    for element, *position in crystal.atoms:
        points = (steps + np.array(position)) * np.array(crystal.lengths)
        fractions = np.linalg.solve(basis.T, points.T).T
        inside = ((fractions > -1e-6) & (fractions < 1 - 1e-6)).all(1)
        found += [(element, point) for point in points[inside]]
    return found


def _occupants(crystal: Crystal, element: str) -> list[tuple[int, float]]:
    """Atomic numbers on a site and their shares."""
    number = ATOMIC_NUMBERS[element]
    if crystal.exchanged is None or crystal.exchanged[0] != element:
        return [(number, 1.0)]
    _, other, share = crystal.exchanged
    return [(number, 1.0 - share), (ATOMIC_NUMBERS[other], share)]
