"""Feret diameters against the convex hull of all pixel corners."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from nital.metrology.feret import feret_diameters
from nital.metrology.hulls import corner_hulls
from nital.metrology.runs import find_runs, object_runs


def of_labels(labels):
    labels = labels.astype(np.int32)
    runs = find_runs(labels, np.zeros(labels.shape, np.uint8), np.empty(0, np.int64))
    count = int(labels.max())
    objects = object_runs(runs, count)
    return feret_diameters(corner_hulls(objects.runs, objects.owner, count))


def by_hull(mask):
    corners = np.concatenate(
        [np.argwhere(mask) + offset for offset in itertools.product((0, 1), repeat=2)]
    )
    hull = ConvexHull(corners)
    points = corners[hull.vertices]
    widths = np.ptp(points @ hull.equations[:, :2].T, axis=0)
    return pdist(points).max(), widths.min()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.booleans()))
def test_any_mask_even_in_pieces(mask):
    if not mask.any():
        return
    largest, smallest = of_labels(mask)
    assert (largest[0], smallest[0]) == pytest.approx(by_hull(mask))


def test_many_objects_at_once(voronoi):
    labels = voronoi(80, (120, 140))
    largest, smallest = of_labels(labels)
    expected = [by_hull(labels == label) for label in range(1, 81)]
    np.testing.assert_allclose(np.column_stack([largest, smallest]), expected)


def test_in_portions(voronoi, monkeypatch):
    labels = voronoi(30, (60, 60))
    whole = of_labels(labels)
    monkeypatch.setattr("nital.metrology.feret._PAIRS_AT_ONCE", 100)
    np.testing.assert_array_equal(whole, of_labels(labels))
