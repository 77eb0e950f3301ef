"""What the network should answer for one training crop: dense maps and prompts with their masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.evaluation.boundaries import label_boundaries

__all__ = ["Sample", "TrainingExample", "make_example"]

N_PROMPTS = 12
N_POINTS = 4
GRID = 40
WINDOW = 1.5  # side of the decoded window over the longer side of the object's box


@dataclass(frozen=True)
class Sample:
    """A crop before targets are made.

    Parameters
    ----------
    image
        (H, W) uint8, H and W even.
    labels, phases
        (H, W) int32 and uint8 as in a ``Scene``.
    valid
        (H, W) bool; False where the truth is not known.
    target
        Index of the target: grains, phases, particles, layers.
    uncertain
        Labels of objects whose outline an expert would not sign.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.int32]
    phases: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    target: int
    uncertain: frozenset[int] = frozenset()


TrainingExample = dict[str, NDArray[np.generic]]


def make_example(rng: np.random.Generator, sample: Sample) -> TrainingExample:
    """Dense targets at half resolution, and prompts with window masks.

    Returns arrays: ``image`` (1, H, W) float32 standardised; ``target`` (4,) one-hot; ``dense``
    (5, H/2, W/2); ``dense_weight`` (5, H/2, W/2); ``phases`` (H/2, W/2) uint8, 0 where unknown;
    ``points`` (K, P, 2), ``point_labels`` (K, P), ``boxes`` (K, 4), ``windows`` (K, 4),
    ``masks`` (K, G, G), ``has_object`` (K,), ``prompt_phase`` (K,).
    """
    labels = sample.labels
    edge = label_boundaries(labels)
    depth = ndimage.distance_transform_edt(~edge).astype(np.float32) + 0.5
    depth[labels == 0] = 0
    count = int(labels.max(initial=0))
    index = np.arange(count + 1)
    deepest = np.maximum(ndimage.maximum(depth, labels, index), 0.5).astype(np.float32)
    boxes = _boxes(labels, count)
    sides = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]).clip(1)
    touching = _touching(boxes, labels.shape)

    half = labels[::2, ::2]
    dense = np.zeros((5, *half.shape), dtype=np.float32)
    weight = np.repeat(sample.valid[::2, ::2][None].astype(np.float32), 5, axis=0)
    dense[0] = half > 0
    dense[1] = edge.reshape(half.shape[0], 2, half.shape[1], 2).mean(axis=(1, 3)) > 0.3
    dense[2] = np.where(half > 0, depth[::2, ::2] / deepest[half], 0)
    dense[3] = np.log2(sides.astype(np.float32))[half] - 5.0
    dense[4] = np.log2(2 * deepest)[half] - 5.0
    known = (half > 0) & ~touching[half]
    weight[3] *= known
    weight[4] *= known
    if sample.uncertain:
        doubtful = np.isin(half, list(sample.uncertain))
        weight *= np.where(doubtful, 0.0, 1.0)

    image = sample.image.astype(np.float32)
    image = (image - image.mean()) / max(float(image.std()), 1.0)
    phases = np.where(sample.valid, sample.phases, 0)[::2, ::2].astype(np.uint8)
    one_hot = np.zeros(4, dtype=np.float32)
    one_hot[sample.target] = 1
    example: TrainingExample = {
        "image": image[None],
        "target": one_hot,
        "dense": dense,
        "dense_weight": weight,
        "phases": phases,
    }
    boxes[list(sample.uncertain & set(range(1, count + 1)))] = 0
    example.update(_prompts(rng, sample, depth, boxes))
    return example


