"""Micrograph in, Segmentation out: target, scale, objects or phases, labels, phases, confidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from nital.automatic.light import uneven_light
from nital.automatic.materials import Materials, find_materials, smooth_regions
from nital.automatic.named import name_layers
from nital.automatic.noise import without_noise
from nital.automatic.objects import Objects, find_objects
from nital.automatic.particle_choice import watershed_instead
from nital.automatic.scale import ScaleChoice, natural_scale
from nital.automatic.target import choose_target
from nital.boost.edges import drop_unlike_regions, half_maximum_edges
from nital.boost.specks import SPECK_CONFIDENCE, add_specks, with_specks
from nital.io.captions import find_captions, paint_over, without_letters
from nital.masks.labels import consecutive
from nital.micrograph import Micrograph
from nital.models import load_model
from nital.models.compact import CompactModel
from nital.models.tiles import standardise
from nital.segmentation import ModelInfo, Progress, Segmentation, SegmentOptions, Target

__all__ = ["run"]

SMALLEST_REGION = {"phases": 4, "layers": 25}
SMALLEST_LAYER_SHARE = 2e-4
VACUUM = 0.3  # mean foreground probability below which a phase of a cross-section is vacuum
LIGHT_ROUNDS = 2  # of taking uneven light away and looking again
CLEAR_MATRIX = 0.25  # gap of mean foreground from which it names the matrix

Parts = tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.uint8]]


def run(micrograph: Micrograph, options: SegmentOptions, progress: Progress) -> Segmentation:
    """Segment with a promptable model that has dense maps; see :func:`nital.segment`."""
    progress("model", 0.0)
    model = cast(CompactModel, load_model(options.model))
    image = standardise(micrograph.content)
    warnings = list(micrograph.warnings)
    target, reason = options.target, "asked for"
    if options.materials and target == "auto":
        target, reason = "layers", "materials were named"
    if target == "auto":
        target, reason = choose_target(model, image)
    facts: dict[str, Any] = {}
    log: tuple[dict[str, Any], ...] = ()
    probability: NDArray[np.uint8] | None = None
    if not image.any():
        warnings.append("the image is constant, so there is nothing to tell apart")
        parts = _constant(image.shape, target)
    else:
        progress("scale", 0.0)
        if target in ("phases", "layers"):
            image, facts = _prepared(micrograph, image, target, options.boost)
        choice = natural_scale(model, image, target)
        facts |= {"scale": choice.scale, "scale_trials": [list(trial) for trial in choice.trials]}

        def encoding(share: float) -> None:
            progress("segment", share)

        if target in ("grains", "particles"):
            found = find_objects(
                model, image, target, choice.scale, boost=options.boost, progress=encoding
            )
            if target == "particles" and options.boost:
                found = _with_specks(found, image)
            parts, probability, extra, notes = _chosen(micrograph, found, target)
            extra, warnings, log = found.facts | extra, warnings + notes, found.log
        else:
            materials, image = _materials(model, image, target, choice, options, encoding)
            parts = _material_parts(materials, image, choice.scale, target, options.boost)
            extra = materials.facts
            if extra["number"] == 1 and options.phases is None:
                warnings.append(f"only one of the {target} shows; say how many with --phases")
            if options.materials:
                named = name_layers(image, parts, options.materials, options.crop_classifier)
                parts, extra, log = named[0], extra | named[1], named[2]
        facts |= extra
    labels, phases, confidence = (micrograph.over_whole(part) for part in parts)
    if target == "particles" and not labels.any():
        warnings.append("no particle was found")
    progress("segment", 1.0)
    return Segmentation(
        micrograph,
        labels,
        phases,
        confidence,
        cast(Target, target),
        reason,
        ModelInfo(model.name, model.sha256),
        {**options.as_dict(), "found": facts},
        tuple(warnings),
        log,
        probability,
    )


def _prepared(
    micrograph: Micrograph, image: NDArray[np.float32], target: str, boost: bool
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """The image to look for phases or layers in, and what was painted over or taken away."""
    ink = find_captions(micrograph.content)
    facts: dict[str, Any] = {"captions": int(ink.sum())}
    if ink.any():
        image = standardise(paint_over(image, ink))
    if target == "phases" and boost:
        image, noise = without_noise(image)
        facts["noise_taken_away"] = round(noise, 4)
    return image, facts


def _materials(
    model: CompactModel,
    image: NDArray[np.float32],
    target: str,
    choice: ScaleChoice,
    options: SegmentOptions,
    progress: Callable[[float], None],
) -> tuple[Materials, NDArray[np.float32]]:
    """Phases or layers, and the image without the uneven light that they have shown."""
    asked = options.phases or len(options.materials) or None
    twice = target == "layers" and asked is None

    def find(number: int | None, begin: float = 0.0) -> Materials:
        def part(share: float) -> None:
            progress(begin + share * (0.5 if twice else 1.0))

        return find_materials(
            model, image, target, choice, number=number, boost=options.boost, progress=part
        )

    materials = find(asked)
    if target == "layers":
        if twice and materials.facts["number"] > 1:
            curve = {"number_curve": materials.facts["number_curve"]}
            number = materials.facts["number"]
            again = find(number, begin=0.5)  # texture tells more where the number is known
            materials = replace(again, facts=again.facts | curve)
        return materials, image
    taken = 0.0
    for _ in range(LIGHT_ROUNDS if options.boost else 0):
        light = uneven_light(image, materials.phases)
        if light is None:
            break
        taken += float(np.ptp(light))
        image = standardise(image - light)
        materials = find(asked)
    facts = {"light_taken_away": taken} if taken else {}
    return replace(materials, facts=materials.facts | facts), image


def _with_specks(found: Objects, image: NDArray[np.float32]) -> Objects:
    """Particles and the fine ones beside them that only the grey levels show."""
    labels, specks = with_specks(found.labels, image)
    if not specks:
        return found
    fine, sure = labels != found.labels, np.uint8(round(255 * SPECK_CONFIDENCE))
    return replace(
        found,
        labels=labels,
        confidence=np.where(fine, sure, found.confidence),
        probability=np.where(fine, sure, found.probability),
        facts=found.facts | {"specks": specks},
    )


def _chosen(
    micrograph: Micrograph, objects: Objects, target: str
) -> tuple[Parts, NDArray[np.uint8] | None, dict[str, Any], list[str]]:
    """The model's objects, or clear particles that it took for one.

    Returns
    -------
    labels, phases and confidence; probability of the masks, if they are the model's; facts;
    warnings.
    """
    labels, letters = objects.labels, 0
    if target == "particles":
        labels, letters = without_letters(labels, micrograph.content)
    parts = _object_parts(labels, objects.confidence, target)
    clear = watershed_instead(micrograph, parts[0]) if target == "particles" else None
    if clear is None:
        facts = {"letters": letters} if target == "particles" else {}
        return parts, micrograph.over_whole(objects.probability), facts, []
    rows = np.s_[: micrograph.content_rows]
    found = (clear.labels[rows], clear.phases[rows], clear.confidence[rows])
    warning = (
        f"the compact model saw {int(parts[0].max(initial=0))} objects where"
        f" {int(found[0].max())} convex ones of clear contrast stand apart, so the watershed's are"
        " taken"
    )
    return found, None, {"method": "watershed", "unclaimed": None}, [warning]


def _constant(shape: tuple[int, ...], target: str) -> Parts:
    """An image without any contrast: one grain, one phase, or nothing."""
    one = target in ("grains", "layers")
    labels = np.full(shape, int(one), dtype=np.int32)
    return labels, np.ones(shape, dtype=np.uint8), np.zeros(shape, dtype=np.uint8)


def _object_parts(labels: NDArray[np.int32], confidence: NDArray[np.uint8], target: str) -> Parts:
    """Labels 1...n, phases and confidence of grains or particles."""
    labels = consecutive(labels)
    if target == "grains":
        return labels, np.ones(labels.shape, dtype=np.uint8), confidence
    phases = np.where(labels > 0, 2, 1).astype(np.uint8)
    return labels, phases, confidence


def _material_parts(
    materials: Materials, image: NDArray[np.float32], scale: float, target: str, boost: bool
) -> Parts:
    """Put edges where the grey levels have them, order phases, and label connected regions."""
    from skimage.measure import label

    phases = materials.phases
    by_grey = target == "phases" and not materials.regions
    if boost:
        if not materials.regions:
            phases = half_maximum_edges(phases, image, scale)
        smallest = SMALLEST_REGION["phases" if by_grey else "layers"]
        if not by_grey:
            smallest = max(smallest, round(SMALLEST_LAYER_SHARE * phases.size))
        phases = smooth_regions(phases, smallest)
    number, foreground = _by_role(phases, materials.foreground, target)
    numbered = number[phases]
    if target == "phases":
        if boost and by_grey:
            numbered = add_specks(drop_unlike_regions(numbered, image), image)
        objects = np.where(numbered > 1, numbered, 0)
    else:
        vacuum = np.concatenate([[True], foreground < VACUUM])
        vacuum &= ~np.concatenate([[False], foreground >= foreground.max()])
        objects = np.where(vacuum[phases], 0, numbered)
    labels = label(objects, background=0, connectivity=1)
    return labels.astype(np.int32), numbered, materials.probability


def _by_role(
    phases: NDArray[np.uint8], likely: NDArray[np.uint8], target: str
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Number of each phase, the matrix or the largest first, and its mean foreground (0...1).

    Both are indexed by the phase as it was found; the foreground has no entry for 0.
    """
    count = int(phases.max())
    areas = np.bincount(phases.ravel(), minlength=count + 1)[1:]
    sums = np.bincount(phases.ravel(), likely.ravel() / 255.0, count + 1)[1:]
    foreground = sums / np.maximum(areas, 1)
    order = list(np.argsort(-areas, kind="stable"))
    if target == "phases":
        ranked = sorted((f for f, a in zip(foreground, areas, strict=True) if a > 0))
        if len(ranked) > 1 and ranked[1] - ranked[0] > CLEAR_MATRIX:
            matrix = int(np.argmin(np.where(areas > 0, foreground, np.inf)))
            order.remove(matrix)
            order.insert(0, matrix)
    number = np.zeros(count + 1, dtype=np.uint8)
    for position, index in enumerate(order, start=1):
        number[index + 1] = position
    return number, foreground
