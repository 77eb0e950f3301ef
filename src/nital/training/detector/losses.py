"""The joint loss of the detector, each part apart."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from nital.training.detector.network import BOX_BINS, MASK_BINS, Detector
from nital.training.detector.regions import box_overlap, encode_boxes
from nital.training.detector.samples import Crop

__all__ = ["PARTS", "detector_losses"]

PARTS = ("region", "region_box", "particle", "box", "mask", "whole", "certainty")
WEIGHTS = {"certainty": 0.5, "whole": 0.5}
MASK_SIDE = 2 * MASK_BINS
REGION_SAMPLE, ROI_SAMPLE = 256, 64
MOST_PARTICLES = 16  # of the regions sampled: a quarter, as for Mask R-CNN


def detector_losses(
    detector: Detector, crops: list[Crop], levels: list[Tensor], generator: torch.Generator
) -> dict[str, Tensor]:
    """Losses of a batch of crops of one size, and their weighted ``total``.

    ``levels`` are the maps that the backbone gives for them.

    ``region`` and ``region_box`` are those of the proposals, ``particle``, ``box`` and ``mask``
    those of Mask R-CNN's heads; ``whole`` compares whole outlines where they are known, and
    ``certainty`` asks whether an expert would sign the object.
    """
    shape = (crops[0].image.shape[0], crops[0].image.shape[1])
    logits, codes, anchors = detector.propose(levels)
    sums: dict[str, list[Tensor]] = {part: [] for part in PARTS}
    for index, crop in enumerate(crops):
        truth = torch.from_numpy(crop.boxes)
        region, region_box = _region_losses(
            logits[index], codes[index], anchors, truth, crop, generator
        )
        sums["region"].append(region)
        sums["region_box"].append(region_box)
        proposals = detector.proposals(logits[index], codes[index], anchors, shape)
        asked = truth[torch.from_numpy(~crop.ignored)]
        boxes, match = _sample_rois(torch.cat([proposals, asked]), truth, crop, generator)
        if len(boxes) == 0:
            continue
        for name, value in _head_losses(detector, levels, index, boxes, match, crop).items():
            sums[name].append(value)
    losses = {
        name: torch.stack(values).mean() if values else logits.sum() * 0
        for name, values in sums.items()
    }
    losses["total"] = torch.stack(
        [WEIGHTS.get(name, 1.0) * value for name, value in losses.items()]
    ).sum()
    return losses


def _known(boxes: Tensor, crop: Crop) -> Tensor:
    """(N,) whether the truth at the middle of each box is known."""
    middle = ((boxes[:, :2] + boxes[:, 2:]) / 2).long()
    height, width = crop.valid.shape
    rows, columns = middle[:, 0].clamp(0, height - 1), middle[:, 1].clamp(0, width - 1)
    return torch.from_numpy(crop.valid)[rows, columns]


def _best(overlaps: Tensor) -> tuple[Tensor, Tensor]:
    """(N,) best of the (N, M) overlaps of each box with true ones, and with which."""
    if overlaps.shape[1] == 0:
        return torch.zeros(len(overlaps)), torch.zeros(len(overlaps), dtype=torch.long)
    best = overlaps.max(1)
    return best.values, best.indices


def _choose(mask: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Indices of at most so many of the True entries, drawn at random."""
    found = mask.nonzero()[:, 0]
    return found[torch.randperm(len(found), generator=generator)[:most]]


