"""Phases from the embedding: small regions, and what a result holds."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import label

from nital.automatic.materials import find_materials, smooth_regions
from nital.automatic.scale import ScaleChoice
from nital.models import load_model
from nital.models.tiles import standardise
from nital.simulate import simulate


def test_a_small_region_takes_the_phase_around_it():
    phases = np.ones((20, 20), np.uint8)
    phases[:, 10:] = 2
    whole = phases.copy()
    phases[4:6, 4] = 3
    phases[15, 15] = 1
    assert np.array_equal(smooth_regions(phases, 4), whole)


def test_regions_of_the_limit_stay():
    phases = np.ones((12, 12), np.uint8)
    phases[3:5, 3:5] = 2
    assert np.array_equal(smooth_regions(phases, 4), phases)
    assert (smooth_regions(phases, 5) == 1).all()


def test_where_all_regions_are_small_nothing_changes():
    phases = (np.indices((5, 5)).sum(0) % 2 + 1).astype(np.uint8)
    assert np.array_equal(smooth_regions(phases, 4), phases)


@settings(derandomize=True, max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_large_regions_keep_their_pixels_and_no_phase_is_invented(seed):
    rng = np.random.default_rng(seed)
    phases = np.kron(rng.integers(1, 4, (6, 6)), np.ones((4, 4))).astype(np.uint8)
    noisy = np.where(rng.random(phases.shape) < 0.1, 3, phases).astype(np.uint8)
    result = smooth_regions(noisy, 6)
    regions = label(noisy, background=-1, connectivity=1)
    kept = (np.bincount(regions.ravel()) >= 6)[regions]
    assert np.array_equal(result[kept], noisy[kept])
    assert set(np.unique(result)) <= set(np.unique(noisy))
    assert result.dtype == np.uint8


def test_materials_cover_the_image_at_its_own_size():
    image = standardise(simulate(5, "phases", (120, 90)).image)
    shares = []
    choice = ScaleChoice(0.7, ())
    found = find_materials(
        load_model("compact"), image, "phases", choice, number=3, progress=shares.append
    )
    for part in (found.phases, found.probability, found.foreground):
        assert part.shape == image.shape
        assert part.dtype == np.uint8
    assert 1 <= found.phases.min() <= found.phases.max() <= 3
    assert found.facts["number"] == 3
    assert found.facts["number_curve"][-1][0] == 3
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_the_inverted_image_has_the_same_phases():
    image = standardise(simulate(7, "phases", (160, 160)).image)
    model, choice = load_model("compact"), ScaleChoice(1.0, ())
    one, two = (
        find_materials(model, sign * image, "phases", choice, number=2).phases
        for sign in (np.float32(1), np.float32(-1))
    )
    same = float(np.mean(one == two))
    assert max(same, 1 - same) > 0.98
