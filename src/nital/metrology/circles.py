"""Smallest enclosing and largest enclosed circle of every object."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from nital.metrology.hulls import Hulls
from nital.metrology.runs import ObjectRuns

__all__ = ["circumscribed_diameters", "inscribed_diameters"]

Points = NDArray[np.float64]

_ROUNDING = 1e-9
_MOST_STEPS = 100


def circumscribed_diameters(hulls: Hulls) -> NDArray[np.float64]:
    """Diameter of the smallest circle around each hull, in pixels: (n,).

    All objects at once: a circle through two or three vertices takes in the vertex farthest
    outside, becomes the smallest circle around these at most four, and so grows until nothing is
    outside.
    """
    points = np.stack([hulls.row, hulls.col], axis=1) / hulls.resolution
    number = np.diff(hulls.bounds)
    support = np.repeat(points[hulls.bounds[:-1], None], 3, axis=1)
    centre, radius = support[:, 0].copy(), np.zeros(len(number))
    active = np.arange(len(number))
    for _ in range(_MOST_STEPS):
        farthest, distance = _farthest(points, hulls.bounds, number, active, centre)
        outside = distance > radius[active] + _ROUNDING * (1.0 + radius[active])
        active = active[outside]
        if not len(active):
            break
        four = np.concatenate([support[active], points[farthest[outside]][:, None]], axis=1)
        support[active], centre[active], radius[active] = _smallest(four)
    return 2.0 * radius


def _farthest(
    points: Points,
    bounds: NDArray[np.int64],
    number: NDArray[np.int64],
    active: NDArray[np.int64],
    centre: Points,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Vertex of each active object that is farthest from its centre, and how far."""
    begins = np.cumsum(number[active]) - number[active]
    vertex = np.arange(int(number[active].sum())) + np.repeat(
        bounds[active] - begins, number[active]
    )
    away = points[vertex] - np.repeat(centre[active], number[active], axis=0)
    distance = np.hypot(away[:, 0], away[:, 1])
    largest = np.maximum.reduceat(distance, begins)
    is_largest = np.flatnonzero(distance == np.repeat(largest, number[active]))
    owner = np.searchsorted(begins, is_largest, side="right") - 1
    first = is_largest[np.searchsorted(owner, np.arange(len(active)))]
    return vertex[first], largest


def _smallest(four: Points) -> tuple[Points, Points, NDArray[np.float64]]:
    """Support, centre and radius of the smallest circle around (k, 4, 2) points."""
    count = len(four)
    best = np.full(count, np.inf)
    support, centre = four[:, :3].copy(), np.zeros((count, 2))
    for size in (2, 3):
        for chosen in itertools.combinations(range(4), size):
            corners = four[:, (*chosen, chosen[0])[:3]]
            middle = corners[:, :2].mean(axis=1) if size == 2 else _circumcentre(corners)
            away = np.hypot(*np.moveaxis(four - middle[:, None], 2, 0))
            radius = away[:, chosen[0]]
            around = (away <= (radius * (1.0 + _ROUNDING) + _ROUNDING)[:, None]).all(axis=1)
            better = around & (radius < best)
            best[better] = radius[better]
            support[better], centre[better] = corners[better], middle[better]
    return support, centre, best


def _circumcentre(corners: Points) -> Points:
    """Centre of the circle through (k, 3, 2) points; infinite for points on one line."""
    first = corners[:, 0]
    (b_row, b_col), (c_row, c_col) = (
        np.moveaxis(corners[:, other] - first, 1, 0) for other in (1, 2)
    )
    double = 2.0 * (b_row * c_col - b_col * c_row)
    b_square, c_square = b_row**2 + b_col**2, c_row**2 + c_col**2
    flat = double == 0.0
    double = np.where(flat, 1.0, double)
    row = (c_col * b_square - b_col * c_square) / double
    col = (b_row * c_square - c_row * b_square) / double
    centre = np.stack([row, col], axis=1)
    centre[flat] = np.inf
    return np.asarray(first + centre)


def inscribed_diameters(
    labels: NDArray[np.int32], objects: ObjectRuns, chosen: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Diameter of the largest circle inside each chosen object, in pixels.

    Twice the largest distance of a pixel to the next pixel outside, at most one pixel more than
    the truth; exact for rectangles once it is held to the smallest Feret diameter.

    Parameters
    ----------
    labels
        (H, W), objects 1...n.
    objects
        Their runs.
    chosen
        (k,) which objects, 0...n - 1.
    """
    from scipy import ndimage

    boxes = np.stack(objects.boxes(), axis=1)[chosen].tolist()
    diameter = np.empty(len(chosen))
    for position, (label, (top, left, bottom, right)) in enumerate(
        zip((chosen + 1).tolist(), boxes, strict=True)
    ):
        inside = np.zeros((bottom - top + 2, right - left + 2), dtype=bool)
        np.equal(labels[top:bottom, left:right], label, out=inside[1:-1, 1:-1])
        diameter[position] = 2.0 * ndimage.distance_transform_edt(inside).max()
    return diameter
