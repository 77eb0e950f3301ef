"""Simulated cross-sections: exact truth, materials, interfaces that never cross."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nital.errors import UsageError
from nital.simulate.layer_stack import (
    Frame,
    assign,
    draw_frame,
    draw_stack,
    interfaces,
    self_affine,
)
from nital.simulate.layers import simulate_layers


def phases_of_objects(scene):
    return [np.unique(scene.phases[scene.objects == n]) for n in range(1, scene.objects.max() + 1)]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), height=st.integers(64, 140), width=st.integers(64, 140))
def test_a_scene_keeps_its_promises(seed, height, width):
    scene = simulate_layers(np.random.default_rng(seed), (height, width))
    assert scene.target == "layers"
    assert scene.objects.dtype == np.int32
    assert scene.phases.dtype == np.uint8
    count = int(scene.objects.max())
    assert np.array_equal(np.unique(scene.objects[scene.objects > 0]), np.arange(1, count + 1))
    assert np.array_equal(scene.phases == 1, scene.objects == 0)
    assert all(found.size == 1 for found in phases_of_objects(scene))
    assert np.array_equal(
        np.unique(np.r_[1, scene.phases.ravel()])[1:], np.arange(2, scene.phases.max() + 1)
    )
    for values in (scene.height, scene.lines):
        assert values.dtype == np.float32
        assert values.shape == (height, width)
        assert values.min() >= 0
        assert values.max() <= 1
    assert scene.uncertain <= set(range(1, count + 1))
    if scene.blur is not None:
        assert scene.blur.min() >= 0


@pytest.mark.parametrize("n_layers", [1, 2, 3, 5, 8])
def test_the_number_of_layers_is_kept(n_layers):
    for seed in range(12):
        scene = simulate_layers(np.random.default_rng(seed), (96, 128), n_layers=n_layers)
        assert scene.objects.max() == n_layers


@pytest.mark.parametrize("n_materials", [2, 3, 5])
def test_the_number_of_materials_is_kept(n_materials):
    for seed in range(12):
        scene = simulate_layers(
            np.random.default_rng(seed), (96, 128), n_layers=5, n_materials=n_materials
        )
        found = np.concatenate(phases_of_objects(scene))
        assert np.unique(found).size == n_materials
        assert (np.diff(found.astype(int)) != 0).all()


def test_the_same_generator_gives_the_same_scene():
    for seed in range(5):
        one = simulate_layers(np.random.default_rng(seed), (80, 100))
        two = simulate_layers(np.random.default_rng(seed), (80, 100))
        assert np.array_equal(one.objects, two.objects)
        assert np.array_equal(one.lines, two.lines)
        assert np.array_equal(one.height, two.height)


def test_periodic_stacks_share_phases():
    shared = 0
    for seed in range(60):
        scene = simulate_layers(np.random.default_rng(seed), (128, 128))
        shared += int(scene.objects.max()) >= 2 * int(scene.phases.max())
    assert shared >= 5


def test_interfaces_never_cross():
    for seed in range(40):
        rng = np.random.default_rng(seed)
        frame = draw_frame(rng, (120, 90))
        levels = interfaces(rng, frame, draw_stack(rng, frame, 6, None))
        assert levels.shape[1] == frame.length
        assert (np.diff(levels, axis=0) >= 0).all()


def test_flat_levels_cut_at_their_depth():
    rows = np.repeat(np.arange(30, dtype=np.float32)[:, None], 20, axis=1)
    index = np.repeat(np.arange(20)[None], 30, axis=0)
    frame = Frame(rows, index.astype(np.float32), index, 20, 30.0, 0.0)
    layer = assign(rows, frame, np.array([[9.5] * 20, [14.5] * 20]))
    assert np.bincount(layer.ravel()).tolist() == [10 * 20, 5 * 20, 15 * 20]
    assert (np.diff(layer, axis=0) >= 0).all()


def test_rough_lines_have_their_correlation_length():
    rng = np.random.default_rng(5)
    short = np.array([self_affine(rng, 4096, 4.0) for _ in range(4)])
    long = np.array([self_affine(rng, 4096, 64.0) for _ in range(4)])
    assert short.std() == pytest.approx(1, abs=0.15)
    near = [np.mean(line[:, 16:] * line[:, :-16]) for line in (short, long)]
    assert near[0] < 0.4 < near[1]


@pytest.mark.parametrize(
    ("shape", "n_layers", "n_materials"),
    [((8, 100), None, None), ((64, 64), 9, None), ((64, 64), 0, None), ((64, 64), 3, 4)],
)
def test_bad_arguments_are_refused(shape, n_layers, n_materials):
    with pytest.raises(UsageError, match="give"):
        simulate_layers(np.random.default_rng(0), shape, n_layers=n_layers, n_materials=n_materials)
