"""Pixel sizes and data bars in the TIFF tags of microscope makers.

Each function reads one maker's structure and returns ``None`` where the tag is absent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from xml.etree import ElementTree

from nital.io.decoded import Facts
from nital.io.fields import matched_to_width, number, square_candidate
from nital.io.magnification import parse_magnification
from nital.io.scale import ScaleCandidate
from nital.io.units import to_micrometres

__all__ = ["VENDORS", "TiffTags"]

ZEISS_DISPLAY_COLUMNS = 1024
TVIPS_DIFFRACTION_MODE = 3


@dataclass(frozen=True)
class TiffTags:
    """The tags of the page that was read.

    Parameters
    ----------
    values
        By tag number, as tifffile decodes them.
    height, width
        Of the page, pixels.
    """

    values: Mapping[int, Any]
    height: int
    width: int

    @property
    def description(self) -> str:
        """ImageDescription as text."""
        value = self.values.get(270, "")
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def read_fei(tags: TiffTags) -> Facts | None:
    """FEI and Thermo Fisher SEM and FIB: INI text in tag 34680 or 34682, lengths in metres.

    Without a scan section (navigation camera) the field width over the columns is taken.
    """
    code = next((c for c in (34682, 34680) if isinstance(tags.values.get(c), dict)), None)
    if code is None:
        return None
    ini: dict[str, dict[str, Any]] = tags.values[code]
    image, beam, system = (ini.get(name, {}) for name in ("Image", "Beam", "System"))
    columns, rows = number(image.get("ResolutionX")), number(image.get("ResolutionY"))
    source = f"FEI tag {code}"
    found: list[ScaleCandidate] = []
    for section in ("Scan", str(beam.get("Scan") or "EScan")):
        keys = ini.get(section, {})
        width, height = number(keys.get("PixelWidth")), number(keys.get("PixelHeight"))
        if width is not None:
            found.append(_metres(width, height, f"{source} [{section}]"))
    if not any(candidate.is_positive for candidate in found) and columns:
        for section in dict.fromkeys(("IRBeam", str(beam.get("Beam")))):
            keys = ini.get(section, {})
            width, height = number(keys.get("HFW")), number(keys.get("VFW"))
            if width:
                tall = height / rows if height and rows else None
                found.append(_metres(width / columns, tall, f"{source} [{section}] field width"))
    candidates, warnings = matched_to_width(tuple(found), columns, tags.width)
    bar = number(ini.get("PrivateFei", {}).get("DatabarHeight")) or 0
    return Facts(
        candidates,
        warnings,
        modality="SEM",
        content_rows=int(rows if rows and columns == tags.width else tags.height - bar),
        microscope=f"FEI {system.get('SystemType', '')}".strip(),
    )


def _metres(width: float, height: float | None, source: str) -> ScaleCandidate:
    return ScaleCandidate(width * 1e6, (width if height is None else height) * 1e6, source)


def read_fei_xml(tags: TiffTags) -> Facts | None:
    """Phenom (``pixelWidth`` in a unit of its own) and Titan (``PixelSize`` X, Y): tag 34683."""
    text = tags.values.get(34683)
    root = _parse_xml(text) if text else None
    if root is None:
        return None
    by_name: dict[str, ElementTree.Element] = {}
    for element in root.iter():
        by_name.setdefault(_local(element), element)
    pair = [by_name.get("pixelWidth"), by_name.get("pixelHeight")]
    if pair[0] is None:
        parent = by_name.get("PixelSize", by_name.get("PixelsSize"))
        children = {} if parent is None else {_local(child): child for child in parent}
        pair = [children.get("X"), children.get("Y")]
    sides = [
        to_micrometres(value, element.get("unit", "m"))
        for element in pair
        if element is not None and (value := number(element.text)) is not None
    ]
    candidates: tuple[ScaleCandidate, ...] = ()
    if sides and None not in sides:
        width, height = sides[0], sides[-1]
        assert width is not None
        assert height is not None
        candidates = (ScaleCandidate(width, height, "FEI tag 34683"),)
    bar = by_name.get("databarHeight")
    rows = None if bar is None else number(bar.text)
    return Facts(
        candidates,
        modality="SEM" if bar is not None else "TEM",
        content_rows=None if rows is None else int(tags.height - rows),
        microscope="FEI",
    )


def _parse_xml(text: object) -> ElementTree.Element | None:
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    try:
        return ElementTree.fromstring(plain.strip("\x00\x01 \r\n\t"))
    except ElementTree.ParseError:
        return None


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def read_zeiss(tags: TiffTags) -> Facts | None:
    """Zeiss SmartSEM: tag 34118.

    ``AP_IMAGE_PIXEL_SIZE`` belongs to the stored image. ``AP_PIXEL_SIZE``, and the fourth of the
    unnamed numbers (in metres), belong to a display 1024 pixels wide: an image stored 512, 2048
    or 3072 pixels wide has 2, 0.5 or 0.33 times that. They count after conversion only.
    """
    metadata = tags.values.get(34118)
    if not isinstance(metadata, dict):
        return None
    source = "Zeiss tag 34118"
    columns = _zeiss_columns(metadata)
    to_image = ZEISS_DISPLAY_COLUMNS / (columns or tags.width)
    found = _zeiss_length(metadata, "ap_image_pixel_size", f"{source}, image pixel size")
    unnamed = metadata.get("", ())
    if len(unnamed) > 3:
        metres = (number(unnamed[3]) or 0.0) * to_image
        found += square_candidate(metres, "m", f"{source}, display pixel x {to_image:.4g}")
    display = _zeiss_length(metadata, "ap_pixel_size", f"{source}, display pixel size")
    found += tuple(
        ScaleCandidate(c.width * to_image, c.height * to_image, f"{c.source} x {to_image:.4g}")
        for c in display
    )
    found += tuple(replace(candidate, trusted=False) for candidate in display)
    candidates, warnings = matched_to_width(found, columns, tags.width)
    stated = " ".join(str(part) for part in metadata.get("ap_mag", ())[1:])
    return Facts(
        candidates,
        warnings,
        modality="SEM",
        microscope="Zeiss",
        magnification=parse_magnification(stated),
    )


def _zeiss_length(metadata: Mapping[str, Any], key: str, source: str) -> tuple[ScaleCandidate, ...]:
    entry = metadata.get(key, ())
    return square_candidate(entry[1], str(entry[2]), source) if len(entry) > 2 else ()


def _zeiss_columns(metadata: Mapping[str, Any]) -> float | None:
    entry = metadata.get("dp_image_store", ())
    match = re.match(r"\s*(\d+)\s*\*\s*\d+", str(entry[1])) if len(entry) > 1 else None
    return float(match[1]) if match else None


def read_tescan(tags: TiffTags) -> Facts | None:
    """TESCAN: binary head, then INI text in tag 50431; lengths in metres."""
    data = tags.values.get(50431)
    if not isinstance(data, bytes | str):
        return None
    text = data.decode("latin-1") if isinstance(data, bytes) else data
    found = dict(re.findall(r"(PixelSizeX|PixelSizeY|ImageStripSize|Device)=([^\r\n\x00]*)", text))
    return tescan_facts(found, "TESCAN tag 50431", tags.height)


def tescan_facts(keys: Mapping[str, Any], source: str, height: int) -> Facts | None:
    """Facts of TESCAN's keys, from the tag or from a ``.hdr`` sidecar."""
    side = number(keys.get("PixelSizeX"))
    if side is None:
        return None
    candidate = _metres(side, number(keys.get("PixelSizeY")), source)
    strip = number(keys.get("ImageStripSize")) or 0
    return Facts(
        (candidate,),
        modality="SEM",
        content_rows=int(height - strip),
        microscope=f"TESCAN {keys.get('Device', '')}".strip(),
    )


