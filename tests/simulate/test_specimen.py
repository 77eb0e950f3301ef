"""One call from a seed to a micrograph and its truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from nital.errors import UsageError
from nital.simulate import ImagingOptions, simulate, simulate_scene

TARGETS = ["grains", "phases", "particles", "layers"]


@settings(max_examples=16, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 100_000),
    target=st.sampled_from(TARGETS),
    shape=st.tuples(st.integers(64, 120), st.integers(64, 120)),
)
def test_truth_is_whole_and_consistent(seed: int, target: str, shape: tuple[int, int]) -> None:
    made = simulate(seed, target, shape)
    scene = made.scene
    assert (made.image.dtype, made.image.shape) == (np.uint8, shape)
    assert scene.target == target
    assert (scene.objects.dtype, scene.phases.dtype) == (np.int32, np.uint8)
    assert scene.objects.shape == scene.phases.shape == scene.lines.shape == shape
    present = np.unique(scene.objects[scene.objects > 0])
    np.testing.assert_array_equal(present, np.arange(1, present.size + 1))
    assert scene.phases.min() >= 1
    assert all(1 <= label <= present.size for label in scene.uncertain)
    for field in (scene.lines, scene.height):
        assert field.dtype == np.float32
        assert field.min() >= 0
        assert field.max() <= 1
    for label in present[:20]:
        assert np.unique(scene.phases[scene.objects == label]).size == 1
    if target == "grains":
        assert scene.objects.min() == 1
    if target in ("phases", "particles"):
        np.testing.assert_array_equal(scene.phases == 1, scene.objects == 0)


def test_objects_of_phases_are_connected_regions() -> None:
    scene = simulate(4, "phases", (128, 128)).scene
    for phase in range(2, int(scene.phases.max()) + 1):
        inside = scene.phases == phase
        assert ndimage.label(inside)[1] == np.unique(scene.objects[inside]).size


@pytest.mark.parametrize("target", TARGETS)
def test_a_seed_decides_every_pixel(target: str) -> None:
    one, two, other = (simulate(seed, target, (72, 90)) for seed in (7, 7, 8))
    np.testing.assert_array_equal(one.image, two.image)
    np.testing.assert_array_equal(one.scene.objects, two.scene.objects)
    assert not np.array_equal(one.image, other.image)


def test_a_generator_goes_on_where_it_is() -> None:
    fresh = simulate(np.random.default_rng(3), "grains", (64, 64))
    np.testing.assert_array_equal(fresh.image, simulate(3, "grains", (64, 64)).image)
    rng = np.random.default_rng(3)
    first, second = (simulate(rng, "grains", (64, 64)) for _ in range(2))
    assert not np.array_equal(first.image, second.image)


def test_without_a_target_all_four_are_drawn() -> None:
    drawn = {simulate(seed, None, (64, 64)).scene.target for seed in range(24)}
    assert drawn == set(TARGETS)


def test_imaging_options_leave_the_truth_as_it_is() -> None:
    plain = ImagingOptions(artefacts=False, annotations=False, compression=False, severity=0)
    one, two = (simulate(11, "particles", (96, 96), options=options) for options in (plain, None))
    np.testing.assert_array_equal(one.scene.objects, two.scene.objects)
    assert not np.array_equal(one.image, two.image)


@pytest.mark.parametrize("target", ["grains", "particles"])
def test_objects_have_about_the_diameter_asked_for(target: str) -> None:
    shape = (256, 256)
    for scale in (12.0, 30.0):
        diameters = []
        for seed in range(6):
            scene = simulate_scene(np.random.default_rng(seed), target, shape, scale=scale)
            areas = np.bincount(scene.objects.ravel())[1:]
            diameters.append(np.sqrt(4 / np.pi * areas).mean())
        assert 0.5 * scale < np.median(diameters) < 1.6 * scale


@pytest.mark.parametrize(
    ("target", "shape"), [("crystals", (128, 128)), ("grains", (63, 128)), ("layers", (128, 10))]
)
def test_bad_requests_say_what_is_allowed(target: str, shape: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match=r"must be one of|at least 64x64"):
        simulate(0, target, shape)
