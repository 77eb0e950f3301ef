"""Boxes and regions in plain torch: overlap, suppression, RoI alignment, anchors, box codes.

Boxes are (N, 4) top, left, bottom, right in pixels, as everywhere in Nital. The definitions are
those of torchvision's ``nms``, ``roi_align(aligned=True)`` and ``BoxCoder``, whose compiled
operators do not load beside every build of torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["anchors_of", "box_overlap", "decode_boxes", "encode_boxes", "nms", "roi_align"]

CODE_WEIGHTS = (10.0, 10.0, 5.0, 5.0)
LARGEST_GROWTH = 4.135  # log(1000 / 16): a regressed side is at most 62.5 times the proposal's


def box_overlap(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union (N, M) of (N, 4) and (M, 4) boxes; 0 where both are empty."""
    shared = torch.ones(len(first), len(second), dtype=first.dtype)
    for side in (0, 1):
        low = torch.maximum(first[:, None, side], second[None, :, side])
        high = torch.minimum(first[:, None, side + 2], second[None, :, side + 2])
        shared *= high.sub_(low).clamp_(min=0)
    areas = [(b[:, 2:] - b[:, :2]).clamp(min=0).prod(-1) for b in (first, second)]
    union = (areas[0][:, None] + areas[1][None]).sub_(shared)
    return shared.div_(union.clamp_(min=1e-9))


def nms(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Indices of the boxes that survive, best score first.

    A box goes when a better survivor overlaps it by more than ``threshold``.
    """
    order = scores.argsort(descending=True, stable=True)
    hits = (box_overlap(boxes[order], boxes[order]) > threshold).triu(1).numpy()
    alive = torch.ones(len(order), dtype=torch.bool).numpy()
    for position in range(len(alive)):
        if alive[position]:
            alive &= ~hits[position]
    return order[torch.from_numpy(alive)]


def roi_align(
    features: Tensor, boxes: Tensor, size: int, scale: float | Tensor, sampling: int = 2
) -> Tensor:
    """Average bilinear samples in every bin of every box.

    He et al., ICCV 2017, section 3, with half-pixel alignment: box edges lie at pixel corners,
    values at pixel centres. Samples beyond one pixel outside the map count 0.

    Parameters
    ----------
    features
        (1, C, h, w) map of one image.
    boxes
        (N, 4) in pixels of the image.
    size
        Bins a side.
    scale
        Side of an image pixel in pixels of the map.
    sampling
        Samples a side of each bin.

    Returns
    -------
    Tensor
        (N, C, size, size).
    """
    count = boxes.shape[0]
    height, width = features.shape[2], features.shape[3]
    scaled = boxes * scale - 0.5
    steps = (torch.arange(size * sampling, dtype=features.dtype) + 0.5) / (size * sampling)
    rows = scaled[:, 0:1] + steps * (scaled[:, 2:3] - scaled[:, 0:1])
    columns = scaled[:, 1:2] + steps * (scaled[:, 3:4] - scaled[:, 1:2])
    inside_rows = (rows >= -1) & (rows <= height)
    inside_columns = (columns >= -1) & (columns <= width)
    y = (2 * rows.clamp(min=0) + 1) / height - 1
    x = (2 * columns.clamp(min=0) + 1) / width - 1
    side = size * sampling
    grid = torch.stack(
        [x[:, None, :].expand(count, side, side), y[:, :, None].expand(count, side, side)], -1
    )
    sampled = F.grid_sample(
        features,
        grid.reshape(1, count * side, side, 2),
        align_corners=False,
        padding_mode="border",
    )
    channels = features.shape[1]
    sampled = sampled.reshape(channels, count, side, side).permute(1, 0, 2, 3)
    seen = (inside_rows[:, None, :, None] & inside_columns[:, None, None, :]).to(sampled.dtype)
    return F.avg_pool2d(sampled * seen, sampling)


def anchors_of(
    shapes: Sequence[tuple[int, int]],
    strides: Sequence[int],
    sizes: Sequence[float],
    ratios: Sequence[float],
) -> Tensor:
    """Anchors of all levels, (A, 4): level by level, row by row, then size by ratio.

    ``sizes`` are in strides, ``ratios`` height over width.
    """
    levels = []
    for (height, width), stride in zip(shapes, strides, strict=True):
        half = torch.tensor(
            [[s * r**0.5, s / r**0.5] for s in sizes for r in ratios], dtype=torch.float32
        )
        half = half * stride / 2
        rows = (torch.arange(height, dtype=torch.float32) + 0.5) * stride
        columns = (torch.arange(width, dtype=torch.float32) + 0.5) * stride
        centre = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), -1)[:, :, None]
        levels.append(torch.cat([centre - half, centre + half], -1).reshape(-1, 4))
    return torch.cat(levels)


def encode_boxes(boxes: Tensor, reference: Tensor) -> Tensor:
    """Shift and growth (N, 4) that lead from reference boxes to boxes; Girshick, R-CNN, eq. 6-9."""
    weights = torch.tensor(CODE_WEIGHTS)
    sides = (reference[:, 2:] - reference[:, :2]).clamp(min=1e-3)
    shift = (boxes[:, :2] + boxes[:, 2:] - reference[:, :2] - reference[:, 2:]) / (2 * sides)
    growth = torch.log((boxes[:, 2:] - boxes[:, :2]).clamp(min=1e-3) / sides)
    return torch.cat([shift, growth], 1) * weights


def decode_boxes(codes: Tensor, reference: Tensor) -> Tensor:
    """Undo :func:`encode_boxes`."""
    codes = codes / torch.tensor(CODE_WEIGHTS)
    sides = reference[:, 2:] - reference[:, :2]
    centre = (reference[:, :2] + reference[:, 2:]) / 2 + codes[:, :2] * sides
    half = sides * torch.exp(codes[:, 2:].clamp(max=LARGEST_GROWTH)) / 2
    return torch.cat([centre - half, centre + half], 1)