def read_sis(tags: TiffTags) -> Facts | None:
    """Olympus SIS (also JEOL TEM cameras): tag 33560, lengths in metres."""
    metadata = tags.values.get(33560)
    if not isinstance(metadata, dict):
        return None
    width, height = number(metadata.get("pixelsizex")), number(metadata.get("pixelsizey"))
    found = () if width is None else (_metres(width, height, "Olympus SIS tag 33560"),)
    return Facts(found)


def read_tvips(tags: TiffTags) -> Facts | None:
    """TVIPS EM-MENU: tag 37706, version 2, nanometres; not in diffraction mode."""
    metadata = tags.values.get(37706)
    if not isinstance(metadata, dict):
        return None
    width, height = number(metadata.get("PixelSizeX")), number(metadata.get("PixelSizeY"))
    if metadata.get("TemMode") == TVIPS_DIFFRACTION_MODE:
        warning = "the image is a diffraction pattern, so it has no pixel size in real space"
        return Facts(warnings=(warning,), modality="TEM", microscope="TVIPS camera")
    found: tuple[ScaleCandidate, ...] = ()
    if width is not None and height is not None:
        found = (ScaleCandidate(width * 1e-3, height * 1e-3, "TVIPS tag 37706"),)
    return Facts(found, modality="TEM", microscope="TVIPS camera")


