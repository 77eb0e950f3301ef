"""Size errors on structures whose sizes are exact."""

from __future__ import annotations

import numpy as np
import pytest

from nital.evaluation import sizes


def squares(side: int, size: int = 120) -> np.ndarray:
    """A chessboard of square grains."""
    row, column = np.indices((size, size))
    return (row // side * (size // side) + column // side + 1).astype(np.int32)


def test_mean_grain_area_counts_edge_grains_half_and_corners_a_quarter() -> None:
    # 6 x 6 squares: 16 whole, 16 on an edge, 4 in corners = 16 + 8 + 1 = 25.
    assert sizes.mean_grain_area(squares(20)) == 120 * 120 / 25
    assert np.isnan(sizes.mean_grain_area(np.zeros((4, 4), dtype=int)))


def test_mean_intercept_of_squares_is_their_side() -> None:
    assert sizes.mean_intercept(squares(20)) == 20


def test_diameter_errors_by_hand() -> None:
    truth = np.zeros((10, 10), dtype=int)
    truth[:2, :2], truth[5:7, 5:7] = 1, 2
    found = np.zeros_like(truth)
    found[:4, :4] = 1
    errors = sizes.diameter_errors(truth, found)
    assert errors["count_error"] == -0.5
    for name in ("ecd_mean_error", "ecd_d10_error", "ecd_d50_error", "ecd_d90_error"):
        assert errors[name] == pytest.approx(1)
    assert sizes.diameter_errors(np.zeros_like(truth), found) == {}
    assert sizes.diameter_errors(truth, np.zeros_like(truth)) == {"count_error": -1}


def test_grain_errors_of_a_merged_structure() -> None:
    truth = squares(20)
    drawn = np.zeros(truth.shape, dtype=bool)
    drawn[20::20] = True
    drawn[:, 20::20] = True
    same = sizes.grain_size_errors(drawn, truth)
    assert same["grain_area_error"] == 0
    assert same["astm_g_error"] == 0
    assert same["intercept_error"] == pytest.approx(0, abs=0.01)
    # Twice the side: 1 whole, 4 on an edge, 4 in corners of 3 x 3 = 1 + 2 + 1 = 4 grains.
    coarse = sizes.grain_size_errors(drawn, squares(40))
    assert coarse["grain_area_error"] == pytest.approx(25 / 4 - 1)
    assert coarse["astm_g_error"] == pytest.approx(np.log2(4 / 25))
    assert sizes.grain_size_errors(np.ones_like(drawn), truth) == {}
