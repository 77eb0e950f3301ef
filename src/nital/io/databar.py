"""The data bar: the strip with magnification and scale that microscopes add below an image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["find_data_bar"]

SMALLEST_SIDE = 64
SMALLEST_BAR_ROWS = 8
BAR_HEIGHTS = (0.02, 0.22)  # of the image height
SAMPLED_COLUMNS = 4096

FLATNESS = 6  # grey levels of 255 around the background that still are background
CONTRAST = 48  # grey levels of 255 by which text stands out
BACKGROUND_SHARE = 0.3  # of a row with text
EDGE_SHARE = 0.65  # of the columns above the top edge that differ from the background
EDGE_JUMP = 0.45  # by which the share of background grows at the top edge
HALF_JUMP = 0.25  # the same in the left and in the right half
INK_SHARE = (0.003, 0.45)  # of the bar
STROKES = 12  # changes between ink and background along the busiest row
LINE_ROWS = 4  # thickness of a rule
FRAME_SHARE = 0.02  # of the image height: thickness of a frame below the bar


def find_data_bar(pixels: NDArray[Any]) -> int | None:
    """Find the data bar at the bottom of a micrograph.

    A bar has a flat background that owns a good part of each row, a straight top edge over the
    width where that background begins, and text: strokes of strong contrast. A flat dark
    substrate or an empty margin has no text; particles on a flat ground have no straight edge.

    Parameters
    ----------
    pixels
        (H, W) grey levels, finite.

    Returns
    -------
    First row of the bar, or ``None`` where there is no bar.
    """
    height, width = pixels.shape
    if min(height, width) < SMALLEST_SIDE:
        return None
    highest_bar = int(BAR_HEIGHTS[1] * height)
    first = height - highest_bar - 8
    grey = _to_levels(pixels, first)
    background = _background(grey[-max(SMALLEST_BAR_ROWS, grey.shape[0] // 10) :])
    distance = np.abs(grey.astype(np.int16) - background)
    flat = (distance <= FLATNESS).mean(axis=1)
    lowest = grey.shape[0] - max(SMALLEST_BAR_ROWS, int(BAR_HEIGHTS[0] * height))
    reach = _reach(flat, int(FRAME_SHARE * height))
    tops = (row for row in range(max(reach, 4), lowest + 1) if _is_edge(distance, row))
    top = next(tops, None)
    if top is None or not _has_text(distance[top:]):
        return None
    top = _above_blur(distance, top)
    return first + top if grey.shape[0] - top <= highest_bar else None


def _to_levels(pixels: NDArray[Any], first: int) -> NDArray[np.uint8]:
    """Rows from ``first`` on in 256 levels, columns thinned out where there are very many."""
    step = max(1, pixels.shape[1] // SAMPLED_COLUMNS)
    strip = pixels[first:, ::step]
    if pixels.dtype == np.uint8:
        return strip
    sample = pixels[:: max(1, pixels.shape[0] // 512), ::step]
    low, high = (float(level) for level in np.percentile(sample, (1, 99)))
    if high <= low:
        low, high = float(pixels.min()), float(pixels.max())
    scale = (high - low) or 1.0
    return (np.clip((strip.astype(np.float64) - low) / scale, 0, 1) * 255).astype(np.uint8)


def _background(rows: NDArray[np.uint8]) -> int:
    counts = np.bincount(rows.ravel(), minlength=256)
    window = np.ones(2 * FLATNESS + 1)
    return int(np.argmax(np.convolve(counts, window, mode="same")))


def _reach(flat: NDArray[Any], frame_rows: int) -> int:
    """Highest row reached from the bottom over background rows; rules and a frame may cross."""
    reach = flat.size
    foreign = 0
    for row in range(flat.size - 1, -1, -1):
        if flat[row] >= BACKGROUND_SHARE:
            reach, foreign = row, 0
            continue
        foreign += 1
        in_frame = row > flat.size - 2 * frame_rows
        if foreign > (max(LINE_ROWS, frame_rows) if in_frame else LINE_ROWS):
            break
    return reach


def _is_edge(distance: NDArray[np.int16], row: int) -> bool:
    """Whether the background begins here, after other grey levels nearly everywhere above."""
    flat = distance[row - 4 : row + 3] <= FLATNESS
    above, jump = _step(flat)
    if above > 1 - EDGE_SHARE or jump < EDGE_JUMP:
        return False
    half = flat.shape[1] // 2
    return all(_step(part)[1] >= HALF_JUMP for part in (flat[:, :half], flat[:, half:]))


def _step(flat: NDArray[np.bool_]) -> tuple[float, float]:
    """Share of background in four rows above an edge, and its growth in three rows below."""
    shares = flat.mean(axis=1)
    above = float(np.median(shares[:4]))
    return above, float(shares[4:].max()) - above


def _has_text(distance: NDArray[np.int16]) -> bool:
    ink = distance > CONTRAST
    share = float(ink.mean())
    strokes = np.count_nonzero(ink[:, 1:] != ink[:, :-1], axis=1)
    return INK_SHARE[0] <= share <= INK_SHARE[1] and int(strokes.max()) >= STROKES


def _above_blur(distance: NDArray[np.int16], top: int) -> int:
    """Take in up to two rows of an edge that resampling has blurred."""
    specimen = float(np.median(distance[max(0, top - 8) : top - 2]))
    for _ in range(2):
        if top > 1 and float(np.median(distance[top - 1])) < 0.7 * specimen:
            top -= 1
    return top
