"""Crystals against their density and bonds, images against the columns they show, exact truth."""

from __future__ import annotations

import numpy as np
import pytest

from nital.errors import UsageError
from nital.simulate.stem_crystals import CRYSTALS, project
from nital.simulate.stem_image import Optics, column_image, image_stem, simulate_stem
from nital.simulate.stem_specimen import StemScene, draw_stem_scene

ALL_ZONES = [
    (name, zone) for name, crystal in CRYSTALS.items() for zone in range(len(crystal.zones))
]

# Shortest bond of the cation, angstrom, as tables of crystal structures give it.
BONDS = {
    ("SrTiO3", "Ti"): (1.95, 1.96),
    ("Ge", "Ge"): (2.44, 2.46),
    ("Si", "Si"): (2.34, 2.36),
    ("Pt", "Pt"): (2.76, 2.79),
    ("LaFeO3", "Fe"): (1.95, 2.03),
    ("LaMnO3", "Mn"): (1.88, 1.94),
    ("WO3", "W"): (1.68, 1.80),
}


@pytest.mark.parametrize(("name", "zone"), ALL_ZONES)
def test_a_projection_holds_all_atoms(name, zone):
    crystal, projection = CRYSTALS[name], project(name, zone)
    per_area = sum(n for column in projection.columns for _, n in column.atoms)
    density = len(crystal.atoms) / np.prod(crystal.lengths)
    assert per_area / projection.area == pytest.approx(density, rel=1e-6)


@pytest.mark.parametrize(("crystal", "element"), list(BONDS))
def test_shortest_bonds(crystal, element):
    cell = CRYSTALS[crystal]
    lengths = np.array(cell.lengths)
    positions = np.array([atom[1:] for atom in cell.atoms]) * lengths
    kinds = [atom[0] for atom in cell.atoms]
    shifts = np.array(np.meshgrid(*[[-1, 0, 1]] * 3)).reshape(3, -1).T * lengths
    nearest = []
    for start in positions[[kind == element for kind in kinds]]:
        distance = np.linalg.norm((positions - start)[:, None] + shifts[None], axis=2)
        nearest.append(distance[distance > 0.1].min())
    low, high = BONDS[crystal, element]
    assert low <= min(nearest) <= high


def test_strontium_titanate_shows_its_cube():
    projection = project("SrTiO3")
    assert projection.area == pytest.approx(3.905**2)
    assert {column.place for column in projection.columns} == {
        (0.0, 0.0), (0.5, 0.5), (0.0, 0.5), (0.5, 0.0),
    }  # fmt: skip


def test_germanium_shows_dumbbells():
    columns = sorted(column.place for column in project("Ge").columns)
    heights = sorted({place[1] for place in columns})
    assert heights == [0.0, 0.25, 0.5, 0.75]


def test_doping_keeps_atoms_and_adds_scattering():
    plain, doped = project("SrTiO3"), project("La:SrTiO3")
    weights = [
        sum(n * z**1.7 for column in p.columns for z, n in column.atoms) / p.area
        for p in (plain, doped)
    ]
    assert weights[1] > weights[0]


def test_unknown_crystals_and_zones_are_refused():
    with pytest.raises(UsageError, match="no crystal 'NaCl'"):
        project("NaCl")
    with pytest.raises(UsageError, match="zone axes 0 to 0, not 3"):
        project("WO3", 3)


@pytest.mark.parametrize("name", ["SrTiO3", "Ge", "LaMnO3"])
def test_the_mean_of_an_image_is_the_crystals(name):
    projection, optics = project(name), Optics()
    image = column_image(projection, (200, 200), 0.2, optics, angle=0.3)
    mean = sum(n * z**optics.exponent for c in projection.columns for z, n in c.atoms)
    assert image[10:-10, 10:-10].mean() == pytest.approx(mean / projection.area, rel=0.03)


