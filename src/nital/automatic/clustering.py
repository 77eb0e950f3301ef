"""Phases of dense maps: of several ways to cluster an image, the one the network holds apart best.

The tightest clusters of the embedding are not always the phases: where one of the phases is small,
splitting the large one in two, by texture or by what surrounds it, explains more. So clusters are
also sought with the grey levels beside the embedding, which finds phases that differ in brightness;
a proposal is taken where, in the embedding alone, its phases lie plainly further apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nital.automatic.resample import halved
from nital.boost.phases import PhaseModel, find_phases, nearest_phase, separation_of
from nital.prompts import regular_grid

__all__ = ["Clusters", "cluster", "grey_levels"]

N_SAMPLES = 6000
GREY_WEIGHTS = (1.0, 2.0)  # standard deviations of grey, in units of the embedding's length
BETTER = 1.2
"""Times the separation, times the share of the embedding's variance between phases, that a
proposal needs over the embedding's own clusters: its phases are apart, and no mere outliers."""
EXTREMES = (1.0, 99.0)  # percentiles of the grey levels that are cut off


@dataclass(frozen=True)
class Clusters:
    """Phases found in features with the grey levels beside them.

    ``model`` has its centres in the features followed by ``weight`` times the grey levels, or in
    the features alone where ``weight`` is 0. ``worth`` is the separation of the phases in the
    features, times the share of the features' variance that lies between phases.
    """

    model: PhaseModel
    weight: float
    worth: float = 1.0

    def beside(
        self, features: NDArray[np.float16], grey: NDArray[np.float32]
    ) -> NDArray[np.float16]:
        """(F, h, w) features as the centres are given."""
        if self.weight == 0:
            return features
        return np.concatenate([features, np.float16(self.weight) * grey[None].astype(np.float16)])


def grey_levels(view: NDArray[np.float32]) -> NDArray[np.float32]:
    """Grey levels at the resolution of dense maps: (H/2, W/2), of mean 0 and unit variance."""
    grey = halved(view)
    grey = np.clip(grey, *np.percentile(grey, EXTREMES))
    return np.asarray((grey - grey.mean()) / max(float(grey.std()), 1e-6), dtype=np.float32)


def cluster(
    features: NDArray[np.float16],
    boundary: NDArray[np.float16],
    grey: NDArray[np.float32],
    *,
    threshold: float,
    number: int | None = None,
    propose: bool = True,
) -> Clusters:
    """Cluster dense maps into phases, sampled on a regular grid of prompts, away from boundaries.

    Parameters
    ----------
    features
        (F, h, w) in units of the embedding's calibrated length.
    boundary, grey
        (h, w) probability of a boundary, and :func:`grey_levels`.
    threshold
        Squared distance from which two centres are less likely of one phase than not.
    number
        Phases to find; estimated, from the features alone, when ``None``.
    propose
        Try the grey levels beside the features.
    """
    rows, columns = boundary.shape
    spacing = max(1.0, (rows * columns / N_SAMPLES) ** 0.5)
    points = regular_grid((rows, columns), spacing).points[:, 0].round().astype(int)
    picked = (points[:, 0].clip(0, rows - 1), points[:, 1].clip(0, columns - 1))
    samples = np.ascontiguousarray(features[:, picked[0], picked[1]].T, dtype=np.float32)
    weights = 1.0 - boundary[picked].astype(np.float32) + 1e-3
    own = find_phases(samples, weights, scale=1.0, threshold=threshold, number=number)
    if len(own.centres) < 2:
        return Clusters(own, 0.0)
    best = Clusters(own, 0.0, _worth(samples, weights, nearest_phase(samples, own), threshold)[1])
    if number is None or not propose:
        return best
    worth = BETTER * best.worth
    for weight in GREY_WEIGHTS:
        joined = np.concatenate([samples, weight * grey[picked][:, None]], axis=1)
        found = find_phases(joined, weights, scale=1.0, threshold=threshold, number=number)
        separation, own_worth = _worth(samples, weights, nearest_phase(joined, found), threshold)
        if own_worth > worth:
            worth = own_worth
            curve = ((number, found.curve[0][1], separation),)
            apart = replace(found, separation=separation, curve=curve)
            best = Clusters(apart, weight, own_worth)
    return best


def _worth(
    samples: NDArray[np.float32],
    weights: NDArray[np.float32],
    phases: NDArray[np.intp],
    threshold: float,
) -> tuple[float, float]:
    """Separation of phases in the samples, and the same times their share of the variance."""
    count = int(phases.max()) + 1
    share = np.maximum(np.bincount(phases, weights, count), 1e-9)
    sums = [np.bincount(phases, weights * column, count) for column in samples.T]
    centres = (np.stack(sums, axis=1) / share[:, None]).astype(np.float32)
    mean = np.average(samples, axis=0, weights=weights)
    between = float((((centres - mean) ** 2).sum(1) * share).sum())
    total = float((((samples - mean) ** 2).sum(1) * weights).sum())
    separation = separation_of(centres, 1.0, threshold)
    return separation, separation * between / max(total, 1e-9)
