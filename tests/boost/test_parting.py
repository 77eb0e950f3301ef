"""Masks that cross from one texture into another are parted, all others stay as they are."""

from __future__ import annotations

import numpy as np
import pytest

from nital.boost.booster import UNSURE, boost_masks, draw_owners
from nital.boost.materials import MaterialOptions
from nital.boost.parting import cluster_places, evenness, mixed_masks, nearest_centres


@pytest.fixture(scope="module")
def halves():
    """A lattice above row 128, blocks of noise below, of equal mean grey."""
    rng = np.random.default_rng(0)
    rows, cols = np.indices((128, 256))
    lattice = np.sin(2 * np.pi * rows / 8) * np.sin(2 * np.pi * cols / 8)
    noise = 0.5 * rng.standard_normal((16, 32)).repeat(8, 0).repeat(8, 1)
    image = np.concatenate([lattice, noise]) + 0.1 * rng.standard_normal((256, 256))
    return ((image - image.mean()) / image.std()).astype(np.float32)


def test_a_mask_over_two_textures_is_parted_between_them(halves, boxes_as_masks):
    masks = boxes_as_masks([(0, 0, 256, 128), (0, 128, 256, 256)])
    parted = boost_masks(halves, masks, options=MaterialOptions(number=2))
    above, below = parted.phases[60, 128], parted.phases[200, 128]
    assert above != below
    assert (parted.phases[:112] == above).mean() > 0.98
    assert (parted.phases[144:] == below).mean() > 0.98
    actions = [(entry["action"], entry["masks"]) for entry in parted.log]
    assert ("part", [0]) in actions
    assert ("part", [1]) in actions
    joined = boost_masks(halves, masks, options=MaterialOptions(number=2, part=False))
    assert all(len(np.unique(joined.phases[:, cols])) == 1 for cols in (60, 200))


def test_masks_of_one_texture_keep_their_outlines(halves, boxes_as_masks):
    boxes = [(0, 0, 126, 256), (130, 0, 256, 256)]
    found = boost_masks(halves, boxes_as_masks(boxes), options=MaterialOptions(number=2))
    assert set(np.unique(found.phases[:126])) == {0, found.phases[60, 128]}
    assert (found.phases[:126] > 0).mean() > 0.99
    assert not found.phases[126:130].any()
    assert "part" not in [entry["action"] for entry in found.log]


def test_the_number_is_found_from_the_places(halves, boxes_as_masks):
    masks = boxes_as_masks([(0, 0, 256, 128), (0, 128, 256, 256)])
    found = boost_masks(halves, masks)
    assert found.materials.number == 2
    assert found.facts["number_rule"] == "scatter"
    assert [row[0] for row in found.facts["number_curve"]] == [1, 2, 3, 4]


def test_a_mask_too_small_for_a_crop_is_parted_too(halves, boxes_as_masks):
    masks = boxes_as_masks([(0, 0, 100, 256), (156, 0, 256, 256), (108, 10, 148, 50)])
    found = boost_masks(halves, masks, options=MaterialOptions(number=2))
    assert (found.phases[108:120, 12:48] == found.phases[60, 128]).all()
    assert (found.phases[136:146, 12:48] == found.phases[200, 128]).all()