def _region_losses(
    logits: Tensor,
    codes: Tensor,
    anchors: Tensor,
    truth: Tensor,
    crop: Crop,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Objectness and box loss of sampled anchors; positive from IoU 0.7 or as the best of one."""
    overlaps = box_overlap(anchors, truth)
    overlap, match = _best(overlaps)
    positive, negative = overlap >= 0.7, (overlap < 0.3) & _known(anchors, crop)
    if len(truth):
        top = overlaps.max(0).values
        chosen = ((overlaps >= top - 1e-6) & (top > 0.2)).nonzero()
        positive[chosen[:, 0]] = True
        match[chosen[:, 0]] = chosen[:, 1]
        negative &= ~positive
        positive &= ~torch.from_numpy(crop.ignored)[match]
    some = _choose(positive, REGION_SAMPLE // 2, generator)
    rest = _choose(negative, REGION_SAMPLE - len(some), generator)
    sampled = torch.cat([some, rest])
    wanted = torch.cat([torch.ones(len(some)), torch.zeros(len(rest))])
    if len(sampled) == 0:
        return logits.sum() * 0, codes.sum() * 0
    region = F.binary_cross_entropy_with_logits(logits[sampled], wanted)
    if len(some) == 0:
        return region, codes.sum() * 0
    aim = encode_boxes(truth[match[some]], anchors[some])
    box = F.smooth_l1_loss(codes[some], aim, beta=1.0, reduction="sum") / len(sampled)
    return region, box


def _sample_rois(
    boxes: Tensor, truth: Tensor, crop: Crop, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Some of the regions, and the object that each is of; -1 for none."""
    overlap, match = _best(box_overlap(boxes, truth))
    positive = overlap >= 0.5
    if len(truth):
        positive &= ~torch.from_numpy(crop.ignored)[match]
    negative = (overlap < 0.5) & _known(boxes, crop)
    some = _choose(positive, MOST_PARTICLES, generator)
    rest = _choose(negative, ROI_SAMPLE - len(some), generator)
    return (
        boxes[torch.cat([some, rest])],
        torch.cat([match[some], torch.full((len(rest),), -1)]),
    )


def _head_losses(
    detector: Detector, levels: list[Tensor], index: int, boxes: Tensor, match: Tensor, crop: Crop
) -> dict[str, Tensor]:
    """Losses of the box, mask and uncertainty heads on sampled regions of one image."""
    found = match >= 0
    particle, codes, certainty = detector.boxes(detector.pool(levels, index, boxes, BOX_BINS))
    losses = {"particle": F.binary_cross_entropy_with_logits(particle, found.float())}
    certain = torch.zeros(len(boxes))
    certain[found] = torch.from_numpy(crop.certain)[match[found]].float()
    losses["certainty"] = F.binary_cross_entropy_with_logits(certainty, certain)
    if not found.any():
        return losses
    mine, of = boxes[found], match[found]
    truth = torch.from_numpy(crop.boxes)
    losses["box"] = F.smooth_l1_loss(
        codes[found], encode_boxes(truth[of], mine), beta=1.0, reduction="sum"
    ) / len(boxes)
    logits = detector.masks(detector.pool(levels, index, mine, MASK_BINS))
    seen, whole = _mask_targets(mine, of, crop)
    losses["mask"] = F.binary_cross_entropy_with_logits(logits[:, 0], seen)
    if crop.whole is not None:
        losses["whole"] = F.binary_cross_entropy_with_logits(logits[:, 1], whole)
    return losses


def _mask_targets(boxes: Tensor, match: Tensor, crop: Crop) -> tuple[Tensor, Tensor]:
    """(N, 28, 28) what is seen of each object in its box, and its whole outline."""
    steps = (np.arange(MASK_SIDE) + 0.5) / MASK_SIDE
    seen = np.zeros((len(boxes), MASK_SIDE, MASK_SIDE), dtype=np.float32)
    whole = np.zeros_like(seen)
    height, width = crop.labels.shape
    for position, (box, number) in enumerate(
        zip(boxes.numpy(), crop.numbers[match.numpy()].tolist(), strict=True)
    ):
        rows = np.clip((box[0] + steps * (box[2] - box[0])).astype(int), 0, height - 1)
        columns = np.clip((box[1] + steps * (box[3] - box[1])).astype(int), 0, width - 1)
        seen[position] = crop.labels[rows[:, None], columns] == number
        whole[position] = seen[position]
        outline = (crop.whole or {}).get(number)
        if outline is not None:
            h, w = outline.mask.shape
            r, c = rows - outline.top, columns - outline.left
            inside = ((r >= 0) & (r < h))[:, None] & ((c >= 0) & (c < w))
            whole[position] = outline.mask[r.clip(0, h - 1)[:, None], c.clip(0, w - 1)] & inside
    return torch.from_numpy(seen), torch.from_numpy(whole)
