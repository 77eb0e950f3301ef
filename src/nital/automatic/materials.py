"""Phases and layers: the phase embedding clustered over the whole image, at several scales."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import linear_sum_assignment

from nital.automatic.clustering import Clusters, cluster, grey_levels
from nital.automatic.resample import rescale, resize_map
from nital.automatic.scale import ScaleChoice, natural_scale
from nital.automatic.texture import NO_TEXTURE, Texture, find_texture, on_even_ground
from nital.boost.appearance import join_appearance
from nital.boost.phases import PhaseModel, assign_phases
from nital.boost.spread import spread_within_boundaries
from nital.models.compact import CompactModel
from nital.models.dense_maps import DenseMaps, predict_dense

__all__ = ["Materials", "find_materials", "smooth_regions"]

SCALES = (0.7, 1.0, 0.5)  # of the natural scale; the first decides the number of phases
POLARITIES = {"phases": (1.0, -1.0), "layers": (1.0,)}
TRUST = 8.0  # power of the worth of clusters with which each look counts
WORTH = (0.01, 100.0)  # within which the worth counts
FOREGROUND_WEIGHT = 1.5  # of the foreground map beside the embedding, in units of its length
SMALLEST_SIDE = 48
LARGEST_LOOK = 4_000_000  # pixels of the image whose grey levels are asked for the phase
SMALLEST_WIDTH = 9.0


@dataclass(frozen=True)
class Materials:
    """Phases of one image.

    ``phases`` (H, W) uint8 numbered from 1 in the order of the cluster centres;
    ``probability`` (H, W) uint8; ``foreground`` (H, W) uint8, 255 times the probability of being
    specimen (layers) or second phase (phases); ``facts`` for the record. ``regions`` says that
    phases are regions of their own texture, whose edges are not those of grey levels.
    """

    phases: NDArray[np.uint8]
    probability: NDArray[np.uint8]
    foreground: NDArray[np.uint8]
    facts: dict[str, Any]
    regions: bool = False


def find_materials(
    model: CompactModel,
    image: NDArray[np.float32],
    target: str,
    choice: ScaleChoice,
    *,
    number: int | None = None,
    boost: bool = True,
    progress: Callable[[float], None] | None = None,
) -> Materials:
    """Cluster a standardised (H, W) image into phases around its natural scale.

    Phases are also sought in the inverted image, since the model does not know all structures as
    well in both polarities. Of all looks those count most whose phases the model holds apart best.

    Parameters
    ----------
    choice
        The natural scale; smaller scales are added where the objects stay wide enough.
    number
        Phases to find, estimated when ``None``.
    boost
        Join the texture of regions to the embedding, and spread what is certain to what is not,
        within boundaries and to what looks the same.
    """
    shape, propose = (image.shape[0], image.shape[1]), target == "phases" and number is not None
    total: NDArray[np.float32] | None = None
    foreground = np.zeros(shape, dtype=np.float32)
    facts: dict[str, Any] = {}
    texture = find_texture(image, target, number) if boost else NO_TEXTURE
    if texture.regions:  # the model knows regions wider than their structure as layers
        image, propose = on_even_ground(image), False  # their grey levels are mixed
        target, choice = "layers", natural_scale(model, image, "layers")
    scale = choice.scale
    factors = [f for f in SCALES if _is_useful(f, choice, shape)]
    looks = [(factor, sign) for factor in factors for sign in POLARITIES[target]]
    for index, (factor, sign) in enumerate(looks):

        def part(share: float, done: int = index) -> None:
            if progress is not None:
                progress((done + share) / len(looks))

        view = np.float32(sign) * rescale(image, scale * factor)
        maps = predict_dense(model, view, target, embedding=True, progress=part)
        if sign > 0:
            foreground += resize_map(maps.foreground, shape) / len(factors)
        found, likely = _look(model, view, maps, texture, number, propose=propose, spread=boost)
        last = index == len(looks) - 1
        if target == "phases" and number is None and len(likely) == 1 and not last:
            continue  # this look sees one phase only; another may see more
        enlarged = np.stack([resize_map(layer, shape) for layer in likely])
        enlarged *= np.float32(np.clip(found.worth, *WORTH) ** TRUST)
        if total is None:
            number = len(likely)
            total = enlarged
            facts = _facts(found, texture)
        elif len(enlarged) == len(total):
            total += enlarged[_matching(total, enlarged)]
    assert total is not None
    total /= total.sum(0)
    if boost and target == "phases":
        total = _with_appearance(total, image)
    best = total.max(0)
    return Materials(
        (total.argmax(0) + 1).astype(np.uint8),
        (255 * best).astype(np.uint8),
        (255 * foreground).astype(np.uint8),
        facts,
        texture.regions,
    )


def _look(
    model: CompactModel,
    view: NDArray[np.float32],
    maps: DenseMaps,
    texture: Texture,
    number: int | None,
    *,
    propose: bool,
    spread: bool,
) -> tuple[Clusters, NDArray[np.float32]]:
    """Clusters of one rescaled view, and the (P, h, w) probability of each of its phases."""
    features = _features(model, maps)
    if texture.weight > 0:
        features = np.concatenate([features, texture.beside(model, maps.boundary.shape)])
    grey = grey_levels(view)
    threshold = (1 + texture.weight**2) * float(model.description["phase_threshold"])
    found = cluster(
        features, maps.boundary, grey, threshold=threshold, number=number, propose=propose
    )
    likely = _probabilities(found.beside(features, grey), found.model)
    return found, spread_within_boundaries(likely, maps.boundary) if spread else likely


def _facts(found: Clusters, texture: Texture) -> dict[str, Any]:
    """How the number of phases and what parts them were found, for the record."""
    clusters = found.model
    return {
        "number": len(clusters.centres),
        "number_rule": "separation",
        "grey_weight": found.weight,
        "separation": round(min(clusters.separation, 1e6), 4),
        "number_curve": [
            [n, round(v, 6), round(min(apart, 1e6), 4)] for n, v, apart in clusters.curve
        ],
        "texture_weight": texture.weight,
        "texture_separation": round(min(texture.separation, 1e6), 4),
        "texture_side": texture.side,
    }


def _with_appearance(probability: NDArray[np.float32], image: NDArray[np.float32]) -> NDArray[Any]:
    """Join the image's own grey levels, at full size or, of large images, at a size that fits."""
    factor = min(1.0, (LARGEST_LOOK / image.size) ** 0.5)
    if factor == 1.0:
        return join_appearance(probability, image)
    small = rescale(image, factor)
    seen = np.stack([resize_map(layer, (small.shape[0], small.shape[1])) for layer in probability])
    seen = join_appearance(seen, small)
    return np.stack([resize_map(layer, (image.shape[0], image.shape[1])) for layer in seen])


