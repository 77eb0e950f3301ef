"""Texture beside the embedding: what it is worth, and regions that differ by it alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

import nital
from nital.automatic.texture import (
    CLEAR_WEIGHT,
    FAINT_WEIGHT,
    FINE_SIDE,
    find_texture,
    on_even_ground,
)
from nital.models.tiles import standardise
from nital.simulate.scene import random_field


def lattice(shape, period):
    rows, cols = np.indices(shape)
    return np.cos(2 * np.pi * rows / period) + np.cos(2 * np.pi * cols / period)


@pytest.fixture(scope="module")
def regions():
    """Three wide regions of equal mean grey: a lattice, fine noise, coarse mottling."""
    rng = np.random.default_rng(0)
    shape = (288, 256)
    truth = np.repeat([1, 2, 3], 96)[:, None].repeat(256, axis=1).astype(np.int32)
    mottled = ndimage.gaussian_filter(rng.standard_normal(shape), 5)
    kinds = (lattice(shape, 12), rng.standard_normal(shape), mottled / mottled.std())
    image = 0.2 * rng.standard_normal(shape)
    for phase, kind in enumerate(kinds, start=1):
        part = kind / kind.std()
        image += (truth == phase) * (part - part[truth == phase].mean())
    return np.clip(128 + 35 * image, 0, 255).astype(np.uint8), truth


def test_regions_of_their_own_texture_count_and_fine_structure_does_not(regions):
    image, _ = regions
    clear = find_texture(standardise(image), "phases", 3)
    assert clear.weight == CLEAR_WEIGHT["phases"]
    rng = np.random.default_rng(1)
    fine = ndimage.gaussian_filter(rng.standard_normal((256, 256)), 2) > 0
    for target in ("phases", "layers"):
        faint = find_texture(standardise(fine.astype(np.float32)), target, 3)
        assert faint.separation < clear.separation
        assert faint.weight == FAINT_WEIGHT.get(target, 0.0)


@pytest.mark.parametrize(("target", "number"), [("layers", 1), ("phases", 2), ("phases", None)])
def test_one_layer_and_two_phases_are_told_without_texture(regions, target, number):
    assert find_texture(standardise(regions[0]), target, number).weight == 0


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (3, 120), (13, 64)])
def test_tiny_images_have_a_texture_too(shape):
    image = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    found = find_texture(image, "layers", 3)
    assert np.isfinite(found.maps).all()
    assert found.maps.shape[1:] == (-(-shape[0] // 4), -(-shape[1] // 4))


def test_large_images_are_looked_at_smaller(monkeypatch, regions):
    monkeypatch.setattr("nital.automatic.texture.LARGEST", 128)
    assert max(find_texture(standardise(regions[0]), "layers", 3).maps.shape[1:]) == 32


def test_raw_masks_are_those_without_texture(regions):
    result = nital.segment(nital.Micrograph(regions[0][:96]), "layers", phases=3, boost=False)
    assert result.parameters["found"]["texture_weight"] == 0


@pytest.mark.parametrize("target", ["phases", "layers"])
def test_regions_that_differ_by_texture_alone_are_found(regions, target):
    image, truth = regions
    result = nital.segment(nital.Micrograph(image), target, phases=3)
    assert result.parameters["found"]["texture_weight"] == CLEAR_WEIGHT[target]
    inner = np.s_[16:-16, 16:-16]
    shares = []
    for phase in (1, 2, 3):
        inside = ndimage.binary_erosion(truth == phase, iterations=12)[inner]
        shares.append(np.bincount(result.phases[inner][inside]).max() / inside.sum())
    assert min(shares) > 0.85
    assert len(np.unique(result.phases[inner])) == 3


@pytest.fixture(scope="module")
def fields():
    """Bare ground, fine spots and fine plates in fields of 40 pixels; two grey levels."""
    rng = np.random.default_rng(3)
    shape = (240, 320)
    truth = 1 + (np.arange(240)[:, None] // 40 + np.arange(320) // 40) % 3
    spots = ndimage.gaussian_filter(rng.standard_normal(shape), 1.6)
    plates = ndimage.gaussian_filter(rng.standard_normal(shape), (0.8, 5))
    bright = (truth == 2) & (spots > spots.std()) | (truth == 3) & (plates > 0)
    image = ndimage.gaussian_filter(bright.astype(float), 0.7) + 0.1 * rng.standard_normal(shape)
    image += 0.2 * random_field(rng, shape, 40)
    return np.clip(80 + 90 * image, 0, 255).astype(np.uint8), truth.astype(np.int32)


def test_fields_of_fine_texture_are_the_phases_where_grey_levels_are_fewer(fields):
    image, truth = fields
    result = nital.segment(nital.Micrograph(image), "phases", phases=3)
    assert result.parameters["found"]["texture_side"] == FINE_SIDE
    shares = []
    for phase in (1, 2, 3):
        inside = ndimage.binary_erosion(truth == phase, iterations=8)
        shares.append(np.bincount(result.phases[inside]).max() / inside.sum())
    assert min(shares) > 0.8
    assert result.labels.any()


def test_grey_levels_are_the_phases_where_there_are_as_many(fields):
    image, truth = fields
    levels = (60.0 * truth + 0.1 * image).astype(np.float32)
    assert not find_texture(standardise(levels), "phases", 3).regions
    assert find_texture(standardise(image), "phases", 3).regions
    assert not find_texture(standardise(image), "layers", 3).regions
    assert not find_texture(standardise(image), "phases", 2).regions


def test_fields_are_found_in_uneven_light(fields):
    light = 1 + 0.3 * np.linspace(-1, 1, 320, dtype=np.float32)
    assert find_texture(standardise(fields[0] * light), "phases", 3).regions


def test_fields_are_looked_for_at_half_the_size_too(fields, monkeypatch):
    monkeypatch.setattr("nital.automatic.texture.CLEAR", np.inf)
    larger = standardise(fields[0].repeat(5, axis=0).repeat(5, axis=1))
    found = find_texture(larger, "phases", 3)
    assert found.regions
    assert found.maps.shape[1:] == (150, 200)


def test_a_contact_of_six_grey_levels_has_no_fields():
    rng = np.random.default_rng(5)
    levels = np.array([215, 105, 140, 25, 55, 165], dtype=np.float32)
    truth = np.clip((random_field(rng, (240, 320), 40) + 2.5).astype(int), 0, 5)
    grey = (
        levels[truth]
        + 10 * rng.standard_normal(truth.shape)
        + 8 * random_field(rng, truth.shape, 12)
    )
    assert not find_texture(standardise(grey), "phases", 6).regions


def test_the_ground_of_a_structure_is_made_even():
    rng = np.random.default_rng(6)
    spots = 3.0 * (random_field(rng, (240, 320), 4) > 1.2)
    slope = np.linspace(-2, 2, 320)[None].repeat(240, axis=0)
    image = standardise(spots + slope + 0.1 * rng.standard_normal(slope.shape))
    even = on_even_ground(image)
    before, after = (
        np.ptp([np.median(each[:, cols : cols + 40]) for cols in (0, 140, 280)])
        for each in (image, even)
    )
    assert after < 0.2 * before
    assert np.corrcoef(even.ravel(), spots.ravel())[0, 1] > 0.9
    assert even.mean() == pytest.approx(0, abs=1e-3)
