"""The methods of a benchmark: how one is named, asked and scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.classical import CLASSICAL_METHODS, classical_segment
from nital.errors import ModelError, UsageError
from nital.evaluation import samiam
from nital.evaluation.boundaries import regions_between_lines
from nital.evaluation.contingency import contingency
from nital.evaluation.datasets import Dataset
from nital.evaluation.metrics import (
    area_under_roc,
    best_assignment,
    expected_calibration_error,
    match_objects,
)
from nital.evaluation.resources import configuration_hash
from nital.evaluation.scores import score_boundaries, score_instances, score_phases
from nital.evaluation.sizes import nearest_grain
from nital.micrograph import Micrograph
from nital.segmentation import Segmentation

__all__ = [
    "Method",
    "check_models",
    "parse_methods",
    "run_method",
    "score",
    "with_and_without_boost",
]

NO_BOOST = ":no-boost"


@dataclass(frozen=True)
class Method:
    """One column of a benchmark.

    Parameters
    ----------
    model
        A classical method, or what ``nital.segment`` takes as ``model``.
    boost
        ``False`` for raw masks; written ``compact:no-boost``.
    tuned
        Options by data set (folder name) of a run that is tuned per data set; empty for the one
        frozen configuration.
    """

    model: str
    boost: bool = True
    tuned: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As it appears in tables."""
        return self.model + ("" if self.boost else NO_BOOST) + (" (tuned)" if self.tuned else "")

    @property
    def configuration(self) -> str:
        """Hash of everything that a user could have chosen otherwise."""
        return configuration_hash(
            {
                "model": self.model,
                "boost": self.boost,
                "tuned": self.tuned,
                "target": "by task",
                "phases": "number of declared classes",
            }
        )


def parse_methods(text: str, tuned: dict[str, dict[str, Any]] | None = None) -> tuple[Method, ...]:
    """Read ``compact,compact:no-boost,otsu``.

    Raises
    ------
    UsageError
        When there is none, one appears twice, or a classical method is asked without boost.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError("--methods names no method; give some, such as compact,otsu")
    if len(set(names)) < len(names):
        raise UsageError(f"--methods {text} names a method twice; name each once")
    methods = []
    for name in names:
        model = name.removesuffix(NO_BOOST)
        if model != name and not _has_boost(model):
            raise UsageError(f"--methods {name}: {model} has no boost to leave out; give {model}")
        options = {} if model in CLASSICAL_METHODS else (tuned or {})
        methods.append(Method(model, model == name, options))
    return tuple(methods)


def check_models(methods: Sequence[Method]) -> None:
    """Refuse, before any work, models that cannot be loaded.

    Raises
    ------
    UsageError
        Naming the first of them.
    """
    from nital.detection.scales import is_detector, load_detectors
    from nital.models import load_model
    from nital.semantic.model import find_semantic_model, load_semantic_model

    for method in methods:
        folder = find_semantic_model(method.model)
        try:
            if folder is not None:
                load_semantic_model(folder)
            elif is_detector(method.model):
                load_detectors(method.model)
            elif method.model not in CLASSICAL_METHODS:
                load_model(method.model)
        except ModelError as error:
            raise UsageError(f"--methods: {error}") from error


def with_and_without_boost(methods: Sequence[Method]) -> tuple[Method, ...]:
    """Every method, each that has a boost followed by itself without."""
    every: list[Method] = []
    for method in methods:
        raw = [replace(method, boost=False)] if _has_boost(method.model) else []
        every += [each for each in (method, *raw) if each not in every]
    return tuple(every)


def _has_boost(model: str) -> bool:
    from nital.detection.scales import is_detector
    from nital.semantic.model import find_semantic_model

    trained_alone = find_semantic_model(model) is not None or is_detector(model)
    return model not in CLASSICAL_METHODS and not trained_alone


def run_method(micrograph: Micrograph, method: Method, dataset: Dataset) -> Segmentation:
    """Segment one micrograph of a data set; the task alone decides what is asked for."""
    if method.model in CLASSICAL_METHODS:
        return classical_segment(micrograph, method.model, dataset.target, dataset.phases)
    import nital

    options = method.tuned.get(dataset.folder.resolve().name, {})
    return nital.segment(
        micrograph,
        target=dataset.target,
        phases=dataset.phases,
        model=method.model,
        boost=method.boost,
        **options,
    )


def score(truth: NDArray[np.int32], result: Segmentation, dataset: Dataset) -> dict[str, float]:
    """All metrics that the task of a data set gives, those that cannot be defined left out."""
    if dataset.task == "boundaries":
        scores = score_boundaries(truth > 0, result.labels, dataset.tolerance)
        grains = nearest_grain(regions_between_lines(truth > 0))
        return scores | _object_calibration(grains, result, dataset)
    if dataset.task == "instances":
        scores = score_instances(truth, result.labels, dataset.partial, dataset.tolerance)
        return scores | _object_calibration(truth, result, dataset)
    unassigned = None if dataset.task == "layers" else 0
    scores = score_phases(
        truth,
        result.phases,
        dataset.unlabelled_class,
        unassigned=unassigned,
        tolerance=dataset.tolerance,
        names=dataset.classes,
    )
    if dataset.task in ("layers", "semantic"):
        scores |= _material_scores(truth, result, dataset)
    return scores | _phase_calibration(truth, result, dataset)


def _material_scores(
    truth: NDArray[np.int32], result: Segmentation, dataset: Dataset
) -> dict[str, float]:
    values = [int(v) for v in np.unique(truth) if v != dataset.unlabelled_class]
    weights = [
        samiam.HARD_WEIGHT if dataset.classes.get(v, "") in dataset.hard else samiam.EASY_WEIGHT
        for v in values
    ]
    if not values:
        return {}
    masks = samiam.masks_of(result.phases)
    return samiam.score_material_masks([truth == v for v in values], masks, weights)


def _object_calibration(
    truth: NDArray[np.integer], result: Segmentation, dataset: Dataset
) -> dict[str, float]:
    """``ece`` and ``auroc`` of the confidence of objects against being right at IoU 0.5."""
    objects = result.objects
    if objects.size == 0:
        return {}
    right = np.isin(objects, match_objects(contingency(truth, result.labels)).predicted)
    confidence = np.zeros(objects.size + 1)
    confidence[result.labels.ravel()] = result.confidence.ravel() / 255
    judged = np.ones(objects.size, dtype=np.bool_)
    if dataset.partial:
        judged = np.isin(objects, np.unique(result.labels[truth > 0]))
    return _calibration(confidence[1:][judged], right[judged])


def _phase_calibration(
    truth: NDArray[np.int32], result: Segmentation, dataset: Dataset
) -> dict[str, float]:
    """``ece`` and ``auroc`` of the confidence of pixels against having the right phase."""
    scored = truth != dataset.unlabelled_class
    table = contingency(truth, result.phases, scored)
    skip = () if dataset.task == "layers" else (0,)
    named = best_assignment(table, skip_predicted=skip).mapped(result.phases)
    return _calibration(result.confidence[scored] / 255, (named == truth)[scored])


def _calibration(confidence: NDArray[np.floating], right: NDArray[np.bool_]) -> dict[str, float]:
    scores = {
        "ece": expected_calibration_error(confidence, right),
        "auroc": area_under_roc(confidence, right),
    }
    return {name: value for name, value in scores.items() if np.isfinite(value)}
