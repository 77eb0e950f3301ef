"""Objects of plain shapes: found once, at any scale, with a log that adds up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from nital.automatic.objects import (
    Look,
    ObjectOptions,
    _without_crumbs,
    candidates,
    claimed_share,
    clean,
    find_objects,
    with_likely,
)
from nital.automatic.resample import rescale
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


def crowd(side: int = 240, spacing: int = 16) -> np.ndarray:
    """Blurred discs of several contrasts on a grid, in noise: some sure, some doubtful."""
    rng = np.random.default_rng(3)
    rows, cols = np.indices((side, side))
    distance = np.hypot(rows % spacing - spacing / 2, cols % spacing - spacing / 2)
    contrast = np.kron(
        rng.choice([25.0, 90.0], (side // spacing,) * 2), np.ones((spacing, spacing))
    )
    grey = 90 + contrast / (1 + np.exp(1.5 * (distance - 4.5)))
    grey += 14 * rng.standard_normal(grey.shape)
    return standardise(grey.clip(0, 255).astype(np.uint8))


def looked_at(options: ObjectOptions):
    """The crowd enlarged twice: its candidates, the sure ones with their log, and the look."""
    image = crowd()
    found, maps = candidates(load_model("compact"), rescale(image, 2.0), "particles")
    return found, clean(found, maps, "particles", options), Look(image, 2.0, maps)


def test_beside_many_sure_particles_doubtful_ones_that_are_likely_are_taken():
    options = ObjectOptions(lowest_score=0.85, many_sure=1, certainty_beside_many=0.0)
    found, sure, seen = looked_at(options)
    taken, log = with_likely(sure, found, seen, options)
    assert len(taken) > len(sure[0]) > 0
    assert claimed_share(taken, seen.maps, "particles") > claimed_share(
        sure[0], seen.maps, "particles"
    )
    assert taken.scores.min() >= options.doubtful_score
    picky, _ = with_likely(sure, found, seen, replace(options, certainty_beside_many=2.0))
    assert picky.scores.min() >= options.lowest_score
    removed = sum(each["count"] for each in log)
    assert len(found) - removed == len(taken)


def test_beside_few_others_are_looked_for_only_where_little_is_claimed():
    options = ObjectOptions(lowest_score=0.85, many_sure=10**6, enough_claimed=1.1)
    found, sure, seen = looked_at(options)
    taken, _ = with_likely(sure, found, seen, replace(options, certainty_beside_few=0.0))
    strict, _ = with_likely(sure, found, seen, replace(options, certainty_beside_few=0.1))
    assert len(taken) > len(strict) > 0
    none, log = with_likely(sure, found, seen, replace(options, certainty_beside_few=2.0))
    assert none is sure[0]
    assert log is sure[1]
    enough, _ = with_likely(sure, found, seen, replace(options, enough_claimed=0.0))
    assert enough is sure[0]


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


def rods_with_bands(seed: int = 1, side: int = 420) -> np.ndarray:
    """Fourteen rods on a bright ground, each with two dark bands across."""
    rng = np.random.default_rng(seed)
    rows, cols = np.indices((side, side))
    taken, grey, drawn = np.zeros((side, side), dtype=bool), np.full((side, side), 190.0), 0
    while drawn < 14:
        angle, row, col = rng.uniform(0, np.pi), *rng.uniform(20, side - 20, 2)
        along = (rows - row) * np.cos(angle) + (cols - col) * np.sin(angle)
        across = (cols - col) * np.cos(angle) - (rows - row) * np.sin(angle)
        rod = (abs(along) < 75) & (abs(across) < 13)
        if (ndimage.binary_dilation(rod, iterations=3) & taken).any():
            continue
        taken, drawn = taken | rod, drawn + 1
        grey[rod] = level = 100 + 10 * rng.normal()
        for place in rng.uniform(-75, 75, 2):
            grey[rod & (abs(along - place) < 6)] = level - 40
    grey = ndimage.gaussian_filter(grey, 1.2) + 6 * rng.standard_normal(grey.shape)
    return grey.clip(0, 255).astype(np.uint8)


def test_pieces_between_which_no_boundary_shows_are_one_particle():
    image, model = standardise(rods_with_bands()), load_model("compact")
    apart = replace(ObjectOptions(), weak_boundary_particles=0.0)
    pieces, found = (
        find_objects(model, image, "particles", 2.0, options=options).labels
        for options in (apart, ObjectOptions())
    )
    assert np.array_equal(pieces > 0, found > 0)
    counts = [len(np.unique(labels)) - 1 for labels in (pieces, found)]
    assert 14 <= counts[1] < 0.6 * counts[0]
