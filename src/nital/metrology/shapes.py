"""Shape of particles, the descriptors of ISO 9276-6, and what they become when outlines move."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from nital.metrology.circles import circumscribed_diameters, inscribed_diameters
from nital.metrology.feret import feret_diameters
from nital.metrology.field import Field
from nital.metrology.hulls import edge_hulls

__all__ = ["LENGTHS", "RATIOS", "Shapes", "measure_shapes"]

Array = NDArray[np.float64]

# name: what it is
LENGTHS = {
    "feret_max": "largest distance of parallel tangents",
    "feret_min": "smallest distance of parallel tangents",
    "inscribed_diameter": "diameter of the largest circle inside",
    "circumscribed_diameter": "diameter of the smallest circle around",
}
RATIOS = {
    "circularity": "4 pi A / P^2, the form factor of the standard",
    "feret_ratio": "smallest over largest Feret diameter, the aspect ratio of the standard",
    "solidity": "area over that of the convex hull",
    "convexity": "perimeter of the convex hull over the perimeter",
    "inscribed_ratio": "inscribed over circumscribed circle, the irregularity of the standard",
}
_MOST_INWARD = 0.45  # of the diameter of the largest circle inside, so that something is left


@dataclass(frozen=True)
class Shapes:
    """What the descriptors of some objects are made of, lengths in pixels.

    Parameters
    ----------
    chosen
        (n,) which objects of the field they are, k of them.
    area, perimeter
        (k,) of each.
    hull_area, hull_perimeter
        (k,) of the convex hull.
    feret_max, feret_min, inscribed, circumscribed
        (k,) diameters.
    """

    chosen: NDArray[np.bool_]
    area: Array
    perimeter: Array
    hull_area: Array
    hull_perimeter: Array
    feret_max: Array
    feret_min: Array
    inscribed: Array
    circumscribed: Array

    def some(self, most: int) -> Shapes:
        """Return at most so many of the objects, evenly spaced in the order of their areas."""
        order = np.lexsort((self.perimeter, self.feret_max, self.area))
        kept = order[:: -(-len(order) // most) or 1]
        chosen = np.zeros_like(self.chosen)
        chosen[np.flatnonzero(self.chosen)[kept]] = True
        kept = np.sort(kept)
        values = (getattr(self, each.name)[kept] for each in fields(self)[1:])
        return Shapes(chosen, *values)

    def descriptors(self, outward: Array | None = None) -> dict[str, Array]:
        """Every descriptor of each object, ratios that the pixel grid puts above 1 set to 1.

        Parameters
        ----------
        outward
            (k,) or (draws, k) how far each outline is moved outwards, in pixels; ``None`` for not
            at all. Diameters grow by twice that, perimeters and areas as those of convex bodies
            do (J. Steiner, 1840): P + 2 pi d and A + P d + pi d^2.
        """
        moved = np.zeros(1) if outward is None else outward
        moved = np.maximum(moved, -_MOST_INWARD * self.inscribed)
        feret_max, feret_min, inside, around = (
            length + 2.0 * moved
            for length in (self.feret_max, self.feret_min, self.inscribed, self.circumscribed)
        )
        area, perimeter = _moved(self.area, self.perimeter, moved)
        hull_area, hull_perimeter = _moved(self.hull_area, self.hull_perimeter, moved)
        return {
            "feret_max": feret_max,
            "feret_min": feret_min,
            "inscribed_diameter": inside,
            "circumscribed_diameter": around,
            "circularity": np.minimum(4.0 * math.pi * area / perimeter**2, 1.0),
            "feret_ratio": feret_min / feret_max,
            "solidity": np.minimum(area / hull_area, 1.0),
            "convexity": np.minimum(hull_perimeter / perimeter, 1.0),
            "inscribed_ratio": inside / around,
        }


def _moved(area: Array, perimeter: Array, outward: Array) -> tuple[Array, Array]:
    """Area and perimeter of convex bodies whose outlines are moved."""
    grown = area + outward * (perimeter + math.pi * outward)
    return np.maximum(grown, 0.05 * area), np.maximum(
        perimeter + 2.0 * math.pi * outward, 0.2 * perimeter
    )


def measure_shapes(field: Field, chosen: NDArray[np.bool_]) -> Shapes:
    """Measure the chosen objects of a field; ``chosen`` is (n,)."""
    if not chosen.any():
        return Shapes(chosen, *8 * [np.zeros(0)])
    objects = field.objects
    largest, smallest = (values[chosen] for values in feret_diameters(field.hulls))
    inside = inscribed_diameters(field.labels, objects, np.flatnonzero(chosen))
    hulls = edge_hulls(objects.runs, objects.owner, field.count)
    return Shapes(
        chosen,
        objects.area()[chosen],
        field.boundaries.perimeter[1:][chosen],
        np.maximum(hulls.area()[chosen], 0.5),
        hulls.perimeter()[chosen],
        largest,
        smallest,
        np.minimum(inside, smallest),
        circumscribed_diameters(field.hulls)[chosen],
    )
