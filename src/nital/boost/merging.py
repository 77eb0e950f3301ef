"""Merging of neighbouring grains, or pieces of one particle, that no boundary parts."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

__all__ = ["boundary_strengths", "merge_pieces", "merge_weak_boundaries"]


def boundary_strengths(
    labels: NDArray[np.int32], boundary: NDArray[np.floating]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Mean boundary probability between neighbouring labels.

    Parameters
    ----------
    labels
        (H, W) int32; 0 is no label.
    boundary
        (H, W) probability that a pixel lies on a boundary.

    Returns
    -------
    pairs
        (M, 2) labels i < j that touch along a pixel edge.
    strength
        (M,) mean over the shared edge of the larger probability on its two sides.
    length
        (M,) pixel edges shared.
    """
    keys, values = [], []
    span = np.int64(labels.max(initial=0)) + 1
    for a, b in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        one, two = labels[a], labels[b]
        edge = (one != two) & (one > 0) & (two > 0)
        low, high = np.minimum(one[edge], two[edge]), np.maximum(one[edge], two[edge])
        keys.append(low.astype(np.int64) * span + high)
        values.append(np.maximum(boundary[a][edge], boundary[b][edge]))
    unique, inverse, length = np.unique(
        np.concatenate(keys), return_inverse=True, return_counts=True
    )
    total = np.bincount(inverse, np.concatenate(values).astype(np.float64), len(unique))
    pairs = np.stack([unique // span, unique % span], axis=1)
    return pairs, total / np.maximum(length, 1), length


def merge_weak_boundaries(
    labels: NDArray[np.int32], boundary: NDArray[np.floating], threshold: float
) -> tuple[NDArray[np.int32], int]:
    """Merge neighbours whose common boundary is weaker than ``threshold``, the weakest first.

    After each merge the boundaries of the joined grain are averaged anew, so a grain is not
    swallowed along a chain of half-strong boundaries.

    Returns
    -------
    labels
        (H, W) int32; a merged grain keeps its smallest label.
    merges
        How many pairs were joined.
    """
    pairs, strength, length = boundary_strengths(labels, boundary)
    edges: dict[int, dict[int, tuple[float, int]]] = {}
    heap = []
    for (i, j), mean, count in zip(pairs.tolist(), strength.tolist(), length.tolist(), strict=True):
        total = mean * count
        edges.setdefault(i, {})[j] = edges.setdefault(j, {})[i] = (total, count)
        if total / count < threshold:
            heap.append((total / count, i, j))
    heapq.heapify(heap)
    target = np.arange(int(labels.max(initial=0)) + 1, dtype=np.int32)
    merges = 0
    while heap:
        value, i, j = heapq.heappop(heap)
        known = edges.get(i, {}).get(j)
        if known is None or known[0] / known[1] != value:
            continue
        merges += 1
        target[j] = i
        del edges[i][j]
        for other, (total, count) in edges.pop(j).items():
            if other == i:
                continue
            del edges[other][j]
            before = edges[i].get(other, (0.0, 0))
            joined = (before[0] + total, before[1] + count)
            edges[i][other] = edges[other][i] = joined
            mean = joined[0] / joined[1]
            if mean < threshold:
                heapq.heappush(heap, (mean, min(i, other), max(i, other)))
    while True:
        further = target[target]
        if np.array_equal(further, target):
            return target[labels], merges
        target = further


def merge_pieces(
    labels: NDArray[np.int32],
    boundary: NDArray[np.floating],
    threshold: float,
    scores: NDArray[np.float32],
    areas: NDArray[np.float32],
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """Merge objects as :func:`merge_weak_boundaries` does, and what is known of them.

    Parameters
    ----------
    scores, areas
        (n,) predicted IoU and area of the mask of each label.

    Returns
    -------
    labels
        (H, W) int32; a merged object keeps its smallest label.
    scores
        (n,) of a merged object the mean, weighted with areas.
    areas
        (n,) of a merged object the sum. Of labels that are gone both are 0.
    """
    merged, merges = merge_weak_boundaries(labels, boundary, threshold)
    if not merges:
        return labels, scores, areas
    owner = np.arange(len(scores) + 1)
    owner[labels.ravel()] = merged.ravel()
    total = np.bincount(owner[1:], areas, len(scores) + 1)[1:]
    weighted = np.bincount(owner[1:], areas * scores, len(scores) + 1)[1:]
    mean = weighted / np.maximum(total, 1e-9)
    return merged, mean.astype(np.float32), total.astype(np.float32)
