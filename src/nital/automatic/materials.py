"""Phases and layers: the phase embedding clustered over the whole image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.automatic.resample import rescale, resize_map
from nital.boost.phases import PhaseModel, assign_phases, find_phases
from nital.models.compact import CompactModel
from nital.models.dense_maps import DenseMaps, predict_dense
from nital.prompts import regular_grid

__all__ = ["Materials", "find_materials"]

N_SAMPLES = 6000


@dataclass(frozen=True)
class Materials:
    """Phases of one image.

    ``phases`` (H, W) uint8 numbered from 1 in the order of the cluster centres;
    ``probability`` (H, W) uint8; ``foreground`` (H, W) uint8, 255 times the probability of being
    specimen (layers) or second phase (phases); ``facts`` for the record.
    """

    phases: NDArray[np.uint8]
    probability: NDArray[np.uint8]
    foreground: NDArray[np.uint8]
    facts: dict[str, Any]


def find_materials(
    model: CompactModel,
    image: NDArray[np.float32],
    target: str,
    scale: float,
    *,
    number: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> Materials:
    """Cluster a standardised (H, W) image into phases at a given scale."""
    resized = rescale(image, scale)
    maps = predict_dense(model, resized, target, embedding=True, progress=progress)
    phase_model = _cluster(model, maps, number)
    shape = (image.shape[0], image.shape[1])
    best = np.zeros(shape, dtype=np.float32)
    phases = np.ones(shape, dtype=np.uint8)
    nearest, likely = assign_phases(maps.embedding, phase_model)
    for index in range(len(phase_model.centres)):
        share = resize_map(np.where(nearest == index, likely, 0), shape)
        wins = share > best
        best[wins] = share[wins]
        phases[wins] = index + 1
    foreground = resize_map(maps.foreground, shape)
    return Materials(
        phases,
        (255 * best).astype(np.uint8),
        (255 * foreground).astype(np.uint8),
        {
            "number": len(phase_model.centres),
            "separation": round(min(phase_model.separation, 1e6), 4),
            "number_curve": [[n, round(v, 6)] for n, v in phase_model.curve],
        },
    )


def _cluster(model: CompactModel, maps: DenseMaps, number: int | None) -> PhaseModel:
    """Sample the embedding on a regular grid of prompts, away from boundaries, and cluster."""
    rows, cols = maps.boundary.shape
    spacing = max(1.0, (rows * cols / N_SAMPLES) ** 0.5)
    points = regular_grid((rows, cols), spacing).points[:, 0].round().astype(int)
    picked = (points[:, 0].clip(0, rows - 1), points[:, 1].clip(0, cols - 1))
    samples = np.ascontiguousarray(maps.embedding[:, picked[0], picked[1]].T, dtype=np.float32)
    weights = 1.0 - maps.boundary[picked].astype(np.float32) + 1e-3
    return find_phases(
        samples,
        weights,
        scale=float(model.description["phase_scale"]),
        threshold=float(model.description["phase_threshold"]),
        number=number,
    )


def smooth_regions(phases: NDArray[np.uint8], smallest: int) -> NDArray[np.uint8]:
    """Give connected regions below ``smallest`` pixels to the phase around them."""
    from skimage.measure import label

    regions = label(phases, background=-1, connectivity=1)  # type: ignore[no-untyped-call]
    areas = np.bincount(regions.ravel())
    small = (areas < smallest)[regions]
    if not small.any() or small.all():
        return phases
    nearest = ndimage.distance_transform_edt(small, return_distances=False, return_indices=True)
    return np.asarray(phases[tuple(nearest)], dtype=np.uint8)
