"""Spreading of what is certain to what is not, within the boundaries of the image.

Where the model is unsure (the middle of a body larger than it can see at once) the phase follows
from what lies around, as long as no boundary lies between. This is the random walker with priors
(Grady, CVPR 2005) on the grid of the maps: minimise

    sum_i c_i (u_i - p_i)^2 + sum_ij w_ij (u_i - u_j)^2

with the confidence c of the model's own probabilities p and links w that boundaries cut.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, cg

__all__ = ["spread_within_boundaries"]

CUT = 1e-4  # what is left of a link across a sure boundary
ITERATIONS = 150
TOLERANCE = 1e-3


def spread_within_boundaries(
    probability: NDArray[np.float32],
    boundary: NDArray[np.floating],
    *,
    confidence: float = 0.01,
    power: float = 6.0,
) -> NDArray[np.float32]:
    """Spread the probabilities of phases.

    Parameters
    ----------
    probability
        (P, h, w), summing to 1 over the phases.
    boundary
        (h, w) probability of a boundary.
    confidence
        Weight of a position that is certain, beside links of weight 1.
    power
        Links fall with (1 - boundary) to this power.

    Returns
    -------
    ndarray
        (P, h, w) float32, summing to 1.
    """
    count, rows, cols = probability.shape
    if count == 1 or rows * cols == 1:
        return probability
    edge = np.asarray(boundary, dtype=np.float32)
    down = _links(np.maximum(edge[1:], edge[:-1]), power)
    right = _links(np.maximum(edge[:, 1:], edge[:, :-1]), power)
    sure = (count * probability.max(0) - 1) / (count - 1)
    weight = (confidence * np.clip(sure, 0, 1) ** 2 + 1e-6).astype(np.float32)
    system, diagonal = _system(weight, down, right)
    inverse = LinearOperator(system.shape, matvec=lambda v: v / diagonal, dtype=np.float32)
    flat = weight.ravel()
    solved = [
        cg(
            system,
            flat * layer.ravel(),
            x0=layer.ravel(),
            rtol=TOLERANCE,
            maxiter=ITERATIONS,
            M=inverse,
        )[0]
        for layer in probability[:-1]
    ]
    result = np.empty_like(probability)
    for index, values in enumerate(solved):
        result[index] = np.clip(values, 0, 1).reshape(rows, cols)
    result[-1] = np.clip(1 - result[:-1].sum(0), 0, 1)
    return np.asarray(result / np.maximum(result.sum(0), 1e-6), dtype=np.float32)


def _links(boundary: NDArray[np.float32], power: float) -> NDArray[np.float32]:
    return np.asarray(np.maximum((1 - boundary) ** power, CUT), dtype=np.float32)


def _system(
    weight: NDArray[np.float32], down: NDArray[np.float32], right: NDArray[np.float32]
) -> tuple[sparse.dia_array, NDArray[np.float32]]:
    """The matrix C + L in diagonal form, and its diagonal."""
    rows, cols = weight.shape
    total = weight.copy()
    total[1:] += down
    total[:-1] += down
    total[:, 1:] += right
    total[:, :-1] += right
    size = rows * cols
    below = np.zeros((rows, cols), dtype=np.float32)
    below[:-1] = -down
    beside = np.zeros((rows, cols), dtype=np.float32)
    beside[:, :-1] = -right
    bands = np.zeros((5, size), dtype=np.float32)
    bands[0] = total.ravel()
    bands[1, 1:] = beside.ravel()[:-1]
    bands[2] = beside.ravel()
    bands[3, cols:] = below.ravel()[: size - cols]
    bands[4] = below.ravel()
    offsets = [0, 1, -1, cols, -cols]
    if cols == 1:
        bands, offsets = bands[[0, 3, 4]], [0, 1, -1]
    return sparse.dia_array((bands, offsets), shape=(size, size)), total.ravel()
