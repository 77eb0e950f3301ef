"""Clusters proposed by the grey levels beside those of the embedding."""

import numpy as np
import pytest

from nital.automatic.clustering import cluster, grey_levels

SHAPE = (60, 60)


def maps(small_at: float, split: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, grey levels, and the phases: a matrix in two halves, and dark bodies in it.

    The bodies lie ``small_at`` from the matrix in the embedding; its halves ``split`` apart.
    """
    rng = np.random.default_rng(0)
    bodies = np.zeros(SHAPE, dtype=bool)
    bodies[10:16, 10:20] = bodies[40:50, 30:36] = True
    halves = np.where(np.arange(SHAPE[1]) < 30, -0.5, 0.5) * np.ones(SHAPE)
    features = np.stack([split * halves * ~bodies, small_at * bodies, np.zeros(SHAPE)])
    features += rng.normal(0, 0.1, features.shape)
    grey = np.where(bodies, -4.0, 0.2) + rng.normal(0, 0.3, SHAPE)
    return features.astype(np.float16), grey.astype(np.float32), bodies


def found_phases(features: np.ndarray, grey: np.ndarray, number: int | None) -> tuple:
    boundary = np.zeros(SHAPE, dtype=np.float16)
    found = cluster(features, boundary, grey, threshold=1.0, number=number)
    beside = found.beside(features, grey).astype(np.float32)
    distance = ((beside[None] - found.model.centres[:, :, None, None]) ** 2).sum(1)
    return found, distance.argmin(0)


def test_dark_bodies_far_away_in_the_embedding_win_over_a_split_of_the_matrix() -> None:
    features, grey, bodies = maps(small_at=3.0, split=1.2)
    found, phases = found_phases(features, grey, 2)
    assert found.weight > 0
    assert found.model.separation > 3.0
    same = (phases == phases[12, 12]) == bodies
    assert same.mean() > 0.99


def test_what_the_embedding_does_not_part_is_not_parted_by_grey() -> None:
    features, grey, bodies = maps(small_at=0.1, split=2.0)
    found, phases = found_phases(features, grey, 2)
    assert found.weight == 0
    assert found.beside(features, grey) is features
    left = np.arange(SHAPE[1]) < 30
    assert ((phases == phases[0, 0]) == left)[~bodies].all()


def test_the_number_is_estimated_from_the_embedding_alone() -> None:
    features, grey, _ = maps(small_at=3.0, split=0.0)
    found, _ = found_phases(features, grey, None)
    assert found.weight == 0
    assert len(found.model.centres) == 2


@pytest.mark.parametrize("shape", [(40, 60), (41, 60), (40, 61), (41, 61)])
def test_grey_levels_are_means_of_two_by_two_pixels(shape: tuple[int, int]) -> None:
    view = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    grey = grey_levels(view)
    assert grey.shape == (-(-shape[0] // 2), -(-shape[1] // 2))
    assert abs(float(grey.mean())) < 1e-5
    assert float(grey.std()) == pytest.approx(1.0, abs=1e-4)


def test_a_constant_view_has_grey_levels_of_zero() -> None:
    assert not grey_levels(np.full((8, 8), 3.0, dtype=np.float32)).any()
