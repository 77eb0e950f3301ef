"""Pixel sizes in the files that lie beside an image: JEOL, Hitachi, TESCAN, and one's own."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nital.errors import UsageError
from nital.io.decoded import Facts
from nital.io.fields import (
    matched_to_width,
    number,
    parse_ini,
    read_small_text,
    square_candidate,
)
from nital.io.magnification import parse_magnification
from nital.io.scale import ScaleCandidate
from nital.io.units import parse_length, parse_pixel_size
from nital.io.vendors import tescan_facts

__all__ = ["read_own_sidecar", "read_vendor_sidecars"]


def read_own_sidecar(path: Path) -> Facts:
    """``<stem>.json`` or ``<stem>.toml`` with ``pixel_size`` (with its unit) or ``pixel_size_um``.

    A file of that name without such a key, or that cannot be parsed, says nothing; a pixel size
    without a unit gets a warning.
    """
    for suffix in (".json", ".toml"):
        sidecar = path.with_suffix(suffix)
        text = read_small_text(sidecar)
        if text is None:
            continue
        try:
            content = json.loads(text) if suffix == ".json" else tomllib.loads(text)
        except ValueError:
            return Facts(warnings=(f"{sidecar.name} cannot be parsed and was ignored",))
        if isinstance(content, Mapping) and _OWN_KEYS & content.keys():
            return _own_facts(content, sidecar.name)
    return Facts()


_OWN_KEYS = frozenset({"pixel_size", "pixel_size_um", "pixel_size_nm"})


def _own_facts(content: Mapping[str, Any], name: str) -> Facts:
    stated = _stated_length(content)
    try:
        value = parse_pixel_size(stated).value
    except UsageError:
        return Facts(
            warnings=(
                f"{name} states the pixel size {stated!r}, which is not a positive number "
                'with a unit, so it was ignored: write pixel_size = "12.5 nm"',
            )
        )
    return Facts((ScaleCandidate(value, value, f"sidecar {name}"),))


def _stated_length(content: Mapping[str, Any]) -> str:
    """The statement as a number with its unit, such as ``"12.5nm"``."""
    for unit in ("um", "nm"):
        if f"pixel_size_{unit}" in content:
            return f"{content[f'pixel_size_{unit}']}{unit}"
    stated: Any = content["pixel_size"]
    if isinstance(stated, Mapping):
        return f"{stated.get('value', '')}{stated.get('unit', '')}"
    return f"{stated}{content.get('pixel_size_unit', content.get('unit', ''))}"


def read_vendor_sidecars(path: Path, shape: tuple[int, int]) -> list[Facts]:
    """Facts of the text files that JEOL, Hitachi and TESCAN microscopes write beside an image.

    Parameters
    ----------
    shape
        (H, W) of the image.
    """
    found: list[Facts | None] = []
    for suffix in (".txt", ".TXT", ".Txt"):
        text = read_small_text(path.with_suffix(suffix))
        if text is not None:
            found.append(_jeol(text, shape) or _hitachi(text, shape))
            break
    extension = path.suffix[1:]
    for name in (f"{path.stem}-{extension}.hdr", f"{path.stem}.hdr"):
        text = read_small_text(path.with_name(name))
        if text is not None:
            keys = {k: v for section in parse_ini(text).values() for k, v in section.items()}
            found.append(tescan_facts(keys, f"TESCAN sidecar {name}", shape[0]))
            break
    return [facts for facts in found if facts is not None]


def _jeol(text: str, shape: tuple[int, int]) -> Facts | None:
    """``$$SM_MICRON_BAR`` in pixels, ``$$SM_MICRON_MARKER`` as the length it stands for."""
    keys = dict(re.findall(r"^\$+(\S+)[ \t]+(.*?)\s*$", text, re.MULTILINE))
    if "SM_MICRON_BAR" not in keys and "CM_FORMAT" not in keys:
        return None
    bar = number(keys.get("SM_MICRON_BAR"))
    marker = parse_length(keys.get("SM_MICRON_MARKER", ""))
    found: tuple[ScaleCandidate, ...] = ()
    if bar and marker:
        found = (ScaleCandidate(marker / bar, marker / bar, "JEOL sidecar, micron bar"),)
    columns, rows = _pair(keys.get("CM_FULL_SIZE", ""))
    candidates, warnings = matched_to_width(found, columns, shape[1])
    return Facts(
        candidates,
        warnings,
        modality="SEM",
        content_rows=int(rows) if rows and columns == shape[1] else None,
        microscope=f"JEOL {keys.get('CM_INSTRUMENT', '')}".strip(),
        magnification=parse_magnification(keys.get("CM_MAG", "")),
    )


def _hitachi(text: str, shape: tuple[int, int]) -> Facts | None:
    """``PixelSize`` in nm and ``DataSize`` under ``[SemImageFile]`` or ``[TemImageFile]``."""
    sections = parse_ini(text)
    name = next((n for n in ("SemImageFile", "TemImageFile") if n in sections), None)
    if name is None:
        return None
    keys = sections[name]
    stated = str(keys.get("PixelSize", ""))
    source = "Hitachi sidecar, PixelSize"
    length = parse_length(stated)
    found = square_candidate(stated, "nm", source)
    if length is not None:
        found = (ScaleCandidate(length, length, source),)
    columns, rows = _pair(str(keys.get("DataSize", "")))
    candidates, warnings = matched_to_width(found, columns, shape[1])
    return Facts(
        candidates,
        warnings,
        modality=name[:3].upper(),
        content_rows=int(rows) if rows and columns == shape[1] else None,
        microscope=f"Hitachi {keys.get('InstructName', '')}".strip(),
        magnification=parse_magnification(keys.get("Magnification", "")),
    )


def _pair(text: str) -> tuple[float | None, float | None]:
    values = re.findall(r"\d+", text)
    return (float(values[0]), float(values[1])) if len(values) == 2 else (None, None)
