"""Scratches that were taken for grain boundaries, found out and undone.

A scratch runs straight on where grain boundaries turn: through several grains, while the boundaries
that it meets cross it. No grain boundary does both (at a triple point none goes straight on).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["ScratchOptions", "find_scratches", "merge_across_scratches"]

Labels = NDArray[np.int32]
Floats = NDArray[np.float32]


SMALLEST_SIDE = 32  # of an image whose noise can be told from its lines


@dataclass(frozen=True)
class ScratchOptions:
    """What counts as a scratch.

    The thresholds were chosen on simulated polycrystals (see ``benchmarks/scratches.py``).

    Parameters
    ----------
    length
        Least length over which the image shows the line, in mean distances between boundaries.
    least_length
        The same in pixels.
    contrast
        Contrast of the line to what lies 4 px beside it from which it counts as shown, in standard
        deviations of that measure elsewhere in the image.
    gap
        Longest stretch of hardly any contrast (3/4 of that) within the line, in pixels.
    shown
        Least share of the line that is shown.
    sides
        Largest difference (median) between the grey on both sides, in standard deviations of the
        image: a scratch has the same grains on both sides.
    crossing
        Least share of the boundaries met on one side that go on upon the other, of those of which
        chance does not already make it so.
    share
        Least share of the wall between two grains that lies on scratches, and of the contact of
        one of them with scratches that is this wall, for the two to be one.
    """

    length: float = 5.0
    least_length: int = 50
    contrast: float = 2.0
    gap: int = 10
    shown: float = 0.6
    sides: float = 0.25
    crossing: float = 0.15
    share: float = 0.6


def merge_across_scratches(
    labels: Labels, pixels: NDArray[np.generic], options: ScratchOptions | None = None
) -> tuple[Labels, tuple[dict[str, Any], ...]]:
    """Join grains that only a scratch parts.

    Parameters
    ----------
    labels
        (H, W) grains, 1...n; boundaries have no width.
    pixels
        (H, W) micrograph.
    options
        What counts as a scratch.

    Returns
    -------
    (H, W) grains, 1...m, and one entry of the boost log per scratch.
    """
    options = options or ScratchOptions()
    scratches = find_scratches(labels, pixels, options)
    if len(scratches) == 0:
        return labels, ()
    on_scratch = np.zeros(labels.shape, dtype=np.bool_)
    for scratch in scratches:
        on_scratch |= _drawn(scratch, labels.shape)
    on_scratch = ndimage.binary_dilation(on_scratch, np.ones((5, 5)))
    pairs = [
        _walls_between(labels, on_scratch, np.s_[:-1], np.s_[1:]),
        _walls_between(labels, on_scratch, np.s_[:, :-1], np.s_[:, 1:]),
    ]
    grains, inside = (np.concatenate(each) for each in zip(*pairs, strict=True))
    joined = _joined(labels, _parted_by_scratch(grains, inside, options))
    log = tuple(
        {
            "action": "merged",
            "reason": "a straight line that boundaries cross is a scratch",
            "from": [round(float(v)) for v in scratch[:2]],
            "to": [round(float(v)) for v in scratch[2:]],
        }
        for scratch in scratches
    )
    return joined, log


def _walls_between(
    labels: Labels, on_scratch: NDArray[np.bool_], one: Any, other: Any
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """(n, 2) labels on both sides of each pixel edge that parts grains; whether on a scratch."""
    first, second = labels[one], labels[other]
    parts = first != second
    pairs = np.sort(np.stack((first[parts], second[parts]), axis=1), axis=1)
    return pairs, on_scratch[one][parts]


def _parted_by_scratch(
    grains: NDArray[np.int32], inside: NDArray[np.bool_], options: ScratchOptions
) -> NDArray[np.int32]:
    """(n, 2) pairs of grains that were one before the scratch.

    Their common wall lies on scratches, and is most of what one of them has there: where a
    boundary crosses a scratch, its two halves seldom meet to the pixel, so that each grain also
    touches its neighbour's continuation for a few pixels.
    """
    walls, index = np.unique(grains, axis=0, return_inverse=True)
    lengths = np.bincount(index.ravel())
    scratched = np.bincount(index.ravel(), weights=inside)
    ends = grains[inside].ravel()
    contact = np.bincount(ends, minlength=int(grains.max(initial=0)) + 1)
    least = np.minimum(contact[walls[:, 0]], contact[walls[:, 1]])
    parted = (scratched >= options.share * lengths) & (scratched >= options.share * least)
    return np.asarray(walls[parted & (scratched > 0)])


def _joined(labels: Labels, pairs: NDArray[np.int32]) -> Labels:
    """Labels 1...m after joining those of each pair."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = int(labels.max()) + 1
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, group = connected_components(graph, directed=False)
    present = np.unique(group[np.unique(labels[labels > 0])])
    number = np.zeros(int(group.max()) + 1, dtype=np.int32)
    number[present] = np.arange(1, present.size + 1)
    joined = number[group]
    joined[0] = 0
    return np.asarray(joined[labels], dtype=np.int32)


