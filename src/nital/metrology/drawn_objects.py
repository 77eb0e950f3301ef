"""Objects as they may truly be: there or not, missed ones beside them, and outlines moved."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nital.metrology.doubts import Doubts
from nital.metrology.missed import Missed

__all__ = ["LEAST_AREA", "DrawnObjects"]

Array = NDArray[np.float64]

LEAST_AREA = 0.05
_MOST_DRAWS, _FEWEST_DRAWS, _DRAWN_NUMBERS = 400, 40, 400_000
_MOST_MISSED = 1e6
_FEWEST_SIZES, _LEAST_SPREAD = 10, 0.1
_SEED = 20261121


class DrawnObjects:
    """Objects taken so many times, and their outlines moved.

    An object that is real with chance p is there with that chance. Where a model says what it left
    open, that many are missed as it leads one to expect, more or fewer by a factor that the
    draw shares. Where it does not, as many are missed as are invented: an object stands for
    further ones, at random, 1 - p on average, so that sums over objects keep their mean.

    Parameters
    ----------
    doubts
        Of all objects of the field.
    area, perimeter
        (n,) of each, in pixels.
    order
        (n,) that does not depend on how objects are numbered.
    hidden
        Whether missed objects are hidden in those found: somewhere between one for every so much of
        area, and in the largest alone, so that their parts come out alike; where between, nothing
        tells, so that is drawn too.
    """

    def __init__(
        self,
        doubts: Doubts,
        area: Array,
        perimeter: Array,
        order: NDArray[np.intp],
        *,
        hidden: bool = False,
    ) -> None:
        self._doubts, self._order = doubts, order
        self._area, self._perimeter = area, perimeter
        self._hidden = hidden
        number = max(len(order), 1)
        self.draws = int(np.clip(_DRAWN_NUMBERS / number, _FEWEST_DRAWS, _MOST_DRAWS))

    @cached_property
    def _like(self) -> Missed | None:
        """A micrograph for each draw, of which what was missed is known."""
        missed = self._doubts.missed
        return missed and missed.drawn(self.draws, np.random.default_rng(_SEED + 2))

    @cached_property
    def there(self) -> Array:
        """(draws, n) 1 where an object is real, 0 where it is invented."""
        rng = np.random.default_rng(_SEED)
        chance = np.broadcast_to(self._doubts.real[self._order], (self.draws, len(self._order)))
        if self._like is not None and len(self._order):
            size = np.log(np.maximum(self._area[self._order], 1.0))
            size = (size - size.mean()) / max(float(size.std()), 1e-12)
            odds = chance * np.exp(self._like.leaning[:, None] + self._like.larger[:, None] * size)
            chance = odds / (odds + 1.0 - chance)
        return self._undone((rng.random(chance.shape) < chance).astype(float))

    @cached_property
    def missed(self) -> Array:
        """(draws, n) number of objects not found that each one found stands for."""
        rng = np.random.default_rng(_SEED + 3)
        real = self._doubts.real[self._order]
        shape = self.draws, len(real)
        if self._like is None:
            return self._undone(rng.poisson(np.broadcast_to(1.0 - real, shape)).astype(float))
        rate = np.minimum(self._like.number, _MOST_MISSED / max(len(real), 1))
        if not self._hidden:
            return self._undone(rng.poisson(np.broadcast_to(rate[:, None], shape)).astype(float))
        area, evenly = self._area[self._order], self.evenly
        hidden = evenly * _of_the_largest(area, rate) + (1.0 - evenly) * rate[:, None] * (
            area / max(float(area.mean()), 1.0)
        )
        return self._undone(np.floor(hidden + rng.random(shape)))

    @cached_property
    def evenly(self) -> Array:
        """(draws, 1) share of what is hidden that makes the parts of the largest objects alike."""
        rng = np.random.default_rng(_SEED + 6)
        return np.asarray((rng.permutation(self.draws)[:, None] + 0.5) / self.draws)

    @property
    def missed_size(self) -> Array:
        """(draws, 1) diameter of the objects not found over that of those found."""
        return np.ones((self.draws, 1)) if self._like is None else self._like.size[:, None]

    @cached_property
    def divided(self) -> Array:
        """(draws,) share of the change of sizes that is one of single grains, and not of all."""
        rng = np.random.default_rng(_SEED + 4)
        return rng.permutation((np.arange(self.draws) + 0.5) / self.draws)

    @cached_property
    def shape(self) -> Array:
        """(draws,) how far masks of the image are of another shape, in standard deviations."""
        return _deviates(self.draws, np.random.default_rng(_SEED + 7))

    @cached_property
    def outward(self) -> Array:
        """(draws, n) how far each outline is moved outwards, in pixels."""
        return np.asarray(self._shared + self._own)

    @cached_property
    def area(self) -> Array:
        """(draws, n) area of each object with its outline moved, > 0."""
        return np.asarray(self._area * np.exp(self.outward * self._per_area))

    @property
    def _per_area(self) -> Array:
        """(n,) perimeter over area."""
        return np.asarray(self._perimeter / np.maximum(self._area, 1.0))

    @cached_property
    def _shared(self) -> Array:
        """(draws, n) the part of the shift that all outlines share."""
        rng = np.random.default_rng(_SEED + 1)
        drawn = _deviates(self.draws, rng)[:, None] * self._doubts.together[self._order]
        return self._undone(drawn)

    @cached_property
    def _own(self) -> Array:
        """(draws, n) the part of the shift that each outline has of its own.

        Outlines that are off each in its own way have made the sizes found scatter more than
        the true ones do. So an object found larger than most is more likely to be too large than
        too small, and the other way round: given what was found, the logarithm of its true size
        is normal about a value between that found and the mean, as far from either as the
        variance of the errors is from that of the true sizes.
        """
        rng = np.random.default_rng(_SEED + 5)
        order = self._order
        error = (self._doubts.alone * self._per_area)[order]
        size = np.log(np.maximum(self._area[order], 1.0))
        back = np.zeros(len(order))
        if len(order) >= _FEWEST_SIZES and error.any():
            found = float(size.var(ddof=1))
            true = max(found - float((error**2).mean()), _LEAST_SPREAD * found)
            back = error**2 / (error**2 + true) if true > 0.0 else back
        drawn = rng.standard_normal((self.draws, len(order))) * error * np.sqrt(1.0 - back)
        drawn += back * (size.mean() if len(size) else 0.0) - back * size
        return self._undone(drawn / np.maximum(self._per_area[order], 1e-12))

    def _undone(self, drawn: Array) -> Array:
        """Columns in the order of the objects."""
        placed = np.empty_like(drawn)
        placed[:, self._order] = drawn
        return placed


def _deviates(number: int, rng: np.random.Generator) -> Array:
    """Normal deviates in equal steps of probability, in random order."""
    from scipy.special import ndtri

    return rng.permutation(np.asarray(ndtri((np.arange(number) + 0.5) / number)))


def _of_the_largest(area: Array, rate: Array) -> Array:
    """(draws, n) number of further parts that make the parts of the largest objects alike.

    Parameters
    ----------
    area
        (n,) of each object.
    rate
        (draws,) number of further parts for each object.
    """
    falling = np.sort(area)[::-1]
    total = np.cumsum(falling)
    count = np.arange(1, len(falling) + 1)
    part = total / (rate[:, None] * len(falling) + count)
    below = np.append(falling[1:], 0.0)
    last = (part >= below).argmax(axis=1)
    chosen = np.take_along_axis(part, last[:, None], axis=1)
    return np.asarray(np.maximum(area / chosen - 1.0, 0.0))
