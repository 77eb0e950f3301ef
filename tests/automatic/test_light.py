"""Uneven light: a known surface over known phases, and steps that are no light."""

import numpy as np
import pytest

from nital.automatic.light import uneven_light

SHAPE = (160, 200)


def blobs(seed: int = 0) -> np.ndarray:
    """(H, W) phases 1 and 2 in blobs of about 10 pixels."""
    from scipy import ndimage

    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=SHAPE), 5)
    return np.where(field > 0.4 * field.std(), 2, 1).astype(np.uint8)


def surface(range_: float) -> np.ndarray:
    """A tilted and bent light of the given range."""
    rows, columns = np.meshgrid(np.linspace(-1, 1, SHAPE[0]), np.linspace(-1, 1, SHAPE[1]))
    light = (rows + 0.5 * columns - 0.4 * columns**2).T
    return light * range_ / np.ptp(light)


def imaged(phases: np.ndarray, light: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, 0.2, SHAPE)
    return (phases + light + noise).astype(np.float32)


@pytest.mark.parametrize("share_wrong", [0.0, 0.2])
def test_the_light_is_found_to_a_tenth_of_the_step_between_phases(share_wrong: float) -> None:
    phases, light = blobs(), surface(3.0)
    image = imaged(phases, light)
    wrong = light > np.quantile(light, 1 - share_wrong)
    seen = np.where(wrong, 2, phases).astype(np.uint8)  # the bright corner taken for phase 2
    found = uneven_light(image, seen)
    assert found is not None
    assert found.shape == SHAPE
    assert abs(float(found.mean())) < 1e-4
    assert np.abs(found - (light - light.mean())).max() < 0.1


def test_phases_by_the_light_alone_do_not_hide_it() -> None:
    phases, light = blobs(), surface(6.0)
    seen = np.where(light > np.median(light), 2, 1).astype(np.uint8)
    found = uneven_light(imaged(phases, light), seen)
    assert found is not None
    assert np.corrcoef(found.ravel(), light.ravel())[0, 1] > 0.99


def test_even_light_is_left_alone() -> None:
    phases = blobs()
    assert uneven_light(imaged(phases, np.zeros(SHAPE)), phases) is None
    assert uneven_light(imaged(phases, surface(0.7)), phases) is None


def test_a_step_between_two_halves_is_no_light() -> None:
    halves = np.ones(SHAPE, dtype=np.uint8)
    halves[:, 90:] = 2
    assert uneven_light(imaged(halves, np.zeros(SHAPE)), halves) is None


def test_levels_of_layers_are_not_taken_for_light_across_them() -> None:
    layers = np.repeat(np.arange(1, 5, dtype=np.uint8), SHAPE[0] // 4)[:, None]
    layers = np.broadcast_to(layers, SHAPE).copy()
    seen = np.where(layers > 2, 2, 1).astype(np.uint8)
    assert uneven_light(imaged(layers, np.zeros(SHAPE)), seen) is None


def test_one_phase_says_nothing_of_the_light() -> None:
    whole = np.ones(SHAPE, dtype=np.uint8)
    assert uneven_light(imaged(whole, surface(3.0)), whole) is None


def test_the_unit_of_the_grey_levels_does_not_matter() -> None:
    phases, light = blobs(), surface(2.0)
    image = imaged(phases, light)
    one, thousand = uneven_light(image, phases), uneven_light(1000 * image + 500, phases)
    assert one is not None
    assert thousand is not None
    np.testing.assert_allclose(1000 * one, thousand, atol=1.0)
