"""Objects missed or invented, as in simulated micrographs that a model fared alike with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAST_UNCLAIMED", "Missed", "Showing", "missed_where"]

Array = NDArray[np.float64]

# A mask may hold several objects, which no part left open shows.
LEAST_UNCLAIMED = 0.05
_FIRST_REACH, _FURTHER = 0.25, 1.25  # of the standard deviations of what shows
_CERTAIN = 0.02  # added to the share of the objects that is not real
_FEWEST = 10.0
_FENCE = 1.5


@dataclass(frozen=True)
class Missed:
    """What was true of k simulated micrographs that a model fared with as with this one.

    Parameters
    ----------
    number
        (k,) objects missed for each one found; rising.
    size
        (k,) their diameter over that of those found.
    leaning
        (k,) how much more often than their confidence says the objects found are real: what is
        added to the logit of the chance of each.
    larger
        (k,) how far the real ones among the objects found lie above the invented ones in size, in
        standard deviations of its logarithm.
    weight
        (k,) how much alike the micrographs are; adds up to 1.
    spread
        Standard error of the logarithm of ``number``, as so many micrographs leave it.
    """

    number: Array
    size: Array
    leaning: Array
    larger: Array
    weight: Array
    spread: float = 0.0

    def drawn(self, draws: int, rng: np.random.Generator) -> Missed:
        """Micrographs drawn at random, each as by its weight: ``draws`` of them, of equal weight.

        Drawn at even steps of the weight, in random order.
        """
        steps = (np.arange(draws) + rng.random()) / draws
        chosen = np.searchsorted(np.cumsum(self.weight)[:-1], rng.permutation(steps))
        return Missed(
            self.number[chosen] * np.exp(self.spread * rng.standard_normal(draws)),
            self.size[chosen],
            self.leaning[chosen],
            self.larger[chosen],
            np.full(draws, 1.0 / draws),
        )


@dataclass(frozen=True)
class Showing:
    """What shows of how a model fared with a micrograph.

    Parameters
    ----------
    unclaimed
        What no mask claims over what masks claim.
    found
        Number of objects found, at least 1.
    real
        Mean of the chance, 0...1, of each to be real.
    """

    unclaimed: float
    found: float
    real: float


def missed_where(showing: Showing, known: dict[str, list[float]]) -> Missed:
    """What was missed in simulated micrographs that a model fared alike with.

    What is missed goes with what is left open, and is scaled by it; how far it scatters about that
    depends on that, on how many objects were found and on how sure they are, so those near in all
    three count more.

    Parameters
    ----------
    showing
        Of the micrograph.
    known
        Of simulated ones: ``unclaimed``, ``found`` and ``real`` as in :class:`Showing`, and the
        rest as in :class:`Missed`.
    """
    least = np.maximum(np.array(known["unclaimed"]), LEAST_UNCLAIMED)
    asked = max(showing.unclaimed, LEAST_UNCLAIMED)
    shown = _compared(least, np.array(known["found"]), np.array(known["real"]))
    own = _compared(np.array(asked), np.array(showing.found), np.array(showing.real))
    spread = np.maximum(shown.std(axis=0), 1e-6)
    square = (((shown - own) / spread) ** 2).sum(axis=1)
    reach = _FIRST_REACH
    while True:
        weight = np.exp((square.min() - square) / (2.0 * reach**2))
        weight /= weight.sum()
        alike = 1.0 / float((weight**2).sum())
        if alike >= min(_FEWEST, 0.5 * len(weight)):
            break
        reach *= _FURTHER
    number = np.array(known["number"]) * asked / least
    number, deviation = _within_fences(number, weight)
    size, _ = _within_fences(np.array(known["size"]), weight)
    leaning, larger = (np.array(known[name]) for name in ("leaning", "larger"))
    order = np.argsort(number, kind="stable")
    return Missed(
        number[order],
        size[order],
        leaning[order],
        larger[order],
        weight[order],
        deviation / math.sqrt(alike),
    )


def _compared(unclaimed: Array, found: Array, real: Array) -> Array:
    """(..., 3) what shows, on scales on which differences count alike."""
    return np.stack([np.log(unclaimed), np.log(found), np.log(1.0 + _CERTAIN - real)], axis=-1)


def _within_fences(values: Array, weight: Array) -> tuple[Array, float]:
    """Values > 0, those far out brought in, and how their logarithms scatter.

    One micrograph full of dust that nobody could see is no measure of the others: what lies more
    than 1.5 times the distance of the quartiles beyond these is brought to there (the fences of
    J. Tukey, Exploratory Data Analysis, 1977, section 2D).
    """
    logarithm = np.log(values)
    order = np.argsort(logarithm, kind="stable")
    share = np.cumsum(weight[order]) - weight[order] / 2.0
    low, first, third, high = np.interp((0.1587, 0.25, 0.75, 0.8413), share, logarithm[order])
    beyond = _FENCE * (third - first)
    return np.exp(np.clip(logarithm, first - beyond, third + beyond)), float(high - low) / 2.0
