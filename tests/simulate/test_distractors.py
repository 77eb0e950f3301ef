"""What bounds nothing: where it shows, that it leaves the truth alone, and the same questions."""

import numpy as np
import pytest
from scipy import ndimage

from nital.simulate import Scene, image_scene, simulate_scene
from nital.simulate.convert import as_particles, as_phases
from nital.simulate.distractors import cracks, deep_scratches, etch_pits, speckle

PLAIN = np.zeros((96, 96), dtype=np.float32)


def scene_of(target: str, objects: np.ndarray, **more: object) -> Scene:
    phases = np.where(objects > 0, 2, 1).astype(np.uint8)
    return Scene(target, objects.astype(np.int32), phases, PLAIN, PLAIN, **more)


def squares(side: int, pitch: int = 16) -> np.ndarray:
    inside = np.arange(96) % pitch < side
    return ndimage.label(inside[:, None] & inside[None])[0]


@pytest.mark.parametrize("draw", [cracks, deep_scratches])
def test_lines_are_thin_and_somewhere(draw) -> None:
    drawn = [draw(np.random.default_rng(seed), (96, 120)) for seed in range(12)]
    assert all(shade.shape == (96, 120) and shade.dtype == np.float32 for shade in drawn)
    assert sum(bool(shade.any()) for shade in drawn) >= 10
    depth = [ndimage.distance_transform_edt(np.abs(shade) > 0.3).max() for shade in drawn]
    assert np.median(depth) < 6


def test_pits_are_denser_beside_walls() -> None:
    walls = np.zeros((200, 200), dtype=bool)
    walls[:, 100] = True
    shade = sum(etch_pits(np.random.default_rng(seed), walls, 4.0, 8.0) for seed in range(5))
    assert shade[:, 92:108].mean() < 2 * shade[:, :40].mean() < 0


def test_speckle_stays_where_it_is_put() -> None:
    where = np.zeros((64, 64), dtype=bool)
    where[:20] = True
    shade = speckle(np.random.default_rng(0), where)
    assert shade[:20].std() > 0.05
    assert not shade[20:].any()


def test_shade_changes_the_picture_by_the_contrast_of_the_structure() -> None:
    shade = np.zeros((96, 96), dtype=np.float32)
    shade[48:] = -2.0
    plain = scene_of("phases", squares(8))
    for seed in range(4):
        with_shade, without = (
            image_scene(np.random.default_rng(seed), each).astype(float)
            for each in (scene_of("phases", squares(8), shade=shade), plain)
        )
        drop = with_shade[:40].mean() - with_shade[56:].mean()
        assert drop > without[:40].mean() - without[56:].mean() + 10


def test_precipitates_become_particles_and_networks_do_not() -> None:
    asked = as_particles(scene_of("phases", squares(6)))
    assert asked is not None
    assert asked.target == "particles"
    assert asked.objects.max() == 36
    assert as_particles(scene_of("phases", squares(15))) is None
    assert as_particles(scene_of("phases", np.zeros((96, 96)))) is None


def test_particles_become_one_phase_of_connected_regions() -> None:
    touching = np.zeros((96, 96), dtype=np.int32)
    touching[10:20, 10:20], touching[10:20, 20:30] = 1, 2
    asked = as_phases(scene_of("particles", touching, uncertain=frozenset({1})))
    assert asked.target == "phases"
    assert asked.objects.max() == 1
    assert not asked.uncertain
    np.testing.assert_array_equal(asked.phases, np.where(touching > 0, 2, 1))


def test_some_scenes_answer_the_question_of_the_other_kind() -> None:
    for target in ("phases", "particles"):
        scenes = [
            simulate_scene(np.random.default_rng(seed), target, (96, 96)) for seed in range(40)
        ]
        assert {scene.target for scene in scenes} == {target}
