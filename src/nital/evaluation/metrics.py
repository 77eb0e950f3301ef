"""Overlap metrics of two label images, each defined once, all from one contingency table.

Two degenerate cases are settled alike everywhere: a score that compares nothing with nothing is 1
(an empty prediction of an empty truth is right), and a score that cannot be defined is ``nan``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nital.evaluation.contingency import Contingency

__all__ = [
    "Assignment",
    "Matching",
    "adjusted_rand_index",
    "aggregated_jaccard",
    "area_under_roc",
    "average_precision",
    "best_assignment",
    "expected_calibration_error",
    "match_objects",
    "panoptic_quality",
    "variation_of_information",
]

AP_THRESHOLDS: tuple[float, ...] = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))


def adjusted_rand_index(table: Contingency) -> float:
    """Adjusted Rand index of two partitions of the same pixels, at most 1; 0 is chance.

    MatSAM, section 4.1, equations 1 and 2; Hubert & Arabie, J. Classification 2 (1985) 193. (The
    paper's denominator ``max(RI) + E[RI]`` is a slip for ``max(RI) - E[RI]``, which its published
    code computes.) Label 0 is a part like any other: leave pixels out when the table is made.
    """
    pairs = _pairs(table.counts)
    truth, predicted = _pairs(table.truth_areas), _pairs(table.predicted_areas)
    everything = _pairs(np.array([table.total]))
    if everything == 0:
        return 1.0
    expected = truth * predicted / everything
    largest = (truth + predicted) / 2
    return 1.0 if largest == expected else (pairs - expected) / (largest - expected)


def _pairs(counts: NDArray[np.int64]) -> float:
    values = counts.astype(np.float64)
    return float((values * (values - 1)).sum() / 2)


def variation_of_information(table: Contingency) -> tuple[float, float]:
    """Entropies (split, merge) in bits; their sum is the variation of information, 0 is best.

    Split is H(predicted | truth): true objects cut to pieces. Merge is H(truth | predicted):
    objects run together. Meila, J. Multivariate Anal. 98 (2007) 873.
    """
    if table.total == 0:
        return 0.0, 0.0
    joint = table.counts / table.total
    within_truth = table.counts / table.truth_areas[table.rows]
    within_predicted = table.counts / table.predicted_areas[table.columns]
    split = abs(float((joint * np.log2(within_truth)).sum()))
    merge = abs(float((joint * np.log2(within_predicted)).sum()))
    return split, merge


@dataclass(frozen=True)
class Assignment:
    """The one-to-one assignment of predicted to true labels with the largest sum of IoU.

    Parameters
    ----------
    truth, predicted
        (n,) true labels, rising, and the predicted label given to each; -1 for none.
    iou, precision, recall
        (n,) of each true label with its partner; 0 where it has none.
    """

    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]
    iou: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]

    @property
    def f1(self) -> NDArray[np.float64]:
        """(n,) F1 = 2 IoU / (1 + IoU) of each true label."""
        return np.asarray(2 * self.iou / (1 + self.iou))

    def mapped(self, labels: NDArray[np.integer]) -> NDArray[np.int64]:
        """Rewrite predicted labels as the true labels they were given to; 0 where none was."""
        lookup = np.zeros(max(int(labels.max(initial=0)), int(self.predicted.max(initial=0))) + 1)
        lookup = lookup.astype(np.int64)
        given = self.predicted >= 0
        lookup[self.predicted[given]] = self.truth[given]
        return np.asarray(lookup[labels])


def best_assignment(
    table: Contingency, skip_truth: Sequence[int] = (), skip_predicted: Sequence[int] = ()
) -> Assignment:
    """Give each true label at most one predicted label so that the IoU sum is largest.

    Unlabelled phases have no names, so a phase map is scored under its best naming. Predicted
    labels beyond the number of true ones stay without a partner, and so lower the others' IoU.

    Parameters
    ----------
    table
        Overlaps; pixels left out of it are not scored.
    skip_truth, skip_predicted
        Labels that take no part, such as 0 for unassigned; their pixels still count in the areas
        of those they overlap.
    """
    keep_truth = ~np.isin(table.truth_labels, skip_truth)
    keep_predicted = ~np.isin(table.predicted_labels, skip_predicted)
    usable = keep_truth[table.rows] & keep_predicted[table.columns]
    pairs = _matching_of_largest_sum(table, usable)
    truth = table.truth_labels[keep_truth]
    place = np.cumsum(keep_truth) - 1
    predicted = np.full(truth.size, -1, dtype=np.int64)
    iou, precision, recall = (np.zeros(truth.size) for _ in range(3))
    at, columns, counts = place[table.rows[pairs]], table.columns[pairs], table.counts[pairs]
    predicted[at] = table.predicted_labels[columns]
    iou[at] = table.iou[pairs]
    precision[at] = counts / table.predicted_areas[columns]
    recall[at] = counts / table.truth_areas[table.rows[pairs]]
    return Assignment(truth, predicted, iou, precision, recall)


def _matching_of_largest_sum(table: Contingency, usable: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Indices into the pairs of ``table``: a one-to-one choice with the largest sum of IoU.

    Every row may also choose a partner of its own that costs as much as no overlap, so that a
    full matching always exists and the sparse solver applies.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    chosen = np.flatnonzero(usable)
    if chosen.size == 0:
        return chosen
    rows, row_index = np.unique(table.rows[chosen], return_inverse=True)
    columns, column_index = np.unique(table.columns[chosen], return_inverse=True)
    alone = np.arange(rows.size)
    cost = np.concatenate((2.0 - table.iou[chosen], np.full(rows.size, 2.0)))
    graph = csr_array(
        (
            cost,
            (
                np.concatenate((row_index, alone)),
                np.concatenate((column_index, alone + columns.size)),
            ),
        ),
        shape=(rows.size, columns.size + rows.size),
    )
    row_taken, column_taken = min_weight_full_bipartite_matching(graph)
    real = column_taken < columns.size
    keys = row_index.astype(np.int64) * columns.size + column_index
    order = np.argsort(keys)
    wanted = row_taken[real].astype(np.int64) * columns.size + column_taken[real]
    return np.asarray(chosen[order[np.searchsorted(keys[order], wanted)]])


@dataclass(frozen=True)
class Matching:
    """Objects matched at one IoU threshold; label 0 is background and no object.

    Parameters
    ----------
    threshold
        IoU from which on a pair matches.
    truth, predicted, iou
        (p,) labels and IoU of the matched pairs.
    truth_count, predicted_count
        Objects in all.
    """

    threshold: float
    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]
    iou: NDArray[np.float64]
    truth_count: int
    predicted_count: int

    @property
    def accuracy(self) -> float:
        """TP / (TP + FP + FN), what micrograph segmenters report as AP at this threshold."""
        return _ratio(self.truth.size, self.truth_count + self.predicted_count - self.truth.size)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN)."""
        return _ratio(2 * self.truth.size, self.truth_count + self.predicted_count)

    @property
    def recall(self) -> float:
        """TP / (TP + FN)."""
        return _ratio(self.truth.size, self.truth_count)

    @property
    def precision(self) -> float:
        """TP / (TP + FP)."""
        return _ratio(self.truth.size, self.predicted_count)


