"""Numbers as they are printed: no more digits than the interval carries."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "Units",
    "common_units",
    "display_unit",
    "format_accuracy",
    "format_interval",
    "format_length",
    "headline",
    "print_quantity",
]

Units = Mapping[str, tuple[str, float]]

_UNIT_LABELS = {
    "um": "µm",
    "um^2": "µm²",
    "mm^-2": "mm⁻²",
    "mm^-1": "mm⁻¹",
    "px": "px",
    "px^2": "px²",
    "1": "",
    "deg": "°",
}
_EXACT_DIGITS = 4
_UNKNOWN = 0.25  # a value without an interval gets the digits of one that is known to a quarter
_PER_CENT = ("coverage", "phase_fraction", "phase_fraction_points")
_MATRIX = 1
_MOST_IN_HEADLINE = 3
_HEADLINES = {
    "grains": (("astm_g_planimetric", "G"), ("lineal_intercept_mean", "mean intercept")),
    "phases": (("phase_fraction", "phase"),),
    "particles": (("ecd_d50", "d50"),),
    "layers": (("layer_thickness_mean", "layer"),),
}


def display_unit(unit: str, value: float) -> tuple[str, float]:
    """Return the unit to print a value of ``um``, ``px`` ... in, and the factor to get there.

    Lengths below 0.1 um are printed in nm, areas below 0.01 um^2 in nm^2; amounts per area from
    1e5 mm^-2 on are printed per um^2, and per length from 1e4 mm^-1 on per um.
    """
    if unit == "um" and abs(value) < 0.1:
        return "nm", 1e3
    if unit == "um^2" and abs(value) < 0.01:
        return "nm²", 1e6
    if unit == "mm^-2" and value >= 1e5:
        return "µm⁻²", 1e-6
    if unit == "mm^-1" and value >= 1e4:
        return "µm⁻¹", 1e-3
    return _UNIT_LABELS[unit], 1.0


def common_units(rows: Sequence[Mapping[str, Any]]) -> Units:
    """Choose for each unit the one to print all its quantities in, after their median."""
    values: dict[str, list[float]] = {}
    for row in rows:
        values.setdefault(row["unit"], []).append(abs(row["value"]))
    return {unit: display_unit(unit, statistics.median(of)) for unit, of in values.items()}


def print_quantity(row: Mapping[str, Any], units: Units) -> tuple[str, str, str]:
    """Return value, interval and unit of a quantity as they are printed.

    Parameters
    ----------
    row
        An entry of ``quantities`` in ``summary.json``.
    units
        As from :func:`common_units`. Fractions are printed in per cent.
    """
    unit, factor = units[row["unit"]]
    if row["name"] in _PER_CENT:
        unit, factor = "%", 100.0
    scaled = None if row["ci95"] is None else [limit * factor for limit in row["ci95"]]
    value, interval = format_interval(row["value"] * factor, scaled)
    return str(row["value"]) if isinstance(row["value"], int) else value, interval, unit


def headline(summary: Mapping[str, Any]) -> str:
    """Return the result that a target is measured for, in a few words; empty if there is none."""
    names = _HEADLINES[summary["target"]["value"]]
    rows = summary["quantities"]
    units = common_units(rows)
    for name, label in names:
        found = [row for row in rows if row["name"] == name and _is_shown(row)]
        if found:
            words = [_in_words(row, label, units) for row in found[:_MOST_IN_HEADLINE]]
            return ", ".join(words) + (", …" if len(found) > _MOST_IN_HEADLINE else "")
    return ""


def _is_shown(row: Mapping[str, Any]) -> bool:
    """Whether a quantity is a single layer's, that of a phase in a matrix, or that of all."""
    if row["name"] == "phase_fraction":
        return bool(row["phase"] != _MATRIX)
    return row.get("object") is not None or row["phase"] is None


def _in_words(row: Mapping[str, Any], label: str, units: Units) -> str:
    value, interval, unit = print_quantity(row, units)
    if row.get("object") is not None:
        label = f"{label} {row['object']}"
    elif row["phase"] is not None:
        label = f"{label} {row['phase']}"
    return f"{label} {value}{' ' + unit if unit else ''} ({interval})"


def format_interval(value: float, interval: Sequence[float] | None) -> tuple[str, str]:
    """Return value and interval as text, both to two digits of the interval's half width.

    Of a value without an interval nobody knows how many digits hold, so it gets no more.
    """
    width = _UNKNOWN * abs(value) if interval is None else (interval[1] - interval[0]) / 2.0
    if width > 0.0:
        decimals = 1 - math.floor(math.log10(width))
    elif value:
        decimals = _EXACT_DIGITS - 1 - math.floor(math.log10(abs(value)))
    else:
        decimals = 0
    if interval is None:
        return _rounded(value, decimals), "–"
    return _rounded(value, decimals), " – ".join(_rounded(limit, decimals) for limit in interval)


def format_accuracy(value: float, interval: Sequence[float] | None) -> str:
    """Return half the width of the interval in per cent of the value (% RA)."""
    if interval is None or value <= 0.0 or interval[1] <= interval[0]:
        return ""
    accuracy = 50.0 * (interval[1] - interval[0]) / value
    return f"{accuracy:.0f}" if accuracy >= 10.0 else f"{accuracy:.2g}"


def format_length(micrometres: float) -> str:
    """Return a length to four digits in the unit that suits it: pm, nm, µm or mm."""
    for unit, size in (("mm", 1e3), ("µm", 1.0), ("nm", 1e-3)):
        if micrometres >= size * 0.9999:
            return f"{micrometres / size:.4g} {unit}"
    return f"{micrometres / 1e-6:.4g} pm"


def _rounded(value: float, decimals: int) -> str:
    if decimals >= 7:
        return f"{value:.3g}"
    text = f"{round(value, decimals):.{max(decimals, 0)}f}"
    return text.replace("-", "−")
