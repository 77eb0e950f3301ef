"""Grains and particles: prompts from the dense maps, decoded, suppressed, flattened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.automatic.certainty import certainty, object_features
from nital.automatic.outlines import paint_with_foreground
from nital.automatic.resample import rescale, resize_map
from nital.automatic.second_look import look_again
from nital.boost.merging import merge_pieces, merge_weak_boundaries
from nital.masks.flatten import Painted, paint
from nital.masks.instances import Instances
from nital.masks.overlap import suppress
from nital.models.compact import GRID, CompactModel
from nital.models.dense_maps import DenseMaps, predict_dense
from nital.models.protocol import Embedding
from nital.models.tiles import Tile
from nital.prompts import PromptSet
from nital.prompts.dense import object_centres, uncovered_points

__all__ = [
    "Look",
    "ObjectOptions",
    "Objects",
    "candidates",
    "claimed_share",
    "clean",
    "find_objects",
    "with_likely",
]

COVERAGE_ROUNDS = 1
RELATIVE_SCORE = 0.9  # of the best score in an image: the bar where no mask reaches the usual one

Cleaned = tuple[Instances, list[dict[str, Any]]]
"""Survivors, and a log of what was removed and why."""
LEAST_PIECE = 0.1  # of an object's largest piece: smaller ones are crumbs that others left of it


@dataclass(frozen=True)
class ObjectOptions:
    """Thresholds of the automatic object mode; one set serves all images.

    Parameters
    ----------
    lowest_score, lowest_score_grains
        Candidates below this predicted IoU are dropped; grains are filled up afterwards, so a
        doubtful one still marks a place.
    doubtful_score, many_sure, certainty_beside_many, certainty_beside_few, enough_claimed
        Particles: candidates down to ``doubtful_score`` are taken as well if they are right with
        this probability: beside many sure ones, or where the few sure ones claim less than this
        share of the foreground.
    iou_threshold, cover_threshold
        Suppression: a candidate goes when a better one overlaps it by more than this IoU, or
        covers more than this share of it.
    lowest_foreground
        Particles: mean foreground probability that a mask needs.
    smallest_area
        Smallest area of a mask in square pixels of the rescaled image.
    weak_boundary, weak_boundary_particles
        Neighbours are merged whose common boundary is less probable than this.
    """

    lowest_score: float = 0.8
    lowest_score_grains: float = 0.35
    doubtful_score: float = 0.5
    many_sure: int = 20
    certainty_beside_many: float = 0.2
    certainty_beside_few: float = 0.7
    enough_claimed: float = 0.8
    iou_threshold: float = 0.5
    cover_threshold: float = 0.7
    lowest_foreground: float = 0.4
    smallest_area: float = 6.0
    weak_boundary: float = 0.4
    weak_boundary_particles: float = 0.2


@dataclass(frozen=True)
class Look:
    """A standardised (H, W) image, the scale at which a model looked at it, and what it saw."""

    image: NDArray[np.float32]
    scale: float
    maps: DenseMaps

    def painted(self, masks: Instances) -> Painted:
        """Masks flattened at the image's size."""
        return paint(_scaled(masks, 1 / self.scale), (self.image.shape[0], self.image.shape[1]))

    def outlined(self, masks: Instances) -> Painted:
        """Particles flattened at the image's size, outlined where masks and foreground agree."""
        shape = (self.image.shape[0], self.image.shape[1])
        return paint_with_foreground(_scaled(masks, 1 / self.scale), self.maps.foreground, shape)

    def boundary(self) -> NDArray[np.float32]:
        """(H, W) probability of a boundary, at the image's size."""
        return resize_map(self.maps.boundary, (self.image.shape[0], self.image.shape[1]))


