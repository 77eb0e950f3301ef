"""Edges between textures move to where the texture changes, and no further than they may."""

from __future__ import annotations

import numpy as np
import pytest

from nital.boost.refining import refine_regions


@pytest.fixture
def maps():
    """Four maps of 40 x 60 places; two of them change at column 30."""
    rng = np.random.default_rng(0)
    found = 0.3 * rng.standard_normal((4, 40, 60)).astype(np.float32)
    found[0, :, 30:] += 2
    found[1, :, 30:] *= 4
    return found


def drawn(column, shape=(160, 240)):
    labels = np.full(shape, 1)
    labels[:, column:] = 2
    return labels


@pytest.mark.parametrize("column", [100, 120, 140])
def test_an_edge_moves_to_where_the_texture_changes(maps, column):
    refined = refine_regions(drawn(column), maps, 60)
    assert (refined[:, :112] == 1).all()
    assert (refined[:, 128:] == 2).all()


def test_an_edge_moves_no_further_than_it_may(maps):
    refined = refine_regions(drawn(80), maps, 20)
    assert (refined[:, :76] == 1).all()
    assert (refined[:, 104:] == 2).all()


def test_places_without_a_name_take_one_within_reach(maps):
    labels = drawn(120)
    labels[60:100, 40:200] = 0
    refined = refine_regions(labels, maps, 60)
    assert (refined[:, :112] == 1).all()
    assert (refined[:, 128:] == 2).all()


def test_a_strip_of_a_third_name_along_an_edge_goes(maps):
    maps[2, :30, :15] += 3  # what the third material looks like
    labels = drawn(120)
    labels[:120, :60] = 3
    labels[:, 114:126] = 3
    refined = refine_regions(labels, maps, 60)
    assert (refined[8:112, :52] == 3).all()
    assert (refined[:, 108:132] != 3).mean() > 0.98


def test_nothing_named_stays_nothing_and_one_name_goes_everywhere(maps):
    assert not refine_regions(np.zeros((160, 240), dtype=int), maps, 60).any()
    labels = np.zeros((160, 240), dtype=int)
    labels[:, :40] = 3
    assert (refine_regions(labels, maps, 60) == 3).all()
