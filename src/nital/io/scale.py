"""The scale resolver: every statement on the pixel size of a file, and which one counts."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from nital.micrograph import PixelSize

__all__ = ["ScaleCandidate", "resolve_scale"]

DISAGREEMENT = 0.01


@dataclass(frozen=True)
class ScaleCandidate:
    """One statement on the pixel size.

    Parameters
    ----------
    width, height
        Sides of a pixel along a row and along a column, µm.
    source
        Where it is written, e.g. ``"FEI tag 34682"``.
    trusted
        False for statements that are shown but never chosen, such as a print resolution.
    """

    width: float
    height: float
    source: str
    trusted: bool = True

    @property
    def is_positive(self) -> bool:
        """Whether both sides are positive and finite."""
        return all(math.isfinite(side) and side > 0 for side in (self.width, self.height))

    @property
    def is_square(self) -> bool:
        """Whether the sides agree within 1 %."""
        return abs(self.width - self.height) <= DISAGREEMENT * max(self.width, self.height)


def resolve_scale(
    candidates: Iterable[ScaleCandidate], given: PixelSize | None = None
) -> tuple[PixelSize | None, list[str]]:
    """Choose the pixel size, and say what disagrees with it.

    Parameters
    ----------
    candidates
        In falling order of authority; the first trusted one is chosen.
    given
        Overrides all candidates.

    Returns
    -------
    pixel size or ``None``, warnings
        No trusted candidate, or a first one with pixels that are not square, gives ``None``.
    """
    usable = [candidate for candidate in candidates if candidate.is_positive]
    trusted = [candidate for candidate in usable if candidate.trusted]
    warnings: list[str] = []
    if given is not None:
        return _with_alternatives(given.value, given.source, usable), warnings
    if not trusted:
        return None, [_why_not_trusted(candidate) for candidate in usable[:1]]
    best = trusted[0]
    if not best.is_square:
        warnings.append(
            f"pixels are not square ({best.width:.6g} um wide, {best.height:.6g} um high, "
            f"{best.source}), so the image counts as not calibrated: resample it to square "
            "pixels, or state the size with --pixel-size"
        )
        return None, warnings
    chosen = _with_alternatives(best.width, best.source, usable)
    rivals = [c for c in trusted[1:] if _differs(c.width, best.width)]
    if rivals:
        others = ", ".join(f"{c.width:.6g} um by {c.source}" for c in rivals)
        warnings.append(
            f"pixel size {best.width:.6g} um by {best.source} is used, but the file also says "
            f"{others}: check it, and override it with --pixel-size where it is wrong"
        )
    return chosen, warnings


def _why_not_trusted(candidate: ScaleCandidate) -> str:
    source, width, height = candidate.source, candidate.width, candidate.height
    if not candidate.is_square:
        return (
            f"{source} would mean pixels {width:.6g} um wide and {height:.6g} um high, which is "
            "not trusted: resample the image to square pixels if it is right, and state the size "
            "with --pixel-size"
        )
    return (
        f"{source} would mean {width:.6g} um per pixel, which is not trusted: state --pixel-size "
        f"{width:.6g}um if it is right"
    )


def _differs(value: float, reference: float) -> bool:
    return abs(value - reference) > DISAGREEMENT * reference


def _with_alternatives(value: float, source: str, candidates: list[ScaleCandidate]) -> PixelSize:
    alternatives = tuple((c.width, c.source) for c in candidates if _differs(c.width, value))
    return PixelSize(value, source, alternatives)
