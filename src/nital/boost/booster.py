"""The semantic booster: from overlapping masks to one mask a material (SAM-I-Am, Figure 2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.boost.crops import mask_on_raster
from nital.boost.materials import (
    Crops,
    MaterialOptions,
    Materials,
    TextureMaps,
    embed_crops,
    find_materials,
    look_at_texture,
    merges,
    vote,
)
from nital.boost.parting import (
    MIXED,
    SHARES,
    Clusters,
    cluster_places,
    embed_places,
    evenness,
    mixed_masks,
    nearest_centres,
)
from nital.boost.refining import refine_regions
from nital.boost.removal import Removal, RemovalOptions, remove_superfluous
from nital.boost.texture import TextureModel
from nital.masks.instances import Instances
from nital.masks.labels import pixels_at

__all__ = ["Boosted", "boost_masks", "draw_materials"]

Field = NDArray[np.float32]

UNSURE = 128  # confidence of what only a compound mask covered, which is gone


@dataclass(frozen=True)
class Boosted:
    """What the booster made of the masks of one image.

    Parameters
    ----------
    instances
        Masks that were not removed.
    materials
        The material of each of them.
    phases
        (H, W) uint8; 0 = no mask, else the material, numbered by falling area.
    confidence
        (H, W) uint8; 255 times the predicted IoU of the mask that a pixel belongs to, times the
        share of its crops that agree.
    log
        One dict per mask removed and per material that joins masks, with its reason; masks are
        named by their index among those given.
    facts
        What was done, for the record; ``number_curve`` holds the numbers of materials tried.
    """

    instances: Instances
    materials: Materials
    phases: NDArray[np.uint8]
    confidence: NDArray[np.uint8]
    log: tuple[dict[str, Any], ...]
    facts: dict[str, Any] = field(default_factory=dict)


def boost_masks(
    image: Field,
    instances: Instances,
    *,
    removal: RemovalOptions | None = None,
    options: MaterialOptions | None = None,
    texture: TextureModel | None = None,
    phase_maps: Field | None = None,
) -> Boosted:
    """Remove superfluous masks and join those of one material.

    Parameters
    ----------
    image
        (H, W) float32, standardised to zero mean and unit variance.
    instances
        Overlapping masks of any promptable model.
    removal, options
        Thresholds; the number of materials, crops and evidence.
    texture
        A texture model other than the one that ships.
    phase_maps
        (E, h, w) phase embedding of the compact model, in units of its calibrated distance, where
        that model is at hand.
    """
    options = options or MaterialOptions()
    shape = (image.shape[0], image.shape[1])
    removed = remove_superfluous(instances, shape, removal)
    seen = look_at_texture(image, options, texture)
    left = removed.instances
    crops = embed_crops(image, left, options, phase_maps=phase_maps, seen=seen)
    parted: list[dict[str, Any]] = []
    parts = options.part and bool(crops.wide.any())
    if parts:
        gone = np.array(
            [entry["mask"] for entry in removed.log if entry["reason"] == "compound"], dtype=np.intp
        )
        materials, phases, confidence, parted = _parted(
            removed, crops, seen, instances.take(gone), shape, options, phase_maps
        )
    else:
        materials = find_materials(crops, left.areas, options)
        phases, confidence = draw_materials(left, materials, shape)
    return Boosted(
        left,
        materials,
        phases,
        confidence,
        (*removed.log, *_named((*parted, *materials.log), removed)),
        _facts(instances, removed, crops, materials)
        | {"number_rule": "scatter" if parts else "silhouette"},
    )


def _parted(
    removed: Removal,
    crops: Crops,
    seen: TextureMaps,
    left: Instances,
    shape: tuple[int, int],
    options: MaterialOptions,
    phase_maps: Field | None,
) -> tuple[Materials, NDArray[np.uint8], NDArray[np.uint8], list[dict[str, Any]]]:
    """Materials of masks and of pixels, confidence, and a log entry for each mask parted."""
    instances = removed.instances
    owner = draw_owners(instances, shape)
    described = [embed_places(shape, seen, options, phase_maps, share) for share in SHARES]
    clusters = _clusters(owner, described, crops, len(instances), options)
    voted, agreement = vote(crops, clusters.centres, len(instances))
    nearest = nearest_centres(described, clusters.centres, shape)
    part = crops.wide & (mixed_masks(owner, nearest, voted) >= MIXED)
    compound = (owner < 0) & (draw_owners(left, shape) >= 0)
    gap = (owner < 0) & ~compound
    labels = np.where(part[owner] | compound, nearest, voted[owner]) + 1
    labels[gap] = 0
    fine = seen.maps if seen.maps is not None else phase_maps
    assert fine is not None
    refined = refine_regions(labels, fine, options.side / seen.factor).astype(np.intp) - 1
    mixed = mixed_masks(owner, refined, voted)
    part = mixed >= MIXED
    labels = np.where(part[owner] | compound, refined, voted[owner]) + 1
    labels[gap] = 0
    areas = np.bincount(labels.ravel(), minlength=len(clusters.centres) + 1)[1:]
    order = np.argsort(-areas, kind="stable")
    number = int((areas > 0).sum())
    rank = np.zeros(len(order) + 1, dtype=np.uint8)
    rank[order[:number] + 1] = np.arange(1, number + 1)
    material = rank[voted + 1].astype(np.intp)
    sure = np.round(255 * np.append(np.clip(instances.scores * agreement, 0, 1), 0))[owner]
    log = [
        {
            "action": "part",
            "reason": "several textures",
            "masks": [int(index)],
            "share": round(float(mixed[index]), 4),
            "material": int(material[index]),
        }
        for index in np.flatnonzero(part)
    ]
    joined = merges(material, agreement, number)
    return (
        Materials(material, agreement, number, clusters.curve, joined),
        rank[labels],
        np.where(compound, UNSURE, sure).astype(np.uint8),
        log,
    )


def _clusters(
    owner: NDArray[np.intp],
    described: list[Field],
    crops: Crops,
    count: int,
    options: MaterialOptions,
) -> Clusters:
    """Cluster the places under masks, and the crops of masks too small for a whole square."""
    places, finer = described
    over = owner[np.ix_(*pixels_at(places.shape[1:], owner.shape))]
    shown = np.bincount(over[over >= 0], minlength=count)
    worth = (shown / np.maximum(np.bincount(crops.mask, minlength=count), 1))[crops.mask]
    narrow = ~crops.wide[crops.mask] & (worth > 0)
    under = (over >= 0) & crops.wide[over]
    even = evenness(finer, options)
    return cluster_places(places, even, under, options, crops.embeddings[narrow], worth[narrow])


def _named(log: tuple[dict[str, Any], ...], removed: Removal) -> list[dict[str, Any]]:
    """Merges with masks named by their index among those given."""
    return [{**entry, "masks": removed.kept[entry["masks"]].tolist()} for entry in log]


def _facts(
    instances: Instances, removed: Removal, crops: Crops, materials: Materials
) -> dict[str, Any]:
    return {
        "candidates": len(instances),
        "survivors": len(removed.kept),
        "number": materials.number,
        "number_curve": [list(row) for row in materials.curve],
        **crops.facts,
    }


def draw_materials(
    instances: Instances, materials: Materials, shape: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw each material over an (H, W) image: (H, W) uint8 materials and confidence.

    Masks are drawn from the largest to the smallest, so that a parent encircles a child of another
    material instead of engulfing it; of equal areas the better score is drawn later.
    """
    owner = draw_owners(instances, shape, materials.material > 0)
    sure = np.round(255 * np.clip(instances.scores * materials.agreement, 0, 1))
    phases = np.append(materials.material, 0).astype(np.uint8)
    return phases[owner], np.append(sure, 0).astype(np.uint8)[owner]


def draw_owners(
    instances: Instances, shape: tuple[int, int], drawn: NDArray[np.bool_] | None = None
) -> NDArray[np.intp]:
    """(H, W) index of the mask that each pixel belongs to, -1 without one.

    The smallest of the masks of a pixel, of equal areas the one of better score; of those only
    that are to be drawn, if given.
    """
    owner = np.full(shape, -1, dtype=np.intp)
    for index in np.lexsort((instances.scores, -instances.areas)):
        if drawn is not None and not drawn[index]:
            continue
        (top, left), part = mask_on_raster(instances, int(index), shape, 1.0)
        owner[top : top + part.shape[0], left : left + part.shape[1]][part] = index
    return owner
