"""Which masks are objects: by area, grey level, shape and texture.

After MatSAM (Li et al., 2024, sections 2.4 and 4.4), which screens candidate regions before they
are counted. Limits can be given; without any, the automatic screening judges each mask by the
others of the same image, so nothing is set for an image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.errors import UsageError
from nital.generator.limits import Limits
from nital.masks.packed import PackedMasks

__all__ = ["MaskFeatures", "describe", "screen", "screen_automatically"]

LARGEST_SHARE = 0.5  # of the image: a larger mask is the ground, not an object
SMALLEST_PIXELS = 9
FAR = 4.0  # robust standard deviations from which a mask is an outlier in log area
CLEAR = 0.5  # of the grey levels' spread: contrast from which the sign of an object is sure
RING = 3  # pixels around a mask that it is compared with
FEWEST = 8  # masks from which their spread says anything


@dataclass(frozen=True)
class MaskFeatures:
    """Features of N masks, (N,) each; ``contrast`` is the mean inside minus that around."""

    area_px: NDArray[np.float64]
    mean_intensity: NDArray[np.float64]
    circularity: NDArray[np.float64]
    extent: NDArray[np.float64]
    texture: NDArray[np.float64]
    contrast: NDArray[np.float64]


def describe(masks: PackedMasks, pixels: NDArray[Any]) -> MaskFeatures:
    """Features of masks on their (H, W) image."""
    rows = np.array([_features(masks, index, pixels) for index in range(len(masks))])
    return MaskFeatures(*rows.reshape(-1, 6).T)


def _features(masks: PackedMasks, index: int, pixels: NDArray[Any]) -> tuple[float, ...]:
    from skimage.measure import perimeter_crofton

    mask = masks.mask(index)
    place = masks.place(index)
    area = int(mask.sum())
    if area == 0:
        return (0.0,) * 6
    inside = pixels[place][mask].astype(np.float64)
    perimeter = perimeter_crofton(np.pad(mask, 1), 4)
    wide = tuple(
        slice(max(0, part.start - RING), min(side, part.stop + RING))
        for part, side in zip(place, masks.shape, strict=True)
    )
    there = np.zeros([part.stop - part.start for part in wide], dtype=bool)
    row, col = place[0].start - wide[0].start, place[1].start - wide[1].start
    there[row : row + mask.shape[0], col : col + mask.shape[1]] = mask
    around = ndimage.binary_dilation(there, iterations=RING) & ~there
    mean = float(inside.mean())
    contrast = mean - float(pixels[wide][around].mean()) if around.any() else 0.0
    circularity = min(1.0, 4 * np.pi * area / max(perimeter, 1.0) ** 2)
    return area, mean, circularity, area / mask.size, float(inside.std()), contrast


def screen(
    masks: PackedMasks, features: MaskFeatures, limits: Limits, pixel_size: float | None = None
) -> NDArray[np.bool_]:
    """(N,) which masks lie within given limits.

    Parameters
    ----------
    pixel_size
        Side of a pixel in micrometres, for ``area_um2``.

    Raises
    ------
    UsageError
        When an area in square micrometres is asked for and the image is not calibrated.
    """
    keep = np.ones(len(masks), dtype=bool)
    if limits.area_um2 != (None, None):
        if pixel_size is None:
            raise UsageError(
                "an area in square micrometres needs the size of a pixel; say --pixel-size, or"
                " give the area in pixels"
            )
        keep &= _within(features.area_px * pixel_size**2, limits.area_um2)
    for name in ("area_px", "mean_intensity", "circularity", "extent", "texture"):
        keep &= _within(getattr(features, name), getattr(limits, name))
    return keep


def _within(
    values: NDArray[np.float64], limits: tuple[float | None, float | None]
) -> NDArray[np.bool_]:
    low, high = (
        (-np.inf if limits[0] is None else limits[0]),
        (np.inf if limits[1] is None else limits[1]),
    )
    return np.asarray((values >= low) & (values <= high))


def screen_automatically(
    masks: PackedMasks, features: MaskFeatures, target: str, spread: float
) -> tuple[NDArray[np.bool_], list[dict[str, Any]]]:
    """(N,) which masks are objects, and how many went for which reason.

    Always: masks of a few pixels go. Grains and particles: a mask of more than half the image is
    its ground; with eight masks or more, those go that are far smaller than the others by the
    median absolute deviation of the logarithm of their areas. Particles: they are brighter than
    what is around them, or darker; the sign that holds more of the clear area decides, and clear
    masks of the other sign, the gaps between particles, go.

    Parameters
    ----------
    spread
        Standard deviation of the grey levels of the image.
    """
    keep = np.ones(len(masks), dtype=bool)
    log: list[dict[str, Any]] = []

    def remove(which: NDArray[np.bool_], reason: str) -> None:
        log.append({"action": "remove", "reason": reason, "count": int((which & keep).sum())})
        keep[which] = False

    remove(features.area_px < SMALLEST_PIXELS, "a few pixels")
    if target in ("grains", "particles"):
        size = masks.shape[0] * masks.shape[1]
        remove(features.area_px > LARGEST_SHARE * size, "larger than half the image")
        if keep.sum() >= FEWEST:
            logs = np.log(np.maximum(features.area_px, 1))
            middle = np.median(logs[keep])
            deviation = 1.4826 * np.median(np.abs(logs[keep] - middle))
            remove(logs < middle - FAR * max(deviation, 0.25), "far smaller than the others")
    if target == "particles":
        clear = keep & (np.abs(features.contrast) > CLEAR * spread)
        weight = (features.area_px * np.sign(features.contrast))[clear].sum()
        if weight != 0:
            remove(clear & (np.sign(features.contrast) != np.sign(weight)), "a gap between objects")
    return keep, log
