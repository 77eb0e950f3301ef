"""The micrograph: pixels, their size, and where both come from."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.errors import InputError

__all__ = ["Micrograph", "PixelSize"]


@dataclass(frozen=True)
class PixelSize:
    """Side of one square pixel, with its provenance.

    Parameters
    ----------
    value
        Side in micrometres, > 0.
    source
        Where the number comes from, e.g. ``"FEI tag 34682"`` or ``"--pixel-size"``.
    alternatives
        ``(value in um, source)`` of other candidates in the same file that disagree by over 1 %.
    """

    value: float
    source: str
    alternatives: tuple[tuple[float, str], ...] = ()

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and self.value > 0):
            raise InputError(f"a pixel size must be a positive number, not {self.value!r}")


@dataclass(frozen=True)
class Micrograph:
    """One grey-level micrograph.

    Parameters
    ----------
    pixels
        (H, W) array, row first; uint8, uint16 or float32, finite everywhere.
    pixel_size
        ``None`` when the image is not calibrated; then lengths are in pixels.
    name
        Short name used in messages and for output folders.
    path, sha256
        The file read, and the hash of its bytes; ``None`` for an array in memory.
    modality
        ``"SEM"``, ``"TEM"``, ``"STEM"``, ``"LM"`` ... when the file says so.
    data_bar_row
        First row of the data bar at the bottom; rows from here on are neither segmented nor
        measured. ``None`` when there is none.
    warnings
        What a user should know about how the file was read.
    metadata
        Short facts of the file for ``nital info`` (strings and numbers).
    """

    pixels: NDArray[Any]
    pixel_size: PixelSize | None = None
    name: str = "array"
    path: Path | None = None
    sha256: str | None = None
    modality: str | None = None
    data_bar_row: int | None = None
    warnings: tuple[str, ...] = ()
    metadata: dict[str, str | int | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.pixels.ndim != 2 or self.pixels.size == 0:
            raise InputError(
                f"{self.name}: a micrograph is a non-empty (H, W) array, not {self.pixels.shape}"
            )
        if self.pixels.dtype not in (np.uint8, np.uint16, np.float32):
            raise InputError(
                f"{self.name}: pixels must be uint8, uint16 or float32, not {self.pixels.dtype}"
            )
        if self.data_bar_row is not None and not 0 < self.data_bar_row < self.pixels.shape[0]:
            raise InputError(f"{self.name}: data bar row {self.data_bar_row} is outside the image")

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the whole image, data bar included."""
        height, width = self.pixels.shape
        return int(height), int(width)

    @property
    def content_rows(self) -> int:
        """Number of rows from the top that show the specimen."""
        return self.shape[0] if self.data_bar_row is None else self.data_bar_row

    @property
    def content(self) -> NDArray[Any]:
        """(content_rows, W) view of the pixels without the data bar."""
        return self.pixels[: self.content_rows]

    def over_whole(self, part: NDArray[Any]) -> NDArray[Any]:
        """A (content_rows, W) array as one of the whole image, zeros where the data bar lies."""
        below = self.shape[0] - self.content_rows
        return np.pad(part, ((0, below), (0, 0))) if below else part

    def with_pixel_size(self, pixel_size: PixelSize | None) -> Micrograph:
        """Return the same micrograph with another calibration."""
        return replace(self, pixel_size=pixel_size)