def _ratio(part: float, whole: float) -> float:
    return 1.0 if whole == 0 else part / whole


def match_objects(
    table: Contingency, threshold: float = 0.5, ignored: NDArray[np.bool_] | None = None
) -> Matching:
    """Match true with predicted objects at IoU >= ``threshold``, which must be 0.5 or more.

    Above 0.5 no object can match two others; at exactly 0.5 the first pair in table order wins.

    Parameters
    ----------
    table
        Overlaps with the background as label 0 in both.
    threshold
        IoU in 0.5...1.
    ignored
        (m,) predicted labels that count neither as found nor as false, aligned with
        ``table.predicted_labels``: objects on ground that nobody labelled. A match overrules it.
    """
    assert threshold >= 0.5, "matching by threshold is one-to-one from 0.5 on only"
    objects = (table.truth_labels[table.rows] > 0) & (table.predicted_labels[table.columns] > 0)
    pairs = np.flatnonzero(objects & (table.iou >= threshold))
    pairs = pairs[np.argsort(-table.iou[pairs], kind="stable")]
    pairs = pairs[np.sort(np.unique(table.rows[pairs], return_index=True)[1])]
    pairs = pairs[np.sort(np.unique(table.columns[pairs], return_index=True)[1])]
    counted = table.predicted_labels > 0
    if ignored is not None:
        counted &= ~ignored
        counted[table.columns[pairs]] = True
    return Matching(
        threshold,
        table.truth_labels[table.rows[pairs]],
        table.predicted_labels[table.columns[pairs]],
        table.iou[pairs],
        int((table.truth_labels > 0).sum()),
        int(counted.sum()),
    )


