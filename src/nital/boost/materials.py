"""Which masks are of one material (SAM-I-Am, Algorithm 2), and how many materials there are.

K crops of each mask are embedded, all embeddings are clustered by k-means into as many clusters as
there are materials, and each mask takes the cluster of most of its crops. A tie goes to the tied
cluster whose centre is nearer to the mean of the mask's crops. Masks of one material become one.

Without a number, k-means is run for 1 to as many clusters as there are masks (8 at most). A number
is possible while its two nearest centres are further apart than the calibrated distance at which
two crops are as likely of one material as not; of the possible ones the largest mean silhouette of
the masks wins.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.boost.crops import crops_inside, mask_on_raster
from nital.boost.phases import MAX_PHASES, PhaseModel, find_phases
from nital.boost.texture import STRIDE, TextureModel, load_texture_model, natural_factor
from nital.errors import UsageError
from nital.masks.instances import Instances

__all__ = [
    "Crops",
    "MaterialOptions",
    "Materials",
    "TextureMaps",
    "clearness",
    "crop_sides",
    "embed_crops",
    "find_materials",
    "look_at_texture",
    "merges",
    "vote",
]

Field = NDArray[np.float32]


@dataclass(frozen=True)
class MaterialOptions:
    """How masks are compared.

    Parameters
    ----------
    crops
        K, crops of each mask.
    side
        m, of a crop in pixels; of the image, or of the image resized to its texture's natural
        period where it has one. Small masks have smaller crops.
    inside
        Share of a crop that must lie in the mask.
    number
        Materials to find; estimated when ``None``. Never more than there are masks.
    seed
        Chooses crops and starts of k-means.
    texture_weight, phase_weight
        Of the two kinds of evidence, both in units of their calibrated distance.
    part
        Part masks that hold several textures (:mod:`nital.boost.parting`); without it masks are
        only joined, as in the paper.

    Raises
    ------
    UsageError
        When an option is out of range.
    """

    crops: int = 10
    side: float = 60.0
    inside: float = 0.9
    number: int | None = None
    seed: int = 0
    texture_weight: float = 1.0
    phase_weight: float = 1.0
    part: bool = True

    def __post_init__(self) -> None:
        if self.crops < 1 or self.side < STRIDE or not 0 < self.inside <= 1:
            raise UsageError(
                f"crops must number at least 1, measure at least {STRIDE} pixels and lie inside by"
                f" a share of 0 to 1, not {self.crops}, {self.side:g} and {self.inside:g}"
            )
        if self.number is not None and not 1 <= self.number <= MAX_PHASES:
            raise UsageError(
                f"the number of materials must be 1 to {MAX_PHASES}, not {self.number}"
            )
        weights = (self.texture_weight, self.phase_weight)
        if min(weights) < 0 or max(weights) == 0:
            raise UsageError("the weights of texture and phase must not be negative, nor both 0")


@dataclass(frozen=True)
class Crops:
    """Embedded crops of all masks.

    Parameters
    ----------
    embeddings
        (M, E) float32, in units of the calibrated distance.
    mask
        (M,) index of the mask that each crop lies in.
    facts
        What was done, for the record.
    wide
        (N,) bool: masks that have room for a crop of full size.
    """

    embeddings: Field
    mask: NDArray[np.intp]
    facts: dict[str, Any]
    wide: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))


@dataclass(frozen=True)
class TextureMaps:
    """The texture maps of an image, made at its texture's natural size.

    ``maps`` (C, h, w) and ``model`` are ``None`` where texture does not count; ``factor`` is the
    natural size over the image's.
    """

    maps: Field | None
    model: TextureModel | None
    factor: float

    @property
    def step(self) -> float:
        """Pixels of the image from one position of the maps to the next."""
        return STRIDE / self.factor

    def raster(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Positions along the sides of an image."""
        if self.maps is not None:
            return self.maps.shape[1], self.maps.shape[2]
        rows, cols = (max(1, round(side / self.step)) for side in shape)
        return rows, cols


def look_at_texture(
    image: Field, options: MaterialOptions, model: TextureModel | None = None
) -> TextureMaps:
    """Make the texture maps of a standardised (H, W) image, where texture counts."""
    factor = natural_factor(image)
    if options.texture_weight == 0:
        return TextureMaps(None, model, factor)
    model = model or load_texture_model()
    return TextureMaps(model.maps(_resized(image, factor)), model, factor)


def crop_sides(size: int, raster: tuple[int, int], other: tuple[int, ...]) -> tuple[int, ...]:
    """Sides of a square of ``size`` positions of a raster, in positions of another one."""
    return tuple(max(1, round(size * b / a)) for a, b in zip(raster, other, strict=True))