def read_gatan(tags: TiffTags) -> Facts | None:
    """Gatan DigitalMicrograph TIFF: units in tags 65003 and 65004, sides in 65009 and 65010."""
    if 65009 not in tags.values:
        return None
    sides = [
        None if value is None else to_micrometres(value, str(tags.values.get(unit, "")))
        for value, unit in (
            (number(tags.values.get(65009)), 65003),
            (number(tags.values.get(65010)), 65004),
        )
    ]
    if sides[0] is None or sides[1] is None:
        return Facts(microscope="Gatan camera")
    candidate = ScaleCandidate(sides[0], sides[1], "Gatan tags 65009, 65010")
    return Facts((candidate,), microscope="Gatan camera")


def read_jeol_sightx(tags: TiffTags) -> Facts | None:
    """JEOL SightX TEM: XML in the description; print resolution over magnification."""
    if tags.values.get(271) != "JEOL Ltd.":
        return None
    root = _parse_xml(tags.description)
    if root is None:
        return None
    texts = {_local(element): (element.text or "").strip() for element in root.iter()}
    magnification = number(texts.get("SelectorValue"))
    modality = "TEM" if texts.get("EosMode") == "eosTEM" else "STEM"
    found: tuple[ScaleCandidate, ...] = ()
    sides = resolution_sides(tags)
    if modality == "TEM" and texts.get("ModeString") == "MAG" and magnification and sides:
        width, height = (side / magnification for side in sides)
        found = (ScaleCandidate(width, height, "JEOL tags 270, 282, 283"),)
    return Facts(found, modality=modality, microscope="JEOL")


def resolution_sides(tags: TiffTags) -> tuple[float, float] | None:
    """Width and height of a pixel by the baseline resolution tags, µm; ``None`` without unit."""
    unit = {2: 25400.0, 3: 10000.0}.get(int(tags.values.get(296, 2)))
    densities = pixel_densities(tags)
    if unit is None or densities is None:
        return None
    return unit / densities[0], unit / densities[1]


def pixel_densities(tags: TiffTags) -> tuple[float, float] | None:
    """Pixels per resolution unit along a row and a column; ``None`` where absent or zero."""
    densities = []
    for code in (282, 283):
        numerator, denominator = tags.values.get(code, (0, 1))
        if not numerator or not denominator:
            return None
        densities.append(numerator / denominator)
    return densities[0], densities[1]


VENDORS: tuple[Callable[[TiffTags], Facts | None], ...] = (
    read_fei,
    read_fei_xml,
    read_zeiss,
    read_tescan,
    read_sis,
    read_tvips,
    read_gatan,
    read_jeol_sightx,
)
