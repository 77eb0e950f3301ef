"""The semantic booster: from overlapping masks to one mask a material (SAM-I-Am, Figure 2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.boost.crops import mask_on_raster
from nital.boost.materials import Crops, MaterialOptions, Materials, embed_crops, find_materials
from nital.boost.removal import Removal, RemovalOptions, remove_superfluous
from nital.boost.texture import TextureModel
from nital.masks.instances import Instances

__all__ = ["Boosted", "boost_masks", "draw_materials"]

Field = NDArray[np.float32]


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
    shape = (image.shape[0], image.shape[1])
    removed = remove_superfluous(instances, shape, removal)
    crops = embed_crops(image, removed.instances, options, model=texture, phase_maps=phase_maps)
    materials = find_materials(crops, removed.instances.areas, options)
    phases, confidence = draw_materials(removed.instances, materials, shape)
    return Boosted(
        removed.instances,
        materials,
        phases,
        confidence,
        (*removed.log, *_named(materials.log, removed)),
        _facts(instances, removed, crops, materials),
    )


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
        "number_rule": "silhouette",
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
    phases = np.zeros(shape, dtype=np.uint8)
    confidence = np.zeros(shape, dtype=np.uint8)
    sure = np.round(255 * np.clip(instances.scores * materials.agreement, 0, 1)).astype(np.uint8)
    for index in np.lexsort((instances.scores, -instances.areas)):
        if materials.material[index] == 0:
            continue
        (top, left), part = mask_on_raster(instances, int(index), shape, 1.0)
        where = np.s_[top : top + part.shape[0], left : left + part.shape[1]]
        phases[where][part] = materials.material[index]
        confidence[where][part] = sure[index]
    return phases, confidence
