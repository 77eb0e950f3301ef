"""Uneven light over phases: found within the phases themselves, and taken away.

A bright corner looks like another phase. What gives light away is that it changes slowly, and
within every phase alike. So a surface of second degree is fitted to the grey levels together with
one level per phase; the phases that were found are then corrected by what is left, and the surface
is fitted again. Steps between real phases are not smooth, so they stay.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nital.automatic.resample import resize_map
from nital.masks.labels import pixels_at

__all__ = ["uneven_light"]

FITTED_SIDE = 256  # pixels, at most, of the longer side of what the surface is fitted to
ROUNDS = 6  # of fitting and correcting the phases
FITS = 4  # of least squares with outliers weighted down
SPAN = (2.0, 98.0)  # percentiles of the light
HUBER = 1.5  # residual, in robust standard deviations, from which a pixel counts less
LEAST_SHARE = 0.02  # of the image; smaller phases do not count
UNEVEN = 1.0
"""Range of the light over the image, in units of twice the standard deviation of the phases' levels
(of two equal phases their distance), from which it is taken away."""
EXPLAINED = 0.85  # scatter within phases with the light taken away, over that with it, at most
STEADY = 0.6
"""How far the grey levels follow the light within connected bodies of one phase, at least; 1 is
wholly. Layers of rising grey levels are flat inside, so their steps are not taken for light."""


def uneven_light(
    image: NDArray[np.float32], phases: NDArray[np.uint8]
) -> NDArray[np.float32] | None:
    """Estimate the light on an (H, W) image of which the phases are roughly known.

    Parameters
    ----------
    image
        (H, W) float32 grey levels in any unit.
    phases
        (H, W) phase numbers, some of them wrong.

    Returns
    -------
    ndarray or None
        (H, W) float32 of mean 0, to be subtracted; ``None`` where the light is even enough.
    """
    factor = min(1.0, FITTED_SIDE / max(image.shape))
    rows, columns = (max(1, round(side * factor)) for side in image.shape)
    named = phases[np.ix_(*pixels_at((rows, columns), phases.shape))].ravel()
    present = [n for n in np.unique(named) if np.mean(named == n) >= LEAST_SHARE]
    if len(present) < 2:
        return None
    inside = np.isin(named, present)
    grey = resize_map(image, (rows, columns)).ravel()[inside].astype(np.float64)
    surface = _surface(rows, columns)[inside]
    phase = np.searchsorted(present, named[inside])
    for _ in range(ROUNDS):
        slopes, levels = _fit(surface, grey, phase, len(present))
        phase = np.abs((grey - surface @ slopes)[:, None] - levels).argmin(1)
        if len(np.unique(phase)) < len(present):
            return None
    light = surface @ slopes
    span, apart = float(np.ptp(np.percentile(light, SPAN))), 2 * float(np.std(levels[phase]))
    left, seen = (_scatter(_from_medians(grey - taken, phase)) for taken in (light, 0.0))
    if span < UNEVEN * apart or left > EXPLAINED * seen:
        return None
    if _slope_within(_bodies(inside, phase, (rows, columns)), grey, light) < STEADY:
        return None
    whole = _surface(*image.shape) @ slopes
    return np.asarray((whole - whole.mean()).reshape(image.shape), dtype=np.float32)


def _bodies(
    inside: NDArray[np.bool_], phase: NDArray[np.intp], raster: tuple[int, int]
) -> NDArray[np.intp]:
    """Number of the connected body of one phase that each pixel inside belongs to, from 0."""
    from skimage.measure import label

    whole = np.full(inside.size, -1)
    whole[inside] = phase
    bodies = label(whole.reshape(raster), background=-1, connectivity=1).ravel()[inside]
    return np.asarray(np.unique(bodies, return_inverse=True)[1], dtype=np.intp)


def _slope_within(
    group: NDArray[np.intp], values: NDArray[np.float64], over: NDArray[np.float64]
) -> float:
    """Least-squares slope of values over others, both from the means of their group."""
    count = np.bincount(group)
    one, two = (each - (np.bincount(group, each) / count)[group] for each in (values, over))
    return float((one * two).sum() / max(float((two**2).sum()), 1e-12))


def _from_medians(grey: NDArray[np.float64], phase: NDArray[np.intp]) -> NDArray[np.float64]:
    """What is left of grey levels without the median of each phase."""
    middle = [np.median(grey[phase == number]) for number in range(int(phase.max()) + 1)]
    return np.asarray(grey - np.array(middle)[phase])


def _surface(rows: int, columns: int) -> NDArray[np.float64]:
    """(rows * columns, 5) powers of the position up to the second degree, without the constant."""
    across = np.linspace(-1, 1, rows)[:, None], np.linspace(-1, 1, columns)[None, :]
    row, column = (np.broadcast_to(each, (rows, columns)).ravel() for each in across)
    return np.stack([row, column, row**2, row * column, column**2], axis=1)


def _fit(
    surface: NDArray[np.float64], grey: NDArray[np.float64], phase: NDArray[np.intp], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slopes of the surface and level of each phase: least squares that outliers do not bend."""
    terms = np.concatenate([surface, np.eye(count)[phase]], axis=1)
    weights = np.ones(len(grey))
    for _ in range(FITS):
        weighted = terms * weights[:, None]
        solved = np.linalg.lstsq(weighted.T @ terms, weighted.T @ grey, rcond=None)[0]
        left = np.abs(grey - terms @ solved)
        weights = np.minimum(1.0, HUBER * _scatter(left) / np.maximum(left, 1e-9))
    return solved[: surface.shape[1]], solved[surface.shape[1] :]


def _scatter(values: NDArray[np.float64]) -> float:
    """Standard deviation of values around 0, by their median."""
    return 1.4826 * float(np.median(np.abs(values))) + 1e-9
