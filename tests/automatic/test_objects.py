"""Objects of plain shapes: found once, at any scale, with a log that adds up."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from nital.automatic.objects import ObjectOptions, _without_crumbs, find_objects
from nital.models import load_model
from nital.models.tiles import standardise
from nital.simulate import simulate


@pytest.mark.parametrize("target", ["particles", "grains"])
@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_labels_are_at_the_size_of_the_image(target, scale):
    image = standardise(simulate(7, target, (110, 95), scale=22).image)
    found = find_objects(load_model("compact"), image, target, scale)
    assert found.labels.shape == found.confidence.shape == image.shape
    assert found.labels.max() <= max(1, len(found.scores))
    assert ((found.scores >= 0) & (found.scores <= 1)).all()
    assert (found.confidence[found.labels > 0] > 0).all() or not len(found.scores)
    if target == "grains":
        assert (found.labels > 0).all()
        _, pieces = ndimage.label(found.labels == found.labels.max())
        assert pieces == 1
    removed = sum(each["count"] for each in found.log if each["action"] != "merge")
    assert found.facts["candidates"] - removed == found.facts["survivors"]


def test_an_area_that_none_reaches_leaves_nothing():
    image = standardise(simulate(7, "particles", (110, 95), scale=22).image)
    strict = ObjectOptions(smallest_area=1e9)
    found = find_objects(load_model("compact"), image, "particles", 1.0, options=strict)
    assert not found.labels.any()
    assert found.facts["survivors"] == 0
    assert len(found.scores) == 0


def test_grains_that_are_not_found_are_one_grain():
    image = standardise(simulate(7, "grains", (80, 80)).image)
    strict = ObjectOptions(smallest_area=1e9)
    found = find_objects(load_model("compact"), image, "grains", 1.0, options=strict)
    assert (found.labels == 1).all()


def test_crumbs_of_an_object_go_and_large_pieces_stay():
    labels = np.zeros((12, 30), dtype=np.int32)
    labels[1:9, 1:9], labels[1:9, 12:16], labels[10, 20] = 1, 1, 1
    labels[1:4, 25:28] = 2
    once = _without_crumbs(labels, 0.1)
    assert [int((once == n).sum()) for n in (1, 2)] == [96, 9]
    alone = _without_crumbs(labels, 1)
    assert [int((alone == n).sum()) for n in (1, 2)] == [64, 9]
    np.testing.assert_array_equal(_without_crumbs(np.zeros((3, 3), np.int32), 0.1), 0)
