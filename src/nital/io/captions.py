"""Captions: letters, numbers and scale bars drawn into the picture itself.

Letters are strokes of pure white or black, a few pixels wide, that stand in a line. A data bar
below the picture has a background of its own (:mod:`nital.io.databar`); captions lie on the
specimen. Phases and layers are looked for with the captions painted over. Particles are looked for
in the image as it is: only what was found there and is mostly ink is no particle.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["find_captions", "paint_over", "without_letters"]

INK = (30, 100)  # grey levels of 255 from pure white or black, of thick and of thin strokes
PURE = 20.0  # the same of the purest quarter of a letter
CONTRAST = 60.0  # grey levels of 255 between strokes and what is round them
MOST_INK = 0.3  # of the image: more is no caption
SMALLEST = 8  # pixels of a letter
MOST_PIECES, MOST_LETTERS = 20_000, 1000  # of ink: more is the texture of the specimen
HEIGHTS = (6, 0.12)  # of a letter: pixels, and share of the image
WIDEST = 2.0  # width of a letter over its height
FILLED = (0.15, 0.85)  # of a letter's box; narrow ones such as l, 1 and I may fill it
NARROW = 0.4  # width over height
STROKE = 0.2  # half width of a stroke over the height of the letter
GAP = 0.9  # between letters of a line, over their height
LEVEL = 0.2  # by which their feet or heads may differ, over their height
FEWEST = 3  # letters in a line
ON_LINE = 0.6  # share of the letters whose feet, or heads, lie on one line
OTHER_INK = 0.25  # of what is no letter within the line, over that of its letters
BAR = (0.04, 5.0, 0.03, 0.9)  # width of the image; width over height; height of the image; filled
BAR_REACH = 3.0  # heights of a line of letters within which a scale bar belongs to it
AROUND = 2  # pixels round the ink that its blur has touched
BESIDE = 3  # more of them that masks of letters cover

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class _Piece:
    """A connected piece of ink: its number and its box."""

    number: int
    top: int
    left: int
    height: int
    width: int


def find_captions(pixels: NDArray[Any]) -> Mask:
    """Mark the ink of captions.

    Parameters
    ----------
    pixels
        (H, W) grey levels, finite.

    Returns
    -------
    ndarray
        (H, W) bool.
    """
    grey = _of_255(pixels)
    found = np.zeros(grey.shape, dtype=bool)
    for white, most in product((True, False), INK):
        away = 255 - grey if white else grey
        ink = away <= most
        if not ink.any() or ink.mean() > MOST_INK:
            continue
        pieces, _ = ndimage.label(ink, np.ones((3, 3)))
        areas = np.bincount(pieces.ravel())
        letters, bars = _letters_and_bars(pieces, areas, away)
        taken = np.zeros(len(areas), dtype=bool)
        for line in _lines(letters):
            taken |= _ink_of(line, bars, pieces, areas, away)
        if taken.any():
            found |= taken[pieces]
    return ndimage.binary_dilation(found, np.ones((3, 3)), AROUND) if found.any() else found


def paint_over(image: NDArray[np.float32], ink: Mask) -> NDArray[np.float32]:
    """Give the ink of captions, and what it blurs, the grey levels of the nearest pixels beside it.

    Parameters
    ----------
    image
        (H, W) grey levels.
    ink
        (H, W) from :func:`find_captions`.
    """
    near = ndimage.binary_dilation(ink, iterations=BESIDE)
    if not near.any() or near.all():
        return image
    nearest = ndimage.distance_transform_edt(near, return_distances=False, return_indices=True)
    return np.asarray(image[tuple(nearest)], dtype=np.float32)


def without_letters(
    labels: NDArray[np.int32], pixels: NDArray[Any]
) -> tuple[NDArray[np.int32], int]:
    """Drop objects of which half and more lies on captions.

    Parameters
    ----------
    labels, pixels
        (H, W) objects 1...n, and the grey levels they were found in.

    Returns
    -------
    labels
        (H, W), the numbers as they were.
    dropped
        Number of objects that are gone.
    """
    if not labels.any():
        return labels, 0
    ink = find_captions(pixels)
    if not ink.any():
        return labels, 0
    near = ndimage.binary_dilation(ink, iterations=BESIDE)
    areas = np.bincount(labels.ravel())
    on_ink = np.bincount(labels[near], minlength=len(areas))
    letters = (2 * on_ink >= areas) & (areas > 0)
    letters[0] = False
    return np.where(letters[labels], 0, labels), int(letters.sum())


def _of_255(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Grey levels in 1/255 of full scale; other than 8 bits have the image's own range."""
    if pixels.dtype == np.uint8:
        return pixels
    low, high = float(pixels.min()), float(pixels.max())
    share = (pixels - np.float32(low)) * np.float32(255 / max(high - low, 1e-9))
    return np.asarray(np.rint(share), dtype=np.uint8)


