"""Micrograph, truth and result side by side, in the same colours."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nital.evaluation.boundaries import regions_between_lines
from nital.evaluation.contingency import contingency
from nital.evaluation.datasets import Dataset
from nital.evaluation.metrics import best_assignment
from nital.evaluation.sizes import nearest_grain
from nital.segmentation import Segmentation

__all__ = ["side_by_side"]


def side_by_side(
    truth: NDArray[np.int32], result: Segmentation, dataset: Dataset, side: int
) -> tuple[bytes, ...]:
    """JPEG files of the micrograph, the truth and the result, at most ``side`` pixels long.

    Phases have the colours of the true classes they were given to; objects and grains one colour.
    """
    from nital.report.overlay import draw_overlay, draw_picture

    picture = draw_picture(result.micrograph, side)
    micrograph = np.repeat(picture[:, :, None], 3, axis=2)
    if dataset.task in ("instances", "boundaries"):
        grains = dataset.task == "boundaries"
        labels = nearest_grain(regions_between_lines(truth > 0)) if grains else truth
        drawn = (labels.astype(np.int32), result.labels)
        colours = tuple((each > 0).astype(np.uint8) for each in drawn)
    else:
        skip = () if dataset.task == "layers" else (0,)
        table = contingency(truth, result.phases, truth != dataset.unlabelled_class)
        named = best_assignment(table, skip_predicted=skip).mapped(result.phases)
        drawn = (truth, named.astype(np.int32))
        colours = tuple(each.astype(np.uint8) for each in drawn)
    plain = replace(result, parameters={})
    views = [
        _tinted(draw_overlay(replace(plain, labels=labels, phases=phases), side), phases)
        for labels, phases in zip(drawn, colours, strict=True)
    ]
    return tuple(_jpeg(picture) for picture in (micrograph, *views))


def _tinted(picture: NDArray[np.uint8], phases: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay a quarter of its colour over every phase but the first, so that whole areas compare."""
    from nital.report.overlay import PHASE_COLOURS

    height, width = picture.shape[:2]
    rows = ((np.arange(height) + 0.5) * phases.shape[0] / height).astype(np.intp)
    columns = ((np.arange(width) + 0.5) * phases.shape[1] / width).astype(np.intp)
    small = phases[np.ix_(rows, columns)]
    colours = np.resize(np.array(PHASE_COLOURS, dtype=np.float32), (255, 3))
    tint = colours[small.astype(np.intp) - 1]
    mixed = np.where((small > 1)[:, :, None], 0.75 * picture + 0.25 * tint, picture)
    return np.asarray(mixed, dtype=np.uint8)


def _jpeg(picture: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, format="JPEG", quality=88, subsampling=0)
    return stream.getvalue()
