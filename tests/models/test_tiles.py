"""Tiles cover an image once; standardising makes any grey levels comparable."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nital.errors import UsageError
from nital.models.tiles import standardise, tiles_of

few = settings(derandomize=True, max_examples=60, deadline=None)
sides = st.integers(1, 700)


@few
@given(sides, sides, st.integers(64, 200), st.sampled_from([0, 32, 96]))
def test_cores_cover_the_image_once_inside_their_tiles(height, width, tile, margin):
    covered = np.zeros((height, width), dtype=int)
    for each in tiles_of((height, width), tile, margin):
        covered[each.core] += 1
        assert 0 <= each.top <= each.core_top < each.core_bottom <= each.bottom <= height
        assert 0 <= each.left <= each.core_left < each.core_right <= each.right <= width
        for low, side in (
            (each.top, height),
            (each.core_top, height),
            (each.core_bottom, height),
            (each.bottom, height),
            (each.left, width),
            (each.core_left, width),
            (each.core_right, width),
            (each.right, width),
        ):
            assert low % 32 == 0 or low == side
        assert each.top == max(0, each.core_top - margin)
        assert each.right == min(width, each.core_right + margin)
    assert (covered == 1).all()


@few
@given(st.integers(1, 12000), st.integers(64, 1200))
def test_tiles_are_of_nearly_equal_size(length, tile):
    cores = [t.core_right - t.core_left for t in tiles_of((1, length), tile, 96)]
    assert max(cores) <= max(tile + 32, min(length, tile + 192))
    assert max(cores) - min(cores) <= 63


def test_an_image_a_little_larger_than_a_tile_is_one_tile():
    (only,) = tiles_of((1216, 1000))
    assert only.outer == only.core == (slice(0, 1216), slice(0, 1000))
    assert len(list(tiles_of((1217, 1000)))) == 2


def test_a_tile_holds_the_points_of_its_core():
    points = np.random.default_rng(0).uniform(-0.5, [501.5, 641.5], (400, 2))
    held = np.stack([t.holds(points) for t in tiles_of((502, 642), 128, 32)])
    assert (held.sum(0) == 1).all()


@pytest.mark.parametrize(("tile", "margin"), [(63, 96), (128, 50), (128, -32)])
def test_impossible_tiles_are_refused(tile, margin):
    with pytest.raises(UsageError, match="multiple of 32"):
        list(tiles_of((10, 10), tile, margin))


@pytest.mark.parametrize(
    "image",
    [
        np.random.default_rng(0).integers(0, 65536, (40, 60)).astype(np.uint16),
        np.random.default_rng(1).integers(0, 256, (40, 60)).astype(np.uint8),
        (np.random.default_rng(2).random((40, 60)) * 1e-9).astype(np.float32),
        (np.random.default_rng(3).random((40, 60)) * 1e30 - 5e29).astype(np.float32),
        np.arange(10000, dtype=np.uint16)[None],
    ],
    ids=["uint16", "uint8", "range 1e-9", "range 1e30", "one row"],
)
def test_standardised_images_have_zero_mean_and_unit_variance(image):
    before = image.copy()
    result = standardise(image)
    assert result.dtype == np.float32
    assert result.shape == image.shape
    assert result.mean(dtype=float) == pytest.approx(0, abs=1e-4)
    assert result.std(dtype=float) == pytest.approx(1, abs=1e-4)
    assert np.array_equal(image, before)


@few
@given(st.floats(1e-3, 100), st.floats(-100, 100))
def test_gain_and_offset_do_not_matter(gain, offset):
    image = np.random.default_rng(4).random((30, 30)).astype(np.float32)
    np.testing.assert_allclose(
        standardise(image * np.float32(gain) + np.float32(offset * gain)),
        standardise(image),
        atol=1e-3,
    )


@pytest.mark.parametrize("value", [0, 7, 255])
def test_a_constant_image_becomes_zeros(value):
    for dtype in (np.uint8, np.uint16, np.float32):
        for shape in ((1, 1), (33, 47), (1, 5000)):
            assert not standardise(np.full(shape, value, dtype) / dtype(1)).any()
            assert not standardise(np.full(shape, value, dtype)).any()


def test_a_few_hot_pixels_do_not_flatten_the_rest():
    image = np.random.default_rng(5).normal(100, 10, (400, 400)).astype(np.float32)
    image[[3, 50], [7, 200]] = 1e6
    assert np.median(np.abs(standardise(image))) == pytest.approx(0.674, abs=0.05)