@dataclass(frozen=True)
class Materials:
    """The material of every mask.

    Parameters
    ----------
    material
        (N,) 1...P by falling area of the masks; 0 for a mask without crops.
    agreement
        (N,) share of a mask's crops that voted for its material.
    number
        P.
    curve
        For each number tried: ``(number, silhouette, separation)``.
    log
        One dict per material that joins several masks: ``action`` ``"merge"``, ``reason``,
        ``masks`` and ``material``.
    """

    material: NDArray[np.intp]
    agreement: Field
    number: int
    curve: tuple[tuple[int, float, float], ...]
    log: tuple[dict[str, Any], ...]


def embed_crops(
    image: Field,
    instances: Instances,
    options: MaterialOptions | None = None,
    *,
    model: TextureModel | None = None,
    phase_maps: Field | None = None,
    seen: TextureMaps | None = None,
) -> Crops:
    """Embed K crops of every mask of a standardised (H, W) image.

    Parameters
    ----------
    image
        (H, W) float32 of zero mean and unit variance.
    instances
        The masks.
    options
        Crops and weights.
    model
        Of texture, other than the one that ships.
    phase_maps
        (E, h, w) phase embedding of the compact model over the whole image, in units of its
        calibrated distance, to be joined to the texture; any resolution.
    seen
        The image's texture maps, where they have been made.
    """
    options = options or MaterialOptions()
    seen = seen or look_at_texture(image, options, model)
    model = seen.model
    shape = seen.raster((image.shape[0], image.shape[1]))
    side = max(1, round(options.side / STRIDE))
    boxes, owner = [], []
    wide = np.zeros(len(instances), dtype=bool)
    for index in range(len(instances)):
        rng = np.random.default_rng([options.seed, index])
        corner, part = mask_on_raster(instances, index, shape, seen.step)
        found = crops_inside(part, side, options.crops, rng, options.inside)
        wide[index] = len(found) > 0 and found[0, 2] - found[0, 0] == side
        boxes.append(found + np.array([*corner, *corner]))
        owner.append(np.full(len(found), index, dtype=np.intp))
    places = np.concatenate(boxes) if boxes else np.zeros((0, 4), dtype=np.int64)
    kinds = []
    if seen.maps is not None and model is not None:
        unit = options.texture_weight * max(model.threshold, 1e-6) ** -0.5
        kinds.append(np.float32(unit) * model.embed_crops(seen.maps, places))
    if phase_maps is not None and options.phase_weight > 0:
        means = _box_means(phase_maps, places / np.array([*shape, *shape]))
        kinds.append(np.float32(options.phase_weight) * means)
    if not kinds:
        raise UsageError("phases alone were asked for, but the model gives no phase embedding")
    facts = {
        "crops": len(places),
        "side_px": round(options.side / seen.factor, 2),
        "texture_factor": round(seen.factor, 4),
        "texture_model": None if model is None else model.sha256,
    }
    owners = np.concatenate([*owner, []]).astype(np.intp)
    return Crops(np.concatenate(kinds, axis=1), owners, facts, wide)


def find_materials(
    crops: Crops, areas: NDArray[np.floating], options: MaterialOptions | None = None
) -> Materials:
    """Cluster the crops and let each mask vote.

    Parameters
    ----------
    crops
        Of :func:`embed_crops`.
    areas
        (N,) of the masks; materials are numbered by their sum.
    options
        The number of materials, and the seed.
    """
    options = options or MaterialOptions()
    counts = np.bincount(crops.mask, minlength=len(areas))
    described = int((counts > 0).sum())
    if described == 0:
        return Materials(np.zeros(len(areas), np.intp), np.zeros(len(areas), np.float32), 0, (), ())
    weights = (1.0 / np.maximum(counts, 1))[crops.mask].astype(np.float32)
    most = min(MAX_PHASES, described)
    tried: dict[int, PhaseModel] = {}
    curve = []
    numbers = range(1, most + 1) if options.number is None else [min(options.number, most)]
    for number in numbers:
        model = find_phases(
            crops.embeddings, weights, scale=1.0, threshold=1.0, number=number, seed=options.seed
        )
        tried[number] = model
        height = _silhouette(crops, model.centres, len(areas))
        curve.append((number, round(height, 4), round(min(model.separation, 1e6), 4)))
    possible = [row for row in curve if row[2] >= 1.0 or row[0] == 1]
    best = curve[0][0]
    if len(curve) > 1:
        best = max(
            (row for row in possible if row[0] > 1), key=lambda row: row[1], default=curve[0]
        )[0]
    clusters, agreement = vote(crops, tried[best].centres, len(areas))
    material, number = _ordered(clusters, np.asarray(areas, dtype=np.float64))
    return Materials(material, agreement, number, tuple(curve), merges(material, agreement, number))


