"""One function from a micrograph to the result of a supervised segmenter."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.automatic.resample import rescale, resize_map
from nital.automatic.scale import natural_scale
from nital.classical.segmenter import by_falling_area
from nital.errors import UsageError
from nital.evaluation.datasets import TARGETS
from nital.masks.labels import consecutive, grains_between, pixels_at
from nital.micrograph import Micrograph
from nital.models import load_model
from nital.models.compact import CompactModel
from nital.models.tiles import standardise
from nital.polycrystals.lines import close_gaps
from nital.segmentation import ModelInfo, Progress, Segmentation, SegmentOptions, Target
from nital.semantic.instances import objects_from_borders, objects_from_maps
from nital.semantic.model import SemanticModel

__all__ = ["semantic_segment"]


def semantic_segment(
    micrograph: Micrograph, model: SemanticModel, options: SegmentOptions, progress: Progress
) -> Segmentation:
    """Segment one micrograph with a supervised segmenter.

    A model of named classes answers phases and layers: the classes are phases 1, 2 ... by falling
    area in the image, and ``parameters["found"]["classes"]`` says which is which. A model of grain
    boundaries answers grains: the regions between its lines, small gaps closed. A model of
    interiors and borders answers particles, and so does the U-Net for particles, which sees them at
    their natural scale.

    Raises
    ------
    UsageError
        When the target is one that the model was not trained for.
    """
    own = TARGETS[model.task]
    alone = own in ("grains", "particles")
    possible: tuple[str, ...] = (own,) if alone else ("phases", "layers")
    target, reason = options.target, "asked for"
    if target == "auto":
        target, reason = own, f"the model was trained on {model.task}"
    if target not in possible:
        raise UsageError(
            f"model {options.model} was trained on {model.task} and answers "
            f"{' or '.join(possible)}, not {target}; choose another --target or --model"
        )

    def encoding(share: float) -> None:
        progress("segment", share)

    warnings = list(micrograph.warnings)
    image = standardise(micrograph.content)
    facts: dict[str, float] = {}
    if target == "grains":
        labels, phases, confidence = _grains(*model.classify(image, encoding))
        found: dict[str, str] = {"1": "grain"}
    elif target == "particles":
        if "maps" in model.description:
            labels, confidence, facts["scale"] = _particles_at_their_scale(image, model, encoding)
        else:
            labels, confidence = objects_from_borders(*model.classify(image, encoding))
        phases = np.where(labels > 0, 2, 1).astype(np.uint8)
        found = {"2": "particle"}
        if not labels.any():
            warnings.append("no particle was found")
    else:
        classes, probability = model.classify(image, encoding)
        labels, phases, found = _materials(classes, model, target)
        confidence = np.rint(255 * probability).astype(np.uint8)
        if options.phases not in (None, len(model.classes)):
            warnings.append(
                f"--phases {options.phases} has no effect: the model tells "
                f"{len(model.classes)} classes apart"
            )
    return Segmentation(
        micrograph=micrograph,
        labels=micrograph.over_whole(labels).astype(np.int32),
        phases=micrograph.over_whole(phases).astype(np.uint8),
        confidence=micrograph.over_whole(confidence).astype(np.uint8),
        target=cast(Target, target),
        target_reason=reason,
        model=ModelInfo(model.name, model.sha256),
        parameters={**options.as_dict(), "found": {"classes": found, **facts}},
        warnings=tuple(warnings),
    )


def _grains(
    classes: NDArray[np.uint8], probability: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.uint8]]:
    """Grains between lines (class 1), one phase, and the mean probability within each grain."""
    labels = grains_between(close_gaps(classes == 1))
    areas = np.bincount(labels.ravel())
    sums = np.bincount(labels.ravel(), weights=probability.ravel())
    mean = np.rint(255 * sums / np.maximum(areas, 1)).astype(np.uint8)
    return labels, np.ones(labels.shape, dtype=np.uint8), mean[labels]


def _particles_at_their_scale(
    image: NDArray[np.float32], model: SemanticModel, progress: Callable[[float], None]
) -> tuple[NDArray[np.int32], NDArray[np.uint8], float]:
    """Labels and confidence of particles, looked at at the scale that is natural to them, and it.

    The scale is the one that the detector sees too. Maps of a shrunk image are enlarged before
    objects are made of them; those of an enlarged one are parted as they are.
    """
    if not image.any():  # all of one grey
        return np.zeros(image.shape, np.int32), np.zeros(image.shape, np.uint8), 1.0
    scale = natural_scale(cast(CompactModel, load_model("compact")), image, "particles").scale
    maps = model.maps(rescale(image, scale), progress)
    if scale < 1:
        maps = np.stack([resize_map(each, (image.shape[0], image.shape[1])) for each in maps])
    labels, confidence = objects_from_maps(*maps)
    if scale > 1:
        cells = np.ix_(*pixels_at(image.shape, labels.shape))
        labels, confidence = consecutive(labels[cells]), confidence[cells]
    return labels, confidence, scale


def _materials(
    classes: NDArray[np.uint8], model: SemanticModel, target: str
) -> tuple[NDArray[np.int32], NDArray[np.uint8], dict[str, str]]:
    """Connected regions, phases by falling area, and the name of each phase."""
    phases = by_falling_area(classes.astype(np.int64))
    found = {
        str(phase): model.classes[int(classes[phases == phase][0])]
        for phase in range(1, int(phases.max()) + 1)
    }
    matrix = 1 if target == "phases" else 0
    labels = np.zeros(phases.shape, dtype=np.int32)
    for phase in range(matrix + 1, len(found) + 1):
        pieces, _ = ndimage.label(phases == phase)
        labels = np.where(pieces > 0, pieces + labels.max(), labels)
    return labels, phases, found
