"""The detector as three ONNX graphs, each compared with torch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nital.errors import ModelError
from nital.training.detector.network import BOX_BINS, MASK_BINS, Detector
from nital.training.detector.regions import roi_align
from nital.training.graph import to_onnx, write_whole

__all__ = ["PARTS", "export_detector"]

PARTS = ("regions", "boxes", "masks")
STEP = 64  # image sides are multiples of this


class _Regions(nn.Module):
    """Image to the maps that serve boxes, objectness and box codes of all anchors."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        levels = self.detector.pyramid(image)
        logits, codes = self.detector.regions(levels[1:])
        return (*self.detector.roi_maps(levels), logits, codes)


class _Boxes(nn.Module):
    """Boxes on the map that serves them to particle logits, box codes and certainty logits."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.head = detector.boxes

    def forward(
        self, features: Tensor, boxes: Tensor, scale: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        found: tuple[Tensor, Tensor, Tensor] = self.head(
            roi_align(features, boxes, BOX_BINS, scale)
        )
        return found


class _Masks(nn.Module):
    """Boxes on the map that serves them to mask logits."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.head = detector.masks

    def forward(self, features: Tensor, boxes: Tensor, scale: Tensor) -> Tensor:
        logits: Tensor = self.head(roi_align(features, boxes, MASK_BINS, scale))
        return logits


def export_detector(
    detector: Detector,
    folder: Path,
    *,
    tolerance: float = 2e-3,
    card: dict[str, Any] | None = None,
) -> float:
    """Write ``detector-{regions,boxes,masks}.onnx`` and ``detector.json`` into ``folder``.

    Nothing is written unless all parts reproduce torch; ``detector.json`` is written last.

    Parameters
    ----------
    detector
        In evaluation mode.
    tolerance
        Largest allowed difference between ONNX Runtime and torch, relative to the output's range.
    card
        Further entries of ``detector.json``.

    Returns
    -------
    float
        The largest relative difference.

    Raises
    ------
    ModelError
        An exported part does not reproduce torch.
    """
    detector.eval()
    graphs, worst = {}, 0.0
    for part in PARTS:
        module, dynamic, outputs = _part(detector, part)
        inputs = _inputs(detector, part, 128, 5)
        graphs[part] = to_onnx(module, inputs, dynamic, (list(inputs), outputs))
        for side, count in ((192, 1), (256, 7)):
            trial = _inputs(detector, part, side, count)
            worst = max(worst, _difference(module, graphs[part], trial))
    if worst > tolerance:
        raise ModelError(f"the export differs from torch by {worst:.2g}")
    config = detector.config
    description = {
        "name": "detector",
        "sha256": {part: hashlib.sha256(graph).hexdigest() for part, graph in graphs.items()},
        "backbone": config.backbone,
        "anchor_sizes": list(config.anchor_sizes),
        "anchor_ratios": list(config.anchor_ratios),
        "anchor_strides": list(detector.pyramid.strides),
        "roi_strides": list(detector.roi_strides),
        "proposals": config.proposals,
        "level_side": config.level_side,
        **(card or {}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for part, graph in graphs.items():
        write_whole(folder / f"detector-{part}.onnx", graph)
    write_whole(folder / "detector.json", (json.dumps(description, indent=1) + "\n").encode())
    return worst


def _inputs(detector: Detector, part: str, side: int, count: int) -> dict[str, Tensor]:
    """Random inputs of one part."""
    generator = torch.Generator().manual_seed(side + count)
    if part == "regions":
        return {"image": torch.randn(1, 1, side, side + STEP, generator=generator)}
    corner = torch.rand(count, 2, generator=generator) * side / 2
    sides = 4 + torch.rand(count, 2, generator=generator) * side / 2
    channels = detector.pyramid.channels
    return {
        "features": torch.randn(1, channels, side // 4, side // 4 + 16, generator=generator),
        "boxes": torch.cat([corner, corner + sides], 1),
        "scale": torch.tensor(0.25),
    }


def _part(detector: Detector, part: str) -> tuple[nn.Module, dict[str, Any], list[str]]:
    """Module, dynamic axes and output names of one part."""
    height, width = torch.export.Dim("h", max=256), torch.export.Dim("w", max=256)
    if part == "regions":
        maps = [f"map{stride}" for stride in detector.roi_strides]
        dynamic: dict[str, Any] = {"image": {2: STEP * height, 3: STEP * width}}
        return _Regions(detector).eval(), dynamic, [*maps, "objectness", "codes"]
    count = torch.export.Dim("n", max=65536)
    rows, columns = torch.export.Dim("r", max=16384), torch.export.Dim("c", max=16384)
    dynamic = {"features": {2: rows, 3: columns}, "boxes": {0: count}, "scale": {}}
    if part == "boxes":
        return _Boxes(detector).eval(), dynamic, ["particle", "codes", "certainty"]
    return _Masks(detector).eval(), dynamic, ["logits"]


def _difference(module: nn.Module, graph: bytes, inputs: dict[str, Tensor]) -> float:
    """Largest difference of any output between ONNX Runtime and torch, relative to its range."""
    import onnxruntime

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    with torch.no_grad():
        expected = module(**inputs)
    expected = expected if isinstance(expected, tuple) else (expected,)
    got = session.run(None, {name: np.asarray(value) for name, value in inputs.items()})
    return max(
        float(np.abs(a.numpy() - b).max()) / max(1.0, float(np.abs(a.numpy()).max()))
        for a, b in zip(expected, got, strict=True)
    )
