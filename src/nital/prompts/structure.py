"""Points where the image's own structure suggests objects, after MatSAM.

Li et al., MatSAM (2024), section 4.3: regions found by a classical method give their centres; a
grid, as dense as the regions are, catches what it missed; the border gets denser points, because
objects there are cut. Here the grid and the border are asked in later rounds only where no mask
lies yet, and a centre lies inside its region also when that is a ring or a crescent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.errors import UsageError
from nital.prompts.grid import regular_grid

__all__ = ["Structure", "StructureOptions", "coarse_regions", "structure_rounds"]

Kind = Literal["auto", "phases", "grains"]

SMOOTHING = 1.5  # sigma of the Gaussian in pixels
TWO_LEVELS = 0.65  # share of the variance between Otsu's classes from which an image has phases
OUTLIER = 0.05  # of the median area of the regions: smaller ones are dirt
SMALLEST = 9  # pixels of the smallest region
LONGEST = 1024  # pixels of the longer side of the image that regions are looked for in
PACKED = 1.6  # side of a cell of the grid over the diameter of the median region
EDGE_DENSITY = 2.0  # points along the border over points along the rows of the grid


@dataclass(frozen=True)
class StructureOptions:
    """How points are chosen.

    Parameters
    ----------
    kind
        ``"phases"``: regions by Otsu's threshold; ``"grains"``: regions between Canny's edges;
        ``"auto"``: what the grey levels suggest.
    most_points
        Limit of the grid's points, and of the centres; the largest regions come first.
    """

    kind: Kind = "auto"
    most_points: int = 1024

    def __post_init__(self) -> None:
        if self.kind not in ("auto", "phases", "grains"):
            raise UsageError(f"regions are 'phases', 'grains' or 'auto', not {self.kind!r}")
        if self.most_points < 1:
            raise UsageError(f"at least 1 point is needed, not {self.most_points}")


@dataclass(frozen=True)
class Structure:
    """Points of one image.

    Parameters
    ----------
    centres, grid, border
        (N, 2) float32 row, column.
    kind
        How the regions were found: ``"phases"`` or ``"grains"``.
    spacing
        Of the grid, in pixels.
    """

    centres: NDArray[np.float32]
    grid: NDArray[np.float32]
    border: NDArray[np.float32]
    kind: str
    spacing: float

    @property
    def rounds(self) -> list[NDArray[np.float32]]:
        """Centres first, then border and grid where nothing lies yet."""
        return [self.centres, self.border, self.grid]


def structure_rounds(image: NDArray[Any], options: StructureOptions | None = None) -> Structure:
    """Points for an (H, W) image.

    Raises
    ------
    UsageError
        When the image has no pixels.
    """
    options = options or StructureOptions()
    if image.ndim != 2 or image.size == 0:
        raise UsageError(f"structure is looked for in an (H, W) image, not {image.shape}")
    regions, kind, step = coarse_regions(image, options.kind)
    areas = np.bincount(regions.ravel())[1:]
    largest = np.argsort(-areas, kind="stable")[: options.most_points]
    centres = (_centres(regions)[largest] + 0.5) * step - 0.5
    shape = (image.shape[0], image.shape[1])
    spacing = _spacing(areas * step**2, shape, options.most_points)
    limit = np.array(shape, dtype=np.float32) - 1
    return Structure(
        np.clip(centres, 0, limit).astype(np.float32),
        regular_grid(shape, spacing).points[:, 0],
        _border(shape, spacing),
        kind,
        spacing,
    )


def coarse_regions(image: NDArray[Any], kind: str = "auto") -> tuple[NDArray[np.int32], str, float]:
    """Label image of coarse regions, how they were found, and image pixels in one of its pixels.

    Regions that are outliers by their small size are removed.
    """
    step = max(1.0, max(image.shape) / LONGEST)
    smooth = _smaller(np.asarray(image, dtype=np.float32), step)
    threshold, clearness = _otsu(smooth)
    if kind == "auto":
        kind = "phases" if clearness >= TWO_LEVELS else "grains"
    if kind == "phases":
        bright = smooth > threshold
        parts, count = ndimage.label(bright)
        others, _ = ndimage.label(~bright)
        regions = np.where(bright, parts, others + count)
    else:
        regions, _ = ndimage.label(~_edges(smooth))
    return _without_outliers(regions), kind, step


def _smaller(image: NDArray[np.float32], step: float) -> NDArray[np.float32]:
    """The image smoothed, and shrunk by ``step``."""
    from PIL import Image

    smooth = ndimage.gaussian_filter(image, SMOOTHING * step)
    if step == 1.0:
        return np.asarray(smooth)
    rows, cols = (max(1, round(side / step)) for side in image.shape)
    return np.array(Image.fromarray(smooth).resize((cols, rows), Image.Resampling.BOX))


def _otsu(smooth: NDArray[np.float32]) -> tuple[float, float]:
    """Otsu's threshold, and the share of the variance that lies between its two classes."""
    from skimage.filters import threshold_otsu

    variance = float(smooth.var(dtype=np.float64))
    if variance <= 1e-12:
        return float(smooth.max()), 0.0
    threshold = float(threshold_otsu(smooth))
    bright = smooth > threshold
    share = float(bright.mean())
    if share in (0.0, 1.0):
        return threshold, 0.0
    gap = float(smooth[bright].mean(dtype=np.float64) - smooth[~bright].mean(dtype=np.float64))
    return threshold, share * (1 - share) * gap**2 / variance