@dataclass(frozen=True)
class Objects:
    """Objects of one image before phases are given.

    ``labels`` (H, W) int32 and ``confidence`` (H, W) uint8 at the image's size; ``scores`` (n,)
    predicted IoU of each label, of particles the probability to be right; ``log`` what was
    removed and why; ``facts`` for the record; ``probability`` (H, W) uint8, 255 times that of the
    mask that claims the pixel.
    """

    labels: NDArray[np.int32]
    confidence: NDArray[np.uint8]
    scores: NDArray[np.float32]
    log: tuple[dict[str, Any], ...]
    facts: dict[str, Any]
    probability: NDArray[np.uint8]


def find_objects(
    model: CompactModel,
    image: NDArray[np.float32],
    target: str,
    scale: float,
    *,
    boost: bool = True,
    options: ObjectOptions | None = None,
    progress: Callable[[float], None] | None = None,
) -> Objects:
    """Find all grains or particles of a standardised (H, W) image at a given scale."""
    options = options or ObjectOptions()
    again = target == "particles"  # outlines of grains come from the boundary map instead
    found, maps = candidates(model, rescale(image, scale), target, progress, again=again)
    seen = Look(image, scale, maps)
    survivors, log = clean(found, maps, target, options, boost=boost)
    agreed = target == "particles" and boost
    if agreed:
        survivors, log = with_likely((survivors, log), found, seen, options)
    painted = seen.outlined(survivors) if agreed else seen.painted(survivors)
    labels = _without_crumbs(painted.labels, LEAST_PIECE) if boost else painted.labels
    scores, areas = survivors.scores, survivors.areas
    if agreed:
        weak = options.weak_boundary_particles
        labels, scores, areas = merge_pieces(labels, seen.boundary(), weak, scores, areas)
    elif target == "grains":
        boundary = seen.boundary()
        labels = _fill_grains(painted, boundary)
        if boost:
            labels, merges = merge_weak_boundaries(labels, boundary, options.weak_boundary)
            log.append({"action": "merge", "reason": "no boundary between", "count": merges})
    facts: dict[str, Any] = {"candidates": len(found), "survivors": len(survivors)}
    facts["unclaimed"] = _unclaimed(labels, painted, maps, target)
    if target == "particles":
        scores = certainty(object_features(labels, scores, areas, maps))
    confidence = _confidence(labels, scores, maps)
    return Objects(labels, confidence, scores, tuple(log), facts, painted.probability)


def with_likely(sure: Cleaned, found: Instances, seen: Look, options: ObjectOptions) -> Cleaned:
    """Particles of low predicted IoU as well, if all that was seen of them says they are right.

    The model predicts a low IoU for what is small or faint, right or wrong. Where it is sure of
    many particles, the rest is of their kind; where it is sure of few, others are only looked for
    if much of the foreground is left unclaimed, and need to be more certain.
    """
    many = len(sure[0]) >= options.many_sure
    if not many and claimed_share(sure[0], seen.maps, "particles") >= options.enough_claimed:
        return sure
    lenient = replace(options, lowest_score=options.doubtful_score)
    survivors, log = clean(found, seen.maps, "particles", lenient)
    drawn = seen.outlined(survivors).labels
    probability = certainty(object_features(drawn, survivors.scores, survivors.areas, seen.maps))
    if many:
        likely = probability >= options.certainty_beside_many
        likely |= survivors.scores >= options.lowest_score
    else:
        likely = probability >= options.certainty_beside_few
    if not likely.any():
        return sure
    log.append({"action": "remove", "reason": "unlikely", "count": int((~likely).sum())})
    return survivors.take(likely), log


def claimed_share(found: Instances, maps: DenseMaps, target: str) -> float:
    """Share (0...1) that masks claim, of the foreground or, as grains fill it, of the whole image.

    At the resolution of the maps.
    """
    claimed = paint(_scaled(found, 0.5), maps.foreground.shape).labels > 0
    if target == "grains":
        return float(claimed.mean())
    missed = maps.foreground[~claimed & (maps.foreground > 0.5)].sum(dtype=np.float64)
    inside = float(np.count_nonzero(claimed))
    return inside / max(inside + float(missed), 1.0)


