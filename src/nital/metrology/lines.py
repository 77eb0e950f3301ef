"""Test lines and circles over a label image, and the grains that they intercept.

A line takes the pixel nearest to each of its points, one pixel apart. Where it runs almost along a
boundary, the two zigzag about each other; visits of less than four pixels that lead back to where
the line came from are therefore not counted. Grains that are convex are never visited like that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nital.metrology.blocks import Blocks

__all__ = ["Intercepts", "Traverse", "circles", "count_intercepts", "fill", "straight_lines"]

_TOUCHES = 4


@dataclass(frozen=True)
class Traverse:
    """Samples along test lines, one line after the other.

    Parameters
    ----------
    row, col
        (k,) pixel of each sample.
    begins
        (m,) position of the first sample of each line; each line has at least two.
    spacing
        (k,) length of line in pixels that each sample stands for.
    closed
        Whether the lines are circles.
    """

    row: NDArray[np.int64]
    col: NDArray[np.int64]
    begins: NDArray[np.int64]
    spacing: NDArray[np.float64]
    closed: bool


@dataclass(frozen=True)
class Intercepts:
    """What test lines found in each image block.

    Parameters
    ----------
    number
        (blocks,) grains intercepted, each shared among blocks by how much of the line in it they
        hold; those in which a line ends count half.
    length
        (blocks,) length of line inside grains, in pixels.
    """

    number: NDArray[np.float64]
    length: NDArray[np.float64]

    def __add__(self, other: Intercepts) -> Intercepts:
        return Intercepts(self.number + other.number, self.length + other.length)


def straight_lines(shape: tuple[int, int], degrees: float, apart: float) -> Traverse:
    """Parallel lines across the whole image.

    Parameters
    ----------
    shape
        (H, W).
    degrees
        Direction of the lines, counter-clockwise from the rows as seen on screen.
    apart
        Distance of neighbouring lines in pixels; they lie evenly about the middle.
    """
    down, across = -math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    middle = np.array([(side - 1) / 2.0 for side in shape])
    reach = abs(across) * middle[0] + abs(down) * middle[1]
    number = int(reach / apart)
    offset = apart * np.arange(-number, number + 1)
    low, high = np.full(len(offset), -np.inf), np.full(len(offset), np.inf)
    for start, rate, half in (
        (offset * across, down, middle[0]),
        (-offset * down, across, middle[1]),
    ):
        if abs(rate) > 1e-9:
            ends = np.stack([(-half - start) / rate, (half - start) / rate])
            low, high = np.maximum(low, ends.min(axis=0)), np.minimum(high, ends.max(axis=0))
    kept = high - low >= 1.0
    offset, low, high = offset[kept], low[kept], high[kept]
    samples = np.rint(high - low).astype(np.int64) + 1
    begins: NDArray[np.int64] = np.cumsum(samples) - samples
    step = np.repeat((high - low) / (samples - 1), samples)
    along = (np.arange(len(step)) - np.repeat(begins, samples)) * step + np.repeat(low, samples)
    aside = np.repeat(offset, samples)
    spacing = step.copy()
    spacing[begins] /= 2.0
    spacing[begins + samples - 1] /= 2.0
    return Traverse(
        _nearest(middle[0] + aside * across + along * down, shape[0]),
        _nearest(middle[1] - aside * down + along * across, shape[1]),
        begins,
        spacing,
        closed=False,
    )


def _nearest(position: NDArray[np.float64], side: int) -> NDArray[np.int64]:
    return np.clip(np.floor(position + 0.5).astype(np.int64), 0, side - 1)


def fill(shape: tuple[int, int], diameter: float) -> Iterator[tuple[float, float]]:
    """Yield the centres of equal circles that fill an image in rows and do not overlap.

    Parameters
    ----------
    shape
        (H, W); positions are those of pixel centres.
    diameter
        At most the shorter side less one pixel.
    """
    rows, cols = (max(1, int((side - 1) / diameter)) for side in shape)
    for band in range(rows):
        for column in range(cols):
            yield (
                (band + 0.5) * shape[0] / rows - 0.5,
                (column + 0.5) * shape[1] / cols - 0.5,
            )


def circles(centres: Sequence[tuple[float, float]], radii: Sequence[float]) -> Traverse:
    """Circles of all radii around all centres, which must lie in the image."""
    rows, cols, counts, spacings = [], [], [], []
    for down, across in centres:
        for radius in radii:
            number = max(8, round(2.0 * math.pi * radius))
            angle = np.arange(number) * (2.0 * math.pi / number)
            rows.append(np.floor(down + radius * np.sin(angle) + 0.5))
            cols.append(np.floor(across + radius * np.cos(angle) + 0.5))
            counts.append(number)
            spacings.append(np.full(number, 2.0 * math.pi * radius / number))
    return Traverse(
        np.concatenate(rows).astype(np.int64),
        np.concatenate(cols).astype(np.int64),
        np.cumsum(counts, dtype=np.int64) - counts,
        np.concatenate(spacings),
        closed=True,
    )


def count_intercepts(grains: NDArray[np.int32], traverse: Traverse, blocks: Blocks) -> Intercepts:
    """Count the grains that test lines intercept, in the image blocks where each is met.

    A grain counted whole in one of two blocks that it reaches into would make these differ more
    than fields do.

    Parameters
    ----------
    grains
        (H, W), 0 = no grain. A grain met again behind something that is no grain, such as a
        particle inside it, is one intercept.
    traverse
        The test lines.
    blocks
        The division of the same image.
    """
    who = grains[traverse.row, traverse.col]
    inside = who > 0
    length = _per_block(
        blocks, traverse.row[inside], traverse.col[inside], traverse.spacing[inside]
    )
    begin, stop, line = _visits(who, traverse)
    samples = stop - begin
    weight = np.ones(len(begin))
    if len(begin):
        first = np.diff(line, prepend=-1) != 0
        last = np.append(first[1:], True)
        if traverse.closed:
            start = np.flatnonzero(first)[np.cumsum(first) - 1]
            end = np.flatnonzero(last & (who[begin[start]] == who[begin]))
            share = samples[end] / (samples[end] + samples[start[end]])
            weight[start[end]], weight[end] = 1.0 - share, share
            weight[end[start[end] == end]] = 0.0
        else:
            ends = np.append(traverse.begins, len(who))
            weight -= 0.5 * (first & (begin == ends[line]))
            weight -= 0.5 * (last & (stop == ends[line + 1]))
    met = np.repeat(begin - np.cumsum(samples) + samples, samples) + np.arange(samples.sum())
    number = _per_block(
        blocks, traverse.row[met], traverse.col[met], np.repeat(weight / samples, samples)
    )
    return Intercepts(number, length)


def _per_block(
    blocks: Blocks,
    row: NDArray[np.int64],
    col: NDArray[np.int64],
    weight: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Sum of the weights in each block."""
    total = np.bincount(blocks.index(row, col), weights=weight, minlength=len(blocks.area))
    return np.asarray(total, dtype=np.float64)


