"""RoI alignment and suppression for the training: torchvision's where they load, else plain torch.

torchvision's compiled operators are built for one build of torch and do not load beside another;
``nital.training.detector.regions`` has the same in plain torch, which the export uses too.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from nital.training.detector import regions

__all__ = ["compiled_operators", "nms", "roi_align"]

_XY = [1, 0, 3, 2]  # torchvision's boxes are left, top, right, bottom


@lru_cache(maxsize=1)
def compiled_operators() -> Any | None:
    """``torchvision.ops`` where it is installed and its compiled part loads, else ``None``."""
    if find_spec("torchvision") is None:
        return None
    try:
        from torchvision import ops

        ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    except (ImportError, AttributeError, RuntimeError, OSError):
        return None
    return ops


def nms(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """As :func:`nital.training.detector.regions.nms`."""
    operators = compiled_operators()
    if operators is None:
        return regions.nms(boxes, scores, threshold)
    kept: Tensor = operators.nms(boxes[:, _XY], scores, threshold)
    return kept


def roi_align(features: Tensor, boxes: Tensor, size: int, scale: float) -> Tensor:
    """As :func:`nital.training.detector.regions.roi_align`, two samples a side of each bin."""
    operators = compiled_operators()
    if operators is None:
        return regions.roi_align(features, boxes, size, scale)
    pooled: Tensor = operators.roi_align(
        features,
        [boxes[:, _XY]],
        size,
        spatial_scale=scale,
        sampling_ratio=2,
        aligned=True,
    )
    return pooled
