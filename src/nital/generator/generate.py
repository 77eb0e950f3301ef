"""The mask generator: crops, prompts, filters and suppression, for any promptable model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from nital.errors import UsageError
from nital.generator.candidates import Candidates, judge
from nital.generator.coverage import Coverage
from nital.generator.crops import Crop, crops_of, grid_points, touches_inner_edge
from nital.generator.exact import judge_exactly
from nital.generator.options import GeneratorOptions
from nital.generator.regions import clean_regions
from nital.masks.packed import PackedMasks
from nital.masks.suppression import suppress_boxes, suppress_masks
from nital.models.protocol import Embedding, PromptableModel, Selected, SelectiveModel
from nital.prompts import PromptSet

__all__ = ["Generated", "PromptSource", "generate"]

POINTS_AT_ONCE = 64
MOST_AREA = 0.25  # of the crop: a larger mask does not count as covering the points in it


class PromptSource(Protocol):
    """Where to ask: rounds of points, each asked only where the rounds before left a gap."""

    def __call__(self, image: NDArray[Any]) -> list[NDArray[np.float32]]:
        """Rounds of (N, 2) row, column in an (H, W) image or crop."""


@dataclass(frozen=True)
class Generated:
    """Masks of one image, best first, and what was counted on the way.

    ``facts`` holds ``prompts`` (asked), ``skipped`` (covered already), ``candidates`` (good and
    stable) and ``masks`` (left).
    """

    masks: PackedMasks
    facts: dict[str, int]


def generate(
    model: PromptableModel,
    image: NDArray[Any],
    options: GeneratorOptions | None = None,
    *,
    source: PromptSource | None = None,
    target: str = "particles",
    progress: Callable[[float], None] | None = None,
) -> Generated:
    """All masks that a model finds in an (H, W) image.

    Parameters
    ----------
    model
        Any model of the protocol; one that can tell its scores before it draws is asked to.
    image
        Standardised float32, or what the model takes.
    options
        SAM's settings.
    source
        Where to ask, instead of the grid.
    target
        Passed on to models that want to know what is looked for.
    progress
        Called with the share that is done, 0...1.

    Raises
    ------
    UsageError
        When there is no point to ask at, or one lies outside the image.
    """
    options = options or GeneratorOptions()
    shape = (image.shape[0], image.shape[1])
    crops = crops_of(shape, options.crop_n_layers, options.crop_overlap_ratio)
    facts = dict.fromkeys(("prompts", "skipped", "candidates", "masks"), 0)
    parts, layers = [], []
    for index, crop in enumerate(crops):
        rounds = _rounds(image[crop.place], crop, options, source)

        def part_done(share: float, before: int = index) -> None:
            if progress is not None:
                progress((before + share) / len(crops))

        found = _generate_in_crop(
            model, image, crop, options, rounds, target, source is not None, facts, part_done
        )
        parts.append(found)
        layers.append(np.full(len(found), 1 / (crop.shape[0] * crop.shape[1])))
    masks = PackedMasks.join(parts)
    if facts["prompts"] == 0:
        raise UsageError("there is no point to ask at; give points, or a grid of them")
    if len(crops) > 1:
        smaller_first = np.concatenate(layers)
        kept = suppress_boxes(masks.boxes - [0, 0, 1, 1], smaller_first, options.crop_nms_thresh)
        masks = masks.take(kept)
    if options.min_mask_region_area > 0:
        masks = clean_regions(masks, options.min_mask_region_area, options.box_nms_thresh)
    if options.mask_nms_thresh is not None:
        masks = masks.take(suppress_masks(masks, options.mask_nms_thresh))
    facts["masks"] = len(masks)
    return Generated(masks.take(np.argsort(-masks.scores, kind="stable")), facts)


def _rounds(
    image: NDArray[Any], crop: Crop, options: GeneratorOptions, source: PromptSource | None
) -> list[NDArray[np.float32]]:
    """The points to ask at in one crop."""
    if source is not None:
        return [np.asarray(points, np.float32).reshape(-1, 2) for points in source(image)]
    fewer = options.crop_n_points_downscale_factor**crop.layer
    return [grid_points(crop.shape, max(1, int(options.points_per_side / fewer)))]


def _generate_in_crop(
    model: PromptableModel,
    image: NDArray[Any],
    crop: Crop,
    options: GeneratorOptions,
    rounds: list[NDArray[np.float32]],
    target: str,
    adaptive: bool,
    facts: dict[str, int],
    progress: Callable[[float], None],
) -> PackedMasks:
    """Masks of one crop, in the image's coordinates, those that overlap too much suppressed."""
    shape = (image.shape[0], image.shape[1])
    empty = PackedMasks.empty(shape)
    total = sum(len(points) for points in rounds)
    if total == 0:
        return empty
    embedding = model.embed(image[crop.place], target)
    coverage = Coverage.of(crop.shape)
    found: list[Candidates] = []
    exact: list[PackedMasks] = []
    done = 0
    for points in _chunks(rounds):
        done += len(points)
        if adaptive:
            asked = points[~coverage.holds(points)]
            facts["skipped"] += len(points) - len(asked)
            points = asked
        if len(points) == 0:
            continue
        facts["prompts"] += len(points)
        selected = _select(model, embedding, points, options)
        if options.exact:
            exact.append(judge_exactly(model, embedding, selected, points, crop, shape, options))
        else:
            fresh = _judge(selected, points, crop, shape, options)
            found.append(fresh)
            if adaptive:
                coverage.add(fresh, MOST_AREA * crop.shape[0] * crop.shape[1])
        progress(done / total)
    if options.exact:
        masks = PackedMasks.join([*exact, empty])
        facts["candidates"] += len(masks)
        kept = suppress_boxes(masks.boxes - [0, 0, 1, 1], masks.scores, options.box_nms_thresh)
        return masks.take(kept)
    if not found:
        return empty
    candidates = Candidates.join(found)
    facts["candidates"] += len(candidates)
    kept = suppress_boxes(
        candidates.boxes - [0, 0, 1, 1], candidates.scores, options.box_nms_thresh
    )
    return _enlarged(candidates.take(kept), crop, shape)


