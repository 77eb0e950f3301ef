"""Export of the trained network to ONNX, compared with torch output by output."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nital.errors import ModelError
from nital.models.compact import TARGETS
from nital.training.graph import to_onnx, write_whole
from nital.training.loop import load_network
from nital.training.network import DENSE_CHANNELS, CompactNetwork, Encoder, NetworkConfig

__all__ = ["export_compact"]

PARTS = ("encoder", "object", "phase")


def export_compact(
    weights: Path,
    folder: Path,
    *,
    config: NetworkConfig | None = None,
    tolerance: float = 2e-3,
    card: dict[str, Any] | None = None,
) -> dict[str, float]:
    """Write ``compact-{encoder,object,phase}.onnx`` and ``compact.json`` into ``folder``.

    Nothing is written unless all parts reproduce torch; ``compact.json`` is written last.

    Parameters
    ----------
    weights
        ``weights.safetensors`` of a training.
    config
        Widths of that network, where they are not the usual ones.
    tolerance
        Largest allowed difference between ONNX Runtime and torch, relative to the output's range.
    card
        Further entries of ``compact.json``.

    Returns
    -------
    dict
        Largest relative difference of each output.

    Raises
    ------
    ModelError
        When the weights are of another network, or an exported part does not reproduce torch.
    """
    network = load_network(weights, config)
    differences: dict[str, float] = {}
    graphs: dict[str, bytes] = {}
    for part in PARTS:
        module, inputs, dynamic, names = _part(network, part)
        graphs[part] = to_onnx(module, inputs, dynamic, names)
        differences |= _compare(part, graphs[part], network, names)
    worst = max(differences, key=lambda k: differences[k])
    if differences[worst] > tolerance:
        raise ModelError(f"the export differs from torch by {differences[worst]:.2g} in {worst}")
    description = {
        "name": "compact",
        "sha256": {part: hashlib.sha256(graph).hexdigest() for part, graph in graphs.items()},
        "dense_channels": list(DENSE_CHANNELS),
        "targets": list(TARGETS),
        "embedding_channels": network.config.embedding,
        "context_channels": network.config.widths[-1],
        "phase_scale": float(network.phase_decoder.log_scale.detach().exp()),
        "phase_threshold": float(network.phase_decoder.threshold.detach()),
        **(card or {}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for part, graph in graphs.items():
        write_whole(folder / f"compact-{part}.onnx", graph)
    write_whole(folder / "compact.json", (json.dumps(description, indent=1) + "\n").encode())
    return differences


class TileEncoder(nn.Module):
    """The encoder as exported: it can be told the context of the image that a tile is cut from."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, image: Tensor, target: Tensor, context: Tensor) -> tuple[Tensor, ...]:
        """Outputs of :class:`Encoder`, and the image's own context (B, C)."""
        features, own = self.encoder.features_in_context(image, context)
        return (*self.encoder.answer(features, target), own)


def _example_inputs(network: CompactNetwork, part: str, side: int, count: int) -> dict[str, Tensor]:
    """Random inputs of one part for an image of ``side`` pixels and ``count`` prompts."""
    generator = torch.Generator().manual_seed(side + count)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    config = network.config
    size = torch.tensor([float(side), float(side + 32)])
    points = torch.rand(count, 3, 2, generator=generator) * side
    labels = torch.randint(-1, 2, (count, 3), generator=generator).float()
    query = normal(1, config.coarse, side // 4, side // 4 + 8)
    if part == "encoder":
        target = torch.eye(4)[:1]
        given = 0.0 if count == 1 else 1.0
        context = given * normal(1, config.widths[-1])
        return {"image": normal(1, 1, side, side + 32), "target": target, "context": context}
    if part == "phase":
        return {
            "embedding": normal(1, config.embedding, side // 4, side // 4 + 8),
            "query": query,
            "points": points,
            "labels": labels,
            "image_size": size,
        }
    corner = points[:, 0] - 20
    return {
        "mask_features": normal(1, config.mask_channels, side // 2, side // 2 + 16),
        "query": query,
        "points": points,
        "labels": labels,
        "boxes": torch.cat([corner + 5, corner + 35], 1),
        "windows": torch.cat([corner, corner + 40], 1),
        "image_size": size,
        "unit_grid": (torch.arange(side // 9) + 0.5) / (side // 9) * 2 - 1,
    }


def _part(
    network: CompactNetwork, part: str
) -> tuple[nn.Module, dict[str, Tensor], dict[str, Any], tuple[list[str], list[str]]]:
    """Module, example inputs, dynamic axes and names of one exported part."""
    inputs = _example_inputs(network, part, 128, 5)
    height, width = torch.export.Dim("h", max=4096), torch.export.Dim("w", max=4096)
    count, slots, grid = (torch.export.Dim(n, max=65536) for n in ("n", "p", "g"))
    prompts = {
        "points": {0: count, 1: slots},
        "labels": {0: count, 1: slots},
        "image_size": {},
    }
    if part == "encoder":
        dynamic: dict[str, Any] = {
            "image": {2: 32 * height, 3: 32 * width},
            "target": {},
            "context": {},
        }
        outputs = ["dense", "embedding", "mask_features", "query", "target_logits", "own_context"]
        return TileEncoder(network.encoder).eval(), inputs, dynamic, (list(inputs), outputs)
    if part == "phase":
        dynamic = {
            "embedding": {2: height, 3: width},
            "query": {2: torch.export.Dim("qh", max=4096), 3: torch.export.Dim("qw", max=4096)},
            **prompts,
        }
        return network.phase_decoder, inputs, dynamic, (list(inputs), ["logits", "score"])
    dynamic = {
        "mask_features": {2: height, 3: width},
        "query": {2: torch.export.Dim("qh", max=4096), 3: torch.export.Dim("qw", max=4096)},
        **prompts,
        "boxes": {0: count},
        "windows": {0: count},
        "unit_grid": {0: grid},
    }
    return network.object_decoder, inputs, dynamic, (list(inputs), ["logits", "score"])


def _compare(
    part: str, graph: bytes, network: CompactNetwork, names: tuple[list[str], list[str]]
) -> dict[str, float]:
    """Largest relative difference of each output on sizes that the export did not see."""
    import onnxruntime

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    module = {
        "encoder": TileEncoder(network.encoder).eval(),
        "object": network.object_decoder,
        "phase": network.phase_decoder,
    }[part]
    worst: dict[str, float] = {}
    for side, count in ((192, 1), (256, 17)):
        inputs = _example_inputs(network, part, side, count)
        with torch.no_grad():
            expected = module(**inputs)
        got = session.run(None, {k: np.asarray(v) for k, v in inputs.items()})
        for name, a, b in zip(names[1], expected, got, strict=True):
            reference = a.numpy()
            scale = max(1.0, float(np.abs(reference).max()))
            difference = float(np.abs(reference - b).max()) / scale
            key = f"{part}.{name}"
            worst[key] = max(worst.get(key, 0.0), difference)
    return worst
