"""Export and what follows a training, with a tiny network of random weights.

This is plumbing: that ONNX Runtime and torch agree, and that the files are those which the
run-time path reads. Nothing is said of how good any masks are.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import nital
from nital.errors import ModelError
from nital.models.compact import PARTS, CompactModel
from nital.models.dense_maps import predict_dense
from nital.prompts import PromptSet
from nital.training.export import export_compact
from nital.training.finish import finish_training
from nital.training.loop import TrainingOptions, load_network, train_compact

OPTIONS = TrainingOptions(steps=1, batch=2, workers=0)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, tiny, small_crops):
    """One step of training, then everything that follows it."""
    folder = tmp_path_factory.mktemp("training")
    train_compact(folder, OPTIONS, stream=small_crops, config=tiny)
    return folder, finish_training(folder, OPTIONS, config=tiny, head_crops=4)


@pytest.fixture(scope="module")
def pair(finished, tiny):
    """The same weights in torch and as exported."""
    folder, made = finished
    return load_network(folder / "final.safetensors", tiny), CompactModel.load(made.model)


def test_the_files_and_their_hashes(finished):
    folder, made = finished
    assert made.model == folder / "model"
    names = {"compact.json", *(f"compact-{part}.onnx" for part in PARTS)}
    assert {path.name for path in made.model.iterdir()} == names
    description = json.loads((made.model / "compact.json").read_text())
    for part in PARTS:
        data = (made.model / f"compact-{part}.onnx").read_bytes()
        assert hashlib.sha256(data).hexdigest() == description["sha256"][part]
    assert description["training"]["steps"] == 1
    assert made.difference < 1e-4
    assert 0 <= made.target_accuracy <= 1


def test_nothing_of_the_exporting_machine_is_in_the_files(finished):
    package = str(next(iter(nital.__path__))).encode()
    for path in finished[1].model.iterdir():
        data = path.read_bytes()
        assert package not in data
        assert b".py" not in data
        assert b"site-packages" not in data


@pytest.mark.parametrize("shape", [(32, 32), (96, 160)])
def test_maps_equal_torch(pair, shape):
    network, model = pair
    image = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    maps = model.embed(image, "phases").maps
    with torch.no_grad():
        dense, embedding, mask_features, query, target = network.encoder(
            torch.from_numpy(image)[None, None], torch.eye(4)[1:2]
        )
    dense = dense[0].numpy()
    np.testing.assert_allclose(maps["dense"][:3], 1 / (1 + np.exp(-dense[:3])), atol=1e-4)
    np.testing.assert_allclose(maps["dense"][3:], dense[3:] + 5, atol=1e-4)
    for name, expected in (
        ("embedding", embedding),
        ("mask_features", mask_features),
        ("query", query),
    ):
        np.testing.assert_allclose(maps[name], expected.numpy(), atol=1e-4)
    np.testing.assert_allclose(maps["target_probability"], target.softmax(1)[0].numpy(), atol=1e-4)


@pytest.mark.parametrize("level", ["object", "phase"])
def test_masks_equal_torch(pair, level):
    network, model = pair
    image = np.random.default_rng(1).standard_normal((64, 96)).astype(np.float32)
    embedding = model.embed(image, "particles")
    points = np.random.default_rng(2).uniform(0, 60, (5, 2, 2)).astype(np.float32)
    labels = np.array([[1, -1], [1, 0], [1, 1], [0, 1], [1, -1]], np.float32)
    boxes = np.zeros((5, 4), np.float32)
    boxes[4] = [5, 8, 25, 30]
    found = model.decode(embedding, PromptSet(points, labels, boxes), level)
    maps = {name: torch.from_numpy(np.asarray(value)) for name, value in embedding.maps.items()}
    asked = [torch.from_numpy(array) for array in (points, labels)]
    with torch.no_grad():
        if level == "object":
            side = found.logits.shape[-1]
            logits, scores = network.object_decoder(
                maps["mask_features"],
                maps["query"],
                *asked,
                torch.from_numpy(boxes),
                torch.from_numpy(found.windows[:, 0]),
                maps["padded"],
                (torch.arange(side) + 0.5) / side * 2 - 1,
            )
        else:
            logits, scores = network.phase_decoder(
                maps["embedding"][:, :, ::2, ::2], maps["query"], *asked, maps["padded"]
            )
    scale = max(1.0, float(logits.abs().max()))
    np.testing.assert_allclose(found.logits[:, 0] / scale, logits.numpy() / scale, atol=1e-4)
    np.testing.assert_allclose(found.scores[:, 0], scores.sigmoid().numpy(), atol=1e-4)


def test_tiles_are_stitched_exactly(pair):
    """Hardly trained, the network adds nothing image-wide yet, so tiles may not be seen at all."""
    _, model = pair
    image = 5 * np.random.default_rng(3).standard_normal((416, 390)).astype(np.float32)
    whole = predict_dense(model, image, "grains", embedding=True)
    tiled = predict_dense(model, image, "grains", embedding=True, tile=160, margin=96)
    for name in ("foreground", "boundary", "distance", "log_extent", "log_width", "embedding"):
        a, b = (getattr(maps, name) for maps in (whole, tiled))
        step = float(np.spacing(np.abs(a).max()))
        assert np.abs(a.astype(float) - b).max() <= 2 * step
        assert a.std(dtype=float) > 4 * step


def test_only_the_target_head_is_fitted_after_the_training(finished, tiny):
    folder, _ = finished
    before = load_network(folder / "weights.safetensors", tiny).state_dict()
    after = load_network(folder / "final.safetensors", tiny).state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith("encoder.target_head.") for name in changed)


def test_the_curve_is_a_picture(finished):
    assert finished[1].curve.read_bytes().startswith(b"\x89PNG")


def test_weights_of_another_network_are_refused_before_anything_is_written(finished, tmp_path):
    with pytest.raises(ModelError, match=r"final\.safetensors"):
        export_compact(finished[0] / "final.safetensors", tmp_path / "model")
    assert not (tmp_path / "model").exists()
