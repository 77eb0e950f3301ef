"""The mask generator: crops, prompts, filters and suppression, for any promptable model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nital.errors import UsageError
from nital.generator.asking import CropRun
from nital.generator.candidates import Candidates
from nital.generator.crops import Crop, crops_of, grid_points
from nital.generator.gaps import GapOptions
from nital.generator.options import GeneratorOptions
from nital.generator.regions import clean_regions
from nital.masks.packed import PackedMasks
from nital.masks.suppression import suppress_boxes, suppress_masks
from nital.models.protocol import PromptableModel

__all__ = ["Generated", "PromptSource", "generate"]


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
    gaps: GapOptions | None = None,
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
    gaps
        With a source, and unless ``options.exact``: how its later rounds end when little new comes
        of them, and how gaps that stay are asked about; left out, all points of the source that no
        mask holds are asked and no others.
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

        asked_gaps = None if source is None or options.exact else gaps
        run = CropRun(model, target, crop, shape, options, facts, source is not None)
        found = _generate_in_crop(run, image, rounds, asked_gaps, part_done)
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
    run: CropRun,
    image: NDArray[Any],
    rounds: list[NDArray[np.float32]],
    gaps: GapOptions | None,
    progress: Callable[[float], None],
) -> PackedMasks:
    """Masks of one crop, in the image's coordinates, those that overlap too much suppressed."""
    empty = PackedMasks.empty(run.shape)
    if sum(len(points) for points in rounds) == 0:
        return empty
    run.embed(image[run.crop.place])
    for number, points in enumerate(rounds):
        if gaps is None or number == 0:
            run.ask(points)
        else:
            run.ask_while_it_pays(points, gaps)
        progress((number + 1) / (len(rounds) + (gaps is not None)))
    if gaps is not None:
        run.fill(gaps)
    options = run.options
    if options.exact:
        masks = PackedMasks.join([*run.exact, empty])
        run.facts["candidates"] += len(masks)
        kept = suppress_boxes(masks.boxes - [0, 0, 1, 1], masks.scores, options.box_nms_thresh)
        return masks.take(kept)
    if not run.found:
        return empty
    candidates = Candidates.join(run.found)
    run.facts["candidates"] += len(candidates)
    kept = suppress_boxes(
        candidates.boxes - [0, 0, 1, 1], candidates.scores, options.box_nms_thresh
    )
    return _enlarged(candidates.take(kept), run.crop, run.shape)


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
