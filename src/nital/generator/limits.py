"""Limits of screening as a user types them: ``area=0.5..20um2``, ``circularity=0.6..``."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from nital.errors import UsageError

__all__ = ["FEATURES", "Limits", "parse_limits"]

Range = tuple[float | None, float | None]
ALL: Range = (None, None)

FEATURES = {
    "area": "area_px",
    "intensity": "mean_intensity",
    "circularity": "circularity",
    "extent": "extent",
    "texture": "texture",
}
SQUARE_MICROMETRES = ("um2", "um^2", "µm2", "µm²", "μm²", "um²")
TYPED = re.compile(r"(?P<name>[a-z]+)=(?P<low>[^.=]*(?:\.\d+)?)\.\.(?P<high>.*)")
NUMBER = re.compile(r"\d+(\.\d*)?(e[+-]?\d+)?")


@dataclass(frozen=True)
class Limits:
    """Lowest and highest value of each feature, ``None`` where there is none.

    Parameters
    ----------
    area_px
        Area in pixels.
    area_um2
        Area in square micrometres; needs a calibrated image.
    mean_intensity
        Mean grey level.
    circularity
        4 pi area / perimeter^2, 0...1.
    extent
        Share of the upright box that the mask fills, 0...1.
    texture
        Standard deviation of the grey levels inside.
    """

    area_px: Range = ALL
    area_um2: Range = ALL
    mean_intensity: Range = ALL
    circularity: Range = ALL
    extent: Range = ALL
    texture: Range = ALL


def parse_limits(typed: Sequence[str]) -> Limits:
    """Limits from texts such as ``area=0.5..20um2``; either end may be left out.

    Raises
    ------
    UsageError
        When a text is not of that form, or names a feature twice.
    """
    found: dict[str, Range] = {}
    for text in typed:
        parts = TYPED.fullmatch(text.replace(" ", "").lower())
        if parts is None or parts["name"] not in FEATURES:
            raise UsageError(
                f"--keep {text!r} is not of the form area=0.5..20um2; the features are"
                f" {', '.join(FEATURES)}, and either end may be left out"
            )
        name, high, unit = FEATURES[parts["name"]], parts["high"], ""
        if name == "area_px":
            high, unit = _without_unit(high)
            name = "area_um2" if unit in SQUARE_MICROMETRES else name
        if name in found:
            raise UsageError(f"--keep names {parts['name']} twice; give one range for it")
        found[name] = _range(text, parts["low"], high)
    return Limits(**found)


def _without_unit(high: str) -> tuple[str, str]:
    """The number and the unit behind it, ``px`` unless another is named."""
    for unit in (*SQUARE_MICROMETRES, "px"):
        if high.endswith(unit):
            return high.removesuffix(unit), unit
    return high, "px"


def _range(text: str, low: str, high: str) -> Range:
    """Two numbers, of which one may be missing."""
    if not (low or high) or not all(NUMBER.fullmatch(each) for each in (low, high) if each):
        raise UsageError(f"--keep {text!r} needs numbers around the two dots, such as 0.5..20")
    least, most = (float(each) if each else None for each in (low, high))
    if (least or 0.0) > (math.inf if most is None else most):
        raise UsageError(f"--keep {text!r} keeps nothing: its first number is the larger")
    return least, most
