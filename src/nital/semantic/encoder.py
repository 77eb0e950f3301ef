"""A supplied encoder to start from, in place of random weights."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from nital.errors import ModelError

__all__ = ["load_encoder"]


def load_encoder(network: nn.Module, path: Path) -> None:
    """Put the encoder of a safetensors file into a network.

    Two kinds of files are understood: weights that ``nital train`` has written for the same
    architecture and width, on whatever classes; and, for a SegNet of width 64, the convolutions
    and normalisations of a VGG-16 (``features.*``, as torchvision and MicroNet name them). Weights
    for three colour channels are summed, which is what a grey image in all three would see.

    Raises
    ------
    ModelError
        When the file cannot be read or its encoder does not fit.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        found = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"{path} cannot be read as safetensors ({str(error).splitlines()[0]}); give weights "
            "that nital train has written, or a VGG-16 saved as safetensors"
        ) from error
    own = {k: v for k, v in network.state_dict().items() if k.startswith("encoder.")}
    theirs = {k: v for k, v in found.items() if k.startswith("encoder.")}
    if not theirs:
        theirs = _in_order(own, found)
    if set(theirs) != set(own):
        raise ModelError(
            f"{path} holds no encoder of this network; give weights of the same architecture, "
            "or for segnet those of a VGG-16 with batch normalisation"
        )
    fitting = {name: _as_grey(value, own[name]) for name, value in theirs.items()}
    wrong = next((name for name, value in fitting.items() if value.shape != own[name].shape), None)
    if wrong is not None:
        raise ModelError(
            f"{path}: {wrong} is {tuple(theirs[wrong].shape)} where this network has "
            f"{tuple(own[wrong].shape)}; give the same --width"
        )
    network.load_state_dict(fitting, strict=False)


def _in_order(own: dict[str, Tensor], found: dict[str, Tensor]) -> dict[str, Tensor]:
    """Pair the tensors of ``features.*`` with ours, kind by kind, in the order of the layers."""
    pairs: dict[str, Tensor] = {}
    kinds = {(name.rpartition(".")[2], value.ndim) for name, value in own.items()}
    for kind, dimensions in kinds:
        ours = [k for k, v in own.items() if k.endswith("." + kind) and v.ndim == dimensions]
        theirs = [
            (int(k.split(".")[1]), v)
            for k, v in found.items()
            if k.startswith("features.") and k.endswith("." + kind) and v.ndim == dimensions
        ]
        if kind == "bias":  # convolutions of VGG-16 have biases, ours leave them to normalisation
            normalised = {
                int(k.split(".")[1]) for k in found if k.startswith("features.") and "_mean" in k
            }
            theirs = [(layer, value) for layer, value in theirs if layer in normalised]
        ordered = [value for _, value in sorted(theirs, key=lambda pair: pair[0])]
        if len(ordered) == len(ours):
            pairs |= dict(zip(ours, ordered, strict=True))
    return pairs


def _as_grey(value: Tensor, own: Tensor) -> Tensor:
    colour = value.ndim == 4 and value.shape[1] == 3 and own.shape[1] == 1
    return value.sum(dim=1, keepdim=True) if colour else value
