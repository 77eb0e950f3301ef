"""TIFF: which page, and its pixels as grey or RGB."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.errors import InputError
from nital.io.decoded import Decoded, Facts, Page, choose_page, reporting_damage
from nital.io.open_tags import OPEN_TAGS
from nital.io.vendors import VENDORS, TiffTags

__all__ = ["quiet_tifffile", "read_tiff"]

PRIVATE_TAGS = 32768


def read_tiff(path: Path, page: int | None, as_stored: bool = False) -> Decoded:
    """Read one page of a TIFF file.

    Parameters
    ----------
    page
        Counted from 0; ``None`` takes the first of the largest pages that are no thumbnails.
    as_stored
        For label images: keep the indices of a palette, and 0 where 0 is shown as white.

    Raises
    ------
    InputError
        The file is damaged, cut short, no TIFF, has no such page or no grey or RGB image.
    """
    import tifffile

    with quiet_tifffile(), reporting_damage(path, "TIFF"), tifffile.TiffFile(path) as tif:
        pages: list[Any] = [tif.pages[i] for i in range(len(tif.pages))]
        if not pages:
            raise InputError(f"{path}: holds no image; export it again")
        chosen, warnings = choose_page(path, [_summary(entry) for entry in pages], page)
        pixels = _page_pixels(path, pages[chosen], as_stored)
        facts = _facts(pages, chosen)
    metadata: dict[str, str | int | float] = {"format": "TIFF"}
    if len(pages) > 1:
        metadata |= {"pages": len(pages), "page": chosen}
    return Decoded(pixels, facts, warnings, metadata)


def _summary(page: Any) -> Page:
    return Page(
        (page.imagelength, page.imagewidth),
        is_thumbnail=bool(page.is_reduced),
        is_colour=page.samplesperpixel >= 3,
    )


def _facts(pages: list[Any], chosen: int) -> tuple[Facts, ...]:
    """What the tags of the chosen page say; makers' tags count from its twins too."""
    page = pages[chosen]
    values = {tag.code: tag.value for tag in page.tags}
    for other in pages:
        if (other.imagelength, other.imagewidth) == (page.imagelength, page.imagewidth):
            for tag in other.tags:
                if tag.code >= PRIVATE_TAGS:
                    values.setdefault(tag.code, tag.value)
    tags = TiffTags(values, page.imagelength, page.imagewidth)
    read = (reader(tags) for reader in (*VENDORS, *OPEN_TAGS))
    return tuple(facts for facts in read if facts is not None)


@contextlib.contextmanager
def quiet_tifffile() -> Iterator[None]:
    """Keep tifffile's remarks on odd tags off the terminal."""
    logger = logging.getLogger("tifffile")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def _page_pixels(path: Path, page: Any, as_stored: bool) -> NDArray[Any]:
    """(H, W) or (H, W, C) pixels, channels last, 0 = black."""
    size = path.stat().st_size
    segments = zip(page.dataoffsets, page.databytecounts, strict=True)
    if any(offset + count > size for offset, count in segments):
        raise InputError(f"{path}: the TIFF is cut short; copy or export it again")
    pixels = np.asarray(page.asarray())
    if page.axes == "SYX":
        pixels = np.moveaxis(pixels, 0, 2)
    elif page.axes not in ("YX", "YXS"):
        raise InputError(
            f"{path}: page {page.index} has axes {page.axes}, not those of one grey or RGB image"
        )
    photometric = page.photometric.name
    if photometric == "PALETTE" and not as_stored:
        return _through_palette(pixels, page.colormap)
    if photometric == "MINISWHITE" and not as_stored:
        inverted: NDArray[Any] = _inverted(pixels, page.bitspersample)
        return inverted
    if photometric == "SEPARATED":
        raise InputError(f"{path}: is in print colours (CMYK); save it as grey or RGB")
    return pixels


def _through_palette(pixels: NDArray[Any], colormap: NDArray[Any]) -> NDArray[Any]:
    colours = np.moveaxis(colormap, 0, 1)
    if np.all(colours % 257 == 0):
        colours = (colours // 257).astype(np.uint8)
    elif np.all(colours % 256 == 0):
        colours = (colours // 256).astype(np.uint8)
    looked_up: NDArray[Any] = colours[pixels.astype(np.intp)]
    return looked_up


def _inverted(pixels: NDArray[Any], bits: int) -> Any:
    if pixels.dtype == np.bool_:
        return np.logical_not(pixels)
    if pixels.dtype.kind == "u":
        return np.subtract(2**bits - 1, pixels, dtype=pixels.dtype)
    return np.negative(pixels)
