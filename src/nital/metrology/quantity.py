"""What a quantity is: found in pixels, reported in the unit that the calibration allows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from nital.metrology.intervals import Interval

__all__ = ["Finding", "Quantity", "in_units"]

_CALIBRATED = {0: "1", 1: "um", 2: "um^2", -1: "mm^-1", -2: "mm^-2"}
_UNCALIBRATED = {0: "1", 1: "px", 2: "px^2"}
_UM_PER_MM = 1e3


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
        Number of objects, intercepts or points that the value rests on.
    phase
        The phase it is about; ``None`` for all.
    method
        How value and interval were found.
    standard
        The standard whose quantity it is, if any.
    object
        The label it is about, for quantities of a single layer; ``None`` for all others.
    budget
        Half the width of the interval, in ``unit``, that each source of uncertainty gives by
        itself; ``None`` where there is only one.
    """

    name: str
    value: float
    unit: str
    ci95: Interval | None
    n: int
    phase: int | None
    method: str
    standard: str | None = None
    object: int | None = None
    budget: dict[str, float] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the entry of ``summary.json``.

        ``object`` is there for single layers only, ``budget`` for several sources of uncertainty.
        """
        entry = asdict(self)
        entry["ci95"] = None if self.ci95 is None else list(self.ci95)
        for name in ("object", "budget"):
            if entry[name] is None:
                del entry[name]
        return entry


@dataclass(frozen=True)
class Finding:
    """A quantity before it is given a unit.

    Parameters
    ----------
    name, n, method, standard, phase, object
        As in :class:`Quantity`.
    value, interval
        In pixels to the power ``dimension``, or in ``unit``.
    dimension
        1 for lengths, 2 for areas, -1 and -2 for amounts per length and area, 0 for numbers.
    unit
        Of a number that is not plain, such as ``"deg"``.
    budget
        As in :class:`Quantity`, in the unit of ``value``.
    """

    name: str
    value: float
    dimension: int
    interval: Interval | None
    n: int
    method: str
    standard: str | None = None
    phase: int | None = None
    object: int | None = None
    unit: str | None = None
    budget: dict[str, float] | None = None


def in_units(findings: Iterable[Finding], scale: float | None) -> Iterator[Quantity]:
    """Give findings their units; amounts per length or area need a scale and go without one.

    Parameters
    ----------
    findings
        What was found, in pixels.
    scale
        Pixel size in um, or ``None``.
    """
    units = _UNCALIBRATED if scale is None else _CALIBRATED
    for found in findings:
        if found.dimension not in units:
            continue
        factor = 1.0
        if scale is not None and found.dimension:
            side = scale if found.dimension > 0 else scale / _UM_PER_MM
            factor = side**found.dimension
        interval = found.interval
        yield Quantity(
            name=found.name,
            value=found.value if isinstance(found.value, int) else float(found.value * factor),
            unit=found.unit or units[found.dimension],
            ci95=None if interval is None else (interval[0] * factor, interval[1] * factor),
            n=found.n,
            phase=found.phase,
            method=found.method,
            standard=found.standard,
            object=found.object,
            budget=found.budget and {key: half * factor for key, half in found.budget.items()},
        )