def _boxes(labels: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """(n + 1, 4) half-open boxes; row 0 and absent labels are zeros."""
    boxes = np.zeros((count + 1, 4), dtype=np.int32)
    for label, found in enumerate(ndimage.find_objects(labels), start=1):
        if found is not None:
            rows, cols = found
            boxes[label] = rows.start, cols.start, rows.stop, cols.stop
    return boxes


def _touching(boxes: NDArray[np.int32], shape: tuple[int, int]) -> NDArray[np.bool_]:
    start, stop = boxes[:, :2] == 0, boxes[:, 2:] == np.array(shape)
    return np.asarray((start | stop).any(1))


def _prompts(
    rng: np.random.Generator,
    sample: Sample,
    depth: NDArray[np.float32],
    boxes: NDArray[np.int32],
) -> TrainingExample:
    """K prompts of mixed kinds; where there is no object, the point asks for the phase only."""
    labels = sample.labels
    height, width = labels.shape
    points = np.zeros((N_PROMPTS, N_POINTS, 2), dtype=np.float32)
    point_labels = np.full((N_PROMPTS, N_POINTS), -1, dtype=np.float32)
    box_out = np.zeros((N_PROMPTS, 4), dtype=np.float32)
    windows = np.zeros((N_PROMPTS, 4), dtype=np.float32)
    masks = np.zeros((N_PROMPTS, GRID, GRID), dtype=np.float32)
    has_object = np.zeros(N_PROMPTS, dtype=np.float32)
    prompt_phase = np.zeros(N_PROMPTS, dtype=np.uint8)
    present = np.flatnonzero((boxes[:, 2] - boxes[:, 0] >= 2) & (boxes[:, 3] - boxes[:, 1] >= 2))
    candidates = np.argwhere(sample.valid[::3, ::3]) * 3
    for k in range(N_PROMPTS):
        label = int(rng.choice(present)) if len(present) and rng.random() < 0.85 else 0
        if label == 0:
            if len(candidates) == 0:
                continue
            row, col = candidates[int(rng.integers(len(candidates)))]
            label = int(labels[row, col])
            if boxes[label, 2] == 0:
                label = 0
        else:
            row, col = _point_inside(rng, labels, depth, boxes[label], label)
        points[k, 0] = row, col
        point_labels[k, 0] = 1
        prompt_phase[k] = sample.phases[row, col] if sample.valid[row, col] else 0
        if label == 0:
            windows[k] = row - 16, col - 16, row + 16, col + 16
            continue
        has_object[k] = 1
        box = boxes[label]
        _more_points(rng, k, points, point_labels, labels, depth, box, label, (height, width))
        jitter = rng.normal(0, 0.06, 4) * max(box[2] - box[0], box[3] - box[1])
        if rng.random() < 0.2:
            box_out[k] = box + jitter
            if rng.random() < 0.4:
                point_labels[k] = -1
        windows[k] = _window(rng, box, (float(row), float(col)), box_out[k])
        masks[k] = _sample_window(labels == label, windows[k])
    return {
        "points": points,
        "point_labels": point_labels,
        "boxes": box_out,
        "windows": windows,
        "masks": masks,
        "has_object": has_object,
        "prompt_phase": prompt_phase,
    }


def _point_inside(
    rng: np.random.Generator,
    labels: NDArray[np.int32],
    depth: NDArray[np.float32],
    box: NDArray[np.int32],
    label: int,
) -> tuple[int, int]:
    """A point of an object: deep inside, anywhere, or near the edge."""
    part = np.s_[box[0] : box[2], box[1] : box[3]]
    inside = labels[part] == label
    kind = rng.random()
    if kind < 0.35:
        found = np.argmax(np.where(inside, depth[part], 0))
    else:
        if kind > 0.85:
            near = inside & (depth[part] <= 2.0)
            inside = near if near.any() else inside
        flat = np.flatnonzero(inside)
        found = flat[int(rng.integers(len(flat)))]
    row, col = np.unravel_index(int(found), inside.shape)
    return int(row + box[0]), int(col + box[1])


def _more_points(
    rng: np.random.Generator,
    k: int,
    points: NDArray[np.float32],
    point_labels: NDArray[np.float32],
    labels: NDArray[np.int32],
    depth: NDArray[np.float32],
    box: NDArray[np.int32],
    label: int,
    shape: tuple[int, int],
) -> None:
    """Sometimes add further positive points, or negative ones close by."""
    draw = rng.random()
    if draw < 0.7:
        return
    for slot in range(1, int(rng.integers(2, N_POINTS + 1))):
        if draw < 0.82:
            points[k, slot] = _point_inside(rng, labels, depth, box, label)
            point_labels[k, slot] = 1
            continue
        row = int(np.clip(rng.integers(box[0] - 8, box[2] + 8), 0, shape[0] - 1))
        col = int(np.clip(rng.integers(box[1] - 8, box[3] + 8), 0, shape[1] - 1))
        points[k, slot] = row, col
        point_labels[k, slot] = float(labels[row, col] == label)


def _window(
    rng: np.random.Generator,
    box: NDArray[np.int32],
    point: tuple[float, float],
    given: NDArray[np.float32],
) -> NDArray[np.float32]:
    """The square window decoded: around the box if one is given, else around the point."""
    if given[2] > given[0]:
        centre = 0.5 * (given[:2] + given[2:])
        side = WINDOW * float(max(given[2] - given[0], given[3] - given[1], 4.0))
    else:
        centre = np.asarray(point, dtype=np.float32)
        extent = float(max(box[2] - box[0], box[3] - box[1])) * float(np.exp(rng.normal(0, 0.2)))
        side = max(2.0 * WINDOW * extent, 12.0)
    return np.concatenate([centre - side / 2, centre + side / 2]).astype(np.float32)


def _sample_window(mask: NDArray[np.bool_], window: NDArray[np.float32]) -> NDArray[np.float32]:
    """Nearest samples of a mask at a window's GRID x GRID cell centres; 0 outside the image."""
    steps = (np.arange(GRID) + 0.5) / GRID
    rows = np.floor(window[0] + steps * (window[2] - window[0])).astype(int)
    cols = np.floor(window[1] + steps * (window[3] - window[1])).astype(int)
    row_ok = (rows >= 0) & (rows < mask.shape[0])
    col_ok = (cols >= 0) & (cols < mask.shape[1])
    values = mask[rows.clip(0, mask.shape[0] - 1)][:, cols.clip(0, mask.shape[1] - 1)]
    return np.asarray(values & row_ok[:, None] & col_ok[None], dtype=np.float32)
