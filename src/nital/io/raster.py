"""PNG, JPEG and BMP by Pillow; NumPy arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.errors import InputError
from nital.io.decoded import Decoded, Page, choose_page, reporting_damage

__all__ = ["read_array_file", "read_raster"]

BOMB_LIMIT = 2**31
NUMPY_HEADS = (b"\x93NUMPY", b"PK")


def read_raster(path: Path, as_stored: bool = False) -> Decoded:
    """Read a PNG, JPEG or BMP file of 1 to 16 bits per channel, palettes included.

    Parameters
    ----------
    as_stored
        For label images: keep the indices of a palette, and 0 where 0 is shown as white.

    Raises
    ------
    InputError
        The file is damaged or of another format than its name says.
    """
    from PIL import Image

    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = BOMB_LIMIT
    try:
        with (
            reporting_damage(path, "PNG, JPEG or BMP"),
            Image.open(path, formats=["PNG", "JPEG", "BMP"]) as image,
        ):
            deep_colour = image.format == "PNG" and "16" in str(image.tile[0][3])
            metadata: dict[str, str | int | float] = {"format": str(image.format)}
            pixels = _deep_png(path) if deep_colour else _pillow_pixels(image, as_stored)
    finally:
        Image.MAX_IMAGE_PIXELS = limit
    return Decoded(pixels, metadata=metadata)


def _pillow_pixels(image: Any, as_stored: bool) -> NDArray[Any]:
    keep = image.mode == "P" and as_stored
    if not keep and image.mode not in ("1", "L", "LA", "RGB", "RGBA"):
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    return np.asarray(image)


def _deep_png(path: Path) -> NDArray[Any]:
    """16-bit PNG with all its bits; Pillow keeps 8 of them in colour."""
    import imagecodecs

    pixels: NDArray[Any] = imagecodecs.png_decode(path.read_bytes())
    return pixels


def read_array_file(path: Path, page: int | None) -> Decoded:
    """Read ``.npy``, or ``.npz`` with one array: (H, W), (H, W, 3 or 4) or a stack (N, H, W).

    Raises
    ------
    InputError
        The file is damaged, holds Python objects, several arrays or no image.
    """
    with reporting_damage(path, "a NumPy array"):
        with path.open("rb") as stream:
            if not stream.read(6).startswith(NUMPY_HEADS):
                raise InputError(f"{path}: is not a NumPy file; save the array with numpy.save")
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.lib.npyio.NpzFile):
            with loaded:
                if len(loaded.files) != 1:
                    raise InputError(
                        f"{path}: holds {len(loaded.files)} arrays; save the image alone as .npy"
                    )
                loaded = loaded[loaded.files[0]]
    warnings: tuple[str, ...] = ()
    metadata: dict[str, str | int | float] = {"format": "NumPy"}
    if loaded.ndim == 3 and loaded.size and loaded.shape[2] not in (3, 4):
        chosen, warnings = choose_page(path, [Page(loaded.shape[1:])] * len(loaded), page)
        metadata |= {"pages": len(loaded), "page": chosen}
        loaded = loaded[chosen]
    return Decoded(loaded, warnings=warnings, metadata=metadata)
