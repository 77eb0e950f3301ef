"""The regular grid covers the image evenly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nital.errors import UsageError
from nital.prompts import regular_grid

SIDES = st.integers(1, 300)


@settings(derandomize=True, max_examples=25, deadline=None)
@given(SIDES, SIDES, st.floats(0.7, 400))
def test_grid_is_even_symmetric_and_inside(height, width, spacing):
    points = regular_grid((height, width), spacing).points[:, 0]
    regular_grid((height, width), spacing).check_inside((height, width))
    for axis, side in enumerate((height, width)):
        positions = np.unique(points[:, axis])
        assert len(positions) == max(1, round(side / spacing))
        np.testing.assert_allclose(positions + positions[::-1], side - 1, atol=1e-3)
        np.testing.assert_allclose(np.diff(positions), side / len(positions), atol=1e-3)
    assert len(points) == np.prod([len(np.unique(points[:, k])) for k in (0, 1)])
    assert len(np.unique(points, axis=0)) == len(points)


def test_known_grid():
    grid = regular_grid((4, 6), 2)
    assert grid.origin == "grid"
    assert grid.points[:, 0].tolist() == [[r, c] for r in (0.5, 2.5) for c in (0.5, 2.5, 4.5)]


@pytest.mark.parametrize("spacing", [0, -1, float("nan")])
def test_spacing_must_be_positive(spacing):
    with pytest.raises(UsageError, match="spacing"):
        regular_grid((10, 10), spacing)
