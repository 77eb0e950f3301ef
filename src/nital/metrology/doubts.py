"""What may be wrong with labels and scale: objects missed or invented, outlines, the pixel size.

How far a model's own doubts are to be believed is found on simulated micrographs, by
``python benchmarks/confidence.py --write``, and kept in ``confidence.json``: the chance that an
object of some confidence is real, how many more there are than were found, and how far outlines
are off.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nital.metrology.field import Field
from nital.metrology.missed import Missed, Showing, missed_where
from nital.metrology.runs import sum_over_runs
from nital.segmentation import Target

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "FIGURES",
    "PIXEL_SIZE_ERROR",
    "Doubts",
    "Missed",
    "Reliability",
    "Showing",
    "find_doubts",
    "material_shift",
    "missed_of",
    "open_width",
    "reliability",
    "shape_error",
]

Array = NDArray[np.float64]

PIXEL_SIZE_ERROR = 0.01
FIGURES = Path(__file__).with_name("confidence.json")
# Without the probability of masks, the share of common area that the model expects stands for it:
# an outline is off by so many times (1 - confidence) area / perimeter.
_BY_CONFIDENCE = {"grains": (0.0, 0.5), "particles": (0.6, 0.2)}
_LARGEST_SHIFT = 0.25


@dataclass(frozen=True)
class Reliability:
    """What is known of a model's objects of one kind.

    Parameters
    ----------
    confidence, real
        (k,) confidence, rising, and the chance that an object of it is real; straight lines
        between.
    shift
        Standard deviation of the shift of outlines, in units of the summed doubt of the pixels of
        an object over its perimeter: what all objects of an image share, and what each has of
        its own.
    """

    confidence: tuple[float, ...]
    real: tuple[float, ...]
    shift: tuple[float, float]


@dataclass(frozen=True)
class Doubts:
    """What may be wrong, besides the choice of the field.

    Parameters
    ----------
    real
        (n,) chance of each object to be real.
    together, alone
        (n,) standard deviation of the shift of each outline in pixels: the part that all outlines
        of the image share, and its own part.
    pixel_size
        Relative standard uncertainty of the pixel size.
    judged
        Whether the first three come from a model; otherwise the labels are taken for true.
    missed
        Objects not found, and how far confidence misleads; ``None`` for as many as are invented,
        each like one that was found.
    """

    real: Array
    together: Array
    alone: Array
    pixel_size: float
    judged: bool
    missed: Missed | None = None


@cache
def reliability(target: str) -> Reliability:
    """Figures of grains or particles from ``confidence.json``."""
    found = _figures()[target]
    return Reliability(
        tuple(found["confidence"]),
        tuple(found["real"]),
        (found["shift"][0], found["shift"][1]),
    )


def missed_of(target: str, showing: Showing) -> Missed:
    """What a model misses of grains or particles where so much of how it fared shows."""
    return missed_where(showing, _figures()[target]["missed"])


def shape_error(name: str) -> tuple[float, float]:
    """Median and robust deviation of the logarithm of a ratio of shape, found over true."""
    mean, deviation = _figures()["particles"]["shape"][name]
    return float(mean), float(deviation)


@cache
def _figures() -> dict[str, Any]:
    return dict(json.loads(FIGURES.read_text(encoding="utf-8")))


def material_shift(target: str) -> float:
    """Shift of the outlines of phases or layers that all share, as in ``Reliability.shift``."""
    return float(_figures()[target]["shift"])


def find_doubts(
    field: Field, table: pd.DataFrame, target: Target, judged: bool, pixel_size: float
) -> Doubts:
    """Doubts on the objects of a field.

    Parameters
    ----------
    field, table
        What is measured, and its objects.
    target
        For grains and particles the confidence is that of objects, for phases and layers that of
        pixels.
    judged
        Whether the confidence is a model's.
    pixel_size
        Relative standard uncertainty of the pixel size.
    """
    certain, none = np.ones(field.count), np.zeros(field.count)
    if not judged or field.count == 0 or field.confidence is None:
        return Doubts(certain, none, none, pixel_size, False)
    if target in ("phases", "layers"):
        shift = material_shift(target) * open_width(field, field.confidence)
        return Doubts(certain, shift, none, pixel_size, True)
    known = reliability(target)
    confidence = np.clip(table["confidence"].to_numpy(), 0.0, 1.0)
    if field.mask_probability is None:
        width = (1.0 - confidence) * field.objects.area() / _perimeter(field)
        together, alone = _BY_CONFIDENCE[target]
    else:
        width = open_width(field, field.mask_probability)
        together, alone = known.shift
    real = np.interp(confidence, known.confidence, known.real)
    missed = None
    if field.unclaimed is not None:
        missed = missed_of(target, Showing(field.unclaimed, field.count, float(real.mean())))
    return Doubts(real, together * width, alone * width, pixel_size, True, missed)


def _perimeter(field: Field) -> Array:
    return np.maximum(field.boundaries.perimeter[1:], 1.0)


def open_width(field: Field, probability: NDArray[np.uint8]) -> Array:
    """(n,) summed doubt of the pixels of each object over its perimeter, in pixels.

    Where the probability rises from 1/2 to 1 over a distance, this is 0.69 of the width of that
    logistic curve; at most a quarter of area over perimeter, a half of a disc's radius.
    """
    objects = field.objects
    area, perimeter = objects.area(), _perimeter(field)
    sure = objects.sum(sum_over_runs(probability, field.runs)[objects.order] / 255.0)
    return np.asarray(np.minimum(area - sure, _LARGEST_SHIFT * area) / perimeter)
