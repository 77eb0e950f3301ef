"""JSON files of other tools: read with one clear sentence where they are not what they seem."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.errors import InputError, NitalError
from nital.io import atomic_write
from nital.micrograph import PixelSize

__all__ = [
    "PIXEL_SIZE",
    "load_json",
    "number_in",
    "phase_in",
    "phase_name",
    "reporting",
    "ring_of",
    "stated_pixel_size",
    "write_json",
]

PIXEL_SIZE = "pixel_size_um"


def load_json(path: Path) -> Any:
    """Content of a JSON file.

    Raises
    ------
    InputError
        It cannot be read, or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read, {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not JSON ({error}); export it again") from error


def write_json(path: Path, content: Any) -> None:
    """Write one line of JSON, whole or not at all."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
    atomic_write(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


@contextmanager
def reporting(path: Path, kind: str) -> Iterator[None]:
    """Turn what a missing or odd entry raises into one sentence."""
    try:
        yield
    except NitalError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        reason = f"no entry {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(
            f"{path}: is not {kind} that can be read ({reason}); export it again"
        ) from error


def stated_pixel_size(entry: Any, path: Path) -> PixelSize | None:
    """Pixel size that Nital wrote beside the entries of a format; ``None`` where there is none."""
    value = entry.get(PIXEL_SIZE) if isinstance(entry, Mapping) else None
    return None if value is None else PixelSize(float(value), path.name)


def phase_name(phase: int) -> str:
    """Return what the class of a phase is called in exchange files; 0 is an object of none."""
    return f"phase {phase}" if phase else "object"


def phase_in(name: Any) -> int:
    """Phase of a class that Nital named; 0 for another's."""
    number = number_in(name, "phase ")
    return number if number is not None and number < 256 else 0


def number_in(name: Any, prefix: str = "") -> int | None:
    """Return the whole number behind a prefix, as in ``object-12``; ``None`` for other names."""
    text = str(name)
    digits = text.removeprefix(prefix)
    known = text.startswith(prefix) and digits.isdecimal() and len(digits) < 11
    return int(digits) if known else None


def ring_of(points: Sequence[Any]) -> NDArray[np.float64]:
    """(k, 2) corners from pairs, or from x and y in turn."""
    ring = np.asarray(points, dtype=np.float64)
    ring = ring.reshape(-1, 2) if ring.ndim == 1 else ring[:, :2]
    if len(ring) == 0 or not np.isfinite(ring).all():
        raise ValueError("a polygon without corners")
    return ring
