"""Length units as microscopes write them, and the pixel size a user types."""

from __future__ import annotations

import math
import re

from nital.errors import UsageError
from nital.micrograph import PixelSize

__all__ = ["MICROMETRES", "parse_length", "parse_pixel_size", "to_micrometres"]

MICROMETRES = {
    "pm": 1e-6,
    "å": 1e-4,
    "angstrom": 1e-4,
    "ångström": 1e-4,
    "nm": 1e-3,
    "nanometer": 1e-3,
    "nanometre": 1e-3,
    "µm": 1.0,
    "um": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "micrometre": 1.0,
    "mm": 1e3,
    "cm": 1e4,
    "m": 1e6,
    "meter": 1e6,
    "metre": 1e6,
    "inch": 25400.0,
    "in": 25400.0,
}

_NUMBER = r"[-+]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][-+]?\d+)?"
_LENGTH = re.compile(rf"\s*({_NUMBER})\s*([^\d\s][^\s]*)\s*")


def to_micrometres(value: float, unit: str) -> float | None:
    """Convert a length to µm; ``None`` when the unit is not a length known to Nital.

    Both code points of µ, ImageJ's escaped form ``\\u00B5``, a wrongly decoded ``Âµ`` and
    the Ångström sign are understood; upper and lower case are the same.
    """
    key = unit.strip().replace("\\u00B5", "µ").replace("\\u00b5", "µ")
    key = key.replace("μ", "µ").replace("Â", "").replace("\u212b", "Å").replace("A\u030a", "Å")
    key = "å" if key == "A" else key.lower()
    factor = MICROMETRES.get(key)
    return None if factor is None else value * factor


def parse_length(text: str) -> float | None:
    """Return the length in ``text``, such as ``"12.5 nm"``, in µm; ``None`` if it is not one."""
    match = _LENGTH.fullmatch(text)
    if match is None:
        return None
    return to_micrometres(float(match[1].replace(",", ".")), match[2])


def parse_pixel_size(text: str, source: str = "--pixel-size") -> PixelSize:
    """Parse the pixel size a user typed: a number with its unit, ``"12.5nm"`` or ``"0.5 um"``.

    Raises
    ------
    UsageError
        The text is not a positive number followed by pm, Å, nm, µm, mm, cm, m or inch.
    """
    value = parse_length(text)
    if value is None or not math.isfinite(value) or value <= 0:
        raise UsageError(
            f"pixel size {text!r} is not a positive number with its unit: "
            "write it like 12.5nm, 0.5um or 1.2e-3mm (units pm, Å, nm, um, mm, cm, m, inch)"
        )
    return PixelSize(value, source)
