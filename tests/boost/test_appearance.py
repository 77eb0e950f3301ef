"""What looks the same is the same phase: the image corrects a guess, and is not misled by none."""

import numpy as np
import pytest

from nital.boost.appearance import join_appearance


def stripes(rng: np.random.Generator, side: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """Phases in stripes of 16 pixels, 1 in one half of them, and their grey levels with noise."""
    truth = np.tile((np.arange(side) // 16) % 2, (side, 1))
    return truth, (truth + 0.25 * rng.standard_normal(truth.shape)).astype(np.float32)


def told(truth: np.ndarray, sure: float = 0.9) -> np.ndarray:
    return np.stack([np.where(truth == k, sure, 1 - sure) for k in (0, 1)]).astype(np.float32)


def test_a_hole_in_a_body_is_filled_from_what_looks_like_it() -> None:
    truth, image = stripes(np.random.default_rng(0))
    wrong = truth.copy()
    wrong[20:40, 18:30] = 0
    probability = told(wrong)
    probability[:, 20:40, 18:30] = np.array([0.6, 0.4], dtype=np.float32)[:, None, None]
    joined = join_appearance(probability, image)
    assert (joined.argmax(0) == truth).mean() > 0.99
    np.testing.assert_allclose(joined.sum(0), 1, atol=1e-5)
    assert joined.dtype == np.float32


def test_grey_levels_that_say_nothing_change_few_sure_answers() -> None:
    rng = np.random.default_rng(1)
    truth, _ = stripes(rng)
    noise = rng.standard_normal(truth.shape).astype(np.float32)
    joined = join_appearance(told(truth), noise)
    assert (joined.argmax(0) == truth).mean() > 0.98


def test_unit_and_offset_of_the_grey_levels_do_not_matter() -> None:
    truth, image = stripes(np.random.default_rng(2))
    one = join_appearance(told(truth, 0.7), image)
    other = join_appearance(told(truth, 0.7), 37 * image + 1200)
    np.testing.assert_allclose(one, other, atol=2e-3)


@pytest.mark.parametrize("weight", [0.0, 0.3])
def test_one_phase_or_a_phase_that_nowhere_leads_is_left_alone(weight: float) -> None:
    truth, image = stripes(np.random.default_rng(3))
    alone = np.ones((1, *truth.shape), dtype=np.float32)
    np.testing.assert_array_equal(join_appearance(alone, image, weight), alone)
    never = told(np.zeros_like(truth))
    np.testing.assert_array_equal(join_appearance(never, image, weight), never)