def _letters_and_bars(
    pieces: NDArray[np.integer], areas: NDArray[np.integer], away: NDArray[np.uint8]
) -> tuple[list[_Piece], list[_Piece]]:
    """Pieces of ink that have the shape of a letter, and of a scale bar; none in texture."""
    rows, columns = pieces.shape
    letters: list[_Piece] = []
    bars: list[_Piece] = []
    large = np.flatnonzero(areas >= SMALLEST)[1:]
    if len(large) > MOST_PIECES:
        return letters, bars
    boxes = ndimage.find_objects(pieces)
    for number in large.tolist():
        box = boxes[number - 1]
        height, width = (side.stop - side.start for side in box)
        piece = _Piece(number, box[0].start, box[1].start, height, width)
        filled = areas[number] / (height * width)
        if width >= max(BAR[0] * columns, BAR[1] * height):
            if height <= max(4, BAR[2] * rows) and filled >= BAR[3]:
                bars.append(piece)
        elif HEIGHTS[0] <= height <= HEIGHTS[1] * rows and width <= WIDEST * height:
            most = 1.0 if width <= NARROW * height else FILLED[1]
            if FILLED[0] <= filled <= most and _is_stroke(piece, pieces, away):
                letters.append(piece)
    return (letters, bars) if len(letters) <= MOST_LETTERS else ([], [])


def _is_stroke(piece: _Piece, pieces: NDArray[np.integer], away: NDArray[np.uint8]) -> bool:
    """Whether a piece of ink is thin, of pure white or black, and stands out."""
    top, left = max(0, piece.top - AROUND - 1), max(0, piece.left - AROUND - 1)
    view = np.s_[
        top : piece.top + piece.height + AROUND + 1, left : piece.left + piece.width + AROUND + 1
    ]
    inside = np.pad(pieces[view] == piece.number, 1)
    if ndimage.distance_transform_edt(inside).max() > STROKE * piece.height + 0.8:
        return False
    if np.percentile(away[view][inside[1:-1, 1:-1]], 25) > PURE:
        return False
    beside = ~ndimage.binary_dilation(pieces[view] > 0, iterations=AROUND)
    return bool(beside.sum() >= 4 and np.median(away[view][beside]) >= CONTRAST)


def _lines(letters: list[_Piece]) -> list[list[_Piece]]:
    """Letters that stand in a line."""
    from scipy.sparse.csgraph import connected_components

    if len(letters) < FEWEST:
        return []
    top, left, height, width = np.array(
        [(p.top, p.left, p.height, p.width) for p in letters], dtype=np.float64
    ).T
    foot, right = top + height, left + width
    taller = np.maximum(height[:, None], height)
    gap = np.maximum(left[:, None], left) - np.minimum(right[:, None], right)
    level = np.minimum(abs(foot[:, None] - foot), abs(top[:, None] - top)) <= LEVEL * taller
    near = (gap <= GAP * taller) & (gap > -0.3 * np.minimum(width[:, None], width)) & level
    near &= np.minimum(height[:, None], height) >= 0.4 * taller
    count, group = connected_components(near, directed=False)
    lines = []
    for each in range(count):
        members = np.flatnonzero(group == each)
        if len(members) < FEWEST:
            continue
        reach = 0.15 * np.median(height[members]) + 0.5
        on_line = max(
            np.mean(abs(side[members] - np.median(side[members])) <= reach) for side in (foot, top)
        )
        if on_line >= ON_LINE:
            lines.append([letters[member] for member in members])
    return lines


def _ink_of(
    line: list[_Piece],
    bars: list[_Piece],
    pieces: NDArray[np.integer],
    areas: NDArray[np.integer],
    away: NDArray[np.uint8],
) -> Mask:
    """Which pieces are those of a line of letters, dots between them and its scale bar."""
    top, left = min(p.top for p in line), min(p.left for p in line)
    height = max(p.top + p.height for p in line) - top
    right = max(p.left + p.width for p in line)
    view = np.s_[
        max(0, round(top - 0.3 * height)) : round(top + 1.3 * height),
        max(0, round(left - 0.5 * height)) : round(right + 0.5 * height),
    ]
    inside = np.bincount(pieces[view].ravel(), minlength=len(areas))
    inside[0] = 0
    letters = inside[[p.number for p in line]].sum()
    if inside.sum() - letters > OTHER_INK * letters:
        return np.zeros(len(areas), dtype=bool)
    taken = (inside > 0) & (inside >= 0.9 * areas)
    for number in np.flatnonzero(taken):
        taken[number] = np.percentile(away[view][pieces[view] == number], 25) <= PURE
    for bar in bars:
        apart = max(bar.top - (top + height), top - (bar.top + bar.height))
        beside = bar.left < right + height and left < bar.left + bar.width + height
        taken[bar.number] |= beside and apart <= BAR_REACH * height
    return taken
