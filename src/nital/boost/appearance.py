"""The grey levels of the image itself as evidence of the phase.

A network sees a window; where a body is larger than that, or its edge is out of sight, its answer
is a guess. The rest of the image often knows: what looks the same elsewhere, where the network was
sure, is the same phase. So a small classifier of local grey and texture is fitted to the network's
own sure answers, in this image alone, and its verdict is joined with theirs.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["join_appearance"]

Floats = NDArray[np.float32]

BLURS = (0.7, 1.5, 3.0, 6.0, 12.0)  # sigma in pixels
SPREADS = (2.0, 5.0)
LARGEST_FEATURE = 4.0  # in standard deviations: outliers must not bend a quadratic fit
RIDGE = 1e-4  # of the mean diagonal of the normal matrix
SHARPNESS = 6.0  # of the softmax over the least-squares answers, which lie in about 0...1
FLOOR = 1e-3  # of a probability
ROWS = 64  # rows of the image whose features are held at once
FITTED = 250_000  # pixels of a large image that the regression is fitted to, on a regular grid


def join_appearance(probability: Floats, image: Floats, weight: float = 0.3) -> Floats:
    """Join the probabilities of phases with what the grey levels say.

    Local grey, its differences over five scales and its spread at two, with all their products,
    are regressed (ridge least squares, phases balanced, weighted by how sure the network is) on
    the most probable phase; the softmax of that answer is joined as a weighted geometric mean.

    Parameters
    ----------
    probability
        (P, H, W), summing to 1 over the phases.
    image
        (H, W) grey levels in any unit.
    weight
        Of the appearance, 0...1; the network has the rest.

    Returns
    -------
    ndarray
        (P, H, W) float32, summing to 1.
    """
    count = len(probability)
    named = probability.argmax(0)
    if count == 1 or weight == 0 or len(np.unique(named)) < count:
        return probability
    sure = np.clip((count * probability.max(0) - 1) / (count - 1), 0, 1) ** 2
    mass = np.bincount(named.ravel(), sure.ravel(), count)
    sure = sure / np.maximum(mass, 1e-3)[named]
    local = _local_grey(image)
    step = max(1, round((image.size / FITTED) ** 0.5))
    sparse = np.s_[::step, ::step]
    answer = _fit(local[:, *sparse], named[sparse], sure[sparse], count)
    joined = np.empty_like(probability)
    for rows in _bands(image.shape[0]):
        said = SHARPNESS * _evaluate(local[:, rows], answer)
        said -= said.max(0)
        said = np.exp(said)
        said /= said.sum(0)
        mixed = np.maximum(probability[:, rows], FLOOR) ** (1 - weight)
        mixed = mixed * np.maximum(said, FLOOR) ** weight
        joined[:, rows] = mixed / mixed.sum(0)
    return joined


def _bands(height: int) -> list[slice]:
    return [slice(top, top + ROWS) for top in range(0, height, ROWS)]


def _local_grey(image: Floats) -> Floats:
    """(F, H, W) standardised features of each pixel's surroundings."""
    blurred = [ndimage.gaussian_filter(image, sigma) for sigma in BLURS]
    features = [blurred[0], *(a - b for a, b in pairwise(blurred))]
    features.append(blurred[-1])
    square = (image - blurred[1]) ** 2
    features += [np.sqrt(ndimage.gaussian_filter(square, sigma)) for sigma in SPREADS]
    result = np.stack(features)
    for layer in result:
        layer -= layer.mean()
        layer /= max(float(layer.std()), 1e-6)
        np.clip(layer, -LARGEST_FEATURE, LARGEST_FEATURE, out=layer)
    return result


def _products(features: Floats) -> Floats:
    """(h, W, 1 + F + F (F + 1) / 2): one, the features, and all their products."""
    stacked = np.moveaxis(features, 0, -1)
    first, second = np.triu_indices(len(features))
    ones = np.ones((*stacked.shape[:-1], 1), dtype=np.float32)
    return np.concatenate([ones, stacked, stacked[..., first] * stacked[..., second]], axis=-1)


def _evaluate(features: Floats, answer: Floats) -> Floats:
    """(P, h, W): ``_products(features) @ answer``, as a quadratic form for each phase."""
    number, flat = len(features), features.reshape(len(features), -1)
    upper = np.triu_indices(number)
    result = np.empty((answer.shape[1], *features.shape[1:]), dtype=np.float32)
    for phase, (constant, *rest) in enumerate(answer.T):
        square = np.zeros((number, number), dtype=np.float32)
        square[upper] = rest[number:]
        inner = square @ flat
        inner += np.array(rest[:number], dtype=np.float32)[:, None]
        inner *= flat
        result[phase] = (inner.sum(0) + constant).reshape(features.shape[1:])
    return result


def _fit(
    local: Floats, named: NDArray[np.intp], sure: NDArray[np.floating], count: int
) -> NDArray[np.float32]:
    """Ridge least squares of the phases on the products of the features."""
    width = 1 + len(local) + len(local) * (len(local) + 1) // 2
    normal = np.zeros((width, width))
    right = np.zeros((width, count))
    for rows in _bands(local.shape[1]):
        inputs = _products(local[:, rows])
        inputs = inputs.reshape(-1, inputs.shape[-1])
        weighted = (inputs * sure[rows].reshape(-1, 1).astype(np.float32)).T
        wanted = np.eye(count, dtype=np.float32)[named[rows].ravel()]
        normal += weighted @ inputs
        right += weighted @ wanted
    normal[np.diag_indices(width)] += RIDGE * np.trace(normal) / width
    return np.asarray(np.linalg.solve(normal, right), dtype=np.float32)
