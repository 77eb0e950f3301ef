"""All metrics of one prediction against one truth, by the kind of truth."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nital.evaluation import boundaries
from nital.evaluation.contingency import Contingency, contingency
from nital.evaluation.metrics import (
    adjusted_rand_index,
    aggregated_jaccard,
    average_precision,
    best_assignment,
    match_objects,
    panoptic_quality,
    variation_of_information,
)
from nital.evaluation.sizes import diameter_errors, grain_size_errors

__all__ = ["CLASS_IOU", "score_boundaries", "score_instances", "score_phases"]

CLASS_IOU = "iou_of_"
"""What the names of metrics begin with that are the IoU of one class."""


def score_phases(
    truth: NDArray[np.integer],
    phases: NDArray[np.integer],
    unlabelled: int | None = 0,
    foreground: Sequence[int] | None = None,
    unassigned: int | None = 0,
    tolerance: float = 3.0,
    names: Mapping[int, str] | None = None,
) -> dict[str, float]:
    """Metrics of a phase map under the best naming of the predicted phases.

    ``iou_of_...`` for each class present in the truth, by its name or ``class_2``; ``iou_mean``
    (over those classes; MatSAM's published code averages the two classes likewise),
    ``iou_foreground``, ``f1`` and ``recall`` (means over the foreground classes, pixel-wise),
    ``pixel_accuracy``, ``phase_fraction_error`` (mean over the foreground of
    the absolute error of the area fraction), ``boundary_f1``.

    Parameters
    ----------
    truth
        (H, W) class numbers.
    phases
        (H, W) predicted phase numbers.
    unlabelled
        Class number of pixels that are not scored; ``None`` when every pixel has a class.
    foreground
        Classes other than the matrix; by default all but the lowest.
    unassigned
        Predicted number that means "no phase" and is given to no class; ``None`` when 0 is a
        phase like the others (vacuum between layers).
    tolerance
        Pixels within which boundaries agree.
    names
        What classes are called.
    """
    where = None if unlabelled is None else truth != unlabelled
    table = contingency(truth, phases, where)
    given = best_assignment(table, skip_predicted=() if unassigned is None else (unassigned,))
    chosen = given.truth[1:] if foreground is None else np.asarray(foreground)
    inside = np.isin(given.truth, chosen)
    scores = {
        "iou_mean": _mean(given.iou),
        "iou_foreground": _mean(given.iou[inside]),
        "f1": _mean(given.f1[inside]),
        "recall": _mean(given.recall[inside]),
        "precision": _mean(given.precision[inside]),
        "pixel_accuracy": float(_shared(table, given.recall, given.truth)),
    }
    named = given.mapped(phases)
    scored = np.ones(truth.shape, dtype=np.bool_) if where is None else where
    errors = [
        abs(float((named[scored] == c).mean() - (truth[scored] == c).mean()))
        for c in given.truth[inside]
    ]
    scores["phase_fraction_error"] = _mean(np.array(errors))
    lines = [boundaries.label_boundaries(a) for a in (truth, named)]
    scores["boundary_f1"] = boundaries.boundary_f1(lines[0], lines[1], tolerance)[0]
    for value, iou in zip(given.truth, given.iou, strict=True):
        scores[CLASS_IOU + _key(int(value), names or {})] = float(iou)
    return _defined(scores)


def _key(value: int, names: Mapping[int, str]) -> str:
    """The name of a class in the name of a metric."""
    return re.sub(r"\W+", "_", names.get(value, "").lower()).strip("_") or f"class_{value}"


def _shared(table: Contingency, recall: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    areas = table.truth_areas[np.isin(table.truth_labels, truth)]
    return float((recall * areas).sum() / max(table.total, 1))


def score_instances(
    truth: NDArray[np.integer],
    labels: NDArray[np.integer],
    partial: bool = False,
    tolerance: float = 3.0,
) -> dict[str, float]:
    """Metrics of objects on a background of 0.

    ``ap50``, ``ap75``, ``ap`` (TP / (TP + FP + FN), the last over IoU 0.5...0.95), ``aji``,
    ``aji_plus``, ``pq``, ``f1``, ``recall``, ``precision`` (objects at IoU 0.5),
    ``iou_foreground`` (any object against background), ``ari`` (on the pixels of true objects),
    ``vi_split``, ``vi_merge``, ``boundary_f1``, ``hausdorff_mean`` (matched pairs, px), and the
    relative errors of count and diameters.

    Parameters
    ----------
    truth, labels
        (H, W) object numbers.
    partial
        ``True`` when some objects were left unlabelled: predicted objects that lie mostly on
        background count neither as found nor as false, and ``iou_foreground`` and the size
        errors, which such a truth cannot give, are left out.
    tolerance
        Pixels within which boundaries agree.
    """
    table = contingency(truth, labels)
    ignored = _mostly_on_background(table) if partial else None
    at_half = match_objects(table, 0.5, ignored)
    within = contingency(truth, labels, where=truth > 0)
    split, merge = variation_of_information(within if partial else table)
    scores = {
        "ap50": at_half.accuracy,
        "ap75": match_objects(table, 0.75, ignored).accuracy,
        "ap": average_precision(table, ignored=ignored),
        "aji": aggregated_jaccard(table, one_to_one=False, ignored=ignored),
        "aji_plus": aggregated_jaccard(table, ignored=ignored),
        "pq": panoptic_quality(at_half),
        "f1": at_half.f1,
        "recall": at_half.recall,
        "precision": at_half.precision,
        "ari": adjusted_rand_index(within),
        "vi_split": split,
        "vi_merge": merge,
        "hausdorff_mean": boundaries.mean_object_hausdorff(truth, labels, at_half),
    }
    if not partial:
        both, either = ((truth > 0) & (labels > 0)).sum(), ((truth > 0) | (labels > 0)).sum()
        scores["iou_foreground"] = float(both / either) if either else 1.0
        lines = [boundaries.label_boundaries(a) for a in (truth, labels)]
        scores["boundary_f1"] = boundaries.boundary_f1(lines[0], lines[1], tolerance)[0]
        scores |= diameter_errors(truth, labels)
    return _defined(scores)


def _mostly_on_background(table: Contingency) -> NDArray[np.bool_]:
    background = table.truth_labels[table.rows] == 0
    covered = np.bincount(
        table.columns[background], table.counts[background], table.predicted_labels.size
    )
    return np.asarray(covered > 0.5 * table.predicted_areas, dtype=np.bool_)


def score_boundaries(
    drawn: NDArray[np.bool_],
    labels: NDArray[np.integer],
    tolerance: float = 3.0,
    smallest_area: int = 0,
) -> dict[str, float]:
    """Metrics of grains against drawn boundaries.

    ``ari`` and ``vi_split``, ``vi_merge`` on the pixels off the drawn lines; ``boundary_f1``,
    ``boundary_precision``, ``boundary_recall`` of label boundaries against the centre of the
    drawn lines within ``tolerance``; ``ari_matsam`` of the two line maps as MatSAM computes it;
    ``ari_matsam_postprocessed``, ``f1`` and ``recall`` (pixels of lines) after its
    post-processing of both maps; ``ap50``, ``recall_grains`` of grains off the lines; and the
    relative errors of mean grain area and intercept and the difference in ASTM G.

    Parameters
    ----------
    drawn
        (H, W) true on the drawn boundary.
    labels
        (H, W) predicted grains.
    tolerance
        Pixels, see :func:`nital.evaluation.boundaries.boundary_f1`.
    smallest_area
        True grains of fewer pixels than this are drawing slivers and are not scored.
    """
    drawn = drawn.astype(np.bool_)
    table = boundaries.grain_table(drawn, labels, smallest_area)
    split, merge = variation_of_information(table)
    predicted_lines = boundaries.label_boundaries(labels)
    middle = boundaries.centre_line(drawn)
    f1, precision, recall = boundaries.boundary_f1(middle, predicted_lines, tolerance)
    map_table, predicted_map = boundaries.drawn_map_table(drawn, labels)
    maps = [boundaries.postprocessed_map(each) for each in (drawn, predicted_map)]
    regions = [boundaries.regions_between_lines(each) for each in maps]
    grains = match_objects(table, 0.5)
    shared = float((maps[0] & maps[1]).sum())
    scores = {
        "ari": adjusted_rand_index(table),
        "ari_matsam": adjusted_rand_index(map_table),
        "ari_matsam_postprocessed": adjusted_rand_index(contingency(regions[0], regions[1])),
        "boundary_f1": f1,
        "boundary_precision": precision,
        "boundary_recall": recall,
        "f1": _ratio(2 * shared, float(maps[0].sum() + maps[1].sum())),
        "recall": _ratio(shared, float(maps[0].sum())),
        "vi_split": split,
        "vi_merge": merge,
        "ap50": grains.accuracy,
        "recall_grains": grains.recall,
    }
    return _defined(scores | grain_size_errors(drawn, labels, smallest_area))


def _ratio(part: float, whole: float) -> float:
    return 1.0 if whole == 0 else part / whole


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else float("nan")


def _defined(scores: dict[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in scores.items() if math.isfinite(value)}
