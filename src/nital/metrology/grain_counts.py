"""The counts over one field that grain sizes are made from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nital.metrology.field import Field
from nital.metrology.grain_map import GrainMap, grain_map
from nital.metrology.lines import Intercepts, circles, count_intercepts, fill, straight_lines
from nital.metrology.planimetric import (
    AreaCount,
    count_in_circles,
    count_in_rectangle,
    rectangle_weights,
    shared_by_area,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DIRECTIONS", "GrainCounts", "Pattern"]

DIRECTIONS = np.linspace(0.0, 180.0, 12, endpoint=False, dtype=np.float64)
_GRAINS_PER_JEFFRIES_CIRCLE = 75
_INTERCEPTS_PER_HILLIARD_CIRCLE = 35
_INTERCEPTS_PER_ABRAMS_FIGURE = 100
_SMALLEST_CIRCLE = 8.0


@dataclass(frozen=True)
class Pattern:
    """Circles placed on a field, side by side.

    Parameters
    ----------
    centres
        Row and column of each.
    diameter
        Of the largest circle about each centre, in pixels.
    """

    centres: tuple[tuple[float, float], ...]
    diameter: float

    def __str__(self) -> str:
        number = len(self.centres)
        circle = "1 place" if number == 1 else f"{number} places"
        return f"{circle}, diameter {self.diameter:.0f} px"


@dataclass(frozen=True)
class GrainCounts:
    """The counts over one field that all grain quantities are made from.

    Parameters
    ----------
    field, table
        What is measured, and its objects.
    """

    field: Field
    table: pd.DataFrame

    @cached_property
    def map(self) -> GrainMap:
        """Grains of the matrix."""
        return grain_map(self.field, self.table["phase"].to_numpy())

    @cached_property
    def block(self) -> NDArray[np.int64]:
        """(n,) block of the centroid of each object."""
        return self.field.block_of(self.table)

    @cached_property
    def rectangle(self) -> AreaCount:
        """Grains in the whole field."""
        return count_in_rectangle(self.map.grains, self.map.is_grain, self.block, self.field.blocks)

    @cached_property
    def shared(self) -> NDArray[np.float64]:
        """(blocks,) the grains of ``rectangle``, in the blocks in which their area lies."""
        weight = rectangle_weights(self.map.grains, self.field.count) * self.map.is_grain
        return shared_by_area(self.map.grains, weight, self.field.blocks)

    @cached_property
    def directional(self) -> tuple[Intercepts, ...]:
        """Intercepts along straight lines in each direction."""
        return tuple(self.along(degrees) for degrees in DIRECTIONS.tolist())

    def along(self, degrees: float) -> Intercepts:
        """Intercepts along straight lines in one direction."""
        return self._along_lines(self.map.grains, degrees)

    @cached_property
    def heyn(self) -> Intercepts:
        """Intercepts along the straight lines of all directions."""
        return sum(self.directional[1:], self.directional[0])

    @cached_property
    def network(self) -> Intercepts:
        """Crossings of the boundaries of all objects, along the same lines."""
        if self.map.excluded or not self.map.labels.all():
            regions = self.map.labels + 1
            found = [self._along_lines(regions, degrees) for degrees in DIRECTIONS.tolist()]
            return sum(found[1:], found[0])
        return self.heyn

    def _along_lines(self, regions: NDArray[np.int32], degrees: float) -> Intercepts:
        lines = straight_lines(self.field.labels.shape, degrees, max(1.0, self.side / 2.0))
        return count_intercepts(regions, lines, self.field.blocks)

    @property
    def side(self) -> float:
        """Root of the mean grain area, in pixels."""
        return math.sqrt(self.rectangle.area.sum() / max(self.rectangle.number.sum(), 1.0))

    @property
    def mean_intercept(self) -> float:
        """Mean lineal intercept along the straight lines, in pixels."""
        return float(self.heyn.length.sum() / self.heyn.number.sum())

    @property
    def measurable(self) -> bool:
        """Whether a grain is whole and a line crosses a boundary, so that there is a size."""
        return (
            self.rectangle.inside > 0
            and self.rectangle.number.sum() > 0
            and self.heyn.number.sum() > 0
        )

    def place(self, diameter: float) -> Pattern | None:
        """Place as many figures of this diameter as fit, or one of the shorter side's."""
        diameter = min(diameter, min(self.field.labels.shape) - 1.0)
        if diameter < _SMALLEST_CIRCLE:
            return None
        return Pattern(tuple(fill(self.field.labels.shape, diameter)), diameter)

    def jeffries(self) -> tuple[AreaCount, Pattern] | None:
        """Count in circles that hold about 75 grains; ``None`` where no circle fits."""
        pattern = self.place(2.0 * self.side * math.sqrt(_GRAINS_PER_JEFFRIES_CIRCLE / math.pi))
        if pattern is None:
            return None
        counted = count_in_circles(
            self.map.grains, self.block, self.field.blocks, pattern.centres, pattern.diameter
        )
        return (counted, pattern) if counted.number.sum() > 0 else None

    def hilliard(self) -> tuple[Intercepts, Pattern] | None:
        """Count along circles that meet about 35 grains; ``None`` where none fits or meets any."""
        diameter = _INTERCEPTS_PER_HILLIARD_CIRCLE * self.mean_intercept / math.pi
        return self._along_circles(diameter, (1.0,))

    def abrams(self) -> tuple[Intercepts, Pattern] | None:
        """Count along three concentric circles that meet about 100 grains, as ``hilliard``."""
        diameter = _INTERCEPTS_PER_ABRAMS_FIGURE * self.mean_intercept / (2.0 * math.pi)
        return self._along_circles(diameter, (1.0, 2.0 / 3.0, 1.0 / 3.0))

    def _along_circles(
        self, diameter: float, sizes: tuple[float, ...]
    ) -> tuple[Intercepts, Pattern] | None:
        pattern = self.place(diameter)
        if pattern is None:
            return None
        radii = [size * pattern.diameter / 2.0 for size in sizes]
        counted = count_intercepts(
            self.map.grains, circles(pattern.centres, radii), self.field.blocks
        )
        return (counted, pattern) if counted.number.sum() > 0 else None
