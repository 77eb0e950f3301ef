"""Metrics of boundaries: drawn lines, label images, and the distances between them.

Drawn truth has lines some pixels wide, Nital's labels have boundaries without width. Neither is
wrong, so nothing here rewards one width: grains are compared on the pixels that no line covers
(:func:`grain_table`), lines are compared by their centres within a tolerance
(:func:`boundary_f1`), and where MatSAM compares line maps (:func:`drawn_map_table`) the predicted
boundaries are first drawn as wide as the true ones.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import morphology

from nital.evaluation.contingency import Contingency, contingency
from nital.evaluation.metrics import Matching

__all__ = [
    "boundary_f1",
    "centre_line",
    "drawn_map_table",
    "grain_table",
    "hausdorff_distance",
    "label_boundaries",
    "line_width",
    "mean_object_hausdorff",
    "postprocessed_map",
    "regions_between_lines",
]

MATSAM_SMALLEST_LINE = 50
"""MatSAM's published post-processing drops pieces of boundary of fewer pixels than this."""


def label_boundaries(labels: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Pixels that have a 4-neighbour of another label: two pixels wide, one on either side."""
    boundary = np.zeros(labels.shape, dtype=np.bool_)
    below, right = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    boundary[1:] |= below
    boundary[:-1] |= below
    boundary[:, 1:] |= right
    boundary[:, :-1] |= right
    return boundary


def centre_line(drawn: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """One pixel wide skeleton of drawn boundaries, running on to the edge of the image."""
    if not drawn.any():
        return np.zeros(drawn.shape, dtype=np.bool_)
    margin = math.ceil(ndimage.distance_transform_edt(drawn).max()) + 2
    extended = np.pad(drawn, margin, mode="edge")
    thin = morphology.skeletonize(extended)
    return np.asarray(thin[margin:-margin, margin:-margin], dtype=np.bool_)


def line_width(drawn: NDArray[np.bool_]) -> float:
    """Mean width in pixels of drawn lines: their area over the pixels of their centre line."""
    length = int(centre_line(drawn).sum())
    return float(drawn.sum() / length) if length else 0.0


def regions_between_lines(drawn: NDArray[np.bool_], smallest_area: int = 0) -> NDArray[np.int32]:
    """4-connected regions off the drawn lines, 1...n; lines are 0 (MatSAM, published code).

    Regions of fewer than ``smallest_area`` pixels, such as slivers between two strokes, become 0.
    """
    labels, _ = ndimage.label(~drawn)
    if smallest_area > 1:
        kept = np.bincount(labels.ravel()) >= smallest_area
        kept[0] = False
        labels = np.where(kept, np.cumsum(kept), 0)[labels]
    return np.asarray(labels, dtype=np.int32)


def grain_table(
    drawn: NDArray[np.bool_], labels: NDArray[np.integer], smallest_area: int = 0
) -> Contingency:
    """Overlaps of true grains and predicted labels on the pixels that no drawn line covers.

    This is the fair comparison for labels whose boundaries have no width: within the drawn stroke
    a boundary may run anywhere, outside it every pixel on the wrong side counts.
    """
    truth = regions_between_lines(drawn, smallest_area)
    return contingency(truth, labels, where=truth > 0)


def boundary_f1(
    truth: NDArray[np.bool_], predicted: NDArray[np.bool_], tolerance: float
) -> tuple[float, float, float]:
    """F1, precision and recall of boundary pixels within a tolerance.

    Precision is the share of predicted boundary pixels no farther than ``tolerance`` (Euclidean,
    pixels) from a true one, recall the converse; Csurka et al., BMVC 2013. Give centre lines for
    drawn boundaries and :func:`label_boundaries` for labels. Both empty is 1, one empty is 0.
    """
    if not truth.any() or not predicted.any():
        value = float(not truth.any() and not predicted.any())
        return value, value, value
    precision = float((ndimage.distance_transform_edt(~truth)[predicted] <= tolerance).mean())
    recall = float((ndimage.distance_transform_edt(~predicted)[truth] <= tolerance).mean())
    both = precision + recall
    return (2 * precision * recall / both if both else 0.0), precision, recall


def drawn_map_table(
    drawn: NDArray[np.bool_], labels: NDArray[np.integer]
) -> tuple[Contingency, NDArray[np.bool_]]:
    """Overlaps of the 4-connected regions of two line maps, lines being label 0 in both.

    MatSAM's published ARI without post-processing: the pixels on lines take part as one region,
    often the largest, so the value hangs on how wide the lines are drawn. The predicted boundaries
    are drawn as wide as the true lines (:func:`line_width`), as a person with the same pen would;
    even so a perfect answer reaches 0.83 to 0.96 on real drawings. Returns the table and the
    predicted line map.
    """
    lines = np.zeros(drawn.shape, dtype=np.bool_)
    lines[:-1] |= labels[1:] != labels[:-1]
    lines[:, :-1] |= labels[:, 1:] != labels[:, :-1]
    radius = (line_width(drawn) - 1) / 2
    if radius >= 1 and lines.any():
        lines = ndimage.distance_transform_edt(~lines) <= radius
    truth, predicted = regions_between_lines(drawn), regions_between_lines(lines)
    return contingency(truth, predicted), lines


def postprocessed_map(drawn: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Line map after MatSAM's post-processing, so that both maps have lines of one width.

    Pieces under 50 pixels (8-connected) are dropped, the rest is skeletonised and dilated with a
    3 x 3 square (the steps of the published code; the paper does not list them).
    """
    pieces, count = ndimage.label(drawn, structure=np.ones((3, 3)))
    if count == 0:
        return np.zeros(drawn.shape, dtype=np.bool_)
    large = np.bincount(pieces.ravel()) >= MATSAM_SMALLEST_LINE
    large[0] = False
    lines = ndimage.binary_dilation(centre_line(large[pieces]), np.ones((3, 3)))
    return np.asarray(lines, dtype=np.bool_)


def hausdorff_distance(
    truth: NDArray[np.bool_], predicted: NDArray[np.bool_], percentile: float = 100.0
) -> float:
    """Largest distance in pixels from either mask to the other; ``nan`` if one is empty.

    Percentiles below 100 (95 is usual) leave out the farthest pixels of each direction.
    """
    if not truth.any() or not predicted.any():
        return float("nan")
    to_truth = ndimage.distance_transform_edt(~truth)[predicted]
    to_predicted = ndimage.distance_transform_edt(~predicted)[truth]
    return float(max(np.percentile(to_truth, percentile), np.percentile(to_predicted, percentile)))


def mean_object_hausdorff(
    truth: NDArray[np.integer], predicted: NDArray[np.integer], matching: Matching
) -> float:
    """Mean Hausdorff distance in pixels over matched pairs of objects; ``nan`` without a pair."""
    truth_boxes = ndimage.find_objects(truth.astype(np.int64))
    predicted_boxes = ndimage.find_objects(predicted.astype(np.int64))
    distances = []
    for one, other in zip(matching.truth, matching.predicted, strict=True):
        boxes = zip(truth_boxes[one - 1], predicted_boxes[other - 1], strict=True)
        crop = tuple(slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in boxes)
        distances.append(hausdorff_distance(truth[crop] == one, predicted[crop] == other))
    return float(np.mean(distances)) if distances else float("nan")
