"""Weights that a crop network starts from: ResNet-18 of others, or Nital's texture network."""

from __future__ import annotations

import re
from pathlib import Path

from torch import Tensor, nn

from nital.errors import ModelError, UsageError
from nital.training.texture_network import FENet, ResNet18, TextureNetwork

__all__ = ["load_start"]

BLOCKS = {"conv1": "layers.0", "bn1": "layers.1", "conv2": "layers.3", "bn2": "layers.4"}
FIRST_BLOCK = 4  # of the backbone, after convolution, normalisation, ReLU and pooling


def load_start(network: nn.Module, path: Path) -> None:
    """Take over the weights of a network of the same kind, but for the layer that names classes.

    A ResNet-18, also that of FENet, takes a state dict with the names of torchvision and timm; the
    three filters for red, green and blue of its first layer are added up, as a grey image shows
    all three the same. The compact network takes ``weights.safetensors`` of ``nital train
    texture``, without the layer that makes the embedding.

    Parameters
    ----------
    network
        Of :func:`nital.training.texture_network.make_crop_network`; changed in place.
    path
        A ``.safetensors`` file. Pickles are not read.

    Raises
    ------
    ModelError
        When the file cannot be read or holds another network.
    UsageError
        When the network takes no weights of others.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not isinstance(network, ResNet18 | FENet | TextureNetwork):
        raise UsageError(f"{type(network).__name__} cannot start from weights of another network")
    texture = isinstance(network, TextureNetwork)
    kind = "texture network of nital train texture" if texture else "ResNet-18"
    try:
        found = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"{path} cannot be read as safetensors ({str(error).splitlines()[0]}); give the"
            f" weights of a {kind} written by safetensors.torch.save_file"
        ) from error
    named = _of_texture(found) if texture else _of_resnet(found)
    last = _last_layer(network)
    wanted = {name: value for name, value in network.state_dict().items() if name not in last}
    for name, value in wanted.items():
        if not _is_taken(network, name):
            continue
        given = named.get(name)
        if given is None or given.shape != value.shape:
            what = "is missing" if given is None else f"measures {tuple(given.shape)}"
            raise ModelError(
                f"{path} holds no {kind} of this width: what should become {name}, of"
                f" {tuple(value.shape)}, {what}; give weights of that network"
            )
    taken = {name: named[name] for name in wanted if _is_taken(network, name)}
    network.load_state_dict(taken, strict=False)


def _is_taken(network: nn.Module, name: str) -> bool:
    """Whether a value comes from the file: fractal layers of FENet start at random."""
    if name.endswith("num_batches_tracked"):
        return False
    return not isinstance(network, FENet) or name.startswith("backbone.")


def _last_layer(network: ResNet18 | FENet | TextureNetwork) -> set[str]:
    place = f"head.{len(network.head) - 1}" if isinstance(network.head, nn.Sequential) else "head"
    return {f"{place}.weight", f"{place}.bias"}


def _of_texture(found: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix("network."): value for name, value in found.items()}


def _of_resnet(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names of torchvision and timm turned into those of our backbone."""
    named = {}
    for name, value in found.items():
        block = re.fullmatch(r"layer([1-4])\.([01])\.(\w+?)(\.[01])?\.(\w+)", name)
        if block is not None:
            stage, index, part, side, kind = block.groups()
            place = FIRST_BLOCK + 2 * (int(stage) - 1) + int(index)
            inner = f"shortcut{side}" if part == "downsample" else BLOCKS.get(part, part)
            named[f"backbone.{place}.{inner}.{kind}"] = value
        elif name == "conv1.weight":
            named["backbone.0.weight"] = value.sum(1, keepdim=True)
        elif name.startswith("bn1."):
            named[f"backbone.1.{name.removeprefix('bn1.')}"] = value
    return named
