"""Points of one crop, asked in batches: what comes of them, and what is covered by then."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from nital.generator.candidates import Candidates, judge
from nital.generator.coverage import Coverage
from nital.generator.crops import Crop, touches_inner_edge
from nital.generator.exact import judge_exactly
from nital.generator.gaps import GapOptions, gap_points, typical_radius
from nital.generator.options import GeneratorOptions
from nital.masks.packed import PackedMasks
from nital.masks.suppression import new_boxes
from nital.models.protocol import Embedding, PromptableModel, Selected, SelectiveModel
from nital.prompts import PromptSet

__all__ = ["CropRun"]

POINTS_AT_ONCE = 64
NARROWEST = 1 / 3  # radius of a gap over the distance of a grid's points
MOST_AREA = 0.25  # of the crop: a larger mask is no object, and covers no points


@dataclass
class CropRun:
    """What has been asked in one crop of an image, and what has been found.

    Parameters
    ----------
    model, target
        Who is asked, and for what.
    crop, shape
        The crop, and (H, W) of the whole image.
    options
        Of the generator.
    facts
        ``prompts`` and ``skipped`` are counted there, over all crops.
    skips
        Whether points in a mask found before are left out.
    """

    model: PromptableModel
    target: str
    crop: Crop
    shape: tuple[int, int]
    options: GeneratorOptions
    facts: dict[str, int]
    skips: bool
    found: list[Candidates] = field(default_factory=list)
    exact: list[PackedMasks] = field(default_factory=list)

    @property
    def largest(self) -> float:
        """Area in pixels of the largest mask that is taken for an object here."""
        return MOST_AREA * self.crop.shape[0] * self.crop.shape[1]

    def embed(self, pixels: NDArray[Any]) -> None:
        """Show the model the crop's pixels."""
        self.embedding: Embedding = self.model.embed(pixels, self.target)
        self.coverage = Coverage.of(self.crop.shape)
        self.asked = np.zeros((0, 2), dtype=np.float32)

    def ask(self, points: NDArray[np.float32]) -> None:
        """Ask all of (N, 2) points where no mask lies yet."""
        for start in range(0, len(points), POINTS_AT_ONCE):
            self._ask_free(points[start : start + POINTS_AT_ONCE])

    def ask_while_it_pays(self, points: NDArray[np.float32], gaps: GapOptions) -> float:
        """Ask (N, 2) points in an order of chance, as long as enough of them find a new object.

        Returns the share of points asked that found one.
        """
        points = np.random.default_rng(0).permutation(points)
        asked = paid = 0
        for start in range(0, len(points), POINTS_AT_ONCE):
            known = np.concatenate(
                [np.zeros((0, 4), np.int32), *(part.boxes for part in self.found)]
            )
            batches, before = len(self.found), self.facts["prompts"]
            self._ask_free(points[start : start + POINTS_AT_ONCE])
            asked += self.facts["prompts"] - before
            paid += sum(self._paid(fresh, known) for fresh in self.found[batches:])
            if asked > (paid + gaps.credit) / gaps.least_yield:
                break
        return paid / asked if asked else 1.0

    def fill(self, gaps: GapOptions) -> None:
        """Ask about gaps, smaller ones from round to round, until little comes of it."""
        spacing = (self.crop.shape[0] * self.crop.shape[1] / gaps.most_points) ** 0.5
        for share in gaps.radii:
            areas = np.concatenate([np.zeros(0), *(part.areas for part in self.found)])
            radius = max(share * typical_radius(areas, self.largest, spacing), NARROWEST * spacing)
            points = gap_points(self.coverage, self.asked, radius)
            limit = np.array(self.crop.shape, dtype=np.float32) - 1
            if self.ask_while_it_pays(np.minimum(points, limit), gaps) < gaps.least_yield:
                break

    def _ask_free(self, points: NDArray[np.float32]) -> None:
        """Ask those of some points that no mask holds, or all where none is skipped."""
        if self.skips:
            free = points[~self.coverage.holds(points)]
            self.facts["skipped"] += len(points) - len(free)
            points = free
        if len(points) == 0:
            return
        self.facts["prompts"] += len(points)
        self.asked = np.concatenate([self.asked, points])
        selected = self._select(points)
        if self.options.exact:
            fine = judge_exactly(
                self.model, self.embedding, selected, points, self.crop, self.shape, self.options
            )
            self.exact.append(fine)
            return
        fresh = self._judge(selected, points)
        self.found.append(fresh)
        if self.skips:
            self.coverage.add(fresh, self.largest)

    def _paid(self, fresh: Candidates, known: NDArray[np.integer]) -> int:
        """How many points of a batch found an object whose box is not one of those known."""
        objects = fresh.take(fresh.areas <= self.largest)
        new = new_boxes(objects.boxes, known, self.options.box_nms_thresh)
        return len(np.unique(objects.points[new], axis=0))

    def _judge(self, selected: Selected, points: NDArray[np.float32]) -> Candidates:
        """Stable masks that the crop does not cut."""
        fresh = judge(
            selected,
            points,
            self.crop.shape,
            offset=self.options.stability_score_offset,
            lowest_stability=self.options.stability_score_thresh,
        )
        return fresh.take(~touches_inner_edge(fresh.boxes, self.crop, self.shape))

    def _select(self, points: NDArray[np.float32]) -> Selected:
        """Masks with a predicted IoU above the bar, drawn after they are chosen where possible."""
        prompts = PromptSet.from_points(points, "generator")
        bar, best = self.options.pred_iou_thresh, self.options.best_of_three
        if hasattr(self.model, "decode_selected"):
            selective = cast(SelectiveModel, self.model)
            return selective.decode_selected(self.embedding, prompts, lowest_score=bar, best=best)
        decoded = self.model.decode(self.embedding, prompts, "object")
        wanted = decoded.scores > bar
        if best:
            wanted &= np.arange(wanted.shape[1]) == decoded.scores.argmax(1)[:, None]
        return Selected(
            decoded.logits[wanted],
            decoded.scores[wanted],
            decoded.windows[wanted],
            np.nonzero(wanted)[0],
        )
