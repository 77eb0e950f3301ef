"""Numbers as they are printed: no more digits than the interval carries."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["QUANTITY_LABELS", "display_unit", "format_interval", "format_length"]

QUANTITY_LABELS = {
    "object_count": "Objects",
    "coverage": "Area covered by objects",
    "phase_fraction": "Area fraction",
    "object_area_mean": "Mean object area",
    "objects_per_area": "Objects per area",
    "ecd_mean": "Mean equivalent circle diameter",
    "ecd_d10": "Diameter d10",
    "ecd_d50": "Diameter d50",
    "ecd_d90": "Diameter d90",
    "boundary_length_per_area": "Boundary length per area",
}
_UNIT_LABELS = {
    "um": "µm",
    "um^2": "µm²",
    "mm^-2": "mm⁻²",
    "mm^-1": "mm⁻¹",
    "px": "px",
    "px^2": "px²",
    "1": "",
}
_DIGITS_WITHOUT_INTERVAL = 4


def display_unit(unit: str, value: float) -> tuple[str, float]:
    """Return the unit to print a value of ``um``, ``px`` ... in, and the factor to get there.

    Lengths below 0.1 um are printed in nm, areas below 0.01 um^2 in nm^2.
    """
    if unit == "um" and abs(value) < 0.1:
        return "nm", 1e3
    if unit == "um^2" and abs(value) < 0.01:
        return "nm²", 1e6
    return _UNIT_LABELS[unit], 1.0


def format_interval(value: float, interval: Sequence[float] | None) -> tuple[str, str]:
    """Return value and interval as text, both to two digits of the interval's half width."""
    width = 0.0 if interval is None else (interval[1] - interval[0]) / 2.0
    if width > 0.0:
        decimals = 1 - math.floor(math.log10(width))
    elif value:
        decimals = _DIGITS_WITHOUT_INTERVAL - 1 - math.floor(math.log10(abs(value)))
    else:
        decimals = 0
    if interval is None:
        return _rounded(value, decimals), "–"
    return _rounded(value, decimals), " – ".join(_rounded(limit, decimals) for limit in interval)


def format_length(micrometres: float) -> str:
    """Return a length to four digits in the unit that suits it: pm, nm, µm or mm."""
    for unit, size in (("mm", 1e3), ("µm", 1.0), ("nm", 1e-3)):
        if micrometres >= size * 0.9999:
            return f"{micrometres / size:.4g} {unit}"
    return f"{micrometres / 1e-6:.4g} pm"


def _rounded(value: float, decimals: int) -> str:
    if decimals >= 7:
        return f"{value:.3g}"
    return f"{round(value, decimals):.{max(decimals, 0)}f}"
