"""Objects missed or invented, as in simulated micrographs where a model left as much open."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAST_UNCLAIMED", "Missed", "missed_where"]

Array = NDArray[np.float64]

# A mask may hold several objects, which no part left open shows.
LEAST_UNCLAIMED = 0.05
_FIRST_REACH, _FURTHER = 0.3, 1.25  # of the logarithm of what is left open
_FEWEST = 10.0
_COUNTS = 0.25  # of the largest weight


@dataclass(frozen=True)
class Missed:
    """What was true of k simulated micrographs of which a model left as much open as of this one.

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


def missed_where(unclaimed: float, known: dict[str, list[float]]) -> Missed:
    """What was missed where about as much was left open.

    What is missed goes with what is left open, and is scaled by it; how far it scatters about that
    depends on how much it is, so near ones count more.

    Parameters
    ----------
    unclaimed
        What no mask claims over what masks claim.
    known
        ``unclaimed`` and, as in :class:`Missed`, the rest of simulated micrographs.
    """
    least = np.maximum(np.array(known["unclaimed"]), LEAST_UNCLAIMED)
    asked = max(unclaimed, LEAST_UNCLAIMED)
    apart = np.log(least / asked)
    nearest = float(np.abs(apart).min())
    reach = _FIRST_REACH
    while True:
        weight = np.exp((nearest**2 - apart**2) / (2.0 * reach**2))
        weight /= weight.sum()
        alike = 1.0 / float((weight**2).sum())
        if alike >= min(_FEWEST, 0.5 * len(weight)):
            break
        reach *= _FURTHER
    number = np.array(known["number"]) * asked / least
    number, deviation = _held_back(number, weight)
    size, _ = _held_back(np.array(known["size"]), weight)
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


def _held_back(values: Array, weight: Array) -> tuple[Array, float]:
    """Values > 0, and how their logarithms scatter.

    Of those that count, the largest and the smallest are brought to the next: one micrograph full
    of dust that nobody could see is no measure of the others.
    """
    logarithm = np.log(values)
    counting = np.sort(logarithm[weight >= _COUNTS * weight.max()])
    if len(counting) > 2:
        logarithm = np.clip(logarithm, counting[1], counting[-2])
    order = np.argsort(logarithm, kind="stable")
    share = np.cumsum(weight[order]) - weight[order] / 2.0
    low, high = np.interp((0.1587, 0.8413), share, logarithm[order])
    return np.exp(logarithm), float(high - low) / 2.0
