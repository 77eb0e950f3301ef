"""Edges at the half maximum, and regions that do not look like their phase."""

import numpy as np
import pytest
from scipy import ndimage

import nital.boost.edges as edges
from nital.boost.edges import drop_unlike_regions, half_maximum_edges


def discs(
    radius: float, spacing: int, shape: tuple[int, int] = (240, 240)
) -> tuple[np.ndarray, np.ndarray]:
    """Truth, 2 within discs and 1 around, and its distance map (positive inside)."""
    rows, cols = np.indices(shape)
    half = spacing / 2
    inside = radius - np.hypot(rows % spacing - half, cols % spacing - half)
    return np.where(inside > 0, 2, 1).astype(np.uint8), inside


def image_of(inside: np.ndarray, blur: float = 1.5, noise: float = 4.0) -> np.ndarray:
    grey = ndimage.gaussian_filter(np.where(inside > 0, 160.0, 100.0), blur)
    return (grey + noise * np.random.default_rng(1).standard_normal(grey.shape)).astype(np.float32)


@pytest.mark.parametrize("shift", [-2.0, 2.0])
@pytest.mark.parametrize(("radius", "spacing"), [(7, 24), (12, 40), (40, 120)])
def test_outlines_too_wide_or_narrow_go_to_the_half_maximum(shift, radius, spacing):
    truth, inside = discs(radius, spacing)
    off = np.where(inside > -shift, 2, 1).astype(np.uint8)
    mended = half_maximum_edges(off, image_of(inside))
    area = (truth == 2).sum()
    assert abs((off == 2).sum() / area - 1) > 0.08
    assert abs((mended == 2).sum() / area - 1) < 0.06  # small discs lose by blur
    assert (mended != truth).mean() < 0.25 * (off != truth).mean()


def test_grey_scale_and_polarity_do_not_matter():
    _, inside = discs(12, 40)
    off = np.where(inside > -2, 2, 1).astype(np.uint8)
    image = image_of(inside)
    mended = half_maximum_edges(off, image)
    np.testing.assert_array_equal(half_maximum_edges(off, 1000 - 3 * image), mended)


def test_an_image_that_was_seen_reduced_has_wider_bands():
    _, inside = discs(40, 120)
    off = np.where(inside > -7, 2, 1).astype(np.uint8)
    image = image_of(inside, blur=4)
    area = (inside > 0).sum()
    narrow = (half_maximum_edges(off, image) == 2).sum() / area - 1
    wide = (half_maximum_edges(off, image, scale=0.3) == 2).sum() / area - 1
    assert abs(wide) < 0.02 < 0.1 < narrow


def test_phases_that_differ_by_texture_keep_the_edge():
    truth, inside = discs(20, 60)
    rng = np.random.default_rng(2)
    noise = rng.standard_normal(truth.shape)
    image = np.where(inside > 0, noise, ndimage.gaussian_filter(noise, 2) * 7)
    off = np.where(inside > -2, 2, 1).astype(np.uint8)
    assert (half_maximum_edges(off, image.astype(np.float32)) != off).mean() < 0.01


def test_one_phase_and_a_constant_image_stay():
    one = np.ones((40, 50), dtype=np.uint8)
    np.testing.assert_array_equal(half_maximum_edges(one, np.zeros((40, 50), np.float32)), one)
    truth, _ = discs(12, 40)
    flat = np.full(truth.shape, 7.0, dtype=np.float32)
    np.testing.assert_array_equal(half_maximum_edges(truth, flat), truth)
    np.testing.assert_array_equal(drop_unlike_regions(one, np.zeros((40, 50), np.float32)), one)


def test_three_phases_keep_their_numbers():
    rows = np.indices((90, 90))[0]
    truth = (1 + rows // 30).astype(np.uint8)
    grey = ndimage.gaussian_filter(np.array([0, 50.0, 100, 200])[truth], 1.2)
    off = np.roll(truth, 2, axis=0)
    off[:2] = 1
    assert (half_maximum_edges(off, grey.astype(np.float32)) == truth).mean() > 0.99


def test_a_tall_image_in_bands_is_as_one_whole(monkeypatch):
    _, inside = discs(12, 40, (700, 80))
    off = np.where(inside > -2, 2, 1).astype(np.uint8)
    image = image_of(inside)
    whole = half_maximum_edges(off, image)
    monkeypatch.setattr(edges, "ROWS", 100)
    np.testing.assert_array_equal(half_maximum_edges(off, image), whole)


def test_a_region_of_the_wrong_sign_or_of_noise_is_dropped():
    truth, inside = discs(10, 40)
    image = image_of(inside)
    claimed = truth.copy()
    claimed[60:68, 76:84] = 2  # nothing is there
    image[60:68, 76:84] -= 30  # but something darker
    rng = np.random.default_rng(3)
    claimed[136:144, 76:84] = 2
    image[136:144, 76:84] += 10 + 40 * rng.standard_normal((8, 8)).astype(np.float32)
    np.testing.assert_array_equal(drop_unlike_regions(claimed, image), truth)


def test_faint_regions_without_noise_stay():
    truth, inside = discs(10, 40)
    image = image_of(np.where(np.indices(truth.shape)[1] < 80, inside, -1.0), noise=2.0)
    image += np.where((np.indices(truth.shape)[1] >= 80) & (inside > 0), 15.0, 0.0)
    np.testing.assert_array_equal(drop_unlike_regions(truth, image.astype(np.float32)), truth)


def test_a_phase_both_brighter_and_darker_than_the_matrix_keeps_its_regions():
    truth, inside = discs(10, 40)
    left = np.indices(truth.shape)[1] < 120
    image = np.where(inside > 0, np.where(left, 40.0, 160.0), 100.0).astype(np.float32)
    np.testing.assert_array_equal(drop_unlike_regions(truth, image), truth)


def test_a_large_image_is_judged_on_a_sample(monkeypatch):
    truth, inside = discs(10, 40)
    image = image_of(inside)
    claimed = truth.copy()
    claimed[58:70, 74:86] = 2
    image[58:70, 74:86] -= 30
    monkeypatch.setattr(edges, "LARGEST_SAMPLE", truth.size // 3)
    np.testing.assert_array_equal(drop_unlike_regions(claimed, image), truth)
