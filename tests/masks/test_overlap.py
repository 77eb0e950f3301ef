"""Pairs, overlaps and suppression against brute force and rasterised truth."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nital.masks.instances import Instances
from nital.masks.overlap import agreement, overlaps, suppress, touching_pairs

few = settings(derandomize=True, max_examples=40, deadline=None)
corners = arrays(np.float32, st.tuples(st.integers(0, 14), st.just(4)), elements=st.integers(0, 9))


@few
@given(corners)
def test_touching_pairs_against_brute_force(boxes):
    boxes = np.concatenate(
        [np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], axis=1
    )
    expected = {
        (i, j)
        for i, j in combinations(range(len(boxes)), 2)
        if (np.maximum(boxes[i, :2], boxes[j, :2]) < np.minimum(boxes[i, 2:], boxes[j, 2:])).all()
    }
    found = [tuple(pair) for pair in touching_pairs(boxes)]
    assert len(found) == len(set(found))
    assert set(found) == expected


def rasterised(instances: Instances, index: int, step: float) -> np.ndarray:
    """The mask of one candidate on a fine grid over (-40, -40) to (104, 104), cell by cell."""
    centres = np.arange(-40, 104, step) + step / 2
    grid = instances.logits.shape[1]
    window = instances.windows[index]
    cells, inside = [], []
    for axis in (0, 1):
        low, high = window[axis], window[axis + 2]
        cell = np.floor((centres - low) / (high - low) * grid).astype(int)
        inside.append((cell >= 0) & (cell < grid))
        cells.append(cell.clip(0, grid - 1))
    mask = (instances.logits[index] > 0)[cells[0]][:, cells[1]]
    return mask & inside[0][:, None] & inside[1]


def test_overlaps_against_rasterised_truth(random_discs):
    instances = random_discs(3, 12)
    step = 0.25
    truth = [rasterised(instances, k, step) for k in range(len(instances))]
    pairs, shared = overlaps(instances)
    found = {(int(i), int(j)): float(s) for (i, j), s in zip(pairs, shared, strict=True)}
    assert (shared > 0).all()
    for i, j in combinations(range(len(instances)), 2):
        expected = float((truth[i] & truth[j]).sum()) * step**2
        rim = 2 * np.sqrt(np.pi * max(expected, 1)) * np.sqrt(instances.cell_areas[[i, j]].max())
        assert found.get((i, j), 0.0) == pytest.approx(expected, abs=0.5 * rim)


def test_overlap_of_two_discs_is_that_of_the_formula(candidates):
    radius, gap = 10.0, 8.0
    pair = candidates([[20, 20, radius], [20, 20 + gap, radius]], [[8, 8, 32, 32], [5, 13, 35, 43]])
    half = np.arccos(gap / (2 * radius))
    lens = 2 * radius**2 * half - gap / 2 * np.sqrt(4 * radius**2 - gap**2)
    pairs, shared = overlaps(pair)
    assert pairs.tolist() == [[0, 1]]
    assert shared[0] == pytest.approx(lens, rel=0.03)


def test_no_candidates_and_no_overlaps(candidates):
    for few_of_them in (Instances.empty(8), candidates([[5, 5, 3]], [[0, 0, 10, 10]])):
        pairs, shared = overlaps(few_of_them)
        assert pairs.shape == (0, 2)
        assert shared.shape == (0,)
        assert len(suppress(few_of_them)) == len(few_of_them)


def conflicts(instances: Instances, iou: float, cover: float) -> set[tuple[int, int]]:
    """Pairs (better, worse) that may not both survive."""
    pairs, shared = overlaps(instances)
    areas, scores = instances.areas, instances.scores
    found = set()
    for (i, j), common in zip(pairs, shared, strict=True):
        better, worse = (i, j) if scores[i] > scores[j] else (j, i)
        union = areas[i] + areas[j] - common
        if common > iou * union or common > cover * areas[worse]:
            found.add((int(better), int(worse)))
    return found


@few
@given(st.integers(0, 10**6), st.integers(1, 25), st.floats(0.2, 0.9), st.floats(0.3, 0.95))
def test_suppression(random_discs, seed, count, iou, cover):
    instances = random_discs(seed, count)
    survivors = suppress(instances, iou, cover)
    kept = set(survivors.tolist())
    assert len(kept) == len(survivors)
    assert (np.diff(instances.scores[survivors]) < 0).all()
    against = conflicts(instances, iou, cover)
    assert not any(better in kept and worse in kept for better, worse in against)
    for gone in set(range(count)) - kept:
        assert any((better, gone) in against for better in kept)

    order = np.random.default_rng(seed).permutation(count)
    again = suppress(instances.take(order), iou, cover)
    assert np.array_equal(order[again], survivors)


def test_equal_windows_measure_alike_in_any_order(candidates):
    discs = [[20, 20, 7.3], [23.1, 24.2, 6.1], [18.7, 27.9, 8.8]]
    windows = [[r - 15.3, c - 15.3, r + 15.3, c + 15.3] for r, c, _ in discs]
    _, shared = overlaps(candidates(discs, windows))
    _, reversed_shared = overlaps(candidates(discs[::-1], windows[::-1]))
    assert sorted(shared.tolist()) == sorted(reversed_shared.tolist())


def test_the_better_of_two_copies_stays_and_a_part_goes(candidates):
    window = [0, 0, 40, 40]
    three = candidates(
        [[20, 20, 10], [20, 20, 10], [20, 16, 4]], [window] * 3, scores=[0.6, 0.8, 0.7]
    )
    assert suppress(three).tolist() == [1]
    assert suppress(three, cover_threshold=1.0).tolist() == [1, 2]
    assert suppress(three, iou_threshold=1.0, cover_threshold=1.0).tolist() == [1, 2, 0]


def test_of_equal_scores_the_earlier_stays(candidates):
    twice = candidates([[20, 20, 10]] * 2, [[0, 0, 40, 40]] * 2, scores=[0.5, 0.5])
    assert suppress(twice).tolist() == [0]


def test_one_window_and_many_give_the_same(random_discs):
    discs = random_discs(3, 12)
    shared_window = np.tile(np.array([0, 0, 64, 64], np.float32), (len(discs), 1))
    here = Instances(discs.logits, shared_window, discs.scores, discs.points)
    apart = np.array([[200, 200, 264, 264]], np.float32)
    last = Instances(discs.logits[:1], apart, discs.scores[:1], discs.points[:1])
    pairs, shared = overlaps(here)
    slow_pairs, slow_shared = overlaps(Instances.join([here, last]))
    assert len(pairs) > 0
    np.testing.assert_array_equal(pairs, slow_pairs)
    np.testing.assert_allclose(shared, slow_shared, rtol=1e-6)


def test_agreement_against_rasterised_truth(random_discs):
    one, two = random_discs(5, 12), random_discs(6, 12)
    two.windows[:6] = one.windows[:6] + np.array([1, 2, 1, 2], dtype=np.float32)
    found = agreement(one, two)
    for k in range(12):
        first, second = rasterised(one, k, 0.25), rasterised(two, k, 0.25)
        expected = np.count_nonzero(first & second) / max(np.count_nonzero(first | second), 1)
        assert found[k] == pytest.approx(expected, abs=0.06)
    assert found[:6].min() > 0.1
    assert agreement(one, one) == pytest.approx(1)
