"""Scatter between blocks: intervals hold the truth also where neighbours go together."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from nital.metrology.blocks import divide
from nital.metrology.scatter import BlockScatter, design_effect, ratio_interval, relative_errors

REPEATS = 400


def test_independent_counts():
    rng = np.random.default_rng(7)
    wholes = np.full(36, 4.0)
    found = [
        ratio_interval(rng.poisson(8.0, 36).astype(float), wholes, (6, 6)) for _ in range(REPEATS)
    ]
    assert 0.92 <= np.mean([low <= 2.0 <= high for low, high in found]) <= 0.98


def test_what_neighbours_share():
    """Blocks that share half with each neighbour: their squares alone miss most of the scatter."""
    rng = np.random.default_rng(3)
    wholes = np.full(64, 1.0)
    held = alone = 0
    for _ in range(REPEATS):
        field = 20 + ndimage.uniform_filter(rng.standard_normal((9, 9)), 2)[1:, 1:].ravel()
        low, high = ratio_interval(field, wholes, (8, 8))
        held += low <= 20 <= high
        alone += abs(field.mean() - 20) <= 2 * field.std(ddof=1) / 8
    assert alone < 0.75 * REPEATS
    assert held > 0.82 * REPEATS


def test_the_variance_of_independent_blocks_is_unbiased():
    rng = np.random.default_rng(0)
    scatter = BlockScatter((3, 4), np.ones(12, dtype=bool))
    found = []
    for _ in range(2000):
        values = rng.standard_normal(12)
        found.append(scatter.variance(values - values.mean()))
    assert np.mean(found) == pytest.approx(12, rel=0.05)
    spread = np.var(np.array(found) / 12)
    assert scatter.freedom == pytest.approx(2 / spread, rel=0.15)


def test_a_single_block_has_no_interval():
    assert ratio_interval(np.array([3.0]), np.array([10.0]), (1, 1)) is None


def test_nothing_counted_leaves_the_poisson_bound():
    low, high = ratio_interval(np.zeros(9), np.full(9, 2.0), (3, 3))
    assert low == 0
    assert high == pytest.approx(3.689 / 18, rel=1e-3)


def test_errors_of_a_product_add_up():
    """Two counts that go together leave their ratio without error."""
    parts, wholes = np.array([3.0, 5.0, 9.0]), np.array([1.0, 2.0, 3.0])
    errors = relative_errors(parts, wholes) - relative_errors(7 * parts, wholes)
    assert errors == pytest.approx(np.zeros(3))


def test_objects_that_go_together_tell_less():
    rng = np.random.default_rng(1)
    blocks = divide((60, 60), 5.0)
    block = blocks.index(rng.integers(0, 60, 900), rng.integers(0, 60, 900))
    effect = design_effect(block, blocks.shape)
    alone = rng.standard_normal(900)
    assert effect(alone - alone.mean()) < 2
    shared = rng.standard_normal(len(blocks.area))[block]
    assert effect(shared - shared.mean()) > 5
