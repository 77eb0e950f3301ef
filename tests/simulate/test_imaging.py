"""From truth to grey levels: what must be seen, what must not change, and what can be left out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from nital.simulate import ImagingOptions, Scene, image_scene, simulate_scene
from nital.simulate.annotations import draw_annotations

CLEAN = ImagingOptions(artefacts=False, annotations=False, compression=False, severity=0.0)
TARGETS = ["grains", "phases", "particles", "layers"]


def striped(width: int = 64, period: int = 16) -> Scene:
    """Two phases in vertical stripes, flat and without lines."""
    columns = np.arange(width)
    phases = np.tile(1 + (columns // (period // 2)) % 2, (width, 1)).astype(np.uint8)
    objects = np.where(phases == 2, 1 + columns // period, 0).astype(np.int32)
    zeros = np.zeros(phases.shape, dtype=np.float32)
    return Scene("phases", objects, phases, zeros, zeros)


def noise_level(image: np.ndarray) -> float:
    """Mean absolute difference from the local median."""
    grey = image.astype(np.float64)
    return float(np.abs(grey - ndimage.median_filter(grey, 3)).mean())


@pytest.mark.parametrize("target", TARGETS)
def test_grey_levels_of_the_scenes_shape_and_the_scene_left_alone(target: str) -> None:
    scene = simulate_scene(np.random.default_rng(1), target, (80, 112))
    before = [array.copy() for array in (scene.objects, scene.phases, scene.lines, scene.height)]
    image = image_scene(np.random.default_rng(2), scene)
    assert (image.dtype, image.shape) == (np.uint8, (80, 112))
    assert image.min() < image.max()
    after = (scene.objects, scene.phases, scene.lines, scene.height)
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), target=st.sampled_from(TARGETS))
def test_the_same_generator_gives_the_same_pixels(seed: int, target: str) -> None:
    scene = simulate_scene(np.random.default_rng(seed), target, (64, 64))
    images = [image_scene(np.random.default_rng(seed + 1), scene) for _ in range(2)]
    np.testing.assert_array_equal(*images)
    assert not np.array_equal(images[0], image_scene(np.random.default_rng(seed + 2), scene))


@pytest.mark.parametrize("seed", range(8))
def test_phases_can_be_told_apart(seed: int) -> None:
    scene = striped()
    image = image_scene(np.random.default_rng(seed), scene, CLEAN).astype(float)
    first, second = image[scene.phases == 1], image[scene.phases == 2]
    assert abs(first.mean() - second.mean()) > 10
    assert abs(first.mean() - second.mean()) > 0.5 * max(first.std(), second.std())


@pytest.mark.parametrize("seed", range(6))
def test_etched_boundaries_differ_from_their_surroundings(seed: int) -> None:
    halves = np.repeat([1, 2], 32).astype(np.int32)
    objects = np.tile(halves, (64, 1))
    lines = np.zeros(objects.shape, dtype=np.float32)
    lines[:, 31:33] = 1
    flat = np.zeros(objects.shape, dtype=np.float32)
    scene = Scene("grains", objects, np.ones(objects.shape, dtype=np.uint8), lines, flat)
    image = image_scene(np.random.default_rng(seed), scene, CLEAN).astype(float).mean(axis=0)
    sides = np.array([image[20:28].mean(), image[36:44].mean()])
    assert np.abs(image[31:33].mean() - sides).max() > 10


def test_severity_bounds_the_noise() -> None:
    def mean_noise(severity: float) -> float:
        options = ImagingOptions(False, False, False, severity)
        images = [
            image_scene(np.random.default_rng(seed), striped(), options) for seed in range(20)
        ]
        return float(np.mean([noise_level(image) for image in images]))

    assert mean_noise(0.0) < 0.8 * mean_noise(1.0)


def test_local_defocus_softens_edges_where_it_is_said_to() -> None:
    scene = striped(96)
    blur = np.zeros(scene.objects.shape, dtype=np.float32)
    blur[:48] = 3.0
    soft = Scene("phases", scene.objects, scene.phases, scene.lines, scene.height, blur=blur)
    for seed in range(4):
        image = image_scene(np.random.default_rng(seed), soft, CLEAN).astype(float)
        steepness = np.abs(np.diff(image, axis=1))
        assert steepness[8:36].max() < 0.7 * steepness[60:88].max()


def test_compression_and_annotations_come_last_and_can_be_left_out() -> None:
    scene = striped()
    plain, compressed, annotated = (
        [image_scene(np.random.default_rng(seed), scene, options) for seed in range(30)]
        for options in (
            ImagingOptions(False, annotations=False, compression=False, severity=0.2),
            ImagingOptions(False, annotations=False, severity=0.2),
            ImagingOptions(False, compression=False, severity=0.2),
        )
    )
    changed = [np.abs(a - b.astype(int)) for a, b in zip(compressed, plain, strict=True)]
    assert 3 <= sum(bool(change.any()) for change in changed) <= 20
    assert max(float(change.mean()) for change in changed) < 12
    drawn = [int((a != b).sum()) for a, b in zip(annotated, plain, strict=True)]
    assert any(0 < count < 0.6 * scene.objects.size for count in drawn)
    assert sum(count == 0 for count in drawn) >= 20


def test_scenes_without_objects_or_contrast_can_be_imaged() -> None:
    ones = np.ones((64, 70), dtype=np.uint8)
    zeros = np.zeros((64, 70), dtype=np.float32)
    for target in ("grains", "phases", "particles", "layers"):
        scene = Scene(target, np.zeros((64, 70), dtype=np.int32), ones, zeros, zeros)
        for seed in range(3):
            assert image_scene(np.random.default_rng(seed), scene).shape == (64, 70)


class TestAnnotations:
    def test_draws_ink_into_a_copy(self) -> None:
        image = np.full((200, 240), 128, dtype=np.uint8)
        pictures = [draw_annotations(np.random.default_rng(seed), image) for seed in range(12)]
        assert np.all(image == 128)
        touched = [float((picture != 128).mean()) for picture in pictures]
        assert max(touched) > 0.001
        assert np.median(touched) < 0.2

    def test_the_same_generator_draws_the_same(self) -> None:
        image = np.full((100, 120), 90, dtype=np.uint8)
        one, two = (draw_annotations(np.random.default_rng(4), image) for _ in range(2))
        np.testing.assert_array_equal(one, two)
