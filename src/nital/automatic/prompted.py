"""The straight path of models that know points only: generate, screen, flatten, name phases."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.automatic.layer_masks import GridOptions, packed_layer_masks
from nital.automatic.screened import entry_of
from nital.automatic.target import choose_target
from nital.boost.booster import Boosted, boost_masks
from nital.boost.materials import MaterialOptions
from nital.errors import UsageError
from nital.generator import Generated, GeneratorOptions, generate
from nital.generator.gaps import GapOptions
from nital.generator.limits import parse_limits
from nital.generator.screening import describe, screen, screen_automatically
from nital.masks.convert import instances_of
from nital.masks.labels import consecutive
from nital.masks.packed import PackedMasks
from nital.masks.stack import stack_labels
from nital.micrograph import Micrograph
from nital.models import load_model
from nital.models.compact import CompactModel
from nital.models.protocol import PromptableModel
from nital.models.registry import GRID
from nital.models.tiles import standardise
from nital.prompts.structure import StructureOptions, structure_rounds
from nital.segmentation import ModelInfo, Progress, Segmentation, SegmentOptions, Target

__all__ = ["run_prompted"]

SETTINGS = GeneratorOptions(best_of_three=True, mask_nms_thresh=0.6, min_mask_region_area=16)
COMPACT_SETTINGS = replace(SETTINGS, pred_iou_thresh=0.6, stability_score_thresh=0.8)
IN_SIGHT = 9  # pixels of an object that other masks must leave
UNSURE = 128  # confidence where no mask speaks for or against

Parts = tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.uint8]]


def run_prompted(
    micrograph: Micrograph, options: SegmentOptions, progress: Progress
) -> Segmentation:
    """Segment with a promptable model without dense maps; see :func:`nital.segment`.

    Prompts come from the image's structure, in rounds that leave out what is covered; with
    ``:grid`` behind the model's name, from SAM's grid.

    Raises
    ------
    UsageError
        When materials are to be named, which is for models with dense maps.
    """
    if options.materials:
        raise UsageError("materials are named with --model compact; leave --materials out")
    progress("model", 0.0)
    model = load_model(options.model)
    image = standardise(micrograph.content)
    shape = (image.shape[0], image.shape[1])
    target, reason = options.target, "asked for"
    if target == "auto":
        target, reason = choose_target(cast(CompactModel, load_model("compact")), image)
    settings = COMPACT_SETTINGS if isinstance(model, CompactModel) else SETTINGS
    grid = options.model.endswith(GRID)
    facts: dict[str, Any] = {
        "prompts_from": "grid" if grid else "structure",
        "generator": asdict(settings),
    }
    log: list[dict[str, Any]] = []
    masks = PackedMasks.empty(shape)
    phase_maps: NDArray[np.float32] | None = None
    if image.any():
        if grid and target == "layers" and isinstance(model, CompactModel):
            masks, phase_maps = packed_layer_masks(model, image)
            facts |= {"generator": asdict(GridOptions()), "candidates": len(masks)}
        else:
            found = _generated(model, image, settings, grid, target, progress)
            masks = found.masks
            facts |= found.facts
        if options.boost and phase_maps is None:
            features = describe(masks, image)
            keep, log = screen_automatically(masks, features, target, float(image.std()))
            masks = masks.take(keep)
        if options.keep:
            masks, entry = _within_limits(masks, micrograph, options)
            log.append(entry)
    if options.boost and target == "layers" and len(masks) > 0:
        parts, boosted = _boosted_layers(masks, image, options.phases, phase_maps)
        log += boosted.log
        facts["booster"] = boosted.facts
    else:
        parts = _flatten(masks, image, target, options.phases)
    warnings = list(micrograph.warnings)
    if len(masks) == 0:
        warnings.append(f"{model.name} found nothing")
    labels, phases, confidence = (micrograph.over_whole(part) for part in parts)
    progress("segment", 1.0)
    return Segmentation(
        micrograph,
        labels,
        phases,
        confidence,
        cast(Target, target),
        reason,
        ModelInfo(options.model, model.sha256),
        {**options.as_dict(), "found": facts},
        tuple(warnings),
        tuple(log),
    )


def _within_limits(
    masks: PackedMasks, micrograph: Micrograph, options: SegmentOptions
) -> tuple[PackedMasks, dict[str, Any]]:
    """Masks inside the limits asked for, by the grey levels of the file; an entry of the log."""
    size = None if micrograph.pixel_size is None else micrograph.pixel_size.value
    features = describe(masks, micrograph.content)
    keep = screen(masks, features, parse_limits(options.keep), size)
    return masks.take(keep), entry_of(keep)


def _generated(
    model: PromptableModel,
    image: NDArray[np.float32],
    settings: GeneratorOptions,
    grid: bool,
    target: str,
    progress: Progress,
) -> Generated:
    """Candidates by SAM's grid, or by the image's structure and then its gaps, in rounds."""
    return generate(
        model,
        image,
        settings,
        source=None if grid else lambda part: structure_rounds(part, _regions_of(target)).rounds,
        gaps=GapOptions(),
        target=target,
        progress=lambda share: progress("segment", share),
    )


def _regions_of(target: str) -> StructureOptions:
    """How structure is looked for: grains by their edges, the rest as the image suggests."""
    return StructureOptions("grains" if target == "grains" else "auto")


def _flatten(
    masks: PackedMasks, image: NDArray[np.float32], target: str, number: int | None
) -> Parts:
    """Labels, phases and confidence of one image."""
    stacked = stack_labels(masks, smallest=IN_SIGHT)
    scores = np.round(255 * masks.scores.clip(0, 1)).astype(np.uint8)
    confidence = np.concatenate([np.array([UNSURE], np.uint8), scores])[stacked]
    if target == "grains":
        labels = _fill(stacked)
        return labels, np.ones(labels.shape, np.uint8), np.where(stacked > 0, confidence, 0)
    if target == "particles":
        labels = consecutive(stacked)
        return labels, np.where(labels > 0, 2, 1).astype(np.uint8), confidence
    if target == "layers":
        phases = _materials(stacked, image, number)
        labels = _regions(phases)
        return labels, phases, np.where(labels > 0, confidence, 0)
    phases = _materials(_with_rest(stacked, image), image, number)
    return _regions(np.where(phases > 1, phases, 0)), phases, confidence


def _boosted_layers(
    masks: PackedMasks,
    image: NDArray[np.float32],
    number: int | None,
    phase_maps: NDArray[np.float32] | None,
) -> tuple[Parts, Boosted]:
    """Layers by semantic boosting: superfluous masks removed, those of one material joined."""
    material = MaterialOptions(number=number)
    boosted = boost_masks(image, instances_of(masks), options=material, phase_maps=phase_maps)
    labels = _regions(boosted.phases)
    return (labels, boosted.phases, boosted.confidence), boosted


def _fill(stacked: NDArray[np.int32]) -> NDArray[np.int32]:
    """Give pixels without a mask to the nearest object; one grain where there is none."""
    if not stacked.any():
        return np.ones(stacked.shape, dtype=np.int32)
    nearest = ndimage.distance_transform_edt(
        stacked == 0, return_distances=False, return_indices=True
    )
    return consecutive(stacked[tuple(nearest)])


def _with_rest(stacked: NDArray[np.int32], image: NDArray[np.float32]) -> NDArray[np.int32]:
    """Objects, and the pixels between them as regions above and below Otsu's threshold."""
    from skimage.filters import threshold_otsu

    if not image.any():
        return np.ones(stacked.shape, dtype=np.int32)
    smooth = ndimage.gaussian_filter(image, 1.5)
    bright = smooth > threshold_otsu(smooth)
    labels = stacked.copy()
    for level in (bright, ~bright):
        pieces, _ = ndimage.label(level & (stacked == 0))
        labels += np.where(pieces > 0, pieces + labels.max(initial=0), 0).astype(np.int32)
    return labels


