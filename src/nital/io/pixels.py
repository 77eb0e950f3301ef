"""From pixels as stored to the grey levels of a micrograph: uint8, uint16 or float32, finite."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.errors import InputError

__all__ = ["to_grey", "to_supported"]

GREY_TOLERANCE = 3
# What 32-bit floats hold with room to compute in, and with enough levels in between.
LARGEST = 1e38
SMALLEST_SPAN = 1e-30
RESOLVED_LEVELS = 1024
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)


def to_grey(pixels: NDArray[Any], name: str) -> tuple[NDArray[Any], list[str]]:
    """Reduce (H, W) or (H, W, C) pixels to one grey channel.

    Alpha is dropped. Equal channels (within 3 of 255 levels, as JPEG leaves them) are grey
    already; real colour becomes Rec. 709 luminance, with a warning.

    Raises
    ------
    InputError
        The array is not an image of 1 to 4 channels.
    """
    if pixels.ndim == 3 and pixels.shape[2] in (1, 2):
        pixels = pixels[:, :, 0]
    if pixels.ndim == 2:
        return pixels, []
    if pixels.ndim != 3 or pixels.shape[2] not in (3, 4) or pixels.dtype.kind not in "uif":
        raise InputError(
            f"{name}: an array of shape {pixels.shape} is not one grey or RGB image; "
            "save one 2-D image"
        )
    first = pixels[:, :, 0]
    if all(np.array_equal(first, pixels[:, :, channel]) for channel in (1, 2)):
        return first, []
    tolerance = GREY_TOLERANCE if pixels.dtype == np.uint8 else 0
    spread = np.ptp(pixels[:, :, :3], axis=2)
    grey = _luminance(pixels)
    if spread.max() <= tolerance:
        return grey, []
    return grey, ["the image is in colour; its luminance (Rec. 709) is used"]


def _luminance(pixels: NDArray[Any]) -> NDArray[Any]:
    grey = np.zeros(pixels.shape[:2], np.float32)
    for channel, weight in enumerate(LUMINANCE):
        grey += weight * pixels[:, :, channel].astype(np.float32)
    if pixels.dtype in (np.uint8, np.uint16):
        return np.rint(grey).astype(pixels.dtype)
    return grey


def to_supported(pixels: NDArray[Any], name: str) -> tuple[NDArray[Any], list[str]]:
    """Convert (H, W) pixels to uint8, uint16 or float32 without NaN and infinities.

    Binary images become 0 and 255. Values that are not finite become the median of the finite
    ones. A range that float32 cannot hold or resolve is stretched to 0...1. All with a warning.

    Raises
    ------
    InputError
        The image is empty, complex, or has no finite pixel.
    """
    if pixels.ndim != 2 or pixels.size == 0:
        raise InputError(f"{name}: the image is empty (shape {pixels.shape}); export it again")
    if pixels.dtype == np.bool_:
        return _checked_constant(pixels.astype(np.uint8) * np.uint8(255), [])
    if pixels.dtype.kind not in "uif":
        raise InputError(
            f"{name}: pixels of type {pixels.dtype} are not grey levels; "
            "save the image as integers or floats"
        )
    native = pixels.dtype.newbyteorder("=")
    if native in (np.uint8, np.uint16):
        return _checked_constant(np.ascontiguousarray(pixels, dtype=native), [])
    warnings: list[str] = []
    filled = _finite(pixels, name, warnings)
    return _checked_constant(_to_float32(filled, warnings), warnings)


def _finite(pixels: NDArray[Any], name: str, warnings: list[str]) -> NDArray[Any]:
    if pixels.dtype.kind != "f":
        return pixels
    finite = np.isfinite(pixels)
    bad = pixels.size - int(np.count_nonzero(finite))
    if bad == 0:
        return pixels
    if bad == pixels.size:
        raise InputError(f"{name}: no pixel is finite (all NaN or infinite); export it again")
    warnings.append(
        f"{bad} of {pixels.size} pixels are NaN or infinite; "
        "they were set to the median of the others"
    )
    return np.where(finite, pixels, np.median(pixels[finite])).astype(pixels.dtype)


def _to_float32(pixels: NDArray[Any], warnings: list[str]) -> NDArray[np.float32]:
    low, high = float(pixels.min()), float(pixels.max())
    largest = max(abs(low), abs(high))
    if low == high:
        return np.full(pixels.shape, np.clip(low, -LARGEST, LARGEST), np.float32)
    if _float32_resolves(largest, high - low):
        return np.ascontiguousarray(pixels, dtype=np.float32)
    warnings.append(
        f"grey levels from {low:.9g} to {high:.9g} do not fit 32-bit floats; "
        "they were stretched to 0...1"
    )
    span = np.longdouble(high) - np.longdouble(low)
    stretched = (pixels.astype(np.longdouble) - np.longdouble(low)) / span
    return stretched.astype(np.float32)


def _float32_resolves(largest: float, span: float) -> bool:
    """Whether 32-bit floats up to ``largest`` keep enough levels within ``span``."""
    if largest > LARGEST or span < SMALLEST_SPAN:
        return False
    return span / float(np.spacing(np.float32(largest))) >= RESOLVED_LEVELS


def _checked_constant(pixels: NDArray[Any], warnings: list[str]) -> tuple[NDArray[Any], list[str]]:
    if pixels.min() == pixels.max():
        warnings.append(f"every pixel has the same value ({pixels.flat[0]}): nothing to segment")
    return pixels, warnings
