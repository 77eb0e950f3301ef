"""Where to ask next: the widest gaps that no mask covers and no point has asked about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.generator.coverage import Coverage

__all__ = ["GapOptions", "gap_points", "typical_radius"]

FEW = 4  # masks from which on their size is known


@dataclass(frozen=True)
class GapOptions:
    """When asking goes on after the rounds of a source, and when it stops.

    Parameters
    ----------
    radii
        Of one round after the other: the distance from earlier points at which a gap is asked
        about, over the radius of the median mask so far.
    least_yield
        A round of points after the first one ends when a smaller share of them than this is
        answered by an object that was not found before, and no further round of gaps begins.
    credit
        Objects that each round is taken to have found before its first point, so that no round
        ends by chance.
    most_points
        Of a grid over the image: no gap is asked about that is narrower than a third of the
        distance between its points.
    """

    radii: tuple[float, ...] = (0.7, 0.5, 0.35, 0.25)
    least_yield: float = 0.05
    credit: int = 3
    most_points: int = 1024


def typical_radius(areas: NDArray[np.floating], largest: float, otherwise: float) -> float:
    """Radius of a disc of the median area of masks no larger than ``largest``.

    ``otherwise`` where there are too few masks to tell.
    """
    objects = areas[areas <= largest]
    return float(np.sqrt(np.median(objects) / np.pi)) if len(objects) > FEW else otherwise


def gap_points(
    coverage: Coverage, asked: NDArray[np.floating], radius: float
) -> NDArray[np.float32]:
    """Points as far as possible from masks and from points asked before.

    The image is divided into squares 1.5 times as wide as ``radius``; each gives the point of the
    largest depth, where that is at least ``radius``. The depth of a point is the smaller of its
    distance to the nearest point asked and of twice its distance to the nearest mask.

    Parameters
    ----------
    coverage
        Where masks lie.
    asked
        (N, 2) row, column.
    radius
        In pixels of the image.

    Returns
    -------
    numpy.ndarray
        (M, 2) row, column.
    """
    shape = coverage.cells.shape
    depth = np.minimum(
        2 * _distance(coverage.cells), _distance(_marked(asked, coverage.step, shape))
    )
    side = max(1, round(1.5 * radius / coverage.step))
    padded = np.pad(depth, [(0, -length % side) for length in shape], constant_values=-1)
    down, across = (length // side for length in padded.shape)
    squares = padded.reshape(down, side, across, side).transpose(0, 2, 1, 3).reshape(-1, side**2)
    deepest = squares.argmax(1)
    chosen = np.flatnonzero(squares[np.arange(len(squares)), deepest] * coverage.step >= radius)
    rows = chosen // across * side + deepest[chosen] // side
    cols = chosen % across * side + deepest[chosen] % side
    cells = np.stack([rows, cols], axis=1)
    return np.asarray((cells + 0.5) * coverage.step - 0.5, dtype=np.float32)


def _marked(points: NDArray[np.floating], step: float, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The cells that hold a point."""
    marked = np.zeros(shape, dtype=bool)
    cells = np.floor((points + 0.5) / step).astype(np.intp)
    marked[tuple(np.clip(cells, 0, np.array(shape) - 1).T)] = True
    return marked


def _distance(there: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Cells to the nearest that is there; farther than the image is wide where none is."""
    if not there.any():
        return np.full(there.shape, float(sum(there.shape)))
    return np.asarray(ndimage.distance_transform_edt(~there))
