"""Phases of an image from its phase embedding (SAM-I-Am, Algorithm 2, with a learnt embedding).

In training, pixels are classified by ``-scale * distance**2`` to the mean embedding of their own
image's phases, and two pixels are of one phase with logit ``threshold - scale * distance**2``.
Both constants come with the weights, so clusters can be compared with a calibrated measure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["PhaseModel", "assign_phases", "find_phases", "nearest_phase", "separation_of"]

MAX_PHASES = 8
ROUNDS = 30
RESTARTS = 8
CHUNK = 1 << 16


@dataclass(frozen=True)
class PhaseModel:
    """Centres of the phases of one image.

    Parameters
    ----------
    centres
        (P, E) float32.
    scale
        Inverse squared length of the embedding.
    separation
        Smallest logit distance between two centres, in units of the same-phase threshold; below
        1 the two nearest phases would be called the same.
    curve
        ``(number of phases, mean squared distance, separation)`` of the numbers tried.
    """

    centres: NDArray[np.float32]
    scale: float
    separation: float
    curve: tuple[tuple[int, float, float], ...] = ()


def find_phases(
    samples: NDArray[np.float32],
    weights: NDArray[np.float32],
    *,
    scale: float,
    threshold: float,
    number: int | None = None,
    seed: int = 0,
    starts: int = RESTARTS,
) -> PhaseModel:
    """Cluster embedding samples into phases.

    Parameters
    ----------
    samples, weights
        (N, E) embeddings of sampled pixels and (N,) their weights, low near boundaries.
    scale, threshold
        The calibrated constants of the weights.
    number
        Phases to find; when ``None``, clusters are merged as long as two centres are more likely
        of one phase than not, starting from ``MAX_PHASES``.
    seed, starts
        Of k-means, of which the tightest result is taken.
    """
    rng = np.random.default_rng(seed)
    if number is not None:
        centres, spread = _kmeans(rng, samples, weights, max(1, min(number, len(samples))), starts)
        separation = separation_of(centres, scale, threshold)
        return PhaseModel(centres, scale, separation, ((len(centres), spread, separation),))
    centres, spread = _kmeans(rng, samples, weights, min(MAX_PHASES, len(samples)), starts)
    separation = separation_of(centres, scale, threshold)
    curve = [(len(centres), spread, separation)]
    while len(centres) > 1 and separation < 1.0:
        share = np.bincount(_nearest(samples, centres)[0], weights, len(centres))
        first, second = _closest(centres)
        total = max(share[first] + share[second], 1e-9)
        joined = (centres[first] * share[first] + centres[second] * share[second]) / total
        centres = np.delete(centres, second, axis=0)
        centres[first] = joined
        centres, spread = _refine(samples, weights, centres)
        separation = separation_of(centres, scale, threshold)
        curve.append((len(centres), spread, separation))
    return PhaseModel(centres, scale, separation, tuple(curve))


def assign_phases(
    embedding: NDArray[np.float16], model: PhaseModel
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Nearest phase of every position of an (E, h, w) map, and its probability.

    Returns
    -------
    phases
        (h, w) uint8, 0...P-1 in the order of the centres.
    probability
        (h, w) float32.
    """
    flat = embedding.reshape(embedding.shape[0], -1)
    phases = np.empty(flat.shape[1], dtype=np.uint8)
    probability = np.empty(flat.shape[1], dtype=np.float32)
    for start in range(0, flat.shape[1], CHUNK):
        block = flat[:, start : start + CHUNK].T.astype(np.float32)
        logits = -model.scale * _squared(block, model.centres)
        logits -= logits.max(1, keepdims=True)
        likely = np.exp(logits)
        phases[start : start + CHUNK] = likely.argmax(1)
        probability[start : start + CHUNK] = 1 / likely.sum(1)
    shape = embedding.shape[1:]
    return phases.reshape(shape), probability.reshape(shape)


def nearest_phase(samples: NDArray[np.float32], model: PhaseModel) -> NDArray[np.intp]:
    """(N,) index of the centre next to each of (N, E) samples."""
    return _nearest(samples, model.centres)[0]


def _squared(samples: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, P) squared distances."""
    distance = (samples**2).sum(1)[:, None] + (centres**2).sum(1)[None] - 2 * samples @ centres.T
    return np.asarray(np.maximum(distance, 0), dtype=np.float32)


def _nearest(
    samples: NDArray[np.float32], centres: NDArray[np.float32]
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    distance = _squared(samples, centres)
    nearest = distance.argmin(1)
    return nearest, distance[np.arange(len(samples)), nearest]


def _closest(centres: NDArray[np.float32]) -> tuple[int, int]:
    distance = _squared(centres, centres) + np.diag(np.full(len(centres), np.inf, np.float32))
    first, second = np.unravel_index(int(distance.argmin()), distance.shape)
    return min(int(first), int(second)), max(int(first), int(second))


def separation_of(centres: NDArray[np.float32], scale: float, threshold: float) -> float:
    """Logit distance of the two nearest centres, in units of the same-phase threshold."""
    if len(centres) < 2:
        return float("inf")
    first, second = _closest(centres)
    gap = float(((centres[first] - centres[second]) ** 2).sum())
    return scale * gap / max(threshold, 1e-6)


def _refine(
    samples: NDArray[np.float32], weights: NDArray[np.float32], centres: NDArray[np.float32]
) -> tuple[NDArray[np.float32], float]:
    """Lloyd's iterations until the assignment rests."""
    assigned = np.full(len(samples), -1)
    for _ in range(ROUNDS):
        nearest, distance = _nearest(samples, centres)
        if np.array_equal(nearest, assigned):
            break
        assigned = nearest
        share = np.bincount(assigned, weights, len(centres))
        sums = np.stack(
            [np.bincount(assigned, weights * column, len(centres)) for column in samples.T], axis=1
        )
        filled = share > 0
        centres = centres.copy()
        centres[filled] = sums[filled] / share[filled, None]
    _, distance = _nearest(samples, centres)
    return centres, float((distance * weights).sum() / max(float(weights.sum()), 1e-9))


def _kmeans(
    rng: np.random.Generator,
    samples: NDArray[np.float32],
    weights: NDArray[np.float32],
    number: int,
    starts: int,
) -> tuple[NDArray[np.float32], float]:
    """Weighted k-means++ with restarts; the tightest result."""
    best: tuple[NDArray[np.float32], float] | None = None
    for _ in range(starts):
        chance = weights / weights.sum()
        centres = samples[rng.choice(len(samples), p=chance)][None]
        while len(centres) < number:
            _, distance = _nearest(samples, centres)
            chance = distance * weights
            total = float(chance.sum())
            if total <= 0:
                break
            added = rng.choice(len(samples), p=chance / total)
            centres = np.concatenate([centres, samples[added][None]])
        result = _refine(samples, weights, centres)
        if best is None or result[1] < best[1]:
            best = result
    assert best is not None
    return best
