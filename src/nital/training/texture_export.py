"""Export of a trained texture network to ONNX, compared with torch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nital.errors import ModelError
from nital.training.graph import to_onnx, write_whole
from nital.training.texture_loop import EMBEDDING, ContrastiveNetwork
from nital.training.texture_network import TextureNetwork, make_crop_network

__all__ = ["export_texture", "load_contrastive"]

TOLERANCE = 2e-3


def load_contrastive(
    weights: Path, network: str = "compact", width: float = 1.0
) -> ContrastiveNetwork:
    """The network of a ``weights.safetensors`` of ``nital train texture``, in evaluation mode.

    Raises
    ------
    ModelError
        When the file cannot be read or holds other weights.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    model = ContrastiveNetwork(make_crop_network(network, EMBEDDING, width), 8)
    try:
        model.load_state_dict(load_file(weights))
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(
            f"{weights} cannot be used as weights of the texture network ({reason}); give the"
            " weights.safetensors of a training with this version of nital"
        ) from error
    return model.eval()


class _Local(nn.Module):
    """The feature maps; sides of the image are multiples of 4."""

    def __init__(self, network: TextureNetwork) -> None:
        super().__init__()
        self.layers = network.local

    def forward(self, image: Tensor) -> Tensor:
        out: Tensor = self.layers(image)
        return out


class _Head(nn.Module):
    """The embedding of a crop's statistics."""

    def __init__(self, network: TextureNetwork) -> None:
        super().__init__()
        self.layers = network.head

    def forward(self, statistics: Tensor) -> Tensor:
        out: Tensor = self.layers(statistics)
        return out


def export_texture(
    weights: Path, folder: Path, card: dict[str, Any] | None = None, width: float = 1.0
) -> float:
    """Write ``texture-local.onnx``, ``texture-head.onnx`` and ``texture.json`` into ``folder``.

    ``width`` is that of the training.

    Returns
    -------
    float
        Largest difference between ONNX Runtime and torch, relative to the output's range.

    Raises
    ------
    ModelError
        When the weights are of another network, or the export does not reproduce torch; then
        nothing is written.
    """
    model = load_contrastive(weights, width=width)
    network = model.network
    assert isinstance(network, TextureNetwork)
    channels = network.config.quarter
    rows, cols = torch.export.Dim("h", max=4096), torch.export.Dim("w", max=4096)
    examples: dict[str, tuple[nn.Module, str, Tensor, dict[int, Any]]] = {
        "local": (
            _Local(network).eval(),
            "image",
            torch.randn(1, 1, 96, 128),
            {2: 4 * rows, 3: 4 * cols},
        ),
        "head": (
            _Head(network).eval(),
            "statistics",
            torch.randn(5, 2 * channels),
            {0: torch.export.Dim("n", max=1 << 20)},
        ),
    }
    graphs, worst = {}, 0.0
    for part, (module, name, example, dynamic) in examples.items():
        output = "features" if part == "local" else "embedding"
        graphs[part] = to_onnx(module, {name: example}, {name: dynamic}, ([name], [output]))
        shape = (1, 1, 64, 200) if part == "local" else (17, 2 * channels)
        worst = max(worst, _difference(module, graphs[part], name, torch.randn(*shape)))
    if worst > TOLERANCE:
        raise ModelError(f"the export differs from torch by {worst:.2g}")
    description = {
        "name": "texture",
        "sha256": {part: hashlib.sha256(graph).hexdigest() for part, graph in graphs.items()},
        "channels": channels,
        "embedding_channels": EMBEDDING,
        "threshold": float(model.threshold.detach()),
        **(card or {}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for part, graph in graphs.items():
        write_whole(folder / f"texture-{part}.onnx", graph)
    write_whole(folder / "texture.json", (json.dumps(description, indent=1) + "\n").encode())
    return worst


def _difference(module: nn.Module, graph: bytes, name: str, example: Tensor) -> float:
    """Largest difference of a size that the export did not see."""
    import onnxruntime

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    with torch.no_grad():
        expected = module(example).numpy()
    found = session.run(None, {name: example.numpy()})[0]
    return float(np.abs(expected - found).max() / max(1.0, float(np.abs(expected).max())))
