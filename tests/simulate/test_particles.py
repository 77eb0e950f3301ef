"""Simulated particles: exact truth, determinism, shapes of known area and height."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nital.errors import UsageError
from nital.simulate.particle_bodies import Solid, Surface
from nital.simulate.particle_canvas import Canvas, separate_crumbs
from nital.simulate.particle_plans import PLANNERS
from nital.simulate.particle_shapes import FAMILIES, Stamp, Style, draw_style
from nital.simulate.particles import simulate_particles


def dome(rho):
    return np.sqrt(np.maximum(1 - rho**2, 0)).astype(np.float32)


def ball(rng):
    return Solid(1.0, lambda y, x: Surface(np.hypot(y, x)))


def disc(radius, height=1.0):
    axis = np.arange(-radius, radius + 1)
    inside = np.hypot(axis[:, None], axis[None]) <= radius
    return Stamp(inside, (height * inside).astype(np.float32), np.zeros(inside.shape, np.float32))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), height=st.integers(64, 140), width=st.integers(64, 140))
def test_a_scene_keeps_its_promises(seed, height, width):
    scene = simulate_particles(np.random.default_rng(seed), (height, width))
    assert scene.target == "particles"
    assert scene.objects.dtype == np.int32
    assert scene.phases.dtype == np.uint8
    count = int(scene.objects.max())
    assert count >= 1
    assert np.array_equal(np.unique(scene.objects[scene.objects > 0]), np.arange(1, count + 1))
    assert np.array_equal(scene.phases == 1, scene.objects == 0)
    for values in (scene.height, scene.lines):
        assert values.dtype == np.float32
        assert values.shape == (height, width)
        assert values.min() >= 0
        assert values.max() <= 1
    assert scene.uncertain <= set(range(1, count + 1))
    areas = np.bincount(scene.objects.ravel())
    assert {n for n in range(1, count + 1) if areas[n] < 6} <= scene.uncertain
    if scene.blur is not None:
        assert scene.blur.shape == (height, width)
        assert scene.blur.min() >= 0


def test_one_phase_per_object():
    for seed in range(30):
        scene = simulate_particles(np.random.default_rng(seed), (96, 96), scale=20)
        low = np.full(scene.objects.max() + 1, 255)
        high = np.zeros(scene.objects.max() + 1)
        np.minimum.at(low, scene.objects, scene.phases)
        np.maximum.at(high, scene.objects, scene.phases)
        assert np.array_equal(low[1:], high[1:])


def test_the_same_generator_gives_the_same_scene():
    for seed in range(5):
        one = simulate_particles(np.random.default_rng(seed), (80, 100))
        two = simulate_particles(np.random.default_rng(seed), (80, 100))
        assert np.array_equal(one.objects, two.objects)
        assert np.array_equal(one.height, two.height)
        assert one.uncertain == two.uncertain


def test_scale_sets_the_median_diameter():
    medians = []
    for seed in range(60):
        scene = simulate_particles(np.random.default_rng(seed), (256, 256), scale=24)
        areas = np.bincount(scene.objects.ravel()).astype(float)
        sure = [n for n in range(1, areas.size) if n not in scene.uncertain]
        if sure:
            medians.append(2 * np.sqrt(np.median(areas[sure]) / np.pi))
    assert 19 < np.median(medians) < 27


@pytest.mark.parametrize("arrangement", sorted(PLANNERS))
def test_plans_fit_together(arrangement):
    rng = np.random.default_rng(3)
    style = draw_style(rng, "rod", 12.0)
    for _ in range(5):
        plan = PLANNERS[arrangement](rng, (120, 90), 12.0, style)
        assert plan.centres.shape == (plan.radii.size, 2)
        assert plan.radii.min() > 0
        assert 0 <= plan.overlap <= 1
        assert plan.angles is None or plan.angles.shape == plan.radii.shape
        assert plan.layers is None or (np.diff(plan.layers) >= 0).all()


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("transmission", [False, True])
def test_stamps_have_the_area_asked_for(family, transmission):
    rng = np.random.default_rng(11)
    ratios = []
    for _ in range(8):
        style = draw_style(rng, family, 40.0, transmission=transmission)
        for _ in range(3):
            stamp = style.stamp(rng, 20.0)
            ratios.append(stamp.inside.sum() / (np.pi * 20.0**2))
            assert stamp.height.min() >= 0
            assert stamp.inside[0].any()
            assert stamp.inside[:, -1].any()
    assert 0.8 < np.mean(ratios) < 1.2


def test_a_ball_is_a_hemisphere():
    stamp = Style(ball, dome, transmission=False).stamp(np.random.default_rng(0), 30.0)
    assert stamp.inside.sum() == pytest.approx(np.pi * 900, rel=0.01)
    assert stamp.height.max() == pytest.approx(30, abs=0.05)
    volume = stamp.height[stamp.inside].sum()
    assert volume == pytest.approx(2 / 3 * np.pi * 30**3, rel=0.01)


def test_the_front_particle_is_on_top():
    canvas = Canvas((40, 40), transmission=False)
    assert canvas.lay(disc(8), np.array([20.0, 15.0]), 1.0, 1, 2)
    assert canvas.lay(disc(8), np.array([20.0, 25.0]), 1.0, 1, 3)
    assert canvas.objects[20, 20] == 2
    assert np.count_nonzero(canvas.objects == 2) == canvas.areas[2]
    assert np.count_nonzero(canvas.objects == 1) < canvas.areas[1]
    assert canvas.height[20, 24] > canvas.height[20, 10]


def test_too_much_overlap_is_refused():
    canvas = Canvas((40, 40), transmission=False)
    canvas.lay(disc(8), np.array([20.0, 15.0]), 0.0, 1, 2)
    assert not canvas.lay(disc(8), np.array([20.0, 20.0]), 0.1, 1, 2)
    assert canvas.lay(disc(8), np.array([20.0, 20.0]), 0.1, 2, 2)
    assert not canvas.lay(disc(3), np.array([100.0, 20.0]), 1.0, 1, 2)


def test_thickness_adds_up_in_transmission():
    canvas = Canvas((40, 40), transmission=True)
    for col in (15.0, 25.0):
        canvas.lay(disc(8, height=2.0), np.array([20.0, col]), 1.0, 1, 2)
    assert canvas.height[20, 20] == 4
    assert canvas.height[20, 10] == 2


def test_crumbs_get_labels_of_their_own():
    objects = np.zeros((20, 30), dtype=np.int32)
    objects[5:15, :20] = 1
    objects[5:15, 18:24] = 2
    objects[5:8, 24:26] = 1
    separated, count = separate_crumbs(objects)
    assert count == 1
    assert (separated[5:8, 24:26] == 3).all()
    assert np.array_equal(separated == 2, objects == 2)


@pytest.mark.parametrize(
    ("shape", "scale"), [((8, 100), None), ((100, 100), 1.0), ((100, 100), 1e6)]
)
def test_bad_arguments_are_refused(shape, scale):
    with pytest.raises(UsageError, match="give"):
        simulate_particles(np.random.default_rng(0), shape, scale=scale)
