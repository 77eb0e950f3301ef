"""The crop classifier: what it is trained on, resuming, export, and the names it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nital.boost.crop_classifier import CropClassifier, name_regions
from nital.cli.train_crops import train_crops_command
from nital.errors import ModelError, UsageError
from nital.training.crop_classifier import CropStream, CropTraining, export_crops, train_crops

SMALL = CropTraining(("SrTiO3", "Ge"), steps=1, batch=8, side=40, pool=2)


def test_batches_hold_crops_of_the_named_materials_alone():
    crops, classes = CropStream(SMALL).batch()
    assert crops.shape == (8, 40, 40)
    assert set(classes) == {0, 1}
    again, _ = CropStream(SMALL).batch()
    assert (crops == again).all()


def test_training_goes_on_and_its_export_names_regions(tmp_path):
    train_crops(tmp_path, SMALL)
    options = CropTraining(("SrTiO3", "Ge"), steps=2, batch=8, side=40, pool=2)
    network = train_crops(tmp_path, options)
    assert (tmp_path / "log.csv").read_text().count("\n") == 3
    assert export_crops(network, tmp_path / "model", options) < 1e-4
    classifier = CropClassifier.load(tmp_path / "model")
    assert classifier.names == ("SrTiO3", "Ge")
    crops = np.random.default_rng(0).standard_normal((5, 40, 40)).astype(np.float32)
    with torch.no_grad():
        expected = torch.softmax(network(torch.from_numpy(crops)[:, None]), 1).numpy()
    assert np.allclose(classifier.probabilities(crops, ("SrTiO3", "Ge")), expected, atol=1e-3)
    labels = np.repeat([[1], [2]], 50, axis=0).repeat(90, axis=1).astype(np.int32)
    image = np.random.default_rng(1).standard_normal(labels.shape).astype(np.float32)
    named = name_regions(image, labels, ("Ge",), classifier=classifier)
    assert named.material.tolist() == [0, 0]
    assert [entry["reason"] for entry in named.log] == ["Ge", "Ge"]
    with pytest.raises(UsageError, match="Si cannot be told by the crop classifier"):
        name_regions(image, labels, ("Si", "Ge"), classifier=classifier)


@pytest.mark.parametrize("names", [("SrTiO3",), ("SrTiO3", "SrTiO3"), ("SrTiO3", "NaCl")])
def test_what_cannot_be_told_apart_is_refused(names):
    with pytest.raises(UsageError, match="choose two or more of SrTiO3"):
        CropTraining(names)


def test_bad_files_and_names_are_refused(tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="is no checkpoint of this network"):
        train_crops(tmp_path, SMALL)
    with pytest.raises(ModelError, match="train one with nital train crops"):
        CropClassifier.load(tmp_path)
    assert train_crops_command(tmp_path / "new", "SrTiO3", {"steps": 1}) == 2
