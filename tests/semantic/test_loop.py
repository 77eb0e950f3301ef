"""Training a small U-Net on drawn images, from the first epoch to the model that is used."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch

from nital.errors import ModelError
from nital.semantic.encoder import load_encoder
from nital.semantic.export import export_semantic
from nital.semantic.loop import (
    Epoch,
    SemanticOptions,
    time_number_formats,
    train_semantic,
)
from nital.semantic.networks import SegNet, make_semantic_network
from nital.semantic.samples import SemanticSet, load_semantic_set

SMALL = SemanticOptions(width=4, crop=32, crops_per_image=8, batch=4, epochs=8, learning_rate=5e-3)


@pytest.fixture
def data(make_set: Callable[..., Path]) -> SemanticSet:
    return load_semantic_set(make_set())


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


class TestTraining:
    def test_classes_of_plain_grey_levels_are_learnt(
        self, data: SemanticSet, tmp_path: Path
    ) -> None:
        seen: list[Epoch] = []
        train_semantic(tmp_path, data, SMALL, report=lambda row, best: seen.append(row))
        assert [row.epoch for row in seen] == list(range(1, 9))
        assert seen[-1].validation_iou > 0.7
        assert seen[-1].validation_loss < seen[0].validation_loss
        assert [row["epoch"] for row in rows(tmp_path)] == [f"{n}" for n in range(1, 9)]

    def test_a_stopped_training_goes_on_to_the_same_weights(
        self, data: SemanticSet, tmp_path: Path
    ) -> None:
        train_semantic(tmp_path / "whole", data, replace(SMALL, epochs=3))
        train_semantic(tmp_path / "parts", data, replace(SMALL, epochs=1))
        train_semantic(tmp_path / "parts", data, replace(SMALL, epochs=3))
        assert rows(tmp_path / "whole") == rows(tmp_path / "parts")
        whole, parts = (
            torch.load(tmp_path / run / "checkpoint.pt", weights_only=True)["network"]
            for run in ("whole", "parts")
        )
        assert all(torch.equal(whole[name], parts[name]) for name in whole)

    def test_it_stops_without_gain_and_keeps_the_best(
        self, data: SemanticSet, tmp_path: Path
    ) -> None:
        """At such a learning rate the first epochs are the best ones."""
        seen: list[tuple[Epoch, bool]] = []
        options = replace(SMALL, learning_rate=3.0, patience=2, epochs=30)
        train_semantic(tmp_path, data, options, report=lambda row, best: seen.append((row, best)))
        assert len(seen) < 30
        assert not any(best for _, best in seen[-2:])
        kept = [row for row, best in seen if best][-1]
        assert kept.validation_loss == min(row.validation_loss for row, _ in seen)

    def test_both_number_formats_are_timed(self, data: SemanticSet) -> None:
        seconds = time_number_formats(data, SMALL)
        assert set(seconds) == {"float32", "bfloat16"}
        assert all(value > 0 for value in seconds.values())

    def test_a_checkpoint_of_another_network_is_refused(
        self, data: SemanticSet, tmp_path: Path
    ) -> None:
        train_semantic(tmp_path, data, replace(SMALL, epochs=1))
        with pytest.raises(ModelError, match=r"checkpoint\.pt is no checkpoint of this segnet"):
            train_semantic(tmp_path, data, replace(SMALL, architecture="segnet"))


class TestEncoder:
    def test_the_encoder_of_an_earlier_training(self, data: SemanticSet, tmp_path: Path) -> None:
        weights = train_semantic(tmp_path, data, replace(SMALL, epochs=1))
        network = make_semantic_network("unet", classes=7, width=4)
        before = network.head.weight.clone()
        load_encoder(network, weights)
        from safetensors.torch import load_file

        kept = {k: v for k, v in load_file(weights).items() if k.startswith("encoder.")}
        own = network.state_dict()
        assert all(torch.equal(own[name], value) for name, value in kept.items())
        assert torch.equal(network.head.weight, before)

    def test_a_vgg_16_for_a_segnet(self, tmp_path: Path) -> None:
        """``features.N`` in the order of the layers; colour is summed, biases are left out."""
        from safetensors.torch import save_file

        network = SegNet(width=4)
        found, layer = {}, 0
        for module in network.encoder.modules():
            if isinstance(module, torch.nn.Conv2d):
                shape = list(module.weight.shape)
                shape[1] = 3 if layer == 0 else shape[1]
                found[f"features.{layer}.weight"] = torch.randn(shape)
                found[f"features.{layer}.bias"] = torch.randn(shape[0])
                layer += 1
            elif isinstance(module, torch.nn.BatchNorm2d):
                for name, value in module.state_dict().items():
                    random = torch.randn(value.shape) if value.ndim else torch.tensor(3)
                    found[f"features.{layer}.{name}"] = random
                layer += 2  # the normalisation and the ReLU
        save_file(found, tmp_path / "vgg.safetensors")
        load_encoder(network, tmp_path / "vgg.safetensors")
        own = network.state_dict()
        first = found["features.0.weight"].sum(dim=1, keepdim=True)
        torch.testing.assert_close(own["encoder.0.0.weight"], first)
        assert torch.equal(own["encoder.0.1.bias"], found["features.1.bias"])
        assert torch.equal(own["encoder.4.6.weight"], found["features.36.weight"])

    def test_another_width_is_refused(self, data: SemanticSet, tmp_path: Path) -> None:
        weights = train_semantic(tmp_path, data, replace(SMALL, epochs=1))
        with pytest.raises(ModelError, match=r"where this network has .* give the same --width"):
            load_encoder(make_semantic_network("unet", width=8), weights)

    def test_another_network_is_refused(self, data: SemanticSet, tmp_path: Path) -> None:
        weights = train_semantic(tmp_path, data, replace(SMALL, epochs=1))
        with pytest.raises(ModelError, match="holds no encoder of this network"):
            load_encoder(make_semantic_network("segnet", width=4), weights)

    def test_a_file_that_is_no_safetensors(self, tmp_path: Path) -> None:
        (tmp_path / "a.safetensors").write_bytes(b"nothing of the kind")
        with pytest.raises(ModelError, match="cannot be read as safetensors"):
            load_encoder(make_semantic_network("unet"), tmp_path / "a.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["segnet", "transunet"])
def test_the_export_is_torch_without_torch(architecture: str) -> None:
    torch.manual_seed(0)
    network = make_semantic_network(architecture, classes=3, width=4).eval()
    _, difference = export_semantic(network)
    assert difference < 1e-5