def test_a_small_mask_of_one_texture_is_named_by_its_own_crops(halves, boxes_as_masks):
    masks = boxes_as_masks([(0, 0, 100, 256), (156, 0, 256, 256), (104, 10, 122, 30)])
    found = boost_masks(halves, masks, options=MaterialOptions(number=2))
    assert (found.phases[106:120, 12:28] == found.phases[60, 128]).all()


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_the_smallest_number_that_leaves_even_materials(number):
    rng = np.random.default_rng(number)
    levels = 3.0 * np.repeat(np.arange(number), 240 // number)
    places = np.stack([np.tile(levels[:, None], 20), np.zeros((len(levels), 20))])
    places = (places + 0.2 * rng.standard_normal(places.shape)).astype(np.float32)
    found = clustered(places)
    assert len(found.centres) == number
    given = clustered(places, number=3)
    assert len(given.centres) == 3


def test_a_brightness_that_wanders_is_one_material():
    places = np.zeros((2, 40, 40), dtype=np.float32)
    places[0] = np.linspace(0, 2.3, 40)
    found = clustered(places)
    assert len(found.centres) == 1
    assert found.curve[1][2] > 1.2  # far apart, but not cleft


def test_three_in_a_row_are_found_though_two_are_not_cleft():
    places = np.zeros((2, 42, 42), dtype=np.float32)
    places[0] = np.repeat([0.0, 0.9, 1.8], 14)
    rng = np.random.default_rng(0)
    places += (0.1 * rng.standard_normal(places.shape)).astype(np.float32)
    assert len(clustered(places).centres) == 3


def test_two_clear_groups_are_two_materials_however_near():
    rng = np.random.default_rng(0)
    places = (0.03 * rng.standard_normal((2, 40, 40))).astype(np.float32)
    places[0, :, 20:] += 0.4
    assert len(clustered(places).centres) == 2
    places[0, :, 20:] -= 0.4
    places[0, :5, :5] += 0.4  # a grain of one material
    assert len(clustered(places).centres) == 1


def test_two_that_are_alike_are_not_joined_to_cut_a_third_where_its_brightness_wanders():
    places = np.zeros((2, 40, 50), dtype=np.float32)
    places[0] = np.linspace(0, 4, 40)[:, None]
    places[1, :, 40:] = 2.3
    rng = np.random.default_rng(0)
    places += (0.1 * rng.standard_normal(places.shape)).astype(np.float32)
    centres = clustered(places, number=2).centres
    assert np.abs(np.sort(centres[:, 1]) - [0, 2.3]).max() < 0.1
    assert np.abs(centres[:, 0] - 2).max() < 0.1


def clustered(places, **options):
    """Clusters of places that all lie under masks and all count alike."""
    even = np.ones(places.shape[1:], dtype=np.float32)
    return cluster_places(places, even, even > 0, MaterialOptions(**options))


def test_places_take_the_nearest_centre_at_the_size_of_the_image():
    places = np.zeros((1, 4, 8), dtype=np.float32)
    places[0, :, 4:] = 1
    nearest = nearest_centres([places, places], np.array([[0.0], [1.0]]), (32, 64))
    assert (nearest[:, :30] == 0).all()
    assert (nearest[:, 34:] == 1).all()


def test_the_share_of_a_mask_that_disagrees(boxes_as_masks):
    owner = draw_owners(boxes_as_masks([(0, 0, 10, 20), (20, 0, 30, 20)]), (40, 20))
    nearest = np.zeros((40, 20), dtype=np.intp)
    nearest[:5] = 1
    np.testing.assert_allclose(mixed_masks(owner, nearest, np.array([0, 0])), [0.5, 0.0])
    np.testing.assert_allclose(mixed_masks(owner, nearest, np.array([1, 1])), [0.5, 1.0])


def test_places_that_look_into_two_materials_count_little():
    places = np.zeros((1, 8, 20), dtype=np.float32)
    places[0, :, 10:] = 3
    even = evenness(places, MaterialOptions())
    assert (even[:, :8] == 1).all()
    assert (even[:, 12:] == 1).all()
    assert even[:, 9:11].max() < 0.05
    assert even.min() > 0


def test_what_only_a_compound_mask_covered_takes_its_own_texture(halves, boxes_as_masks):
    boxes = [(0, 0, 256, 256), (0, 0, 126, 256), (130, 0, 256, 160)]
    found = boost_masks(halves, boxes_as_masks(boxes), options=MaterialOptions(number=2))
    assert "compound" in [entry["reason"] for entry in found.log]
    below = found.phases[200, 60]
    assert below != found.phases[60, 60]
    assert (found.phases[144:, 170:] == below).mean() > 0.98
    assert (found.confidence[144:240, 170:240] == UNSURE).all()
