"""Edges of phases where the image has them, and regions that do not look like their phase.

The network answers at half resolution and has learnt to take a blurred edge into the object: its
outlines lie a pixel or two too far out, which is half the area of a fine precipitate. Where the
grey levels on both sides of an edge are told apart clearly, the edge is where the grey level is
half-way between them: the half-maximum criterion of metrology.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.boost.windows import window_mean, window_moments
from nital.masks.labels import label_moments

__all__ = ["drop_unlike_regions", "half_maximum_edges"]

Floats = NDArray[np.float32]
Phases = NDArray[np.uint8]

BAND = 3  # pixels on either side of an edge that may change, of an image seen at its own size
WIDEST_BAND = 12
NOISE_SIGMA = 0.8
CLEAR = 3.0  # least difference of the grey levels of two phases, in standard deviations
AGREEMENT = 0.9  # least share of pixels off the edge that grey levels assign as the network does
LEAST_WEIGHT = 1e-3
ROUNDS = 2
ROWS = 1024  # of a large image that are held at once

ONE_SIGN = 0.9  # share of a phase's area that must be brighter, or darker, than its surroundings
WEAK = 0.5  # of the typical contrast of the phase
NOISY = 0.7  # of the standard deviation within the region
LARGEST_SAMPLE = 4_000_000  # pixels of the image that are looked at for contrast


def half_maximum_edges(phases: Phases, image: Floats, scale: float = 1.0) -> Phases:
    """Move each edge to where the grey level is half-way between those of its two sides.

    Only pixels within a few pixels of an edge change, only where the two phases differ clearly in
    grey around there, and only where grey levels away from edges say what the phases say: phases
    that differ in texture, and rims, keep the network's edge.

    Parameters
    ----------
    phases
        (H, W) uint8.
    image
        (H, W) grey levels in any unit.
    scale
        At which the network saw the image: an image that it saw reduced has wider bands.

    Returns
    -------
    ndarray
        (H, W) uint8.
    """
    width = min(WIDEST_BAND, round(BAND * max(1.0, 1.0 / scale)))
    halo = ROUNDS * 8 * width
    result = phases.copy()
    for top in range(0, phases.shape[0], ROWS):
        rows = slice(max(0, top - halo), top + ROWS + halo)
        part, grey = phases[rows], image[rows].astype(np.float32)
        grey = ndimage.gaussian_filter(grey, NOISE_SIGMA * width / BAND)
        for _ in range(ROUNDS):
            part = _moved(part, grey, width)
        result[top : top + ROWS] = part[top - rows.start :][:ROWS]
    return result


def _moved(phases: Phases, grey: Floats, width: int) -> Phases:
    """One round: pixels near an edge go to the phase whose grey level around there is nearest."""
    present = np.unique(phases)
    if len(present) < 2:
        return phases
    window = 2 * width + 1
    depths = [_depth(phases == phase, width) for phase in present]
    levels = [_levels(grey, depth, window) for depth in depths]
    own = np.searchsorted(present, phases)
    inside = np.max(depths, axis=0)
    told = [np.where(seen, abs(grey - mean), np.inf) for mean, _, seen in levels]
    best = np.choose(own, told)
    agrees = (best <= np.min(told, axis=0)).astype(np.float32)
    judged = (inside >= width) & (np.sum([seen for _, _, seen in levels], axis=0) > 1)
    support = np.maximum(window_mean(judged.astype(np.float32), 3 * window), 1e-6)
    trusted = window_mean(agrees * judged, 3 * window) > AGREEMENT * support
    may_change = trusted & (inside <= width)
    mean = np.choose(own, [level for level, _, _ in levels])
    variance = np.choose(own, [spread for _, spread, _ in levels])
    moved = phases.copy()
    for index, (level, spread, _) in enumerate(levels):
        clear = (level - mean) ** 2 > CLEAR**2 * 0.5 * (spread + variance)
        nearer = may_change & clear & (told[index] < best)
        moved[nearer] = present[index]
        best = np.where(nearer, told[index], best)
    return moved


def _depth(inside: NDArray[np.bool_], width: int) -> Floats:
    """Distance to the edge in pixels, 1 at the edge, at most ``width + 1``; 0 outside."""
    cross = ndimage.generate_binary_structure(2, 1)
    left = inside.astype(np.uint8)
    depth = left.copy()
    for step in range(width):  # cross and square by turns: an octagon
        shape = {"size": 3} if step % 2 else {"footprint": cross}
        left = ndimage.minimum_filter(left, mode="nearest", **shape)
        depth += left
    return depth.astype(np.float32)


def _levels(grey: Floats, depth: Floats, window: int) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Mean and variance of a phase's grey around each pixel, and whether the phase is there.

    Pixels count with the square of their depth, so that blurred edges say little.
    """
    mean, variance, mass = window_moments(grey, depth**2, window)
    return mean, variance, mass > LEAST_WEIGHT


def drop_unlike_regions(phases: Phases, image: Floats) -> Phases:
    """Give regions to the matrix whose contrast is not that of their phase.

    Of a phase that is brighter, or darker, than the matrix around it nearly everywhere, a region
    is dropped where its contrast has the other sign, or is both under half of the typical one and
    under the scatter of its own pixels.

    Parameters
    ----------
    phases
        (H, W) uint8, 1 for the matrix.
    image
        (H, W) grey levels in any unit.

    Returns
    -------
    ndarray
        (H, W) uint8.
    """
    from skimage.measure import label

    regions = label(phases, background=1, connectivity=1)
    step = int(np.ceil((phases.size / LARGEST_SAMPLE) ** 0.5))
    sparse = np.s_[::step, ::step]
    of_phase, area, contrast, scatter = _contrasts(
        regions[sparse], phases[sparse], image[sparse], int(regions.max())
    )
    unlike = np.zeros(len(area), dtype=bool)
    for phase in np.unique(of_phase[of_phase > 0]):
        chosen = np.flatnonzero((of_phase == phase) & np.isfinite(contrast))
        if not len(chosen):
            continue
        brighter = area[chosen[contrast[chosen] > 0]].sum() / area[chosen].sum()
        if max(brighter, 1 - brighter) <= ONE_SIGN:
            continue
        signed = contrast[chosen] * (1 if brighter > 0.5 else -1)
        order = np.argsort(signed)
        middle = np.searchsorted(np.cumsum(area[chosen][order]), area[chosen].sum() / 2)
        weak = signed < WEAK * signed[order[middle]]
        unlike[chosen] = (signed < 0) | (weak & (signed < NOISY * scatter[chosen]))
    return np.where(unlike[regions], np.uint8(1), phases)


def _contrasts(
    regions: NDArray[np.integer], phases: Phases, grey: Floats, count: int
) -> tuple[NDArray[np.uint8], NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Phase, area, contrast to the matrix around, and scatter of regions 0...n.

    The matrix around a region is what lies 2 to 2 x ``BAND`` pixels from it and nearest to it. The
    contrast is NaN without any.
    """
    distance, nearest = ndimage.distance_transform_edt(regions == 0, return_indices=True)
    around = (distance > 1) & (distance <= 2 * BAND)
    rows, cols = (index[around] for index in nearest)
    outside = regions[rows, cols]
    area, mean, variance = label_moments(regions, grey, count)
    rim, level, _ = label_moments(outside, grey[around], count)
    contrast = np.where((rim > 0) & (area > 0), mean - level, np.nan)
    of_phase = np.zeros(count + 1, dtype=np.uint8)
    of_phase[regions.ravel()] = phases.ravel()
    of_phase[0] = 0
    return of_phase, area, contrast, np.sqrt(variance)
