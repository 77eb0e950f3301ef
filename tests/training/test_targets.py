"""Targets of analytic scenes: maps, windows and prompts against what geometry says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nital.evaluation.boundaries import label_boundaries
from nital.training.targets import GRID, N_POINTS, N_PROMPTS, make_example

few = settings(derandomize=True, max_examples=30, deadline=None)
seeds = st.integers(0, 10**6)


@few
@given(
    arrays(np.int32, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.integers(0, 3))
)
def test_boundaries_lie_where_labels_differ(labels):
    framed = np.pad(labels, 1, mode="edge")
    expected = np.zeros(labels.shape, bool)
    for shift in ((0, 1), (2, 1), (1, 0), (1, 2)):
        neighbour = framed[shift[0] :, shift[1] :][: labels.shape[0], : labels.shape[1]]
        expected |= neighbour != labels
    assert np.array_equal(label_boundaries(labels), expected)


def test_arrays_have_the_documented_shapes(disc):
    example = make_example(np.random.default_rng(0), disc())
    shapes = {name: array.shape for name, array in example.items()}
    assert shapes == {
        "image": (1, 96, 96),
        "target": (4,),
        "dense": (5, 48, 48),
        "dense_weight": (5, 48, 48),
        "phases": (48, 48),
        "points": (N_PROMPTS, N_POINTS, 2),
        "point_labels": (N_PROMPTS, N_POINTS),
        "boxes": (N_PROMPTS, 4),
        "windows": (N_PROMPTS, 4),
        "masks": (N_PROMPTS, GRID, GRID),
        "has_object": (N_PROMPTS,),
        "prompt_phase": (N_PROMPTS,),
    }
    assert example["image"].dtype == example["dense"].dtype == np.float32
    assert example["image"].mean() == pytest.approx(0, abs=1e-4)
    assert example["image"].std() == pytest.approx(1, abs=1e-4)
    assert example["target"].tolist() == [0, 0, 1, 0]


def test_maps_of_a_disc(disc):
    sample = disc(radius=20)
    dense = make_example(np.random.default_rng(0), sample)["dense"]
    foreground, boundary, distance, log_extent, log_width = dense
    inside = sample.labels[::2, ::2] > 0
    assert np.array_equal(foreground == 1, inside)
    rows, cols = np.mgrid[:48, :48] * 2 + 0.5
    from_rim = np.abs(np.hypot(rows - 40, cols - 50) - 20.5)
    assert (boundary[from_rim < 0.7] == 1).all()
    assert (boundary[from_rim > 2.5] == 0).all()
    assert distance[20, 25] == 1
    assert distance.max() == 1
    assert (distance[~inside] == 0).all()
    expected = (20.5 - np.hypot(rows - 0.5 - 40, cols - 0.5 - 50)) / 20.5
    assert np.abs(distance - expected)[inside].max() < 0.05
    assert log_extent[inside] == pytest.approx(np.log2(41) - 5)
    assert log_width[inside] == pytest.approx(np.log2(40) - 5, abs=0.05)


def test_every_grain_reaches_distance_one_in_its_middle(grains):
    sample = grains()
    distance = make_example(np.random.default_rng(0), sample)["dense"][2]
    half = sample.labels[::2, ::2]
    for label in np.unique(half):
        if (sample.labels == label).sum() > 60:
            assert 0.8 < distance[half == label].max() <= 1


def test_sizes_count_only_where_the_whole_object_is_seen(disc):
    whole = make_example(np.random.default_rng(0), disc())["dense_weight"]
    assert (whole[:3] == 1).all()
    assert whole[3].sum() == whole[4].sum() == (disc().labels[::2, ::2] > 0).sum()
    for centre in ((5, 50), (50, 5), (90, 50), (50, 90)):
        cut = make_example(np.random.default_rng(0), disc(centre=centre))["dense_weight"]
        assert (cut[:3] == 1).all()
        assert not cut[3:].any()


def test_where_the_truth_is_unknown_nothing_counts(disc):
    valid = np.ones((96, 96), bool)
    valid[:, 48:] = False
    example = make_example(np.random.default_rng(0), disc(valid=valid))
    assert not example["dense_weight"][:, :, 24:].any()
    assert (example["phases"][:, 24:] == 0).all()
    assert (example["phases"][:, :24] > 0).all()


def test_doubtful_objects_are_neither_learnt_nor_prompted(disc):
    sample = disc(uncertain=frozenset({1}))
    for seed in range(5):
        example = make_example(np.random.default_rng(seed), sample)
        inside = sample.labels[::2, ::2] > 0
        assert not example["dense_weight"][:, inside].any()
        assert example["dense_weight"][0, ~inside].all()
        assert not example["has_object"].any()


def sampled(mask, window):
    """The mask at the cell centres of a window, one by one."""
    found = np.zeros((GRID, GRID))
    for i in range(GRID):
        for j in range(GRID):
            row = np.floor(window[0] + (i + 0.5) / GRID * (window[2] - window[0]))
            col = np.floor(window[1] + (j + 0.5) / GRID * (window[3] - window[1]))
            if 0 <= row < mask.shape[0] and 0 <= col < mask.shape[1]:
                found[i, j] = mask[int(row), int(col)]
    return found


@settings(derandomize=True, max_examples=6, deadline=None)
@given(seeds)
def test_window_masks_show_the_object_under_the_point(grains, seed):
    sample = grains(seed=seed % 7)
    example = make_example(np.random.default_rng(seed), sample)
    for k in np.flatnonzero(example["has_object"]):
        row, col = example["points"][k, 0].astype(int)
        truth = sample.labels == sample.labels[row, col]
        window = example["windows"][k].astype(float)
        expected = sampled(truth, window)
        assert np.mean(example["masks"][k] != expected) < 0.01
        assert window[2] - window[0] == pytest.approx(window[3] - window[1], rel=1e-4)
        assert window[2] - window[0] >= 5.9


@few
@given(seeds)
def test_prompts_say_the_truth(grains, seed):
    sample = grains(seed=seed % 7)
    example = make_example(np.random.default_rng(seed), sample)
    for k in range(N_PROMPTS):
        first = tuple(example["points"][k, 0].astype(int))
        label = sample.labels[first]
        assert example["prompt_phase"][k] == sample.phases[first]
        for point, kind in zip(example["points"][k], example["point_labels"][k], strict=True):
            if kind >= 0:
                assert (sample.labels[tuple(point.astype(int))] == label) == bool(kind)
        asked = (example["point_labels"][k] == 1).any() or example["boxes"][k].any()
        assert asked
        if example["boxes"][k].any():
            rows, cols = np.nonzero(sample.labels == label)
            box = np.array([rows.min(), cols.min(), rows.max() + 1, cols.max() + 1])
            side = max(box[2] - box[0], box[3] - box[1])
            assert np.abs(example["boxes"][k] - box).max() < 0.35 * side


def test_all_kinds_of_prompts_occur(grains):
    examples = [make_example(np.random.default_rng(seed), grains()) for seed in range(20)]
    kinds = np.concatenate([e["point_labels"] for e in examples])
    boxes = np.concatenate([e["boxes"] for e in examples]).any(1)
    assert (kinds == 0).any()
    assert ((kinds == 1).sum(1) > 1).any()
    assert boxes.any()
    assert (boxes & (kinds == -1).all(1)).any()
    assert (~boxes).any()


def test_background_asks_for_a_phase_only(disc):
    empty = disc(radius=-1)
    example = make_example(np.random.default_rng(0), empty)
    assert not example["has_object"].any()
    assert not example["masks"].any()
    assert (example["prompt_phase"] == 1).all()
    assert (example["point_labels"][:, 0] == 1).all()


def test_where_nothing_is_known_there_are_no_prompts(disc):
    example = make_example(
        np.random.default_rng(0), disc(radius=-1, valid=np.zeros((96, 96), bool))
    )
    assert (example["point_labels"] == -1).all()
    assert not example["dense_weight"].any()


def test_the_same_seed_gives_the_same_example(grains):
    first, second = (make_example(np.random.default_rng(4), grains()) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)