def _unclaimed(labels: NDArray[np.int32], painted: Painted, maps: DenseMaps, target: str) -> float:
    """Area that no mask claims though objects should be there, over the area of those found.

    Grains fill the image; of particles it is the foreground probability where it is above 1/2.
    """
    if target == "grains":
        free = float((painted.labels == 0).sum())
        return free / max(labels.size - free, 1.0)
    foreground = resize_map(maps.foreground, (labels.shape[0], labels.shape[1]))
    missed = foreground[(labels == 0) & (foreground > 0.5)].sum(dtype=np.float64)
    return float(missed) / max(float((labels > 0).sum()), 1.0)


def _confidence(
    labels: NDArray[np.int32], scores: NDArray[np.float32], maps: DenseMaps
) -> NDArray[np.uint8]:
    """255 times the predicted IoU of each object; off the objects, of not being foreground."""
    by_label = np.zeros(len(scores) + 1, dtype=np.uint8)
    by_label[1:] = np.round(255 * scores.clip(0, 1))
    confidence = by_label[np.minimum(labels, len(scores))]
    foreground = resize_map(maps.foreground, (labels.shape[0], labels.shape[1]))
    np.subtract(1, foreground, out=foreground)
    foreground *= 255
    np.copyto(
        confidence, foreground.clip(0, 255, out=foreground), where=labels == 0, casting="unsafe"
    )
    return confidence


def candidates(
    model: CompactModel,
    image: NDArray[np.float32],
    target: str,
    progress: Callable[[float], None] | None = None,
    *,
    again: bool = False,
) -> tuple[Instances, DenseMaps]:
    """All candidates of a rescaled image, looked at ``again`` or once, and its dense maps."""
    parts: list[Instances] = []

    def decode(tile: Tile, embedding: Embedding) -> None:
        parts.append(_decode_tile(model, tile, embedding, again))

    maps = predict_dense(model, image, target, visit=decode, progress=progress)
    return Instances.join(parts), maps


def clean(
    found: Instances,
    maps: DenseMaps,
    target: str,
    options: ObjectOptions,
    *,
    boost: bool = True,
) -> Cleaned:
    """Remove what is doubtful (unless ``boost`` is off) and suppress duplicates; with a log."""
    log: list[dict[str, Any]] = []
    kept = _remove(found, maps, target, options, log) if boost else found
    survivors = kept.take(suppress(kept, options.iou_threshold, options.cover_threshold))
    log.append({"action": "suppress", "count": len(kept) - len(survivors)})
    return survivors, log


def _decode_tile(model: CompactModel, tile: Tile, embedding: Embedding, again: bool) -> Instances:
    """Prompts in the tile's core and their masks, in coordinates of the whole rescaled image.

    First the middles of objects, then rounds of prompts in the foreground still uncovered.
    """
    foreground, boundary, distance = (embedding.maps["dense"][k] for k in range(3))
    corner = np.array([tile.top, tile.left], dtype=np.float32)
    points = object_centres(foreground, boundary, distance)
    covered = np.zeros(foreground.shape, dtype=bool)
    rounds: list[Instances] = []
    for _ in range(1 + COVERAGE_ROUNDS):
        points = np.minimum(points, np.array(embedding.shape, dtype=np.float32) - 1)
        points = points[tile.holds(points + corner)]
        if len(points) == 0:
            break
        decoded = model.decode(embedding, PromptSet.from_points(points, "dense"), "object")
        fresh = Instances(
            decoded.logits[:, 0].astype(np.float16),
            decoded.windows[:, 0],
            decoded.scores[:, 0],
            points,
            "dense",
        )
        if again:
            fresh = look_again(model, embedding, fresh)
        rounds.append(fresh)
        covered |= paint(_scaled(fresh, 0.5), foreground.shape).labels > 0
        points = uncovered_points(foreground, boundary, covered)
    if not rounds:
        return Instances.empty(GRID)
    return _moved(Instances.join(rounds), corner)


def _scaled(instances: Instances, factor: float) -> Instances:
    """The same masks on an image ``factor`` times as large."""
    return replace(
        instances,
        windows=instances.windows * np.float32(factor),
        points=instances.points * np.float32(factor),
    )


