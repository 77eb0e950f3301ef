"""Clustering and votes on crops of known embedding, and the booster on drawn textures."""

from __future__ import annotations

import numpy as np
import pytest

from nital.boost.booster import boost_masks, draw_materials
from nital.boost.materials import Crops, MaterialOptions, Materials, find_materials, vote
from nital.errors import UsageError
from nital.masks.instances import Instances

few_crops = 6


def crops_at(places, spread=0.02, per_mask=few_crops, seed=0):
    """Crops of one mask per place, scattered around it."""
    rng = np.random.default_rng(seed)
    places = np.asarray(places, dtype=np.float32)
    owner = np.repeat(np.arange(len(places)), per_mask)
    noise = spread * rng.standard_normal((len(owner), places.shape[1]))
    return Crops((places[owner] + noise).astype(np.float32), owner, {})


def test_masks_of_one_place_are_one_material_and_the_largest_is_the_first():
    crops = crops_at([[0, 0], [9, 0], [0, 0.1], [9, 0.1], [0, 9]])
    areas = np.array([10.0, 30, 10, 30, 5])
    found = find_materials(crops, areas, MaterialOptions(number=3))
    assert found.material.tolist() == [2, 1, 2, 1, 3]
    assert found.number == 3
    assert (found.agreement == 1).all()
    merged = {entry["material"]: entry["masks"] for entry in found.log}
    assert merged == {1: [1, 3], 2: [0, 2]}
    assert {entry["reason"] for entry in found.log} == {"same material"}


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_the_number_is_estimated_from_well_parted_materials(number):
    places = [[7.0 * (k % number), 4.0 * (k % number) ** 2] for k in range(3 * number)]
    found = find_materials(crops_at(places, spread=0.05), np.ones(len(places)))
    assert found.number == number
    assert [row[0] for row in found.curve] == list(range(1, min(8, len(places)) + 1))


def test_no_more_materials_than_masks():
    crops = crops_at([[0, 0], [9, 9]])
    assert find_materials(crops, np.ones(2), MaterialOptions(number=5)).number == 2
    assert len(find_materials(crops, np.ones(2)).curve) == 2


def test_crops_nearer_than_the_calibrated_distance_are_one_material():
    crops = crops_at([[0.0, 0], [0.3, 0], [0, 0.3]], spread=0.01)
    assert find_materials(crops, np.ones(3)).number == 1


def test_the_majority_of_crops_decides_a_mask():
    centres = np.array([[0, 0], [10, 0]], dtype=np.float32)
    embeddings = np.array([[0, 0]] * 3 + [[10, 0]] * 2, dtype=np.float32)
    chosen, agreement = vote(Crops(embeddings, np.zeros(5, np.intp), {}), centres, 1)
    assert chosen.tolist() == [0]
    assert agreement[0] == pytest.approx(0.6)


def test_a_tie_goes_to_the_cluster_nearer_to_the_mean():
    centres = np.array([[0, 0], [10, 0]], dtype=np.float32)
    embeddings = np.array([[4, 0], [10, 0]], dtype=np.float32)  # mean 7
    chosen, agreement = vote(Crops(embeddings, np.zeros(2, np.intp), {}), centres, 1)
    assert chosen.tolist() == [1]
    assert agreement[0] == pytest.approx(0.5)


def test_a_mask_without_crops_has_no_material():
    crops = Crops(np.zeros((2, 2), np.float32), np.zeros(2, np.intp), {})
    assert find_materials(crops, np.ones(2)).material.tolist() == [1, 0]
    none = find_materials(Crops(np.zeros((0, 2), np.float32), np.zeros(0, np.intp), {}), np.ones(3))
    assert none.number == 0


def test_a_child_of_another_material_is_encircled(boxes_as_masks):
    masks = boxes_as_masks([(0, 0, 40, 40), (10, 10, 20, 20)])
    materials = Materials(np.array([1, 2]), np.ones(2, np.float32), 2, (), ())
    phases, confidence = draw_materials(masks, materials, (50, 50))
    assert (phases[10:20, 10:20] == 2).all()
    assert (phases == 1).sum() == 40 * 40 - 100
    assert (phases[40:] == 0).all()
    assert confidence[0, 0] == round(255 * 0.9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crops": 0}, "crops must number at least 1"),
        ({"side": 2}, "measure at least 4 pixels"),
        ({"inside": 0}, "share of 0 to 1"),
        ({"number": 0}, "number of materials must be 1 to 8, not 0"),
        ({"texture_weight": 0, "phase_weight": 0}, "nor both 0"),
        ({"phase_weight": -1}, "must not be negative"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        MaterialOptions(**options)


def striped(shape, period, angle):
    rows, cols = np.indices(shape)
    along = rows * np.cos(angle) + cols * np.sin(angle)
    return np.sin(2 * np.pi * along / period)


@pytest.fixture(scope="module")
def two_textures():
    """Fine lattice above, coarse noise below, of equal mean grey, and masks of quarters."""
    rng = np.random.default_rng(0)
    image = np.concatenate(
        [
            striped((128, 256), 8, 0) * striped((128, 256), 8, np.pi / 2),
            0.5 * rng.standard_normal((16, 32)).repeat(8, 0).repeat(8, 1),
        ]
    )
    image = (image + 0.1 * rng.standard_normal(image.shape)).astype(np.float32)
    boxes = [(r, c, r + 128, c + 128) for r in (0, 128) for c in (0, 128)]
    return (image - image.mean()) / image.std(), boxes


def test_textures_of_equal_grey_are_told_apart(two_textures, boxes_as_masks):
    image, boxes = two_textures
    extra = [(0, 0, 256, 256), (20, 20, 40, 40)]  # all of it, and a speck
    boosted = boost_masks(
        image, boxes_as_masks([*boxes, *extra]), options=MaterialOptions(number=2)
    )
    first, second = boosted.phases[64, 64], boosted.phases[192, 64]
    assert first != second
    assert (boosted.phases[:128] == first).mean() > 0.98
    assert (boosted.phases[128:] == second).mean() > 0.98
    assert [entry["reason"] for entry in boosted.log].count("same material") == 2
    assert {
        entry["mask"]: entry["reason"] for entry in boosted.log if entry["action"] == "remove"
    } == {4: "compound", 5: "tiny child"}
    assert boosted.facts["number_curve"][0][0] == 2


def test_the_phase_embedding_alone_decides_without_texture(two_textures, boxes_as_masks):
    image, boxes = two_textures
    left_and_right = np.zeros((2, 32, 32), dtype=np.float32)
    left_and_right[0, :, 16:] = 9
    options = MaterialOptions(number=2, texture_weight=0)
    boosted = boost_masks(image, boxes_as_masks(boxes), options=options, phase_maps=left_and_right)
    assert boosted.phases[64, 64] == boosted.phases[192, 64] != boosted.phases[64, 192]
    with pytest.raises(UsageError, match="gives no phase embedding"):
        boost_masks(image, boxes_as_masks(boxes), options=options)


def test_no_mask_gives_no_material(two_textures):
    boosted = boost_masks(two_textures[0], Instances.empty(8))
    assert not boosted.phases.any()
    assert boosted.log == ()
