"""Contours over the micrograph: where they are, and what they leave alone."""

from __future__ import annotations

import numpy as np
import pytest

from nital.micrograph import Micrograph
from nital.report.overlay import (
    PHASE_COLOURS,
    contour_mask,
    draw_overlay,
    draw_picture,
    phase_colour,
    stretch_contrast,
)


def test_two_touching_objects_share_a_line_one_pixel_wide():
    labels = np.ones((20, 20), dtype=np.int32)
    labels[:, 10:] = 2
    mask = contour_mask(labels)
    assert mask.sum() == 20
    assert bool(mask[:, 10].all())


def test_contours_against_the_background_lie_in_the_object():
    labels = np.zeros((20, 20), dtype=np.int32)
    labels[5:12, 6:15] = 3
    mask = contour_mask(labels)
    assert mask.sum() == 2 * 9 + 2 * 5
    assert bool((labels[mask] == 3).all())


def test_contours_separate_all_objects(voronoi):
    from skimage.measure import label

    labels = voronoi(30, (120, 140))
    interiors = label(~contour_mask(labels), connectivity=1)
    for region in range(1, int(interiors.max()) + 1):
        assert len(np.unique(labels[interiors == region])) == 1


def test_the_picture_has_the_size_of_the_image_and_the_colour_of_the_phase(wrap):
    labels = np.zeros((60, 80), dtype=np.int32)
    labels[10:20, 10:20], labels[30:40, 30:40] = 1, 2
    phases = np.where(labels == 2, 3, np.where(labels == 1, 2, 1)).astype(np.uint8)
    picture = draw_overlay(wrap(labels, phases))
    assert picture.shape == (60, 80, 3)
    assert picture.dtype == np.uint8
    assert tuple(picture[10, 15]) == phase_colour("particles", 2) == PHASE_COLOURS[0]
    assert tuple(picture[30, 35]) == phase_colour("particles", 3) == PHASE_COLOURS[1]
    grey = np.ptp(picture.astype(int), axis=2) == 0
    assert np.array_equal(~grey, contour_mask(labels))


def test_the_first_phase_of_objects_is_the_most_visible():
    assert phase_colour("grains", 1) == phase_colour("phases", 2) == PHASE_COLOURS[0]


def test_phases_beyond_the_palette_have_a_colour(wrap):
    labels = np.zeros((9, 9), dtype=np.int32)
    labels[4, 4] = 1
    phases = np.where(labels > 0, 255, 1).astype(np.uint8)
    picture = draw_overlay(wrap(labels, phases))
    assert tuple(picture[4, 4]) in PHASE_COLOURS


def test_the_data_bar_is_left_as_it_is():
    pixels = np.tile(np.arange(100, 140, dtype=np.uint8), (50, 1))
    grey = stretch_contrast(Micrograph(pixels, data_bar_row=40))
    assert np.array_equal(grey[40:], pixels[40:])
    assert (grey[:40].min(), grey[:40].max()) == (0, 255)


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [
        (10, 60, np.uint8),
        (30_000, 30_900, np.uint16),
        (-1e-9, 1e-9, np.float32),
        (-3e38, 3e38, np.float32),
        (5.0, 7.0, np.float32),
    ],
)
def test_any_range_of_grey_levels_is_stretched_in_order(low, high, dtype):
    ramp = np.linspace(low, high, 2000).astype(dtype).reshape(20, 100)
    grey = stretch_contrast(Micrograph(ramp))
    assert (grey.min(), grey.max()) == (0, 255)
    assert bool((np.diff(grey.ravel().astype(int)) >= 0).all())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_flat_image_is_mid_grey(dtype):
    grey = stretch_contrast(Micrograph(np.full((9, 9), 7, dtype=dtype)))
    assert bool((grey == 128).all())


def test_one_bright_speck_does_not_darken_the_picture():
    pixels = np.tile(np.arange(100, dtype=np.uint16), (100, 1))
    pixels[50, 50] = 65535
    assert np.median(stretch_contrast(Micrograph(pixels))) == pytest.approx(128, abs=3)


def test_shrunk_pictures_keep_their_shape_and_closed_contours(wrap, voronoi):
    segmentation = wrap(voronoi(12, (300, 450)))
    picture = draw_overlay(segmentation, 150)
    assert picture.shape == (100, 150, 3)
    assert draw_picture(segmentation.micrograph, 150).shape == (100, 150)
    assert draw_picture(segmentation.micrograph, 450).shape == (300, 450)
    coloured = np.ptp(picture.astype(int), axis=2) > 0
    assert 0.02 < coloured.mean() < 0.25


def test_lines_widen_with_the_image(wrap):
    labels = np.ones((40, 6000), dtype=np.int32)
    labels[:, 3000:] = 2
    picture = draw_overlay(wrap(labels))
    coloured = np.ptp(picture.astype(int), axis=2) > 0
    assert bool((coloured.sum(axis=1) == 3).all())
