import numpy as np
import pytest

from nital.simulate.boundaries import (
    draw_boundaries,
    edge_pixels,
    junctions,
    mean_intercept,
    tidy,
)

HALVES = np.repeat([[1] * 20 + [2] * 20], 30, axis=0).astype(np.int32)


def test_edge_pixels_are_the_two_sides_of_a_wall():
    edge, other = edge_pixels(HALVES)
    assert (np.flatnonzero(edge[5]) == [19, 20]).all()
    assert (other[5, [19, 20]] == [2, 1]).all()


@pytest.mark.parametrize("width", [1.0, 2.0, 3.5, 8.0])
def test_line_is_as_wide_as_asked(width):
    lines = draw_boundaries(
        np.random.default_rng(0), HALVES, width=width, spread=0, strength=(1.0, 1.0)
    )
    np.testing.assert_allclose(lines.sum(axis=1), width, atol=1e-5)


def test_gaps_take_their_share_but_not_the_rest():
    lines = draw_boundaries(
        np.random.default_rng(2),
        np.repeat(HALVES, 20, axis=0),
        width=2.0,
        spread=0,
        strength=(1.0, 1.0),
        gaps=0.3,
    )
    assert (lines[:, 19] < 0.5).mean() == pytest.approx(0.3, abs=0.02)


def test_fainter_side_decides_the_strength():
    faint = np.array([1.0, 1.0, 0.25], np.float32)
    lines = draw_boundaries(
        np.random.default_rng(0), HALVES, width=2.0, spread=0, strength=(1.0, 1.0), faint=faint
    )
    assert lines.max() == pytest.approx(0.25)


def test_ragged_line_stays_near_its_wall_and_in_range():
    lines = draw_boundaries(np.random.default_rng(0), HALVES, width=6.0, ragged=1.0)
    assert 0 <= lines.min() <= lines.max() <= 1
    assert lines[:, 16:24].mean() > 3 * lines[:, :10].mean()
    assert len(np.unique(lines.sum(axis=1))) > 20


def test_one_grain_has_no_lines():
    one = np.ones((10, 12), np.int32)
    assert not draw_boundaries(np.random.default_rng(0), one, width=3.0).any()


def test_junction_where_three_grains_meet():
    labels = HALVES.copy()
    labels[15:, :20] = 3
    assert junctions(labels).tolist() == [[14, 19]]


def test_tidy_numbers_regions_and_drops_fragments():
    labels = HALVES.copy() * 7
    labels[3:5, 3:5] = 99
    labels[20:, :5] = 14
    assert len(np.unique(tidy(labels, 1))) == 4
    cleaned = tidy(labels, 5)
    assert np.unique(cleaned).tolist() == [1, 2, 3]
    assert cleaned[3, 3] == cleaned[0, 0]


def test_mean_intercept_of_squares_is_their_side():
    labels = np.kron(np.arange(36).reshape(6, 6), np.ones((10, 10))).astype(np.int32)
    assert mean_intercept(labels) == pytest.approx(10 * 6 / 5)
