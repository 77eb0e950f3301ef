"""A supervised segmenter without torch: a graph whose answer is known, and what is made of it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import nital
from nital.errors import ModelError, UsageError
from nital.micrograph import Micrograph
from nital.semantic.model import SemanticModel, find_semantic_model

onnx = pytest.importorskip("onnx")


def write_model(folder: Path, slopes: list[float], **changes: Any) -> Path:
    """A model whose class k has the logit slopes[k] times the standardised grey level."""
    weights = onnx.numpy_helper.from_array(
        np.array(slopes, dtype=np.float32).reshape(-1, 1, 1, 1), "weights"
    )
    image, logits = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, channels, "h", "w"])
        for name, channels in (("image", 1), ("logits", len(slopes)))
    )
    node = onnx.helper.make_node("Conv", ["image", "weights"], ["logits"])
    graph = onnx.helper.make_graph([node], "grey", [image], [logits], [weights])
    opset = onnx.helper.make_opsetid("", 18)
    content = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10)
    data = content.SerializeToString()
    folder.mkdir(parents=True)
    (folder / "semantic.onnx").write_bytes(data)
    names = ("matrix", "disc", "void")[: len(slopes)]
    description = {
        "name": "unet",
        "sha256": hashlib.sha256(data).hexdigest(),
        "task": "semantic",
        "classes": [{"value": v, "name": n} for v, n in enumerate(names, start=1)],
        "stride": 32,
        "tile": 64,
        "margin": 32,
        **changes,
    }
    (folder / "semantic.json").write_text(json.dumps(description), encoding="utf-8")
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Bright pixels are disc, dark ones void, the others matrix."""
    return write_model(tmp_path / "run" / "model", [0.0, 1.0, -1.0])


def bright_disc() -> NDArray[np.uint8]:
    """A disc of radius 25 and a small void on a matrix whose grey is the mean, with a data bar."""
    row, column = np.indices((150, 170))
    image = np.full(row.shape, 100, dtype=np.uint8)
    image[np.hypot(row - 70, column - 60) < 25] = 200
    image[20:30, 120:135] = 0
    return image


class TestModel:
    def test_tiles_make_no_difference(self, model: Path) -> None:
        image = np.random.default_rng(0).standard_normal((150, 170)).astype(np.float32)
        classes, probability = SemanticModel.load(model).classify(image)
        np.testing.assert_array_equal(classes, np.where(image > 0, 1, 2))
        size = np.abs(image)
        expected = np.exp(size) / (1 + np.exp(size) + np.exp(-size))
        np.testing.assert_allclose(probability, expected, rtol=1e-5)

    def test_it_is_found_by_its_folder_or_that_of_its_training(self, model: Path) -> None:
        assert find_semantic_model(str(model)) == model
        assert find_semantic_model(str(model.parent)) == model
        assert find_semantic_model("compact") is None

    def test_files_that_are_missing_or_damaged(self, model: Path) -> None:
        (model / "semantic.onnx").write_bytes(b"other")
        with pytest.raises(ModelError, match=r"semantic\.onnx is damaged .* copy it again"):
            SemanticModel.load(model)
        (model / "semantic.json").write_text('{"name": "unet"}')
        with pytest.raises(ModelError, match="does not describe a supervised segmenter"):
            SemanticModel.load(model)
        (model / "semantic.onnx").unlink()
        with pytest.raises(ModelError, match="cannot be read"):
            SemanticModel.load(model)


class TestSegment:
    def segment(self, model: Path, target: str = "auto", **options: Any) -> Any:
        micrograph = Micrograph(bright_disc(), name="drawn", data_bar_row=140)
        return nital.segment(micrograph, target, model=str(model), **options)

    def test_named_classes_are_phases_by_falling_area(self, model: Path) -> None:
        result = self.segment(model)
        assert result.target == "phases"
        assert result.target_reason == "the model was trained on semantic"
        assert result.model.name == "unet"
        assert len(result.model.sha256) == 64
        names = result.parameters["found"]["classes"]
        assert result.phases[70, 60] == next(int(k) for k, v in names.items() if v == "disc")
        assert result.phases[25, 125] == next(int(k) for k, v in names.items() if v == "void")
        areas = np.bincount(result.phases[:140].ravel())[1:]
        assert (np.diff(areas) <= 0).all()
        np.testing.assert_array_equal(result.labels > 0, result.phases > 1)
        assert not result.phases[140:].any()

    def test_layers_are_all_connected_regions(self, model: Path) -> None:
        result = self.segment(model, "layers", phases=2)
        assert (result.labels[:140] > 0).all()
        assert "--phases 2 has no effect: the model tells 3 classes apart" in result.warnings[-1]

    def test_another_target_is_refused(self, model: Path) -> None:
        with pytest.raises(UsageError, match="answers phases or layers, not grains"):
            self.segment(model, "grains")

    def test_a_model_of_lines_answers_grains(self, tmp_path: Path) -> None:
        folder = write_model(tmp_path / "lines", [1.0, -1.0], task="boundaries")
        image = np.full((120, 120), 180, dtype=np.uint8)
        image[:, 58:61] = 60
        image[70:72] = 60
        image[70:72, 20:24] = 180  # a gap
        result = nital.segment(Micrograph(image, name="lines"), model=str(folder))
        assert result.target == "grains"
        assert result.labels.max() == 4
        assert (result.labels > 0).all()
        assert result.labels[5, 5] != result.labels[5, 115] != result.labels[115, 115]


def discs(radius: int, pitch: int, side: int) -> NDArray[np.uint8]:
    """Bright discs on a square lattice, and noise."""
    rows, columns = np.indices((side, side)) % pitch - pitch // 2
    noise = np.random.default_rng(0).normal(0, 6, (side, side))
    return (60 + 140 * (np.hypot(rows, columns) <= radius) + noise).astype(np.uint8)


@pytest.mark.parametrize(
    ("radius", "pitch", "side", "finer"), [(110, 300, 600, False), (4, 16, 192, True)]
)
def test_particles_are_looked_at_at_their_natural_scale(
    tmp_path: Path, radius: int, pitch: int, side: int, finer: bool
) -> None:
    folder = write_model(
        tmp_path / "m",
        [8.0, -8.0],
        task="instances",
        classes=[{"value": 0, "name": "background"}, {"value": 1, "name": "particle"}],
        maps=["foreground", "border"],
    )
    image = discs(radius, pitch, side)
    result = nital.segment(Micrograph(image), target="particles", model=str(folder))
    scale = result.parameters["found"]["scale"]
    assert scale > 1 if finer else scale < 1
    assert result.labels.shape == image.shape
    assert len(result.objects) == (side // pitch) ** 2 == result.labels.max()
    truth = image > 130
    assert ((result.labels > 0) & truth).sum() / ((result.labels > 0) | truth).sum() > 0.85
    empty = nital.segment(
        Micrograph(np.full((40, 50), 7, np.uint8)), target="particles", model=str(folder)
    )
    assert not empty.labels.any()
    assert "no particle was found" in empty.warnings