def _moved(instances: Instances, corner: NDArray[np.float32]) -> Instances:
    """The same masks in an image whose origin lies ``corner`` before."""
    return replace(
        instances, windows=instances.windows + np.tile(corner, 2), points=instances.points + corner
    )


def _remove(
    candidates: Instances,
    maps: DenseMaps,
    target: str,
    options: ObjectOptions,
    log: list[dict[str, Any]],
) -> Instances:
    """Drop candidates that are doubtful, tiny, or not foreground."""
    lowest = options.lowest_score_grains
    if target == "particles":
        best = float(candidates.scores.max(initial=0.0))
        lowest = max(lowest, min(options.lowest_score, RELATIVE_SCORE * best))
    keep = candidates.scores >= lowest
    log.append({"action": "remove", "reason": "low score", "count": int((~keep).sum())})
    tiny = candidates.areas < options.smallest_area
    log.append({"action": "remove", "reason": "tiny", "count": int((keep & tiny).sum())})
    keep &= ~tiny
    if target == "particles":
        inside = _mean_inside(candidates.take(keep), maps.foreground)
        weak = keep.copy()
        weak[keep] = inside < options.lowest_foreground
        log.append({"action": "remove", "reason": "background", "count": int(weak.sum())})
        keep &= ~weak
    return candidates.take(keep)


def _mean_inside(instances: Instances, values: NDArray[np.float16]) -> NDArray[np.float32]:
    """Mean of a half-resolution map under each mask, sampled at the cells' centres."""
    grid = instances.logits.shape[1]
    steps = (np.arange(grid) + 0.5) / grid
    means = np.zeros(len(instances), dtype=np.float32)
    for index in range(len(instances)):
        top, left, bottom, right = instances.windows[index]
        rows = ((top + steps * (bottom - top)) / 2).astype(int)
        cols = ((left + steps * (right - left)) / 2).astype(int)
        row_ok, col_ok = (
            (rows >= 0) & (rows < values.shape[0]),
            (cols >= 0) & (cols < values.shape[1]),
        )
        mask = (instances.logits[index] > 0) & row_ok[:, None] & col_ok[None]
        sampled = values[rows.clip(0, values.shape[0] - 1)][:, cols.clip(0, values.shape[1] - 1)]
        if mask.any():
            means[index] = sampled[mask].mean(dtype=np.float32)
    return means


def _fill_grains(painted: Painted, boundary: NDArray[np.float32]) -> NDArray[np.int32]:
    """Let the cores of the grains grow along the (H, W) boundary map until they meet."""
    from skimage.segmentation import watershed

    cores = np.where(painted.probability >= 200, painted.labels, 0)
    lost = np.setdiff1d(np.unique(painted.labels), np.unique(cores))
    cores = np.where(np.isin(painted.labels, lost), painted.labels, cores)
    if not cores.any():
        return np.ones(painted.labels.shape, dtype=np.int32)
    return np.asarray(watershed(boundary, _without_crumbs(cores, 1)), dtype=np.int32)


def _without_crumbs(labels: NDArray[np.int32], least: float) -> NDArray[np.int32]:
    """Drop the 4-connected pieces of each label that are small beside its largest.

    ``least`` is the smallest share of the largest piece's area that is kept; at 1 one piece of each
    label stays.
    """
    from skimage.measure import label

    pieces = label(labels, background=0, connectivity=1)
    sizes = np.bincount(pieces.ravel())
    owner = np.zeros(sizes.size, dtype=np.int64)
    owner[pieces.ravel()] = labels.ravel()
    by_size = np.argsort(-sizes, kind="stable")
    owners, first = np.unique(owner[by_size], return_index=True)
    largest = np.zeros(int(owners.max(initial=0)) + 1, dtype=np.int64)
    largest[owners] = by_size[first]
    kept = np.arange(sizes.size) == largest[owner]
    if least < 1:
        kept |= sizes >= least * sizes[largest[owner]]
    return np.where((kept & (owner > 0))[pieces], labels, np.int32(0))
