"""The texture model: files, tiles, periods, and textures of equal grey told apart."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from nital.boost.texture import (
    WEIGHTS,
    TextureModel,
    dominant_period,
    load_texture_model,
    natural_factor,
    texture_features,
)
from nital.errors import ModelError
from nital.simulate import random_field


def lattice(shape, period):
    rows, cols = np.indices(shape)
    return np.cos(2 * np.pi * rows / period) + np.cos(2 * np.pi * cols / period)


def noisy(image, level=0.2, seed=0):
    image = image + level * np.random.default_rng(seed).standard_normal(image.shape)
    return ((image - image.mean()) / image.std()).astype(np.float32)


@pytest.mark.parametrize("period", [6.0, 12.0, 25.0])
def test_the_period_of_a_lattice_is_found(period):
    image = noisy(lattice((256, 300), period), 1.0)
    assert dominant_period(image) == pytest.approx(period, rel=0.08)
    assert natural_factor(image) == pytest.approx(12 / period, rel=0.08)


def test_noise_and_small_images_have_no_period():
    assert dominant_period(noisy(np.zeros((200, 200)), 1.0)) is None
    blobs = random_field(np.random.default_rng(0), (200, 200), 6.0)
    assert natural_factor(noisy(blobs)) == 1.0
    assert dominant_period(np.ones((8, 8), np.float32)) is None


def test_textures_of_equal_grey_lie_far_apart_and_one_texture_near():
    parts = [noisy(lattice((160, 160), 12)), noisy(np.zeros((160, 160)), 1.0, 1)]
    image = noisy(np.concatenate(parts, axis=1), 0.05)
    features = texture_features(image)
    assert features.shape[1:] == (40, 80)
    left, right = (
        features[:, 12:28, start : start + 16].reshape(len(features), -1) for start in (12, 52)
    )
    between = ((left.mean(1) - right.mean(1)) ** 2).sum()
    within = max(side.var(1).sum() for side in (left, right))
    assert between > 1.0  # more likely of two materials than of one
    assert between > 10 * within


def test_tiles_and_odd_sides_give_the_same_maps():
    model = load_texture_model()
    image = noisy(np.zeros((90, 2301)), 1.0)
    maps = model.maps(image)
    assert maps.shape == (model.channels, 23, 576)
    middle = model.maps(image[:, 800:1440])
    assert np.allclose(maps[:, :, 210:350], middle[:, :, 10:150], atol=1e-3)


def test_the_edge_of_an_image_is_no_texture():
    model = load_texture_model()
    image = noisy(np.zeros((120, 240)), 1.0)
    image = 0.3 * image + np.where(np.arange(240) < 120, -1, 1)
    maps = model.maps(image.astype(np.float32))
    inside, edge = maps[:, 8:22, 10:14].mean((1, 2)), maps[:, 8:22, :2].mean((1, 2))
    assert np.abs(inside - edge).max() < 0.3 * maps[:, 8:22, 10:14].std((1, 2)).max()


def test_dense_features_are_those_of_crops():
    model = load_texture_model()
    image = noisy(lattice((120, 120), 10))
    crop = model.embed_crops(model.maps(image), np.array([[8, 8, 23, 23]]))[0]
    dense = texture_features(image, side=60)[:, 15, 15] * model.threshold**0.5
    assert np.allclose(crop, dense, atol=1e-3)


def test_what_ships_is_small_and_as_recorded():
    files = list(WEIGHTS.glob("texture*.onnx"))
    assert {file.name for file in files} == {"texture-local.onnx", "texture-head.onnx"}
    assert sum(file.stat().st_size for file in files) < 6e6
    assert len(load_texture_model().sha256) == 64


def test_missing_and_damaged_files_are_refused(tmp_path):
    with pytest.raises(ModelError, match="cannot be read"):
        TextureModel.load(tmp_path)
    for file in WEIGHTS.glob("texture*"):
        shutil.copy(file, tmp_path)
    description = json.loads((tmp_path / "texture.json").read_text())
    description["sha256"]["head"] = "0" * 64
    (tmp_path / "texture.json").write_text(json.dumps(description))
    with pytest.raises(ModelError, match=r"texture-head\.onnx is damaged"):
        TextureModel.load(tmp_path)
    del description["threshold"]
    (tmp_path / "texture.json").write_text(json.dumps(description))
    with pytest.raises(ModelError, match="cannot be read"):
        TextureModel.load(tmp_path)
