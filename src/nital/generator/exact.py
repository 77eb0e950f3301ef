"""The slow way: every mask enlarged to the crop's size before it is judged."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.generator.crops import Crop, touches_inner_edge
from nital.generator.options import GeneratorOptions
from nital.masks.packed import PackedMasks
from nital.models.protocol import Embedding, Selected

__all__ = ["judge_exactly"]


def judge_exactly(
    model: Any,
    embedding: Embedding,
    selected: Selected,
    points: NDArray[np.float32],
    crop: Crop,
    shape: tuple[int, int],
    options: GeneratorOptions,
) -> PackedMasks:
    """Stable masks that the crop does not cut, at the image's size.

    Parameters
    ----------
    model
        One that enlarges masks itself, as the Segment Anything family does.
    points
        (P, 2) row, column of the prompts in the crop.
    shape
        (H, W) of the image.
    """
    offset = options.stability_score_offset
    boxes, masks, stability, index = [], [], [], []
    for number in range(len(selected.scores)):
        logits = model.enlarge(embedding, selected.logits[number : number + 1])[0]
        certain = np.count_nonzero(logits > offset)
        possible = np.count_nonzero(logits > -offset)
        mask = logits > 0
        if possible == 0 or certain / possible <= options.stability_score_thresh or not mask.any():
            continue
        rows, cols = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
        box = np.array([[rows[0], cols[0], rows[-1] + 1, cols[-1] + 1]], dtype=np.float64)
        if touches_inner_edge(box, crop, shape)[0]:
            continue
        boxes.append(box[0])
        masks.append(mask[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1])
        stability.append(certain / possible)
        index.append(number)
    return PackedMasks.pack(
        shape,
        np.array(boxes, dtype=np.int32).reshape(-1, 4) + np.tile(crop.corner, 2).astype(np.int32),
        masks,
        scores=selected.scores[index],
        stability=np.array(stability),
        points=points[selected.prompts[index]] + crop.corner,
    )
