"""Small parsers shared by the readers of vendors' metadata."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nital.io.scale import ScaleCandidate
from nital.io.units import to_micrometres

__all__ = [
    "matched_to_width",
    "number",
    "parse_ini",
    "read_small_text",
    "square_candidate",
]

TEXT_LIMIT = 2**20


def number(value: object) -> float | None:
    """Return ``value`` as a finite float, or ``None`` where it is none."""
    try:
        result = float(str(value).strip())
    except ValueError:
        return None
    return result if math.isfinite(result) else None


def square_candidate(value: object, unit: str, source: str) -> tuple[ScaleCandidate, ...]:
    """One candidate of square pixels, or none where ``value`` or ``unit`` is no length."""
    side = number(value)
    micrometres = None if side is None else to_micrometres(side, unit)
    return () if micrometres is None else (ScaleCandidate(micrometres, micrometres, source),)


def matched_to_width(
    candidates: tuple[ScaleCandidate, ...], stated: float | None, width: int
) -> tuple[tuple[ScaleCandidate, ...], tuple[str, ...]]:
    """Distrust pixel sizes that were recorded for an image of another width.

    Parameters
    ----------
    stated
        Columns of the image when it was taken; ``None`` where the source does not say.
    width
        Columns of the image now.
    """
    if stated is None or stated == width or not candidates:
        return candidates, ()
    warning = (
        f"{candidates[0].source} was written for {stated:.0f} columns but the image has {width}: "
        "it was resampled or cropped, so that pixel size is not used; state it with --pixel-size"
    )
    return tuple(replace(candidate, trusted=False) for candidate in candidates), (warning,)


def read_small_text(path: Path) -> str | None:
    """Text of a sidecar file of at most 1 MiB; ``None`` where there is no such file."""
    try:
        if not path.is_file() or path.stat().st_size > TEXT_LIMIT:
            return None
        data = path.read_bytes()
    except OSError:
        return None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def parse_ini(text: str) -> Mapping[str, Mapping[str, Any]]:
    """Sections and their ``key=value`` lines; lines before the first section are in ``""``."""
    sections: dict[str, dict[str, Any]] = {"": {}}
    current = sections[""]
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("[") and stripped.endswith("]"):
            current = sections.setdefault(stripped[1:-1], {})
        elif "=" in stripped:
            key, _, value = stripped.partition("=")
            current[key.strip()] = value.strip()
    return sections
