"""From the best weights of a training to a model that runs without torch, and its scores."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nital.errors import ModelError
from nital.semantic.loop import SemanticOptions, load_weights
from nital.semantic.model import DESCRIPTION, GRAPH, SemanticModel
from nital.semantic.networks import SegNet, TransUNet, UNet
from nital.semantic.particle_network import ParticleUNet
from nital.semantic.samples import LabelledImage, SemanticSet
from nital.training.graph import to_onnx, write_whole

__all__ = ["Finished", "export_semantic", "finish_semantic"]

TILE, MARGIN = 512, 96
TOLERANCE = 1e-4
MOST = 1024
"""Largest number of strides a side of an exported graph accepts."""


@dataclass(frozen=True)
class Finished:
    """What was made of a training.

    Parameters
    ----------
    model
        Folder for ``--model``.
    curve
        Picture of the learning curve.
    scores
        IoU, F1 and recall by class name over all pixels of the test part.
    difference
        Mean difference of logits between ONNX Runtime and torch, relative to their range.
    """

    model: Path
    curve: Path
    scores: dict[str, dict[str, float]]
    difference: float


def finish_semantic(folder: Path, data: SemanticSet, options: SemanticOptions) -> Finished:
    """Export the best weights in ``folder``, draw the curve and score the test part.

    Writes ``model/semantic.onnx``, ``model/semantic.json`` and ``curve.png``.

    Raises
    ------
    ModelError
        When there are no weights of this network, or the export does not reproduce torch.
    """
    from nital.semantic.curve import plot_semantic_curve

    network = load_weights(folder / "weights.safetensors", options, len(data.classes))
    graph, difference = export_semantic(network)
    description = _describe(graph, data, options)
    (folder / "model").mkdir(exist_ok=True)
    write_whole(folder / "model" / GRAPH, graph)
    _write_description(folder / "model", description)
    scores = _test(SemanticModel.load(folder / "model"), data.parts["test"])
    _write_description(folder / "model", {**description, "test": scores})
    plot_semantic_curve(folder / "log.csv", folder / "curve.png")
    return Finished(folder / "model", folder / "curve.png", scores, difference)


def _write_description(folder: Path, description: dict[str, Any]) -> None:
    write_whole(folder / DESCRIPTION, (json.dumps(description, indent=1) + "\n").encode())


def _describe(graph: bytes, data: SemanticSet, options: SemanticOptions) -> dict[str, Any]:
    near = options.architecture == "transunet"  # its attention has learnt one size of window
    return {
        "name": options.architecture,
        "sha256": hashlib.sha256(graph).hexdigest(),
        "task": data.dataset.task,
        "classes": [
            {"value": value, "name": name}
            for value, name in zip(data.values, data.classes, strict=True)
        ],
        "stride": 32,
        "tile": options.crop if near else TILE,
        "margin": 32 if near else MARGIN,
        "trained_on": {
            "set": data.dataset.name,
            "images": {part: [each.name for each in data.parts[part]] for part in data.parts},
        },
        "training": asdict(options),
    }


def export_semantic(network: UNet | SegNet | TransUNet | ParticleUNet) -> tuple[bytes, float]:
    """ONNX graph of a network in evaluation mode, for any height and width, checked against torch.

    Returns
    -------
    The graph, with input ``image`` (1, C, H, W) and output ``logits``, and the mean difference of
    the logits from torch on two sizes that the export did not see, relative to their range.

    Raises
    ------
    ModelError
        When the difference is above 1e-4. (Single values may differ more: SegNet's unpooling
        chooses between values that are equal but for rounding.)
    """
    import onnxruntime

    channels = next(network.parameters()).shape[1]
    if isinstance(network, TransUNet):
        channels = next(network.encoder.parameters()).shape[1]
    step = network.stride
    height, width = (torch.export.Dim(name, max=MOST) for name in ("h", "w"))
    example = torch.randn(1, channels, 8 * step, 10 * step)
    graph = to_onnx(
        network,
        {"image": example},
        {"image": {2: step * height, 3: step * width}},
        (["image"], ["logits"]),
    )
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    worst = 0.0
    for shape in ((3 * step, 4 * step), (9 * step, 5 * step)):
        image = torch.randn(1, channels, *shape)
        with torch.no_grad():
            expected = network(image).numpy()
        (got,) = session.run(None, {"image": image.numpy()})
        scale = max(float(np.abs(expected).max()), 1e-6)
        worst = max(worst, float(np.abs(got - expected).mean()) / scale)
    if worst > TOLERANCE:
        raise ModelError(f"the exported network differs from torch by {worst:.2g}; train it anew")
    return graph, worst


def _test(model: SemanticModel, images: tuple[LabelledImage, ...]) -> dict[str, dict[str, float]]:
    """IoU, F1 and recall of each class over all labelled pixels, by name: no reassignment."""
    number = len(model.classes)
    confusion = np.zeros((number, number), dtype=np.int64)
    for each in images:
        found, _ = model.classify(each.image)
        labelled = each.truth >= 0
        pairs = each.truth[labelled] * number + found[labelled]
        confusion += np.bincount(pairs, minlength=number**2).reshape(number, number)
    return {
        name: _class_scores(confusion, index)
        for index, name in enumerate(model.classes)
        if confusion[index].any()
    }


def _class_scores(confusion: NDArray[np.int64], index: int) -> dict[str, float]:
    hits = int(confusion[index, index])
    true, found = int(confusion[index].sum()), int(confusion[:, index].sum())
    return {
        "iou": round(hits / (true + found - hits), 4),
        "f1": round(2 * hits / (true + found), 4),
        "recall": round(hits / true, 4),
    }
