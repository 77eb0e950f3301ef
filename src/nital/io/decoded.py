"""What one format reader hands over, before grey levels, scale and data bar are settled."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from nital.errors import InputError, NitalError
from nital.io.scale import ScaleCandidate

__all__ = ["Decoded", "choose_page", "reporting_damage"]


@dataclass
class Decoded:
    """Pixels as stored, with what the file says about them.

    Parameters
    ----------
    pixels
        (H, W) grey or (H, W, C) with C = 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha); any dtype.
    candidates
        Pixel sizes in falling order of authority.
    content_rows
        Rows that show the specimen, where the file says so.
    """

    pixels: NDArray[Any]
    candidates: list[ScaleCandidate] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    metadata: dict[str, str | int | float] = field(default_factory=dict)
    modality: str | None = None
    content_rows: int | None = None


@contextlib.contextmanager
def reporting_damage(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a decoder raises on a damaged file into one :class:`InputError`."""
    try:
        yield
    except NitalError:
        raise
    except PermissionError as error:
        raise InputError(f"{path}: no permission to read it; check the file's rights") from error
    except MemoryError as error:
        raise InputError(
            f"{path}: the image does not fit into memory; crop it or save it in pieces"
        ) from error
    except Exception as error:
        raise InputError(
            f"{path}: cannot be read as {kind} ({_reason(error)}); "
            "it is damaged, cut short or of another format: export it again"
        ) from error


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else type(error).__name__
    return text if len(text) <= 120 else text[:117] + "..."


def choose_page(
    path: Path, shapes: list[tuple[int, int]], thumbnails: list[bool], page: int | None
) -> tuple[int, list[str]]:
    """Choose the image to read from a file with several.

    Parameters
    ----------
    shapes
        (H, W) of each page.
    thumbnails
        Whether each page is marked as a reduced copy of another.
    page
        The user's choice, counted from 0; ``None`` takes the first of the largest real pages.

    Raises
    ------
    InputError
        The file has no such page.
    """
    if page is not None:
        if not 0 <= page < len(shapes):
            raise InputError(
                f"{path}: has no page {page}; choose one from 0 to {len(shapes) - 1} with page="
            )
        return page, []
    areas = [height * width for height, width in shapes]
    real = [i for i in range(len(shapes)) if not thumbnails[i]] or list(range(len(shapes)))
    largest = max(areas[i] for i in real)
    real = [i for i in real if 4 * areas[i] > largest]
    chosen = next(i for i in real if areas[i] == largest)
    if len(real) == 1:
        return chosen, []
    height, width = shapes[chosen]
    return chosen, [
        f"the file holds {len(real)} images; page {chosen} ({height} x {width}) was read: "
        "choose another with page="
    ]