def find_scratches(
    labels: Labels, pixels: NDArray[np.generic], options: ScratchOptions | None = None
) -> NDArray[np.float64]:
    """Straight lines of the image that part of the boundaries follow and the others cross.

    Returns
    -------
    (n, 4) row and column of both ends.
    """
    from skimage.transform import probabilistic_hough_line

    options = options or ScratchOptions()
    walls = _walls(labels)
    if min(labels.shape) < SMALLEST_SIDE or not walls.any():
        return np.zeros((0, 4))
    crossings = (labels[1:] != labels[:-1]).sum() + (labels[:, 1:] != labels[:, :-1]).sum()
    apart = 2 * labels.size / max(int(crossings), 1)
    least = max(options.least_length, options.length * apart)
    stretch = int(max(15, 0.4 * apart))
    angles = np.linspace(-np.pi / 2, np.pi / 2, 360, endpoint=False)
    candidates = probabilistic_hough_line(
        walls, threshold=10, line_length=stretch, line_gap=3, theta=angles, rng=0
    )
    image = ndimage.gaussian_filter(pixels.astype(np.float32), 0.7)
    contrast = _least_contrast(image, options)
    found: list[NDArray[np.float64]] = []
    pairs = np.array(candidates, dtype=np.float64).reshape(-1, 2, 2)[:, :, ::-1]
    pairs = pairs[_go_on(image, contrast, pairs, least, options)]
    for ends in pairs[np.argsort(-np.hypot(*(pairs[:, 1] - pairs[:, 0]).T), kind="stable")]:
        if any(_is_part_of(ends, scratch) for scratch in found):
            continue
        scratch = _followed(image, contrast, ends, options)
        length = float(np.hypot(*(scratch[2:] - scratch[:2])))
        if (
            length >= least
            and _is_line_in_grains(image, contrast, scratch, options)
            and _crossed(walls, scratch, apart) >= options.crossing
        ):
            found.append(scratch)
    return np.array(found).reshape(-1, 4)


def _walls(labels: Labels) -> NDArray[np.bool_]:
    walls = np.zeros(labels.shape, dtype=np.bool_)
    walls[:-1] |= labels[1:] != labels[:-1]
    walls[:, :-1] |= labels[:, 1:] != labels[:, :-1]
    return walls


def _least_contrast(image: Floats, options: ScratchOptions) -> float:
    """Contrast of nine pixels in line to those beside them from which a line is shown."""
    contrasts = []
    for axis in (0, 1):
        line = ndimage.uniform_filter1d(image, 9, axis=axis)
        beside = 0.5 * (np.roll(line, 4, axis=1 - axis) + np.roll(line, -4, axis=1 - axis))
        contrasts.append((line - beside)[8:-8, 8:-8])
    spread = np.percentile(np.stack(contrasts), (16, 84))
    return options.contrast * max(float(spread[1] - spread[0]) / 2, 1e-6)


