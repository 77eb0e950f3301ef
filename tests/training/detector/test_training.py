"""Training, its files, both backbones, and the export that runs without torch.

This is plumbing, with weights hardly trained: nothing is said of how good any masks are.
"""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from safetensors.torch import save_file

import nital
from nital.detection import boxes as numpy_boxes
from nital.detection.detector import DetectorModel
from nital.errors import ModelError, UsageError
from nital.micrograph import Micrograph
from nital.training.detector.backbones import ResNetPyramid, load_initial
from nital.training.detector.export import export_detector
from nital.training.detector.loop import DetectorOptions, load_detector, train_detector
from nital.training.detector.losses import PARTS
from nital.training.detector.network import DetectorConfig
from nital.training.detector.regions import anchors_of, decode_boxes, nms
from nital.training.network import CompactNetwork

OPTIONS = DetectorOptions(steps=2, batch=1, size=64, checkpoint_every=1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, small_config, tiny):
    folder = tmp_path_factory.mktemp("detector")
    weights = train_detector(folder, OPTIONS, config=small_config, encoder=tiny)
    detector = load_detector(weights, small_config, tiny)
    difference = export_detector(detector, folder / "model")
    return folder, detector, difference


def test_training_logs_every_part_and_goes_on(trained, small_config, tiny):
    folder, _, _ = trained
    more = DetectorOptions(steps=3, batch=1, size=64)
    train_detector(folder, more, config=small_config, encoder=tiny)
    with (folder / "log.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert [int(row["step"]) for row in rows] == [2, 3]
    assert set(rows[0]) == {"step", *PARTS, "total"}


def test_the_export_is_that_of_torch_and_finds_the_same_boxes(trained):
    folder, detector, difference = trained
    assert difference < 1e-4
    model = DetectorModel.load(folder / "model")
    rng = np.random.default_rng(1)
    image = rng.standard_normal((128, 128)).astype(np.float32)
    with torch.no_grad():
        levels = detector.pyramid(torch.from_numpy(image)[None, None])
        logits, codes, anchors = detector.propose(levels)
    got = model.regions.run(None, {"image": image[None, None]})
    np.testing.assert_allclose(got[-2], logits.numpy(), atol=1e-3)
    facts = model.description
    mine = numpy_boxes.anchors_of(
        (128, 128), facts["anchor_strides"], facts["anchor_sizes"], facts["anchor_ratios"]
    )
    np.testing.assert_allclose(mine, anchors.numpy(), atol=1e-4)
    boxes = numpy_boxes.decode_boxes(codes[0].numpy(), mine)
    np.testing.assert_allclose(boxes, decode_boxes(codes[0], anchors).numpy(), atol=1e-2)
    scores = rng.random(200).astype(np.float32)
    kept = numpy_boxes.nms(boxes[:200], scores, 0.5)
    assert (
        kept.tolist() == nms(torch.from_numpy(boxes[:200]), torch.from_numpy(scores), 0.5).tolist()
    )
    assert len(levels) == 6


def test_detect_gives_boxes_inside_the_image(trained):
    model = DetectorModel.load(trained[0] / "model")
    image = np.random.default_rng(0).standard_normal((100, 130)).astype(np.float32)
    found, certainty = model.detect(image)
    assert len(found) == len(certainty)
    assert found.logits.shape[1:] == (28, 28)
    assert (found.windows >= 0).all()
    assert (found.windows <= [100, 130, 100, 130]).all()


def test_segment_with_a_detector_folder(trained):
    folder = str(trained[0] / "model")
    image = np.random.default_rng(0).integers(0, 255, (80, 90)).astype(np.uint8)
    result = nital.segment(Micrograph(image), target="particles", model=folder)
    assert result.model.name == "detector"
    assert result.labels.shape == (80, 90)
    assert ((result.phases == 2) == (result.labels > 0)).all()
    with pytest.raises(UsageError, match="finds particles"):
        nital.segment(Micrograph(image), target="grains", model=folder)


def test_a_damaged_export_is_refused(trained, tmp_path):
    source = trained[0] / "model"
    for path in source.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "detector-boxes.onnx").write_bytes(b"not a graph")
    with pytest.raises(ModelError, match="damaged"):
        DetectorModel.load(tmp_path)
    (tmp_path / "detector.json").write_text(json.dumps({"name": "detector"}))
    with pytest.raises(ModelError, match="describes no detector"):
        DetectorModel.load(tmp_path)
    with pytest.raises(ModelError, match="cannot be read"):
        DetectorModel.load(tmp_path / "gone")


