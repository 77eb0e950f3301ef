"""Regions judged by their own phase in their own image."""

import numpy as np

from nital.boost.doubt import reassign_doubtful_regions


def bodies(trust: list[float], speck: float | None = None) -> np.ndarray:
    """Squares of 10 pixels on a matrix, each of a given probability, and a speck of 3 pixels."""
    second = np.full((20, 15 * len(trust) + 10), 0.05, dtype=np.float32)
    for place, value in enumerate(trust):
        second[4:14, 15 * place + 2 : 15 * place + 12] = value
    if speck is not None:
        second[5:8, -5:-2] = speck
    return np.stack([1 - second, second])


def test_a_doubtful_speck_among_sure_bodies_goes() -> None:
    probability = bodies([0.93, 0.95, 0.96, 0.94], speck=0.6)
    named = reassign_doubtful_regions(probability)
    assert named.dtype == np.uint8
    assert not named[5:8, -5:-2].any()
    np.testing.assert_array_equal(named[:, :-8], probability.argmax(0)[:, :-8])


def test_the_same_speck_stays_where_the_bodies_themselves_are_doubtful() -> None:
    probability = bodies([0.6, 0.75, 0.9, 0.65, 0.8], speck=0.6)
    np.testing.assert_array_equal(reassign_doubtful_regions(probability), probability.argmax(0))


def test_the_largest_phase_and_few_regions_are_left_alone() -> None:
    for probability in (bodies([0.95], speck=0.55), bodies([0.9, 0.9])[::-1]):
        np.testing.assert_array_equal(reassign_doubtful_regions(probability), probability.argmax(0))


def test_the_second_choice_may_be_a_third_phase() -> None:
    two = bodies([0.9, 0.92, 0.94, 0.91], speck=0.5)
    third = np.zeros_like(two[:1])
    third[0, 5:8, -5:-2] = 0.4
    two[0, 5:8, -5:-2] = 0.1
    named = reassign_doubtful_regions(np.concatenate([two, third]))
    assert (named[5:8, -5:-2] == 2).all()
