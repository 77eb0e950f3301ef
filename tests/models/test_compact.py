"""The shipped compact model: loading, any image size, prompts of every kind."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest

from nital.errors import ModelError, UsageError
from nital.models import load_model
from nital.models.compact import PARTS, TARGETS, CompactModel
from nital.models.registry import WEIGHTS
from nital.prompts import PromptSet

SIZES = [(1, 1), (1, 300), (300, 1), (33, 47), (32, 32), (257, 129)]


def noise(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.fixture
def copied(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(WEIGHTS, folder)
    return folder


def test_the_shipped_model_and_a_copy_of_it_are_the_same(compact, copied):
    assert compact.name == "compact"
    assert len(compact.sha256) == 64
    assert load_model(str(copied)).sha256 == compact.sha256
    assert load_model("compact") is compact


def test_the_shipped_files_are_small_and_know_nothing_of_where_they_were_made():
    files = [path.read_bytes() for path in WEIGHTS.iterdir()]
    assert sum(map(len, files)) < 12e6
    for data in files:
        assert b"site-packages" not in data
        assert not re.search(rb"[\w/.-]{4}\.py\b", data)  # a file name, not three chance bytes


@pytest.mark.parametrize("part", PARTS)
def test_damaged_weights_are_refused(copied, part):
    path = copied / f"compact-{part}.onnx"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match=f"compact-{part}.onnx is damaged") as caught:
        CompactModel.load(copied)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["compact.json", *(f"compact-{p}.onnx" for p in PARTS)])
def test_missing_files_are_named(copied, name):
    (copied / name).unlink()
    with pytest.raises(ModelError, match=name) as caught:
        CompactModel.load(copied)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"name": "compact"}', '{"name": 1, "sha256": {"encoder": "0"}}']
)
def test_a_description_of_something_else_is_refused(copied, text):
    (copied / "compact.json").write_text(text)
    with pytest.raises(ModelError, match=str(copied)):
        CompactModel.load(copied)


def test_a_description_without_the_phase_constants_is_refused(copied):
    path = copied / "compact.json"
    description = json.loads(path.read_text())
    del description["phase_scale"]
    path.write_text(json.dumps(description))
    with pytest.raises(ModelError, match="does not describe a compact model"):
        CompactModel.load(copied)


@pytest.mark.parametrize("name", ["vit-z", "", "nowhere/at/all"])
def test_unknown_models_are_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="is not known"):
        load_model(name)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"holds no model: neither compact\.json"):
        load_model(str(tmp_path))


@pytest.mark.parametrize("shape", SIZES)
def test_any_image_size_is_embedded(compact, shape):
    embedding = compact.embed(noise(shape), "particles")
    half = tuple(-(-side // 2) for side in shape)
    dense = embedding.maps["dense"]
    assert embedding.shape == shape
    assert dense.shape == (5, *half)
    assert np.isfinite(dense).all()
    assert ((dense[:3] >= 0) & (dense[:3] <= 1)).all()
    padded = embedding.maps["padded"]
    assert (padded % 32 == 0).all()
    assert (padded >= shape).all()
    assert embedding.maps["embedding"].shape[2:] == tuple(padded.astype(int) // 2)
    assert embedding.maps["target_probability"].sum() == pytest.approx(1, abs=1e-5)


def test_the_target_changes_the_maps_but_not_the_guess_of_the_target(compact, discs):
    image = discs((96, 96), [(40, 50)], 18)
    found = {target: compact.embed(image, target) for target in TARGETS}
    guesses = [f.maps["target_probability"] for f in found.values()]
    for guess in guesses[1:]:
        np.testing.assert_allclose(guess, guesses[0], atol=1e-5)
    assert np.abs(found["grains"].maps["dense"] - found["particles"].maps["dense"]).max() > 1e-3


def test_the_same_image_gives_the_same_bytes(compact):
    image = noise((70, 90))
    first, second = (compact.embed(image, "grains").maps["dense"] for _ in range(2))
    assert first.tobytes() == second.tobytes()


def all_kinds() -> PromptSet:
    """A point; a box; a point and a negative one; a point and a box."""
    points = [[[40, 50], [0, 0]], [[0, 0], [0, 0]], [[40, 50], [5, 5]], [[38, 52], [0, 0]]]
    labels = [[1, -1], [-1, -1], [1, 0], [1, -1]]
    boxes = [[0, 0, 0, 0], [20, 30, 60, 70], [0, 0, 0, 0], [20, 30, 60, 70]]
    return PromptSet(*(np.array(a, np.float32) for a in (points, labels, boxes)))


def test_points_boxes_and_negative_points_are_decoded(compact, discs):
    embedding = compact.embed(discs((96, 128), [(40, 50)], 18), "particles")
    prompts = all_kinds()
    found = compact.decode(embedding, prompts, "object")
    assert found.logits.shape == (4, 1, 48, 48)
    assert found.scores.shape == (4, 1)
    assert found.windows.shape == (4, 1, 4)
    assert np.isfinite(found.logits).all()
    assert ((found.scores >= 0) & (found.scores <= 1)).all()
    windows = found.windows[:, 0]
    centres = (windows[:, :2] + windows[:, 2:]) / 2
    sides = windows[:, 2:] - windows[:, :2]
    np.testing.assert_allclose(sides[:, 0], sides[:, 1], rtol=1e-5)
    np.testing.assert_allclose(centres, [[40, 50]] * 4, atol=1e-3)
    np.testing.assert_allclose(sides[[1, 3], 0], 60, rtol=1e-5)
    assert (sides >= 12).all()


def test_prompts_are_answered_alike_alone_and_in_many_batches(compact, discs):
    embedding = compact.embed(discs((96, 128), [(40, 50), (70, 100)], 14), "particles")
    points = np.random.default_rng(0).uniform(0, 95, (150, 2))
    together = compact.decode(embedding, PromptSet.from_points(points), "object")
    for index in (0, 63, 64, 149):
        alone = compact.decode(embedding, PromptSet.from_points(points[[index]]), "object")
        np.testing.assert_allclose(alone.logits[0], together.logits[index], atol=2e-3)
        np.testing.assert_allclose(alone.scores[0], together.scores[index], atol=1e-3)


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("level", ["object", "phase"])
def test_any_image_size_is_decoded(compact, shape, level):
    embedding = compact.embed(noise(shape), "phases")
    middle = np.array([[(side - 1) / 2 for side in shape]])
    found = compact.decode(embedding, PromptSet.from_points(middle), level)
    assert np.isfinite(found.logits).all()
    assert 0 <= found.scores[0, 0] <= 1
    if level == "phase":
        padded = embedding.maps["padded"]
        assert found.logits.shape == (1, 1, *(padded.astype(int) // 4))
        assert found.windows.tolist() == [[[0, 0, *padded]]]


@pytest.mark.parametrize("level", ["object", "phase"])
def test_no_prompts_give_no_masks(compact, level):
    embedding = compact.embed(noise((40, 40)), "grains")
    found = compact.decode(embedding, PromptSet.from_points(np.zeros((0, 2))), level)
    assert len(found.logits) == len(found.scores) == len(found.windows) == 0


def test_points_outside_the_image_are_refused(compact):
    embedding = compact.embed(noise((40, 50)), "grains")
    with pytest.raises(UsageError, match="outside the image of 40 x 50"):
        compact.decode(embedding, PromptSet.from_points(np.array([[45.0, 3.0]])), "object")


def test_a_box_asks_for_an_object_only(compact):
    embedding = compact.embed(noise((96, 128)), "phases")
    with pytest.raises(UsageError, match="point"):
        compact.decode(embedding, all_kinds(), "phase")


def test_an_unknown_level_is_refused(compact):
    embedding = compact.embed(noise((40, 50)), "grains")
    with pytest.raises(UsageError, match="level"):
        compact.decode(embedding, PromptSet.from_points(np.array([[4.0, 3.0]])), "grain")