def _chunks(rounds: list[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """Points that are asked together; a round begins when the one before is answered."""
    for points in rounds:
        for start in range(0, len(points), POINTS_AT_ONCE):
            yield points[start : start + POINTS_AT_ONCE]


def _judge(
    selected: Selected,
    points: NDArray[np.float32],
    crop: Crop,
    shape: tuple[int, int],
    options: GeneratorOptions,
) -> Candidates:
    """Stable masks that the crop does not cut."""
    fresh = judge(
        selected,
        points,
        crop.shape,
        offset=options.stability_score_offset,
        lowest_stability=options.stability_score_thresh,
    )
    return fresh.take(~touches_inner_edge(fresh.boxes, crop, shape))


def _select(
    model: PromptableModel,
    embedding: Embedding,
    points: NDArray[np.float32],
    options: GeneratorOptions,
) -> Selected:
    """Masks with a predicted IoU above the bar, drawn after they are chosen where possible."""
    prompts = PromptSet.from_points(points, "generator")
    bar, best = options.pred_iou_thresh, options.best_of_three
    if hasattr(model, "decode_selected"):
        selective = cast(SelectiveModel, model)
        return selective.decode_selected(embedding, prompts, lowest_score=bar, best=best)
    decoded = model.decode(embedding, prompts, "object")
    wanted = decoded.scores > bar
    if best:
        wanted &= np.arange(wanted.shape[1]) == decoded.scores.argmax(1)[:, None]
    return Selected(
        decoded.logits[wanted],
        decoded.scores[wanted],
        decoded.windows[wanted],
        np.nonzero(wanted)[0],
    )


def _enlarged(candidates: Candidates, crop: Crop, shape: tuple[int, int]) -> PackedMasks:
    """Candidates at the image's resolution and in its coordinates."""
    corner = crop.corner.astype(np.int32)
    masks = PackedMasks.join(
        [
            PackedMasks.empty(shape),
            *(
                PackedMasks.pack(
                    shape,
                    candidates.boxes[index : index + 1] + np.tile(corner, 2),
                    [candidates.enlarge(index)],
                )
                for index in range(len(candidates))
            ),
        ]
    )
    return replace(
        masks,
        scores=candidates.scores,
        stability=candidates.stability,
        points=candidates.points + crop.corner,
    )
