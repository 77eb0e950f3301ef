"""Fine precipitates beside large ones, and what only looks like them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from nital.boost.specks import FEWEST, add_specks, with_specks

SIDE = 300


def specimen(seed: int, gap: float = -80.0, noise: float = 12.0):
    """Large squares and fine discs of one grey level: image, phases without the discs, truth."""
    rng = np.random.default_rng(seed)
    phases = np.ones((SIDE, SIDE), np.uint8)
    for row, col in ((20, 30), (40, 180), (190, 60), (200, 220)):
        phases[row : row + 50, col : col + 50] = 2
    truth = phases.copy()
    rows, cols = np.indices(truth.shape)
    for row in range(12, SIDE - 10, 24):
        for col in range(12, SIDE - 10, 24):
            if (phases[row - 8 : row + 9, col - 8 : col + 9] == 1).all():
                truth[np.hypot(rows - row, cols - col) < 2.6] = 2
    return grey_of(truth, gap, noise, rng), phases, truth


def grey_of(truth, gap, noise, rng):
    return (150 + gap * (truth == 2) + noise * rng.standard_normal(truth.shape)).astype(np.float32)


@pytest.mark.parametrize("gap", [-80.0, 80.0])
def test_fine_precipitates_are_found_dark_or_bright(gap):
    image, phases, truth = specimen(1, gap)
    found = add_specks(phases, image)
    fine = (truth == 2) & (phases == 1)
    assert ((found == 2) & fine).sum() > 0.9 * fine.sum()
    assert ((found == 2) & (truth == 1)).sum() < 0.2 * fine.sum()
    assert (found[phases == 2] == 2).all()


def test_beside_objects_each_speck_has_a_number_of_its_own():
    image, phases, truth = specimen(1)
    objects, before = ndimage.label(phases == 2)
    found, specks = with_specks(objects.astype(np.int32), image)
    _, fine = ndimage.label((truth == 2) & (phases == 1))
    assert 0.9 * fine <= specks <= 1.05 * fine
    assert np.array_equal(found[objects > 0], objects[objects > 0])
    assert np.array_equal(np.unique(found), np.arange(before + specks + 1))
    nothing = np.zeros_like(found)
    assert with_specks(nothing, image)[1] == 0


def test_what_the_grey_levels_leave_in_doubt_stays():
    image, phases, _ = specimen(2, gap=-80.0, noise=70.0)
    assert (add_specks(phases, image) == phases).all()


def test_a_few_specks_are_dust():
    _, phases, truth = specimen(3)
    rng = np.random.default_rng(3)
    few = phases.copy()
    rows, cols = np.nonzero((truth == 2) & (phases == 1))
    near_top = rows < 16
    few[rows[near_top], cols[near_top]] = 2
    assert 0 < len(np.unique(cols[near_top] // 24)) < FEWEST
    assert (add_specks(phases, grey_of(few, -80.0, 12.0, rng)) == phases).all()


def test_beside_scratches_and_rims_nothing_is_taken():
    _, phases, truth = specimen(4)
    truth[:, 2:10] = 2
    truth[150:156] = 2
    truth[260:, 140:190] = 2
    image = grey_of(truth, -80.0, 12.0, np.random.default_rng(4))
    assert (add_specks(phases, image) == phases).all()


def test_one_phase_or_three_stay_as_they_are():
    image, phases, _ = specimen(5)
    assert (add_specks(np.ones_like(phases), image) == 1).all()
    three = phases.copy()
    three[:5] = 3
    assert (add_specks(three, image) == three).all()


def test_rows_looked_at_in_parts_join_without_seams(monkeypatch):
    image, phases, _ = specimen(6)
    whole = add_specks(phases, image)
    monkeypatch.setattr("nital.boost.specks.ROWS", 70)
    assert (add_specks(phases, image) != whole).mean() < 1e-3
