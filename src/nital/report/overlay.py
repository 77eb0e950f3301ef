"""Contours of all objects over the micrograph."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.micrograph import Micrograph
from nital.segmentation import Segmentation, Target

__all__ = [
    "CERTAINTY_COLOURS",
    "PHASE_COLOURS",
    "contour_mask",
    "draw_overlay",
    "draw_picture",
    "phase_colour",
    "shows_certainty",
    "stretch_contrast",
]

# Strong colours, none of them a grey, that colour-blind eyes tell apart by hue or lightness.
PHASE_COLOURS = (
    (255, 80, 0),
    (0, 160, 255),
    (250, 215, 0),
    (0, 200, 120),
    (240, 90, 220),
    (0, 220, 230),
    (130, 80, 255),
)

UNCERTAIN, CERTAIN = 254, 255
CERTAINTY_COLOURS = ((255, 50, 40), (0, 220, 70))
_PIXELS_PER_LINE_WIDTH = 2000


def draw_overlay(segmentation: Segmentation, longest: int | None = None) -> NDArray[np.uint8]:
    """Draw the contours of all objects over the micrograph, coloured by phase.

    Particles that a confidence is asked of are green where it is reached and red where not.

    Parameters
    ----------
    segmentation
        What to draw.
    longest
        Longest side of the picture in pixels; by default, and for smaller images, the size of
        the image itself. Contours are drawn after shrinking, so they stay thin and crisp.

    Returns
    -------
    (H, W, 3) uint8. The specimen's contrast is stretched; the data bar is left as it is.
    """
    grey = stretch_contrast(segmentation.micrograph)
    labels, phases = segmentation.labels, _kinds(segmentation)
    if longest is not None and max(grey.shape) > longest:
        grey, rows, cols = _shrink(grey, longest)
        labels, phases = labels[np.ix_(rows, cols)], phases[np.ix_(rows, cols)]
    picture = np.repeat(grey[:, :, None], 3, axis=2)
    drawn = _widen(contour_mask(labels) * phases, max(grey.shape))
    table = np.array(
        [phase_colour(segmentation.target, phase) for phase in range(256)], dtype=np.uint8
    )
    if shows_certainty(segmentation):
        table[[UNCERTAIN, CERTAIN]] = CERTAINTY_COLOURS
    where = drawn > 0
    picture[where] = table[drawn[where]]
    return picture


def shows_certainty(segmentation: Segmentation) -> bool:
    """Whether contours tell certain from uncertain particles, in place of phases."""
    return segmentation.target == "particles" and "min_confidence" in segmentation.parameters


def _kinds(segmentation: Segmentation) -> NDArray[np.uint8]:
    """What the colour of a contour says, (H, W): the phase, or whether the particle is certain."""
    if not shows_certainty(segmentation):
        return segmentation.phases
    bar = 255 * float(segmentation.parameters["min_confidence"]) - 0.5
    return np.where(segmentation.confidence >= bar, CERTAIN, UNCERTAIN).astype(np.uint8)


def phase_colour(target: Target, phase: int) -> tuple[int, int, int]:
    """Return the red, green and blue of a phase's contours.

    The first phase that holds objects has the most visible colour: that is phase 2 where phase 1
    is the matrix that objects lie in, and phase 1 for grains and layers.
    """
    first = 2 if target in ("particles", "phases") else 1
    return PHASE_COLOURS[(phase - first) % len(PHASE_COLOURS)]


def draw_picture(micrograph: Micrograph, longest: int) -> NDArray[np.uint8]:
    """Return the micrograph with stretched contrast, shrunk to this longest side if larger."""
    grey = stretch_contrast(micrograph)
    return _shrink(grey, longest)[0] if max(grey.shape) > longest else grey


def stretch_contrast(micrograph: Micrograph) -> NDArray[np.uint8]:
    """Return the micrograph as 8-bit grey levels, 0.4 % of the specimen saturated on each side."""
    content = micrograph.content
    sample = content[:: max(1, content.shape[0] // 1000), :: max(1, content.shape[1] // 1000)]
    low, high = (float(value) for value in np.percentile(sample, (0.4, 99.6)))
    if high <= low:
        low, high = float(content.min()), float(content.max())
    grey = np.empty(micrograph.shape, dtype=np.uint8)
    rows = micrograph.content_rows
    grey[:rows] = _to_bytes(content, low, high)
    bar = micrograph.pixels[rows:]
    if bar.size:
        known = bar.dtype == np.uint8
        limits = (0.0, 255.0) if known else (float(bar.min()), float(bar.max()))
        grey[rows:] = _to_bytes(bar, *limits)
    return grey


def contour_mask(labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Mark the contour pixels: one pixel wide, also where two objects touch.

    A pixel of an object is on the contour when one of its four neighbours has a smaller label,
    the unassigned 0 included; so the line between two objects lies in one of them.
    """
    mask = np.zeros(labels.shape, dtype=bool)
    mask[1:] |= labels[1:] > labels[:-1]
    mask[:-1] |= labels[:-1] > labels[1:]
    mask[:, 1:] |= labels[:, 1:] > labels[:, :-1]
    mask[:, :-1] |= labels[:, :-1] > labels[:, 1:]
    return mask


def _to_bytes(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Map low...high to 0...255; a flat image becomes mid-grey."""
    if high <= low:
        return np.full(values.shape, 128, dtype=np.uint8)
    if values.dtype.kind == "u":
        levels = np.arange(np.iinfo(values.dtype).max + 1)
        return np.asarray(_map(levels, low, high)[values])
    return _map(values, low, high)


def _map(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    # In steps, because the span of two float32 numbers may overflow one.
    scaled = values.astype(np.float32) / np.float32(2) - np.float32(low / 2)
    scaled *= np.float32(510.0 / (high - low))
    scaled += np.float32(0.5)
    return np.asarray(np.clip(scaled, 0.0, 255.0, out=scaled), dtype=np.uint8)


def _shrink(
    grey: NDArray[np.uint8], longest: int
) -> tuple[NDArray[np.uint8], NDArray[np.intp], NDArray[np.intp]]:
    """Shrink by averaging; also return the row and column nearest to each new pixel's centre."""
    from PIL import Image

    factor = longest / max(grey.shape)
    height, width = (max(1, round(side * factor)) for side in grey.shape)
    small = Image.fromarray(grey).resize((width, height), Image.Resampling.BOX)
    rows, cols = (
        ((np.arange(new) + 0.5) * old / new).astype(np.intp)
        for new, old in ((height, grey.shape[0]), (width, grey.shape[1]))
    )
    return np.asarray(small), rows, cols


def _widen(drawn: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """Widen the lines of large images, so that they can be seen when it is shown as a whole."""
    for _ in range(round(longest / _PIXELS_PER_LINE_WIDTH) - 1):
        np.maximum(drawn[1:], drawn[:-1], out=drawn[1:])
        np.maximum(drawn[:, 1:], drawn[:, :-1], out=drawn[:, 1:])
    return drawn
