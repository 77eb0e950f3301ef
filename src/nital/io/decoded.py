"""What one format reader hands over, before grey levels, scale and data bar are settled."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from nital.errors import InputError, NitalError
from nital.io.scale import ScaleCandidate

__all__ = ["Decoded", "Facts", "Page", "choose_page", "reporting_damage"]


@dataclass(frozen=True)
class Facts:
    """What one source (a vendor's tag, a sidecar file) says about an image.

    Parameters
    ----------
    candidates
        Pixel sizes in falling order of authority.
    modality
        ``"SEM"``, ``"TEM"``, ``"STEM"`` or ``"LM"``.
    content_rows
        Rows from the top that show the specimen; where the image is higher, the rest is the
        data bar.
    microscope
        Maker and model as the source names them.
    magnification
        As the source states it.
    """

    candidates: tuple[ScaleCandidate, ...] = ()
    warnings: tuple[str, ...] = ()
    modality: str | None = None
    content_rows: int | None = None
    microscope: str | None = None
    magnification: float | None = None


@dataclass(frozen=True)
class Decoded:
    """Pixels as stored, with what the file says about them.

    Parameters
    ----------
    pixels
        (H, W) grey or (H, W, C) with C = 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha); any dtype.
    facts
        In falling order of authority.
    metadata
        Format and page.
    """

    pixels: NDArray[Any]
    facts: tuple[Facts, ...] = ()
    warnings: tuple[str, ...] = ()
    metadata: dict[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """One image of a file with several.

    Parameters
    ----------
    shape
        (H, W).
    is_thumbnail
        Whether the file marks it as a reduced copy of another.
    is_colour
        Whether it is RGB: beside a grey image of the same size it is a rendering of that one.
    """

    shape: tuple[int, int]
    is_thumbnail: bool = False
    is_colour: bool = False

    @property
    def area(self) -> int:
        """Number of pixels."""
        return self.shape[0] * self.shape[1]


@contextlib.contextmanager
def reporting_damage(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a decoder raises on a damaged file into one :class:`InputError`.

    What decoders merely warn of is kept off the terminal.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
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
            f"{path}: cannot be read as {kind} ({_reason(error, path)}); "
            "it is damaged, cut short or of another format: export it again"
        ) from error


def _reason(error: Exception, path: Path) -> str:
    lines = str(error).replace(repr(str(path)), "").strip().splitlines()
    text = lines[0] if lines else type(error).__name__
    text = text.strip()
    return text if len(text) <= 120 else text[:117] + "..."


def choose_page(path: Path, pages: list[Page], page: int | None) -> tuple[int, tuple[str, ...]]:
    """Choose the image to read from a file with several.

    Thumbnails, and images of a quarter of the largest one's area or less, do not count. Of the
    largest, the first grey one is taken: a colour one beside it is a rendering with a scale bar
    burnt in, as JEOL's TEM cameras write it.

    Parameters
    ----------
    page
        The user's choice, counted from 0.

    Returns
    -------
    index, warnings
        One warning where there was something to choose.

    Raises
    ------
    InputError
        The file has no such page.
    """
    if page is not None:
        if not 0 <= page < len(pages):
            raise InputError(
                f"{path}: has no page {page}; choose one from 0 to {len(pages) - 1} with page="
            )
        return page, ()
    real = [i for i, entry in enumerate(pages) if not entry.is_thumbnail] or [*range(len(pages))]
    largest = max(pages[i].area for i in real)
    real = [i for i in real if 4 * pages[i].area > largest]
    chosen = min(real, key=lambda i: (pages[i].area != largest, pages[i].is_colour, i))
    if len(real) == 1:
        return chosen, ()
    height, width = pages[chosen].shape
    return chosen, (
        f"the file holds {len(real)} images; page {chosen} ({height} x {width}) was read: "
        "choose another with page=",
    )
