"""What may be wrong with labels and scale: objects missed or invented, outlines, the pixel size.

A model says of each object how well it expects to have met it, the predicted share of common area
(IoU). From simulated micrographs is known what that means (`benchmarks/confidence.py`): the chance
that the object is real, and how far its outline is off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nital.metrology.field import Field
from nital.metrology.runs import sum_over_runs
from nital.segmentation import Target

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CONFIDENCES",
    "MATERIAL_SHIFT",
    "PIXEL_SIZE_ERROR",
    "REAL",
    "SHIFTS",
    "Doubts",
    "DrawnObjects",
    "find_doubts",
]

Array = NDArray[np.float64]

PIXEL_SIZE_ERROR = 0.01

# Chance that an object is real, at these confidences; straight lines between.
CONFIDENCES = (0.0, 0.4, 0.6, 0.75, 0.82, 0.9, 1.0)
REAL = (0.05, 0.1, 0.46, 0.88, 0.94, 0.97, 0.99)
# Standard deviation of the shift of outlines in units of (1 - confidence) area / perimeter: what
# all objects of an image share, and what each has of its own. The outlines of grains are shared
# with their neighbours, so that they cannot all move outwards.
SHIFTS = {"grains": (0.0, 0.4), "particles": (0.6, 0.2)}
# Of materials, in units of the summed doubt of the pixels of a region over its perimeter.
MATERIAL_SHIFT = 0.8
_LARGEST_SHIFT = 0.25

_MOST_DRAWS, _FEWEST_DRAWS, _DRAWN_NUMBERS = 200, 60, 600_000
_SEED = 20261121


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
    """

    real: Array
    together: Array
    alone: Array
    pixel_size: float
    judged: bool


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
    area = field.objects.area()
    side = area / np.maximum(field.boundaries.perimeter[1:], 1.0)
    confidence = np.clip(table["confidence"].to_numpy(), 0.0, 1.0)
    if target in ("phases", "layers"):
        objects = field.objects
        doubt = area - objects.sum(
            sum_over_runs(field.confidence, field.runs)[objects.order] / 255.0
        )
        shift = np.minimum(MATERIAL_SHIFT * doubt / area, _LARGEST_SHIFT) * side
        return Doubts(certain, shift, none, pixel_size, True)
    real = np.interp(confidence, CONFIDENCES, REAL)
    expected = (1.0 - confidence) * side
    together, alone = SHIFTS[target]
    return Doubts(real, together * expected, alone * expected, pixel_size, True)


class DrawnObjects:
    """Fields as they may truly be: objects taken so many times, outlines moved.

    An object that is real with chance p is there with that chance; and as many are missed as are
    invented, each like one of those that were found: it stands for further ones, at random, 1 - p
    on average. So all sums over objects keep their mean.

    Parameters
    ----------
    doubts
        Of all objects of the field.
    area, perimeter
        (n,) of each, in pixels.
    order
        (n,) that does not depend on how objects are numbered.
    """

    def __init__(
        self, doubts: Doubts, area: Array, perimeter: Array, order: NDArray[np.intp]
    ) -> None:
        self._doubts, self._order = doubts, order
        self._area, self._perimeter = area, perimeter
        number = max(len(order), 1)
        self.draws = int(np.clip(_DRAWN_NUMBERS / number, _FEWEST_DRAWS, _MOST_DRAWS))

    @cached_property
    def times(self) -> Array:
        """(draws, n) how often each object is taken."""
        rng = np.random.default_rng(_SEED)
        real = self._doubts.real[self._order]
        shape = self.draws, len(real)
        drawn = (rng.random(shape) < real) + rng.poisson(1.0 - real, shape).astype(float)
        return self._undone(drawn)

    @cached_property
    def shift(self) -> Array:
        """(draws, n) how far each outline is moved outwards, in pixels."""
        rng = np.random.default_rng(_SEED + 1)
        together, alone = (s[self._order] for s in (self._doubts.together, self._doubts.alone))
        shape = self.draws, len(alone)
        drawn = rng.standard_normal((self.draws, 1)) * together
        drawn += rng.standard_normal(shape) * alone
        return self._undone(drawn)

    @cached_property
    def area(self) -> Array:
        """(draws, n) area of each object with its outline moved, > 0."""
        moved = self._area + self._perimeter * self.shift
        return np.asarray(np.maximum(moved, 0.05 * self._area))

    @cached_property
    def diameter(self) -> Array:
        """(draws, n) equivalent circle diameter with the outline moved."""
        return np.asarray(np.sqrt(self.area * (4.0 / math.pi)))

    def _undone(self, drawn: Array) -> Array:
        """Columns in the order of the objects."""
        placed = np.empty_like(drawn)
        placed[:, self._order] = drawn
        return placed
