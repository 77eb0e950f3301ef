"""Quantities of one field, each with its unit, 95 % interval, sample size and method."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nital.metrology.field import Field
from nital.metrology.intervals import (
    Interval,
    count_interval,
    fraction_interval,
    mean_interval,
    quantile_interval,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Quantity", "quantities"]

MM2_PER_UM2 = 1e-6
MM_PER_UM = 1e-3


@dataclass(frozen=True)
class Quantity:
    """One number of ``summary.json``.

    Parameters
    ----------
    name, unit
        As in the list of names and units of the result format.
    value
        In ``unit``.
    ci95
        95 % interval in the same unit; ``None`` when the data cannot carry one.
    n
        Number of objects that the value rests on.
    phase
        The phase it is about; ``None`` for all.
    method
        How value and interval were found.
    standard
        The standard followed, if any.
    """

    name: str
    value: float
    unit: str
    ci95: Interval | None
    n: int
    phase: int | None
    method: str
    standard: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the entry of ``summary.json``."""
        entry = asdict(self)
        entry["ci95"] = None if self.ci95 is None else list(self.ci95)
        return entry


def quantities(
    field: Field, table: pd.DataFrame, scale: float | None
) -> tuple[tuple[Quantity, ...], tuple[str, ...]]:
    """Compute all quantities of a field.

    Parameters
    ----------
    field, table
        What was measured, and its objects.
    scale
        Pixel size in um, or ``None``.

    Returns
    -------
    quantities, warnings
        Over all objects first; then, where objects of several phases are present, per phase.
    """
    phase = table["phase"].to_numpy()
    owners: list[int | None] = [None]
    present = np.unique(phase)
    if len(present) > 1:
        owners += [int(value) for value in present]
    found = [*_counts(field, table, None, scale), *_fractions(field, phase)]
    found += _sizes(table, None, scale)
    found += _boundary_density(field, scale)
    for owner in owners[1:]:
        found += _counts(field, table, owner, scale)
        found += _sizes(table, owner, scale)
    return tuple(found), tuple(_warnings(table, scale))


def _warnings(table: pd.DataFrame, scale: float | None) -> Iterator[str]:
    if scale is None:
        yield (
            "no pixel size is known, so lengths are in pixels and objects_per_area and "
            "boundary_length_per_area are left out: give --pixel-size to have them"
        )
    if len(table) and bool(table["touches_edge"].all()):
        yield "every object touches the edge of the image, so there are no size statistics"


def _counts(
    field: Field, table: pd.DataFrame, phase: int | None, scale: float | None
) -> Iterator[Quantity]:
    """Number of objects, and number per area where calibrated."""
    chosen = table if phase is None else table[table["phase"] == phase]
    number = len(chosen)
    blocks = field.blocks
    row, col = chosen["row"].to_numpy(), chosen["col"].to_numpy()
    block = blocks.index(np.round(row).astype(np.int64), np.round(col).astype(np.int64))
    scatter = f"95 %: log-normal t interval from the centroids in {_grid(field)}"

    def per_pixel(weights: NDArray[np.float64]) -> tuple[float, Interval | None]:
        parts = np.bincount(block, weights=weights, minlength=len(blocks.area)).astype(float)
        return float(weights.sum()) / field.labels.size, count_interval(parts, blocks.area)

    _, interval = per_pixel(np.ones(number))
    yield Quantity(
        "object_count",
        number,
        "1",
        _scaled(interval, field.labels.size),
        number,
        phase,
        f"objects in the field, edge included; {scatter}, for another field of this size",
    )
    if scale is not None:
        halved = np.where(chosen["touches_edge"].to_numpy(), 0.5, 1.0)
        rate, interval = per_pixel(halved)
        factor = 1.0 / (scale**2 * MM2_PER_UM2)
        yield Quantity(
            "objects_per_area",
            rate * factor,
            "mm^-2",
            _scaled(interval, factor),
            number,
            phase,
            f"objects over measured area, those that touch the edge count half; {scatter}",
        )


def _fractions(field: Field, phase: NDArray[np.int64]) -> Iterator[Quantity]:
    """Fraction of the measured area that objects, and each phase, take up."""
    by_phase, of_objects = field.block_areas()
    area, size = field.blocks.area, field.labels.size
    scatter = f"95 %: logit t interval over {_grid(field)}"
    yield Quantity(
        "coverage",
        float(of_objects.sum()) / size,
        "1",
        fraction_interval(of_objects, area),
        field.count,
        None,
        f"area of all objects, edge included, over measured area; {scatter}",
    )
    for value in range(1, by_phase.shape[1]):
        pixels = by_phase[:, value]
        if pixels.any():
            yield Quantity(
                "phase_fraction",
                float(pixels.sum()) / size,
                "1",
                fraction_interval(pixels, area),
                int((phase == value).sum()),
                value,
                f"area of the phase over measured area; {scatter}",
            )


def _sizes(table: pd.DataFrame, phase: int | None, scale: float | None) -> Iterator[Quantity]:
    """Mean area, and mean and percentiles of the equivalent circle diameter."""
    inside = ~table["touches_edge"].to_numpy()
    if phase is not None:
        inside &= table["phase"].to_numpy() == phase
    number = int(inside.sum())
    if number == 0:
        return
    factor, unit = (1.0, "px") if scale is None else (scale, "um")
    area = np.sort(table["area_px"].to_numpy()[inside].astype(float))
    diameter = np.sqrt(area * (4.0 / math.pi))

    def entry(
        name: str, power: int, value: float, interval: Interval | None, what: str, how: str
    ) -> Quantity:
        basis = f"95 %: {how}" if interval else "too few objects for a 95 % interval"
        return Quantity(
            name,
            value * factor**power,
            unit if power == 1 else f"{unit}^{power}",
            _scaled(interval, factor**power),
            number,
            phase,
            f"{what}, those that touch the edge left out; {basis}",
        )

    mean = "t interval after Hall's skewness correction"
    yield entry(
        "object_area_mean", 2, float(area.mean()), mean_interval(area), "mean over objects", mean
    )
    yield entry(
        "ecd_mean",
        1,
        float(diameter.mean()),
        mean_interval(diameter),
        "mean over objects of the equivalent circle diameter",
        mean,
    )
    for percent in (10, 50, 90):
        yield entry(
            f"ecd_d{percent}",
            1,
            float(np.quantile(diameter, percent / 100)),
            quantile_interval(diameter, percent / 100),
            f"{percent} % point of the equivalent circle diameter, by number of objects",
            "order statistics",
        )


def _boundary_density(field: Field, scale: float | None) -> Iterator[Quantity]:
    if scale is None:
        return
    length, area = field.boundaries.block_length, field.blocks.area
    factor = 1.0 / (scale * MM_PER_UM)
    yield Quantity(
        "boundary_length_per_area",
        float(length.sum() / area.sum()) * factor,
        "mm^-1",
        _scaled(count_interval(length, area), factor),
        field.count,
        None,
        "Cauchy-Crofton in 8 directions, each boundary once, image frame not counted; "
        f"95 %: log-normal t interval over {_grid(field)}",
    )


def _grid(field: Field) -> str:
    rows, columns = field.blocks.shape
    return f"{rows} x {columns} image blocks"


def _scaled(interval: Interval | None, factor: float) -> Interval | None:
    return None if interval is None else (interval[0] * factor, interval[1] * factor)
