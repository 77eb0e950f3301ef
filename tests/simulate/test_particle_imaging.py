"""Looks of particles: bright field, secondary electrons, sections; and whole outlines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nital.simulate import Scene, image_scene
from nital.simulate.particle_canvas import Canvas
from nital.simulate.particle_imaging import particle_structure
from nital.simulate.particle_sections import SECTIONS
from nital.simulate.particle_shapes import Stamp
from nital.simulate.particles import simulate_particles


def ball(look: str) -> Scene:
    """A hemisphere of 20 pixels radius in the middle of 80 x 80."""
    rows, columns = np.indices((80, 80), dtype=np.float32) - 40
    height = np.sqrt(np.maximum(1 - (rows**2 + columns**2) / 400, 0))
    objects = (height > 0).astype(np.int32)
    phases = (1 + objects).astype(np.uint8)
    return Scene("particles", objects, phases, 0 * height, height, look=look)


@pytest.mark.parametrize("seed", range(6))
def test_bright_field_is_dark_where_it_is_thick(seed: int) -> None:
    image = particle_structure(np.random.default_rng(seed), ball("transmission"))
    background = image[:10].mean()
    assert image[38:42, 38:42].mean() < image[38:42, 56:58].mean() < background + 0.05
    assert image[38:42, 38:42].mean() < 0.85 * background


def test_flanks_are_bright_in_secondary_electrons() -> None:
    steeper = []
    for seed in range(8):
        image = particle_structure(np.random.default_rng(seed), ball("emission"))
        rim = np.hypot(*(np.indices((80, 80)) - 40)) - 18
        steeper.append(image[np.abs(rim) < 1].mean() > image[38:42, 38:42].mean())
    assert all(steeper)


@pytest.mark.parametrize("look", ["section", "ooid", "etched"])
def test_looks_give_finite_greys_that_differ_from_the_ground(look: str) -> None:
    scene = replace(ball(look), height=np.zeros((80, 80), dtype=np.float32))
    for seed in range(6):
        image = particle_structure(np.random.default_rng(seed), scene)
        assert image.dtype == np.float32
        assert np.isfinite(image).all()
        assert image.std() > 0.005


def test_every_look_occurs() -> None:
    looks = {simulate_particles(np.random.default_rng(s), (64, 64)).look for s in range(150)}
    assert looks == {"", "emission", "transmission", "section", "ooid", "etched"}


@pytest.mark.parametrize("kind", sorted(SECTIONS))
def test_sections_number_connected_objects_from_one(kind: str) -> None:
    for seed in range(4):
        objects, lines = SECTIONS[kind](np.random.default_rng(seed), (120, 90), 14.0)
        assert objects.shape == lines.shape == (120, 90)
        assert np.array_equal(np.unique(objects[objects > 0]), np.arange(1, objects.max() + 1))


def test_a_hidden_particle_keeps_its_whole_outline() -> None:
    canvas = Canvas((40, 40), transmission=False)
    disc = np.hypot(*(np.indices((17, 17)) - 8)) <= 8
    blank = np.zeros(disc.shape, dtype=np.float32)
    for column in (15.0, 25.0):
        canvas.lay(Stamp(disc, blank, blank), np.array([20.0, column]), 1.0, 1, 2)
    below, above = canvas.outlines
    assert below.mask.sum() == canvas.areas[1] > (canvas.objects == 1).sum()
    assert above.mask.sum() == (canvas.objects == 2).sum()


def test_whole_outlines_contain_what_is_seen_of_their_object() -> None:
    found = 0
    for seed in range(25):
        scene = simulate_particles(np.random.default_rng(seed), (128, 128))
        for whole in scene.whole:
            h, w = whole.mask.shape
            seen = scene.objects == whole.label
            box = seen[whole.top : whole.top + h, whole.left : whole.left + w]
            assert 0 < box.sum() < whole.mask.sum()
            assert not (box & ~whole.mask).any()
            found += 1
    assert found > 20


def test_a_look_does_not_change_the_truth() -> None:
    scene = ball("emission")
    before = scene.objects.copy()
    image_scene(np.random.default_rng(0), scene)
    np.testing.assert_array_equal(before, scene.objects)


@pytest.mark.parametrize("look", ["emission", "transmission", "section", "ooid", "etched", ""])
def test_a_part_without_a_particle_is_an_image_too(look):
    shape = (96, 96)
    empty = Scene(
        "particles",
        np.zeros(shape, np.int32),
        np.ones(shape, np.uint8),
        np.zeros(shape, np.float32),
        np.zeros(shape, np.float32),
        look=look,
    )
    for seed in range(4):
        assert image_scene(np.random.default_rng(seed), empty).std() > 0
