"""``--model`` with a detector: from a micrograph to particles."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np

from nital.automatic.resample import rescale
from nital.automatic.scale import natural_scale
from nital.detection.detector import load_detector_model
from nital.errors import UsageError
from nital.masks.flatten import paint
from nital.masks.overlap import suppress
from nital.micrograph import Micrograph
from nital.models import load_model
from nital.models.compact import CompactModel
from nital.models.tiles import standardise
from nital.segmentation import ModelInfo, Progress, Segmentation, SegmentOptions

__all__ = ["detector_segment"]

IOU_THRESHOLD, COVER_THRESHOLD = 0.5, 0.7


def detector_segment(
    micrograph: Micrograph, options: SegmentOptions, progress: Progress
) -> Segmentation:
    """Find particles with an exported detector, at the scale that is natural to their size.

    Raises
    ------
    UsageError
        Another target than particles is asked for.
    ModelError
        The detector's files are damaged.
    """
    if options.target not in ("particles", "auto"):
        raise UsageError(f"the detector finds particles, not {options.target}")
    model = load_detector_model(options.model)
    image = standardise(micrograph.content)
    labels = np.zeros(micrograph.shape, dtype=np.int32)
    confidence = np.zeros(micrograph.shape, dtype=np.uint8)
    warnings = list(micrograph.warnings)
    scale = 1.0
    if image.any():
        progress("scale", 0.0)
        compact = cast(CompactModel, load_model("compact"))
        scale = natural_scale(compact, image, "particles").scale
        found, certain = model.detect(
            rescale(image, scale), lambda share: progress("segment", share)
        )
        kept = suppress(found, IOU_THRESHOLD, COVER_THRESHOLD)
        survivors, certain = found.take(kept), certain[kept]
        survivors = replace(survivors, windows=survivors.windows / np.float32(scale))
        painted = paint(survivors, (image.shape[0], image.shape[1])).labels
        present = np.bincount(painted.ravel(), minlength=len(kept) + 1) > 0
        present[0] = False
        numbers = np.where(present, np.cumsum(present), 0).astype(np.int32)
        sure = np.round(255 * np.r_[0, certain]).astype(np.uint8)
        labels[: image.shape[0]] = numbers[painted]
        confidence[: image.shape[0]] = sure[painted]
    if not labels.any():
        warnings.append("no particle was found")
    progress("segment", 1.0)
    return Segmentation(
        micrograph,
        labels,
        np.where(labels > 0, 2, 1).astype(np.uint8),
        confidence,
        "particles",
        "asked for" if options.target == "particles" else "the detector finds particles",
        ModelInfo("detector", model.sha256),
        {**options.as_dict(), "found": {"scale": scale}},
        tuple(warnings),
    )
