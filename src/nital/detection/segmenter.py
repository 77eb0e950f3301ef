"""``--model`` with a detector: from a micrograph to particles."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from nital.automatic.resample import rescale
from nital.automatic.scale import natural_scale
from nital.detection.detector import DetectorModel
from nital.detection.scales import Detectors, length_scale, load_detectors
from nital.errors import UsageError
from nital.io.magnification import magnification_of
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
    """Find particles with an exported detector.

    One for all magnifications sees the image at the scale that is natural to its particles; of a
    pair, the one for the image's magnification sees it as it is.

    Raises
    ------
    UsageError
        Another target than particles is asked for.
    ModelError
        The detector's files are damaged.
    """
    if options.target not in ("particles", "auto"):
        raise UsageError(f"the detector finds particles, not {options.target}")
    detectors = load_detectors(options.model)
    magnification = magnification_of(micrograph, options.magnification)
    image = standardise(micrograph.content)
    labels = np.zeros(micrograph.shape, dtype=np.int32)
    confidence, probability = np.zeros((2, *micrograph.shape), dtype=np.uint8)
    warnings = list(micrograph.warnings)
    facts: dict[str, float | str] = {"scale": 1.0}
    if image.any():
        progress("scale", 0.0)
        model, facts = _model_for(detectors, magnification, image)
        scale = float(facts["scale"])
        found, certain = model.detect(
            rescale(image, scale), lambda share: progress("segment", share)
        )
        kept = suppress(found, IOU_THRESHOLD, COVER_THRESHOLD)
        survivors, certain = found.take(kept), certain[kept]
        survivors = replace(survivors, windows=survivors.windows / np.float32(scale))
        drawn = paint(survivors, (image.shape[0], image.shape[1]))
        painted, probability[: image.shape[0]] = drawn.labels, drawn.probability
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
        ModelInfo("detector", detectors.sha256),
        {**options.as_dict(), "found": facts},
        tuple(warnings),
        mask_probability=probability,
    )


def _model_for(
    detectors: Detectors, magnification: float | None, image: NDArray[np.float32]
) -> tuple[DetectorModel, dict[str, float | str]]:
    """The detector to ask, and for the record the scale at which and why it is this one."""
    natural = 1.0
    if not detectors.is_pair or magnification is None:
        compact = cast(CompactModel, load_model("compact"))
        natural = natural_scale(compact, image, "particles").scale
    if not detectors.is_pair:
        return detectors.low, {"scale": natural}
    which, reason = length_scale(magnification, natural)
    model = detectors.low if which == "low" else detectors.high
    return model, {"scale": 1.0, "length_scale": which, "length_scale_reason": reason}