def _is_useful(factor: float, choice: ScaleChoice, shape: tuple[int, int]) -> bool:
    """Whether enough is left of image and objects at a fraction of the natural scale."""
    if factor == 1.0:
        return True
    wide_enough = choice.width is None or choice.width * factor >= SMALLEST_WIDTH
    return wide_enough and min(shape) * choice.scale * factor >= SMALLEST_SIDE


def _features(model: CompactModel, maps: DenseMaps) -> NDArray[np.float16]:
    """Embedding in units of its calibrated length, and the foreground map beside it."""
    length = float(model.description["phase_scale"]) ** 0.5
    weighted = maps.foreground[None] * np.float16(FOREGROUND_WEIGHT)
    return np.concatenate([maps.embedding * np.float16(length), weighted])


def _probabilities(features: NDArray[np.float16], clusters: PhaseModel) -> NDArray[np.float32]:
    """(P, h, w): the probability of the nearest phase, the rest shared by the others."""
    nearest, likely = assign_phases(features, clusters)
    count = len(clusters.centres)
    rest = (1 - likely) / max(1, count - 1)
    return np.stack([np.where(nearest == index, likely, rest) for index in range(count)])


def _matching(one: NDArray[np.float32], two: NDArray[np.float32]) -> NDArray[np.intp]:
    """Order of the layers of ``two`` that overlaps most with those of ``one``."""
    step = max(1, round((one[0].size / 65536) ** 0.5))
    overlap = np.einsum("iab,jab->ij", one[:, ::step, ::step], two[:, ::step, ::step])
    return np.asarray(linear_sum_assignment(-overlap)[1])


def smooth_regions(phases: NDArray[np.uint8], smallest: int) -> NDArray[np.uint8]:
    """Give connected regions below ``smallest`` pixels to the phase around them."""
    from skimage.measure import label

    regions = label(phases, background=-1, connectivity=1)
    areas = np.bincount(regions.ravel())
    small = (areas < smallest)[regions]
    if not small.any() or small.all():
        return phases
    nearest = ndimage.distance_transform_edt(small, return_distances=False, return_indices=True)
    return np.asarray(phases[tuple(nearest)], dtype=np.uint8)