def _go_on(
    image: Floats,
    least_contrast: float,
    pairs: NDArray[np.float64],
    length: float,
    options: ScratchOptions,
) -> NDArray[np.bool_]:
    """Which of (N, 2, 2) pairs of ends lie on lines that go on, to one side or to both.

    A quick look at every second pixel, all pairs at once, before each is followed by itself.
    """
    middle = pairs.mean(axis=1)
    way = pairs[:, 1] - pairs[:, 0]
    along = way / np.maximum(np.hypot(*way.T), 1e-6)[:, None]
    across = np.stack((-along[:, 1], along[:, 0]), axis=1)
    steps = np.arange(-length, length, 2)
    best = np.zeros(len(pairs))
    for offset in (-1.0, 0.0, 1.0):
        track = (middle + offset * across)[:, None] + steps[:, None] * along[:, None]
        line, left, right = (
            ndimage.map_coordinates(
                image, np.moveaxis(track + shift * across[:, None], 2, 0), order=1, cval=np.nan
            )
            for shift in (0, -4, 4)
        )
        contrast = line - 0.5 * (left + right)
        for polarity in (-1, 1):
            shown = (polarity * contrast > 0.75 * least_contrast).astype(np.float64)
            window = steps.size // 2
            runs = ndimage.uniform_filter1d(shown, window, axis=1)[:, window // 2 : -window // 2]
            np.maximum(best, runs.max(axis=1, initial=0), out=best)
    return np.asarray(best >= 0.9 * options.shown)


def _followed(
    image: Floats, least_contrast: float, ends: NDArray[np.float64], options: ScratchOptions
) -> NDArray[np.float64]:
    """The line through two ends as far as the image shows it, either dark or bright; (4,)."""
    middle = ends.mean(axis=0)
    along = (ends[1] - ends[0]) / max(float(np.hypot(*(ends[1] - ends[0]))), 1e-6)
    across = np.array([-along[1], along[0]])
    reach = int(np.hypot(*image.shape))
    steps = np.arange(-reach, reach + 1)
    best = np.concatenate((middle, middle))
    longest = 0.0
    for offset in (-1.0, 0.0, 1.0):
        centre = middle + offset * across
        track = centre + steps[:, None] * along
        inside = ((track >= 0) & (track <= np.array(image.shape) - 1)).all(axis=1)
        line, *beside = (
            ndimage.map_coordinates(image, (track[inside] + shift * across).T, order=1)
            for shift in (0, -4, 4)
        )
        contrast = ndimage.uniform_filter1d(line - 0.5 * (beside[0] + beside[1]), 9)
        for polarity in (-1, 1):
            shown = polarity * contrast > 0.75 * least_contrast
            first, last = _run_around(shown, int((steps[inside] < 0).sum()), options.gap)
            if last - first > longest:
                longest = float(last - first)
                best = np.concatenate((track[inside][first], track[inside][last]))
    return best


def _is_line_in_grains(
    image: Floats, least_contrast: float, scratch: NDArray[np.float64], options: ScratchOptions
) -> bool:
    """Whether a line is shown over most of its length, with the same grey on both sides."""
    length = float(np.hypot(*(scratch[2:] - scratch[:2])))
    along = (scratch[2:] - scratch[:2]) / max(length, 1e-6)
    across = np.array([-along[1], along[0]])
    track = scratch[:2] + np.arange(int(length) + 1)[:, None] * along
    line, left, right = (
        ndimage.map_coordinates(image, (track + shift * across).T, order=1, mode="nearest")
        for shift in (0, -4, 4)
    )
    contrast = ndimage.uniform_filter1d(line - 0.5 * (left + right), 9)
    contrast *= np.sign(np.median(contrast))
    shown = float((contrast > least_contrast).mean())
    sides = abs(float(np.median(left - right))) / max(float(image.std()), 1e-6)
    return shown >= options.shown and sides <= options.sides


def _run_around(shown: NDArray[np.bool_], middle: int, gap: int) -> tuple[int, int]:
    """First and last index of the run that holds ``middle``, stretches up to ``gap`` bridged."""
    index = np.flatnonzero(shown)
    if index.size == 0:
        return middle, middle
    runs = np.split(index, np.flatnonzero(np.diff(index) > gap) + 1)
    for run in runs:
        if run[0] - gap <= middle <= run[-1] + gap:
            return int(run[0]), int(run[-1])
    return middle, middle


def _crossed(
    walls: NDArray[np.bool_], scratch: NDArray[np.float64], spacing: float, away: float = 5.0
) -> float:
    """Share of the boundaries met on either side that go on upon the other; 0 where none is met.

    Beyond chance: where boundaries are ``spacing`` pixels apart, many a one ends opposite
    to another.
    """
    length = float(np.hypot(*(scratch[2:] - scratch[:2])))
    along = (scratch[2:] - scratch[:2]) / max(length, 1e-6)
    across = np.array([-along[1], along[0]])
    track = scratch[:2] + np.arange(int(length) + 1)[:, None] * along
    thick = ndimage.binary_dilation(walls)
    met = []
    for side in (-away, away):
        values = ndimage.map_coordinates(
            thick.astype(np.uint8), (track + side * across).T, order=0, mode="constant"
        )
        runs, count = ndimage.label(values)
        centres = ndimage.center_of_mass(values, runs, range(1, count + 1))
        met.append(np.array([c[0] for c in centres]))
    if not met[0].size or not met[1].size:
        return 0.0
    apart = np.abs(met[0][:, None] - met[1][None])
    matched = (apart.min(axis=1) <= 2 * away).sum() + (apart.min(axis=0) <= 2 * away).sum()
    share = float(matched / (met[0].size + met[1].size))
    chance = 1.0 - float(np.exp(-4 * away / spacing))
    return (share - chance) / (1.0 - chance)


def _is_part_of(ends: NDArray[np.float64], scratch: NDArray[np.float64]) -> bool:
    """Whether both ends lie within 3 px of a scratch that is known."""
    way = scratch[2:] - scratch[:2]
    along = way / max(float(np.hypot(*way)), 1e-6)
    offsets = ends - scratch[:2]
    beside = np.abs(offsets @ np.array([-along[1], along[0]]))
    position = offsets @ along
    return bool(
        (beside <= 3).all() and (position >= -5).all() and (position <= np.hypot(*way) + 5).all()
    )


def _drawn(scratch: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    from skimage.draw import line

    mask = np.zeros(shape, dtype=np.bool_)
    rows, columns = line(*(int(v) for v in np.rint(scratch)))
    inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    mask[rows[inside], columns[inside]] = True
    return mask