def average_precision(
    table: Contingency,
    thresholds: Sequence[float] = AP_THRESHOLDS,
    ignored: NDArray[np.bool_] | None = None,
) -> float:
    """Mean of TP / (TP + FP + FN) over IoU thresholds, by default 0.5, 0.55 ... 0.95.

    Stardist and the Data Science Bowl 2018 define it so; it needs no confidence ranking.
    """
    return float(np.mean([match_objects(table, t, ignored).accuracy for t in thresholds]))


def panoptic_quality(matching: Matching) -> float:
    """Sum of matched IoU / (TP + FP/2 + FN/2), at IoU 0.5; Kirillov et al., CVPR 2019, eq. 1."""
    whole = (matching.truth_count + matching.predicted_count) / 2
    return _ratio(float(matching.iou.sum()), whole)


def aggregated_jaccard(
    table: Contingency, one_to_one: bool = True, ignored: NDArray[np.bool_] | None = None
) -> float:
    """Aggregated Jaccard index of objects; label 0 is background.

    ``one_to_one=True`` gives AJI+ (Graham et al., Med. Image Anal. 58 (2019) 101563): pairs of the
    largest IoU sum. ``False`` gives AJI (Kumar et al., IEEE TMI 36 (2017) 1550): each true object
    takes its best prediction, even one taken before. Areas of objects without partner, true or
    predicted, are added to the union; predicted ones in ``ignored`` are not.
    """
    truth_objects, predicted_objects = table.truth_labels > 0, table.predicted_labels > 0
    usable = truth_objects[table.rows] & predicted_objects[table.columns]
    if one_to_one:
        pairs = _matching_of_largest_sum(table, usable)
    else:
        pairs = np.flatnonzero(usable)
        pairs = pairs[np.lexsort((-table.iou[pairs], table.rows[pairs]))]
        pairs = pairs[np.unique(table.rows[pairs], return_index=True)[1]]
    rows, columns, counts = table.rows[pairs], table.columns[pairs], table.counts[pairs]
    lone_truth, lone_predicted = truth_objects.copy(), predicted_objects.copy()
    lone_truth[rows] = False
    lone_predicted[columns] = False
    if ignored is not None:
        lone_predicted &= ~ignored
    unions = table.truth_areas[rows] + table.predicted_areas[columns] - counts
    whole = unions.sum() + table.truth_areas[lone_truth].sum()
    whole += table.predicted_areas[lone_predicted].sum()
    return _ratio(float(counts.sum()), float(whole))


def expected_calibration_error(
    confidence: NDArray[np.floating],
    outcome: NDArray[np.floating] | NDArray[np.bool_],
    bins: int = 10,
) -> float:
    """Mean distance between confidence and outcome over equal bins of confidence.

    Guo et al., ICML 2017, eq. 3, with empty bins left out. ``nan`` without values.

    Parameters
    ----------
    confidence
        (n,) in 0...1.
    outcome
        (n,) right or wrong, or a true IoU in 0...1 where the confidence predicts an IoU.
    bins
        Number of bins of equal width.
    """
    if confidence.size == 0:
        return float("nan")
    index = np.clip((confidence * bins).astype(np.int64), 0, bins - 1)
    gap = np.bincount(index, weights=confidence - outcome.astype(np.float64), minlength=bins)
    return float(np.abs(gap).sum() / confidence.size)


def area_under_roc(score: NDArray[np.floating], correct: NDArray[np.bool_]) -> float:
    """Probability that a right answer scores above a wrong one, ties counting half.

    ``nan`` where all are right or all are wrong. Mann-Whitney form of the area under the curve.
    """
    from scipy.stats import rankdata

    positives = int(correct.sum())
    negatives = correct.size - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    ranks = float(rankdata(score)[correct].sum())
    return (ranks - positives * (positives + 1) / 2) / (positives * negatives)