def _visits(who: NDArray[np.int32], traverse: Traverse) -> tuple[NDArray[np.int64], ...]:
    """First sample, one past the last, and line of each visit of a line to a grain."""
    change = np.empty(len(who), dtype=bool)
    change[:1] = True
    np.not_equal(who[1:], who[:-1], out=change[1:])
    change[traverse.begins] = True
    begin = np.flatnonzero(change)
    stop = np.append(begin[1:], len(who))
    line = np.searchsorted(traverse.begins, begin, side="right") - 1
    begin, stop, line = _without_touches(who, begin, stop, line)
    grain = who[begin]
    real = grain > 0
    begin, stop, line, grain = begin[real], stop[real], line[real], grain[real]
    fresh = np.ones(len(begin), dtype=bool)
    fresh[1:] = (grain[1:] != grain[:-1]) | (line[1:] != line[:-1])
    last = np.append(np.flatnonzero(fresh)[1:] - 1, len(begin) - 1)[: int(fresh.sum())]
    return begin[fresh], stop[last], line[fresh]


def _without_touches(
    who: NDArray[np.int32],
    begin: NDArray[np.int64],
    stop: NDArray[np.int64],
    line: NDArray[np.int64],
) -> tuple[NDArray[np.int64], ...]:
    """Drop visits of a few pixels that lead back to where the line came from."""
    back = np.zeros(len(begin), dtype=bool)
    same_line = line[2:] == line[:-2]
    same_grain = who[begin[2:]] == who[begin[:-2]]
    back[1:-1] = same_line & same_grain & (stop - begin < _TOUCHES)[1:-1]
    # To and fro and to and fro: every other visit goes, the rest then belongs together.
    position = np.arange(len(back))
    since = position - np.maximum.accumulate(np.where(back, -1, position))
    kept = ~back | (since % 2 == 0)
    return begin[kept], stop[kept], line[kept]