def test_the_period_and_the_bright_columns_are_where_they_must_be():
    pixel = 3.905 / 20
    image = column_image(project("SrTiO3"), (160, 160), pixel, Optics(), origin=(7.0, 7.0))
    assert np.allclose(image[20:60, 20:60], image[40:80, 40:80], atol=1e-2 * image.max())
    assert image[27, 27] == pytest.approx(image[20:60, 20:60].max(), rel=1e-3)  # strontium
    assert image[37, 37] > 1.5 * image[27, 37]  # titanium beside oxygen alone


def test_beyond_an_antiphase_wall_columns_sit_half_a_cell_further():
    pixel = 3.905 / 20
    wall = np.ones((120, 120), dtype=np.float32)
    wall[:, 60:] = -1
    image = column_image(
        project("SrTiO3"), (120, 120), pixel, Optics(), origin=(7.0, 7.0), shift=wall
    )
    assert image[27, 27] == pytest.approx(image[37, 97], rel=0.02)
    assert image[37, 97] > 1.5 * image[27, 97]


@pytest.mark.parametrize("difficulty", [1, 2, 3])
def test_images_and_their_truth(difficulty):
    for seed in range(3):
        shown = simulate_stem(seed, (96, 128), difficulty=difficulty, materials=3)
        assert shown.image.shape == shown.scene.phases.shape == (96, 128)
        assert shown.image.dtype == np.uint8
        assert np.ptp(shown.image) > 60
        present = np.unique(shown.scene.phases[shown.scene.phases > 0])
        assert set(present) <= {1, 2, 3}
        assert len(present) >= 2
        assert len(set(shown.scene.materials)) == 3


def test_the_same_seed_gives_the_same_pixels():
    one, two, other = (simulate_stem(seed, (64, 80), difficulty=2) for seed in (5, 5, 6))
    assert (one.image == two.image).all()
    assert (one.scene.phases == two.scene.phases).all()
    assert (one.image != other.image).any()


def test_class_three_has_twins_and_class_one_has_none():
    rng = np.random.default_rng(0)
    for _ in range(10):
        twins = draw_stem_scene(rng, (64, 64), difficulty=3).materials
        assert {m.split(":")[-1][:2] for m in twins[:2]} <= {"Sr", "La"}
        plain = draw_stem_scene(rng, (64, 64), difficulty=1, materials=4).materials
        assert not {"SrTiO3", "Nb:SrTiO3"} <= set(plain)


def test_heavier_materials_are_brighter_and_a_thicker_foil_too():
    flat = np.ones((64, 64), dtype=np.float32)
    phases = np.repeat([[2], [1]], 32, axis=0).repeat(64, axis=1).astype(np.uint8)
    scene = StemScene(("Si", "Pt"), phases, 30 * flat, flat, frozenset(), 0.3)
    shown = image_stem(np.random.default_rng(0), scene, Optics(jitter=0, drift=0, dose=5000))
    assert shown.image[:24].mean() > 2 * shown.image[40:].mean()
    wedge = np.linspace(20, 60, 64, dtype=np.float32)[None] * flat
    alone = StemScene(("Ge",), np.ones((64, 64), np.uint8), wedge, flat, frozenset(), 1.0)
    shown = image_stem(np.random.default_rng(0), alone, Optics(jitter=0, drift=0, dose=5000))
    assert shown.image[:, 48:].mean() > 1.3 * shown.image[:, :16].mean()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"difficulty": 4}, "class is 1, 2 or 3, not 4"),
        ({"materials": 9}, "has 2 to 5 materials, not 9"),
        ({"materials": ("SrTiO3", "Kryptonite")}, "Kryptonite cannot be simulated"),
        ({"pixel": 0.0}, "between 0.05 and 4 angstrom"),
        ({"shape": (32, 90)}, "at least 64x64"),
    ],
)
def test_impossible_cross_sections_are_refused(arguments, message):
    with pytest.raises(UsageError, match=message):
        simulate_stem(0, **{"shape": (64, 64), **arguments})