def _materials(
    labels: NDArray[np.int32], image: NDArray[np.float32], number: int | None
) -> NDArray[np.uint8]:
    """Phases of objects by their mean grey level: the split into N classes of least variance.

    Two when N is not given. Numbered by falling area; 0 where no object is.
    """
    count = int(labels.max(initial=0))
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:].astype(np.float64)
    sums = np.bincount(labels.ravel(), image.ravel(), minlength=count + 1)[1:]
    means = sums / np.maximum(areas, 1)
    classes = _split(means, areas, min(number or 2, max(1, int((areas > 0).sum()))))
    total = np.bincount(classes, areas, minlength=int(classes.max(initial=0)) + 1)
    rank = np.empty(len(total), dtype=np.uint8)
    rank[np.argsort(-total, kind="stable")] = np.arange(1, len(total) + 1)
    return np.concatenate([np.zeros(1, np.uint8), rank[classes]])[labels]


def _split(
    values: NDArray[np.float64], weights: NDArray[np.float64], number: int
) -> NDArray[np.intp]:
    """Class of each weighted value, by k-means from evenly spread quantiles."""
    order = np.argsort(values, kind="stable")
    shares = np.cumsum(weights[order]) / max(float(weights.sum()), 1e-9)
    wanted = (np.arange(number) + 0.5) / number
    places = np.minimum(np.searchsorted(shares, wanted), max(len(values) - 1, 0))
    centres = np.unique(values[order][places]) if len(values) else np.zeros(1)
    classes = np.zeros(len(values), dtype=np.intp)
    for _ in range(50):
        nearest = np.abs(values[:, None] - centres).argmin(1)
        mass = np.bincount(nearest, weights, minlength=len(centres))
        moved = np.bincount(nearest, weights * values, minlength=len(centres))
        centres = np.where(mass > 0, moved / np.maximum(mass, 1e-9), centres)
        if np.array_equal(nearest, classes):
            break
        classes = nearest
    return np.asarray(np.unique(classes, return_inverse=True)[1], dtype=np.intp)


def _regions(phases: NDArray[np.integer]) -> NDArray[np.int32]:
    """4-connected regions of equal phase, 1...n; phase 0 stays 0."""
    from skimage.measure import label

    return np.asarray(label(phases, background=0, connectivity=1), dtype=np.int32)