def merges(material: NDArray[np.intp], agreement: Field, number: int) -> tuple[dict[str, Any], ...]:
    """One entry of the log for each material that joins several masks."""
    log = []
    for each in range(1, number + 1):
        members = np.flatnonzero(material == each).tolist()
        if len(members) > 1:
            log.append(
                {
                    "action": "merge",
                    "reason": "same material",
                    "masks": members,
                    "material": each,
                    "agreement": round(float(agreement[members].mean()), 4),
                }
            )
    return tuple(log)


def vote(crops: Crops, centres: Field, count: int) -> tuple[NDArray[np.intp], Field]:
    """Cluster of most crops of each mask, -1 without crops, and the share that agrees.

    A tie goes to the tied cluster whose centre is nearest to the mean of the mask's crops.
    """
    distance = _squared(crops.embeddings, centres)
    votes = np.zeros((count, len(centres)))
    np.add.at(votes, (crops.mask, distance.argmin(1)), 1)
    held = np.maximum(votes.sum(1), 1)
    sums = np.zeros((count, crops.embeddings.shape[1]))
    np.add.at(sums, crops.mask, crops.embeddings)
    nearness = _squared((sums / held[:, None]).astype(np.float32), centres)
    tied = votes == votes.max(1, keepdims=True)
    chosen = np.where(tied, nearness, np.inf).argmin(1)
    agreement = (votes[np.arange(count), chosen] / held).astype(np.float32)
    return np.where(votes.sum(1) > 0, chosen, -1).astype(np.intp), agreement


def _ordered(
    clusters: NDArray[np.intp], areas: NDArray[np.float64]
) -> tuple[NDArray[np.intp], int]:
    """Clusters renumbered from 1 by falling area, without those that no mask has."""
    used = np.unique(clusters[clusters >= 0])
    total = np.array([areas[clusters == each].sum() for each in used])
    ranked = used[np.argsort(-total, kind="stable")]
    material = np.zeros(len(clusters), dtype=np.intp)
    for number, each in enumerate(ranked, start=1):
        material[clusters == each] = number
    return material, len(ranked)


def _silhouette(crops: Crops, centres: Field, count: int) -> float:
    """Mean simplified silhouette of the masks: how much nearer their own centre is than others."""
    sums = np.bincount(crops.mask, clearness(crops.embeddings, centres), count)
    held = np.bincount(crops.mask, minlength=count)
    return float((sums[held > 0] / held[held > 0]).mean())


def clearness(samples: Field, centres: Field) -> Field:
    """(n,) how much nearer the nearest centre is than the next, 0...1; 0 of a single centre."""
    if len(centres) < 2:
        return np.zeros(len(samples), dtype=np.float32)
    distance = np.sqrt(np.sort(_squared(samples, centres), axis=1))
    return np.asarray(1 - distance[:, 0] / np.maximum(distance[:, 1], 1e-9))


def _squared(samples: Field, centres: Field) -> Field:
    distance = (samples**2).sum(1)[:, None] + (centres**2).sum(1)[None] - 2 * samples @ centres.T
    return np.asarray(np.maximum(distance, 0), dtype=np.float32)


def _box_means(maps: Field, boxes: NDArray[np.floating]) -> Field:
    """(N, E) means of (E, h, w) maps over boxes given as fractions of their size."""
    size = np.array(maps.shape[1:] * 2)
    edges = boxes * size
    means = np.empty((len(boxes), len(maps)), dtype=np.float32)
    for index, (top, left, bottom, right) in enumerate(edges):
        rows = slice(min(int(top), int(size[0]) - 1), max(int(np.ceil(bottom)), int(top) + 1))
        cols = slice(min(int(left), int(size[1]) - 1), max(int(np.ceil(right)), int(left) + 1))
        means[index] = maps[:, rows, cols].astype(np.float32).mean((1, 2))
    return means


def _resized(image: Field, factor: float) -> Field:
    """The image at another size, averaged where it shrinks."""
    from PIL import Image

    if factor == 1.0:
        return image
    rows, cols = (max(1, round(side * factor)) for side in image.shape)
    resized = Image.fromarray(np.ascontiguousarray(image)).resize(
        (cols, rows), Image.Resampling.BILINEAR
    )
    return np.array(resized, dtype=np.float32)