def test_the_compact_encoder_starts_from_a_training(tmp_path, detector, tiny):
    network = CompactNetwork(tiny)
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    load_initial(detector.pyramid, tmp_path / "weights.safetensors")
    loaded = detector.pyramid.encoder.state_dict()
    for name, value in network.encoder.state_dict().items():
        assert torch.equal(loaded[name], value)


def test_resnet50_loads_weights_with_the_usual_names_and_has_all_levels(tmp_path):
    pyramid = ResNetPyramid(channels=8)
    weights = pyramid.body.state_dict() | {"fc.weight": torch.zeros(1), "fc.bias": torch.zeros(1)}
    assert {"conv1.weight", "layer1.0.downsample.0.weight", "layer4.2.bn3.bias"} <= set(weights)
    torch.save(weights, tmp_path / "resnet50.pth")
    load_initial(pyramid, tmp_path / "resnet50.pth")
    with torch.no_grad():
        levels = pyramid.eval()(torch.zeros(1, 1, 64, 128))
    assert [tuple(level.shape[2:]) for level in levels[1:]] == [
        (64 // stride, 128 // stride) for stride in ResNetPyramid.strides
    ]


def test_wrong_weights_are_named(tmp_path, detector):
    save_file({"x": torch.zeros(2)}, tmp_path / "x.safetensors")
    with pytest.raises(ModelError, match=r"x\.safetensors"):
        load_initial(detector.pyramid, tmp_path / "x.safetensors")
    with pytest.raises(ModelError, match=r"x\.safetensors"):
        load_detector(tmp_path / "x.safetensors")
    (tmp_path / "checkpoint.pt").write_bytes(b"no checkpoint")
    with pytest.raises(ModelError, match="no checkpoint"):
        train_detector(tmp_path, OPTIONS)


def test_bad_options_are_refused(tmp_path):
    with pytest.raises(UsageError, match="backbone"):
        DetectorConfig("vgg")
    with pytest.raises(UsageError, match="multiple of 64"):
        DetectorOptions(size=100)
    with pytest.raises(UsageError, match="no labelled particles"):
        train_detector(tmp_path / "out", OPTIONS, data=tmp_path)


def test_the_anchors_of_both_codes_agree():
    sizes, ratios = (2.0, 3.0), (0.5, 1.0)
    shapes = [(8, 12), (4, 6)]
    torch_anchors = anchors_of(shapes, (8, 16), sizes, ratios).numpy()
    np.testing.assert_allclose(
        torch_anchors, numpy_boxes.anchors_of((64, 96), (8, 16), sizes, ratios), atol=1e-4
    )


def test_of_a_pair_the_magnification_chooses(trained, tmp_path):
    import shutil

    for name in ("low", "high"):
        shutil.copytree(trained[0] / "model", tmp_path / name)
    rng = np.random.default_rng(0)
    image = Micrograph(rng.integers(0, 255, (70, 64)).astype(np.uint8))
    asked = {
        magnification: nital.segment(
            image, target="particles", model=str(tmp_path), magnification=magnification
        ).parameters["found"]
        for magnification in (500.0, 50_000.0)
    }
    assert asked[500.0]["length_scale"] == "low"
    assert asked[50_000.0]["length_scale"] == "high"
    assert asked[50_000.0]["scale"] == 1.0
    assert "50,000x" in asked[50_000.0]["length_scale_reason"]
    whole = nital.segment(image, target="particles", model=str(trained[0]))
    assert "length_scale" not in whole.parameters["found"]
