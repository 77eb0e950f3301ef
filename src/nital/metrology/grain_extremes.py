"""The largest grain, and grain sizes that are not one population."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Duplex", "find_duplex"]

FEWEST_GRAINS = 50
_COARSER = 3.0
_FEW_PERCENT = 0.05
_GAP = 1.0
_MODES_APART = 4
_MODES_SHARE = 0.75
_SMALLEST_MODE = 0.05
_WIDE = 5.0


@dataclass(frozen=True)
class Duplex:
    """Whether the grains are of more than one population.

    Parameters
    ----------
    kind
        ``None``; ``"ALA"``, isolated coarse grains; ``"bimodal"``; or ``"wide range"``.
    evidence
        What was seen, in words.
    """

    kind: str | None
    evidence: str


def find_duplex(area: NDArray[np.float64], weight: NDArray[np.float64]) -> Duplex | None:
    """Look for the random duplex conditions of ASTM E1181 among the sections of single grains.

    Parameters
    ----------
    area
        (n,) area of each grain, in any unit: only ratios count.
    weight
        (n,) how many grains each stands for.

    Returns
    -------
    ``None`` for fewer than 50 grains. Sizes are grain size numbers of single sections,
    ``-log2(area)`` but for a constant:

    - ALA: grains at least 3 numbers coarser than the mean of all others, and by 1 number apart
      from the next, that cover at most 5 % of the area;
    - bimodal: the area by number has two modes at least 4 numbers apart, with a valley between
      them below half the lower one, that together cover at least 75 % of the area;
    - wide range: the middle 90 % of the area spans at least 5 numbers.
    """
    if len(area) < FEWEST_GRAINS:
        return None
    order = np.argsort(-area, kind="stable")
    area, weight = area[order], weight[order]
    number = -np.log2(area)
    share = area * weight / float((area * weight).sum())
    coarse = _isolated_coarse(area, weight, number)
    if coarse:
        covered = float(share[:coarse].sum())
        if covered <= _FEW_PERCENT:
            return Duplex("ALA", f"{coarse} isolated coarse grains on {100 * covered:.2g} % of it")
    modes = _modes(number, share)
    if modes is not None:
        return Duplex("bimodal", f"two modes {modes} numbers apart")
    middle = np.cumsum(share) - share / 2.0
    span = float(np.interp(0.95, middle, number) - np.interp(0.05, middle, number))
    wide = "wide range" if span >= _WIDE else None
    return Duplex(wide, f"the middle 90 % of it spans {span:.1f} numbers")


def _isolated_coarse(
    area: NDArray[np.float64], weight: NDArray[np.float64], number: NDArray[np.float64]
) -> int:
    """Count the grains, from the coarsest on, that stand apart from the balance."""
    gaps = np.diff(number)
    for coarse in np.flatnonzero(gaps[: len(gaps) // 2] >= _GAP)[::-1] + 1:
        rest = float((area[coarse:] * weight[coarse:]).sum() / weight[coarse:].sum())
        if -math.log2(rest) - number[coarse - 1] >= _COARSER:
            return int(coarse)
    return 0


def _modes(number: NDArray[np.float64], share: NDArray[np.float64]) -> int | None:
    """Return the distance of two modes of the area by whole numbers, if there are two."""
    first = math.floor(float(number.min()))
    cells = np.floor(number).astype(int) - first
    by_number = np.bincount(cells, weights=share)
    highest = int(by_number.argmax())
    for other in np.argsort(-by_number, kind="stable"):
        apart = abs(int(other) - highest)
        low, high = sorted((int(other), highest))
        if apart < _MODES_APART or by_number[other] < _SMALLEST_MODE:
            continue
        valley = low + int(by_number[low : high + 1].argmin())
        together = sum(float(by_number[max(mode - 1, 0) : mode + 2].sum()) for mode in (low, high))
        if by_number[valley] < by_number[other] / 2.0 and together >= _MODES_SHARE:
            return apart
    return None
