"""White noise is measured and taken away where it is strong; structure is not taken for it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nital.automatic.noise import noise_level, without_noise
from nital.models.tiles import standardise

SHAPE = (128, 128)


def discs() -> np.ndarray:
    rows, columns = np.indices(SHAPE)
    return (np.hypot(rows % 32 - 16, columns % 32 - 16) < 9).astype(np.float32)


def noisy(level: float, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, level, SHAPE)
    return (discs() + noise).astype(np.float32)


@given(level=st.floats(0.2, 5.0), seed=st.integers(0, 5))
def test_the_level_is_that_of_the_noise(level: float, seed: int) -> None:
    assert noise_level(noisy(level, seed)) == pytest.approx(level, rel=0.08)


def test_the_level_has_the_unit_of_the_image() -> None:
    image = noisy(0.5)
    assert noise_level(30 * image + 7) == pytest.approx(30 * noise_level(image), rel=1e-3)


def test_noise_as_strong_as_the_structure_goes() -> None:
    image = standardise(noisy(0.6))
    quiet, noise = without_noise(image)
    assert noise == pytest.approx(0.6 / np.hypot(0.6, discs().std()), rel=0.1)
    truth = standardise(discs())
    before = np.corrcoef(image.ravel(), truth.ravel())[0, 1]
    after = np.corrcoef(quiet.ravel(), truth.ravel())[0, 1]
    assert before < 0.65
    assert after > 0.9


def test_weak_noise_stays() -> None:
    image = standardise(noisy(0.1))
    quiet, noise = without_noise(image)
    assert quiet is image
    assert noise == 0.0


def test_fine_structure_is_no_noise() -> None:
    rows, columns = np.indices(SHAPE)
    dots = ((rows % 4 < 2) & (columns % 4 < 2)).astype(np.float32)  # squares of two pixels
    checks = ((rows + columns) % 2).astype(np.float32)
    assert noise_level(dots) == 0.0
    assert noise_level(checks) == 0.0


def test_nothing_can_be_said_of_a_constant_or_a_tiny_image() -> None:
    assert noise_level(np.ones(SHAPE, dtype=np.float32)) == 0.0
    assert noise_level(np.random.default_rng(0).normal(size=(6, 40)).astype(np.float32)) == 0.0
