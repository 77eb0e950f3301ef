import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nital.simulate.boundaries import tidy
from nital.simulate.grains import add_twins, simulate_grains
from nital.simulate.tessellation import GRAIN_FAMILIES, draw_scale, tessellation


def check_contract(scene, shape):
    count = int(scene.objects.max())
    assert scene.objects.shape == scene.phases.shape == shape
    assert scene.objects.dtype == np.int32
    assert scene.phases.dtype == np.uint8
    assert np.array_equal(np.unique(scene.objects), np.arange(1, count + 1))
    assert np.array_equal(tidy(scene.objects, 0).max(), count)
    pairs = np.unique(np.stack([scene.objects.ravel(), scene.phases.ravel()]), axis=1)
    assert pairs.shape[1] == count
    for field in (scene.lines, scene.height):
        assert field.shape == shape
        assert field.dtype == np.float32
        assert field.min() >= 0
        assert field.max() <= 1


@settings(max_examples=30, derandomize=True, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    family=st.sampled_from([None, *GRAIN_FAMILIES]),
    shape=st.tuples(st.integers(64, 120), st.integers(64, 120)),
    scale=st.one_of(st.none(), st.floats(8, 150)),
)
def test_every_pixel_is_in_one_connected_grain_of_one_phase(seed, family, shape, scale):
    scene = simulate_grains(np.random.default_rng(seed), shape, scale=scale, family=family)
    assert scene.target == "grains"
    check_contract(scene, shape)


def test_same_generator_state_same_scene():
    one, two = (simulate_grains(np.random.default_rng(5), (96, 80)) for _ in range(2))
    for name in ("objects", "phases", "lines", "height"):
        assert np.array_equal(getattr(one, name), getattr(two, name))


@pytest.mark.parametrize("family", GRAIN_FAMILIES)
def test_mean_diameter_is_the_scale(family):
    ratios = []
    for seed in range(4):
        labels = tessellation(np.random.default_rng(seed), (256, 256), 24.0, family)
        areas = np.bincount(labels.ravel())[1:]
        ratios.append(np.sqrt(4 * areas / np.pi).mean() / 24.0)
    assert 0.6 < np.mean(ratios) < 1.3


def test_scenes_differ_in_what_they_show():
    scenes = [simulate_grains(np.random.default_rng(seed), (96, 96)) for seed in range(60)]
    unetched = sum(not scene.lines.any() for scene in scenes)
    several = sum(scene.phases.max() > 1 for scene in scenes)
    assert 4 < unetched < 30
    assert 6 < several < 35


def test_twins_split_grains_and_are_marked():
    rng = np.random.default_rng(4)
    labels = tessellation(rng, (200, 200), 60.0, "voronoi")
    split, twin = add_twins(rng, labels, 60.0)
    assert split.max() > labels.max()
    assert twin.shape == (split.max() + 1,)
    assert 0 < twin.sum() < split.max()
    for number in np.flatnonzero(twin):
        assert len(np.unique(labels[split == number])) <= 2


def test_drawn_scale_lets_a_few_objects_fit():
    rng = np.random.default_rng(0)
    drawn = [draw_scale(rng, (64, 200), 8, 150) for _ in range(50)]
    assert 8 <= min(drawn) < max(drawn) <= 64 / 2.5
