"""Slabs against the density of their crystals; multislice against what dark-field imaging shows."""

from __future__ import annotations

import builtins

import numpy as np
import pytest

from nital.errors import MissingExtraError, UsageError
from nital.simulate.multislice import (
    Layer,
    Microscope,
    build_slab,
    linear_image,
    multislice_image,
)
from nital.simulate.stem_crystals import CRYSTALS, zone_cell

ALL_ZONES = [
    (name, zone) for name, crystal in CRYSTALS.items() for zone in range(len(crystal.zones))
]


@pytest.mark.parametrize(("name", "zone"), ALL_ZONES)
def test_a_cell_of_a_zone_has_the_density_of_the_crystal(name, zone):
    crystal, cell = CRYSTALS[name], zone_cell(name, zone)
    density = len(crystal.atoms) / np.prod(crystal.lengths)
    assert len(cell.elements) / np.prod(cell.lengths) == pytest.approx(density, rel=0.02)
    assert ((cell.fractions > -1e-5) & (cell.fractions < 1)).all()


def test_a_slab_stacks_its_layers():
    slab = build_slab([Layer("Si", 2), Layer("Ge", 3)], width=15, thickness=20)
    assert slab.tops == pytest.approx((2 * 5.431, 2 * 5.431 + 3 * 5.658))
    assert slab.size[1] == slab.tops[-1]
    upper = slab.positions[:, 1] >= slab.tops[0] - 1e-6
    assert set(slab.numbers[upper]) == {32}
    assert set(slab.numbers[~upper]) == {14}
    phases = slab.phases((280, 30))
    assert phases[0, 0] == 2
    assert phases[-1, 0] == 1
    assert (phases == 1).mean() == pytest.approx(slab.tops[0] / slab.tops[1], abs=0.01)


def test_a_dopant_replaces_its_share():
    slab = build_slab([Layer("La0.8Sr0.2FeO3", 6)], width=30, thickness=60)
    lanthanum, strontium = (int((slab.numbers == number).sum()) for number in (57, 38))
    assert strontium / (lanthanum + strontium) == pytest.approx(0.2, abs=0.03)


def test_crystals_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="wider slab"):
        build_slab([Layer("SrTiO3", 1), Layer("WO3", 1)], width=3, thickness=10)
    with pytest.raises(UsageError, match="one layer"):
        build_slab([], width=10, thickness=10)


def test_linear_imaging_shows_the_heavier_crystal_brighter():
    slab = build_slab([Layer("Si", 12), Layer("Ge", 12)], width=8, thickness=80)
    image = linear_image(slab, (532, 30), exponent=2.0)
    assert image.mean() == pytest.approx(1)
    phases = slab.phases((532, 30))
    ratio = image[phases == 2].mean() / image[phases == 1].mean()
    expected = (32 / 14) ** 2 * (5.431 / 5.658) ** 2  # Ge is strained to the width of Si
    assert ratio == pytest.approx(expected, rel=0.1)  # planes on an interface belong to both


def test_without_abtem_the_message_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **keywords):
        if name.startswith("abtem"):
            raise ImportError(name)
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    slab = build_slab([Layer("Si", 1)], width=10, thickness=10)
    with pytest.raises(MissingExtraError, match=r"nital\[stem\]"):
        multislice_image(slab, 0.5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_multislice_and_linear_imaging_see_the_same_columns():
    pytest.importorskip("abtem", reason='needs pip install "nital[stem]"')
    slab = build_slab([Layer("SrTiO3", 3)], width=11.7, thickness=12)
    image = multislice_image(slab, 0.4, Microscope(configurations=1))
    linear = linear_image(slab, (image.shape[0], image.shape[1]))
    assert np.corrcoef(image.ravel(), linear.ravel())[0, 1] > 0.8
    assert 0 < image.mean() < 0.05