def _edges(smooth: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Canny's edges, small gaps and the two edges of one line closed."""
    from skimage.feature import canny

    spread = float(smooth.std())
    if spread == 0:
        return np.zeros(smooth.shape, dtype=bool)
    found = canny(smooth / spread, 1.0, low_threshold=0.1, high_threshold=0.3)
    near = np.ones((3, 3), bool)
    thick = ndimage.binary_dilation(found, near, iterations=3)
    return np.asarray(ndimage.binary_erosion(thick, near, iterations=2, border_value=1))


def _without_outliers(regions: NDArray[np.integer]) -> NDArray[np.int32]:
    """Regions renumbered 1...n, the dirt among them 0."""
    areas = np.bincount(regions.ravel())
    areas[0] = 0
    real = areas >= SMALLEST
    if real.any():
        real &= areas >= OUTLIER * np.median(areas[real])
    number = np.cumsum(real, dtype=np.int32)
    number[~real] = 0
    return np.asarray(number[regions], dtype=np.int32)


def _centres(regions: NDArray[np.int32]) -> NDArray[np.float64]:
    """(n, 2) centroid of each region, or its most interior point where that lies outside."""
    count = int(regions.max(initial=0))
    if count == 0:
        return np.zeros((0, 2))
    index = np.arange(1, count + 1)
    centres = np.array(ndimage.center_of_mass(regions > 0, regions, index))
    nearest = np.rint(centres).astype(np.intp)
    outside = np.flatnonzero(regions[nearest[:, 0], nearest[:, 1]] != index)
    if len(outside):
        boundary = np.zeros((regions.shape[0] + 2, regions.shape[1] + 2), dtype=bool)
        inner = np.pad(regions, 1)
        for axis in (0, 1):
            for side in (1, -1):
                boundary |= inner != np.roll(inner, side, axis)
        depth = ndimage.distance_transform_edt(~boundary)[1:-1, 1:-1]
        centres[outside] = ndimage.maximum_position(depth + 1, regions, index[outside])
    return centres


def _spacing(areas: NDArray[np.floating], shape: tuple[int, int], most_points: int) -> float:
    """Spacing of the grid: about the size of the regions, at most ``most_points`` in all."""
    size = shape[0] * shape[1]
    diameter = float(np.sqrt(4 / np.pi * np.median(areas))) if len(areas) else size**0.5
    densest = (size / most_points) ** 0.5
    return float(np.clip(PACKED * diameter, densest, max(densest, min(shape) / 4)))


def _border(shape: tuple[int, int], spacing: float) -> NDArray[np.float32]:
    """Points along the border of the image, denser than the grid and a quarter cell inside."""
    inset = min(spacing / 4, (min(shape) - 1) / 2)
    top, left = inset, inset
    bottom, right = shape[0] - 1 - inset, shape[1] - 1 - inset
    rows = np.linspace(top, bottom, max(2, round(EDGE_DENSITY * shape[0] / spacing)))
    cols = np.linspace(left, right, max(2, round(EDGE_DENSITY * shape[1] / spacing)))
    sides = [
        np.stack([np.full(len(cols), top), cols], axis=1),
        np.stack([np.full(len(cols), bottom), cols], axis=1),
        np.stack([rows[1:-1], np.full(len(rows) - 2, left)], axis=1),
        np.stack([rows[1:-1], np.full(len(rows) - 2, right)], axis=1),
    ]
    return np.concatenate(sides).astype(np.float32)
