"""Starting from a ResNet-18 of others: names, colours, and files that are something else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from nital.cli.train_crops import train_crops_command
from nital.errors import ModelError, UsageError
from nital.training.crop_classifier import CropTraining, train_crops
from nital.training.crop_start import load_start
from nital.training.texture_network import make_crop_network
from nital.training.texture_samples import TextureOptions

NAMES = ("SrTiO3", "Ge")


def published_resnet18(width: int, colours: int = 3) -> dict[str, torch.Tensor]:
    """A state dict with the names of torchvision and timm, filled at random."""
    generator = torch.Generator().manual_seed(0)
    weights: dict[str, torch.Tensor] = {}

    def convolution(name: str, after: int, before: int, side: int) -> None:
        weights[f"{name}.weight"] = 0.1 * torch.randn(
            after, before, side, side, generator=generator
        )

    def normalisation(name: str, channels: int) -> None:
        for part in ("weight", "bias", "running_mean"):
            weights[f"{name}.{part}"] = torch.randn(channels, generator=generator)
        weights[f"{name}.running_var"] = torch.rand(channels, generator=generator) + 0.5
        weights[f"{name}.num_batches_tracked"] = torch.tensor(7)

    convolution("conv1", width, colours, 7)
    normalisation("bn1", width)
    before = width
    for stage in range(1, 5):
        after = width * 2 ** (stage - 1)
        for block in (0, 1):
            name = f"layer{stage}.{block}"
            convolution(f"{name}.conv1", after, before, 3)
            normalisation(f"{name}.bn1", after)
            convolution(f"{name}.conv2", after, after, 3)
            normalisation(f"{name}.bn2", after)
            if block == 0 and stage > 1:
                convolution(f"{name}.downsample.0", after, before, 1)
                normalisation(f"{name}.downsample.1", after)
            before = after
    weights["fc.weight"] = torch.randn(1000, 8 * width, generator=generator)
    weights["fc.bias"] = torch.zeros(1000)
    return weights


def as_published(weights: dict[str, torch.Tensor], image: torch.Tensor) -> torch.Tensor:
    """What a ResNet-18 makes of a colour image before its last layer, written out (He et al.)."""

    def norm(name: str, x: torch.Tensor) -> torch.Tensor:
        parts = (weights[f"{name}.{p}"] for p in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, *parts)

    x = F.relu(norm("bn1", F.conv2d(image, weights["conv1.weight"], stride=2, padding=3)))
    x = F.max_pool2d(x, 3, 2, 1)
    for stage in range(1, 5):
        for block in (0, 1):
            name = f"layer{stage}.{block}"
            stride = 2 if block == 0 and stage > 1 else 1
            y = F.conv2d(x, weights[f"{name}.conv1.weight"], stride=stride, padding=1)
            y = F.conv2d(F.relu(norm(f"{name}.bn1", y)), weights[f"{name}.conv2.weight"], padding=1)
            beside = x
            if f"{name}.downsample.0.weight" in weights:
                beside = F.conv2d(x, weights[f"{name}.downsample.0.weight"], stride=stride)
                beside = norm(f"{name}.downsample.1", beside)
            x = F.relu(norm(f"{name}.bn2", y) + beside)
    return x.mean((2, 3))


def test_a_published_resnet_sees_a_grey_image_as_it_saw_it_in_colour(tmp_path):
    weights = published_resnet18(8)
    save_file(weights, tmp_path / "resnet18.safetensors")
    network = make_crop_network("resnet18", 5, 8 / 64).eval()
    before = network.head.weight.clone()
    load_start(network, tmp_path / "resnet18.safetensors")
    grey = torch.randn(2, 1, 60, 60)
    with torch.no_grad():
        found = network.backbone(grey).mean((2, 3))
    assert torch.allclose(found, as_published(weights, grey.expand(-1, 3, -1, -1)), atol=1e-4)
    assert torch.equal(network.head.weight, before)


def test_weights_of_grey_images_and_without_a_last_layer_load_too(tmp_path):
    weights = published_resnet18(8, colours=1)
    save_file({k: v for k, v in weights.items() if k[:2] != "fc"}, tmp_path / "w.safetensors")
    network = make_crop_network("fenet", 2, 8 / 64)
    load_start(network, tmp_path / "w.safetensors")
    assert torch.equal(network.backbone[0].weight, weights["conv1.weight"])


def _refused(network: nn.Module, path, match: str) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(ModelError, match=match):
        load_start(network, path)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_files_of_something_else_are_refused_and_change_nothing(tmp_path):
    path = tmp_path / "w.safetensors"
    small, own = make_crop_network("resnet18", 2, 8 / 64), make_crop_network("compact", 2)
    _refused(small, path, "cannot be read as safetensors")
    torch.save(published_resnet18(8), path)
    _refused(small, path, "cannot be read as safetensors")
    save_file(published_resnet18(16), path)
    _refused(small, path, r"holds no ResNet-18 of this width.*measures \(16, 1, 7, 7\)")
    _refused(own, path, "holds no texture network of nital train texture")
    deeper = published_resnet18(8)
    deeper["layer1.0.conv1.weight"] = torch.zeros(8, 8, 1, 1)  # as in a ResNet-50
    save_file(deeper, path)
    _refused(small, path, "what should become backbone.4.layers.0.weight")
    save_file({"patch_embed.weight": torch.zeros(3)}, path)
    _refused(small, path, "backbone.0.weight, of .* is missing")


def test_a_network_of_another_kind_takes_no_weights(tmp_path):
    with pytest.raises(UsageError, match="Linear cannot start from weights"):
        load_start(nn.Linear(2, 2), tmp_path / "w.safetensors")


def test_the_compact_network_starts_from_the_texture_network(tmp_path):
    from nital.training.texture_loop import TextureTraining, train_texture

    stream = TextureOptions(crops=2, sides=(32,), shares=(0, 0, 1, 0), pool=3)
    options = TextureTraining(steps=1, groups=1, width=0.5)
    weights = train_texture(tmp_path / "texture", options, stream=stream)
    network = make_crop_network("compact", 3, 0.5)
    last = network.head[-1].weight.clone()
    load_start(network, weights)
    from safetensors.torch import load_file

    stored = load_file(weights)
    assert torch.equal(network.local[1].weight, stored["network.local.1.weight"])
    assert torch.equal(network.head[1].weight, stored["network.head.1.weight"])
    assert torch.equal(network.head[-1].weight, last)


def test_a_training_starts_from_the_file_and_says_so(tmp_path):
    import json

    from nital.training.crop_classifier import export_crops

    save_file(published_resnet18(8), tmp_path / "resnet18.safetensors")
    rates = {"learning_rate": 0.0, "steps": 1, "batch": 4, "side": 40, "pool": 2}
    initial = tmp_path / "resnet18.safetensors"
    options = CropTraining(NAMES, "resnet18", width=1 / 8, initial=initial, **rates)
    network = train_crops(tmp_path / "run", options)
    assert torch.allclose(
        network.backbone[0].weight, published_resnet18(8)["conv1.weight"].sum(1, keepdim=True)
    )
    export_crops(network, tmp_path / "model", options)
    written = json.loads((tmp_path / "model" / "crops.json").read_text())
    assert (written["initial"], written["width"]) == ("resnet18.safetensors", 0.125)


def test_a_wrong_file_ends_the_command_with_one_sentence(tmp_path, capsys):
    (tmp_path / "w.safetensors").write_bytes(b"nothing")
    settings = {"network": "resnet18", "initial": tmp_path / "w.safetensors", "steps": 1}
    assert train_crops_command(tmp_path / "run", "SrTiO3,Ge", settings) == 1
    assert "cannot be read as safetensors" in capsys.readouterr().err
    assert not (tmp_path / "run" / "weights.safetensors").exists()


@pytest.mark.parametrize("width", [0.0, 9.0, np.nan])
def test_an_impossible_width_is_refused(width):
    with pytest.raises(UsageError, match=r"0\.1 to 8 times its own"):
        make_crop_network("compact", 2, width)
