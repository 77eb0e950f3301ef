"""Pixel sizes in the tags that anyone writes: Nital, OME-XML, ImageJ, plain resolution."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree

from nital.io.decoded import Facts
from nital.io.fields import number
from nital.io.scale import ScaleCandidate
from nital.io.units import to_micrometres
from nital.io.vendors import TiffTags, pixel_densities, resolution_sides
from nital.io.write import PIXEL_SIZE_KEY

__all__ = ["OPEN_TAGS"]

# Coarser than this (2540 dots per inch), a resolution is meant for a screen or printer.
PRINT_LIMIT_UM = 10.0


def read_nital(tags: TiffTags) -> Facts | None:
    """A file that Nital wrote: the exact value in the description."""
    match = re.search(rf"^{PIXEL_SIZE_KEY}=(\S+)$", tags.description, re.MULTILINE)
    value = number(match[1]) if match else None
    if value is None:
        return None
    return Facts((ScaleCandidate(value, value, "TIFF tags written by Nital"),))


def read_ome(tags: TiffTags) -> Facts | None:
    """OME-XML: PhysicalSizeX and Y of the first image; the unit is µm where none is stated."""
    text = tags.description
    if "<OME" not in text[:2000]:
        return None
    try:
        root = ElementTree.fromstring(text.encode("utf-8"))
    except ElementTree.ParseError:
        return Facts(warnings=("the OME-XML of the file is damaged and was ignored",))
    pixels = next((e for e in root.iter() if e.tag.rpartition("}")[2] == "Pixels"), None)
    if pixels is None:
        return None
    width, height = (_ome_side(pixels, axis) for axis in "XY")
    if width is None:
        return None
    tall = width if height is None else height
    return Facts((ScaleCandidate(width, tall, "OME-XML PhysicalSizeX, PhysicalSizeY"),))


def _ome_side(pixels: ElementTree.Element, axis: str) -> float | None:
    value = number(pixels.get(f"PhysicalSize{axis}"))
    if value is None:
        return None
    return to_micrometres(value, str(pixels.get(f"PhysicalSize{axis}Unit", "µm")))


def read_imagej(tags: TiffTags) -> Facts | None:
    """ImageJ: unit in the description, pixels per unit in the resolution tags.

    ImageJ carries a print resolution over with the unit inch or cm; that is not a calibration.
    """
    if not tags.description.startswith("ImageJ="):
        return None
    keys = dict(re.findall(r"^(\w+)=(.*?)\s*$", tags.description, re.MULTILINE))
    unit = str(keys.get("unit", ""))
    densities = pixel_densities(tags)
    width = to_micrometres(1.0, unit)
    height = to_micrometres(1.0, str(keys.get("yunit", unit)))
    if densities is None or width is None or height is None:
        return None
    candidate = ScaleCandidate(width / densities[0], height / densities[1], f"ImageJ unit {unit}")
    is_print = unit in ("inch", "cm") and candidate.width >= PRINT_LIMIT_UM
    return Facts((replace(candidate, trusted=not is_print),))


def read_resolution(tags: TiffTags) -> Facts | None:
    """Plain resolution tags: shown where finer than any printer, never chosen."""
    sides = resolution_sides(tags)
    if sides is None or max(sides) >= PRINT_LIMIT_UM:
        return None
    candidate = ScaleCandidate(sides[0], sides[1], "TIFF resolution tags", trusted=False)
    return Facts((candidate,))


OPEN_TAGS: tuple[Callable[[TiffTags], Facts | None], ...] = (
    read_nital,
    read_ome,
    read_imagej,
    read_resolution,
)
