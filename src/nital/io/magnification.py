"""Does the pixel size fit the magnification that the same file states?"""

from __future__ import annotations

import re
from dataclasses import replace

from nital.micrograph import Micrograph

__all__ = [
    "contradiction",
    "magnification_of",
    "parse_magnification",
    "with_given_magnification",
]

# A magnification is that of a picture as wide as a print or a screen, in millimetres.
NARROWEST, WIDEST = 20.0, 1500.0


def parse_magnification(text: object) -> float | None:
    """The number of ``50000``, ``x50,000``, ``10.0 K X`` or ``10k``; ``None`` for anything else."""
    found = re.fullmatch(r"\s*[xX×]?\s*(\d[\d,]*(?:\.\d+)?)\s*(?:([kK])\s*)?[xX×]?\s*", str(text))
    if found is None:
        return None
    value = float(found[1].replace(",", "")) * (1000 if found[2] else 1)
    return value if value > 0 else None


def contradiction(
    pixel_size: float, columns: int, magnification: float, source: str = "that the file states"
) -> str | None:
    """A warning that names both, where no print or screen would be as wide as they ask for.

    Parameters
    ----------
    pixel_size
        Side of a pixel in µm.
    columns
        Pixels a row.
    magnification
        As the file states it.
    source
        Where the magnification comes from, in words.
    """
    width = pixel_size * columns * magnification / 1000
    if NARROWEST <= width <= WIDEST:
        return None
    return (
        f"the pixel size {pixel_size:.4g} um contradicts the magnification {magnification:,.0f}x"
        f" {source}: the picture would be {width:,.4g} mm wide on a screen or print;"
        " check the scale, or give --pixel-size"
    )


def magnification_of(micrograph: Micrograph, given: float | None) -> float | None:
    """The magnification given, else the one that the image's file states, if any."""
    stated = micrograph.metadata.get("magnification")
    return given if given is not None or stated is None else float(stated)


def with_given_magnification(micrograph: Micrograph, given: float | None) -> Micrograph:
    """The micrograph, with a warning where its pixel size contradicts the magnification given."""
    if given is None or micrograph.pixel_size is None:
        return micrograph
    columns = micrograph.shape[1]
    warning = contradiction(micrograph.pixel_size.value, columns, given, "that was given")
    if warning is None:
        return micrograph
    return replace(micrograph, warnings=(*micrograph.warnings, warning))
