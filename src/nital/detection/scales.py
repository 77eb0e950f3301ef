"""Detectors by length scale: one for all, or a pair below and above 10,000x as in the paper.

A pair is a folder that holds two detectors, ``low/`` and ``high/``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from nital.detection.detector import DetectorModel

__all__ = ["LOW_BELOW", "Detectors", "is_detector", "length_scale", "load_detectors"]

LOW_BELOW = 10_000.0
"""Magnification from which an image is one of high magnification."""

DESCRIPTION = "detector.json"


@dataclass(frozen=True)
class Detectors:
    """One detector for all magnifications (``low is high``), or two.

    Parameters
    ----------
    sha256
        Of all graphs.
    low, high
        For images below and above 10,000x.
    """

    sha256: str
    low: DetectorModel
    high: DetectorModel

    @property
    def is_pair(self) -> bool:
        """Whether the magnification decides which of two is asked."""
        return self.low is not self.high


def _folder(name: str) -> Path | None:
    """The folder with the files of a detector or of a pair; also ``model/`` of a training."""
    for folder in (Path(name), Path(name) / "model"):
        pair = (folder / "low" / DESCRIPTION, folder / "high" / DESCRIPTION)
        if (folder / DESCRIPTION).is_file() or all(path.is_file() for path in pair):
            return folder
    return None


def is_detector(name: str) -> bool:
    """Whether ``--model`` names the folder of a detector, of a pair, or of a training."""
    return _folder(name) is not None


@lru_cache(maxsize=1)
def load_detectors(name: str) -> Detectors:
    """Load what :func:`is_detector` has found, once.

    Raises
    ------
    ModelError
        A file is damaged or of another kind.
    """
    folder = _folder(name) or Path(name)
    if (folder / DESCRIPTION).is_file() or not (folder / "low").is_dir():
        one = DetectorModel.load(folder)
        return Detectors(one.sha256, one, one)
    low, high = DetectorModel.load(folder / "low"), DetectorModel.load(folder / "high")
    joint = hashlib.sha256((low.sha256 + high.sha256).encode()).hexdigest()
    return Detectors(joint, low, high)


def length_scale(magnification: float | None, natural: float) -> tuple[str, str]:
    """``"low"`` or ``"high"``, and why.

    Parameters
    ----------
    magnification
        As given or as the file states it; ``None`` where it is not known.
    natural
        The factor that brings the image to the scale that is natural to its particles: below 1
        where they are large in it, as at high magnification.
    """
    if magnification is not None:
        which = "low" if magnification < LOW_BELOW else "high"
        return which, f"the magnification is {magnification:,.0f}x"
    if natural < 1:
        return "high", "its particles are large in the image, and no magnification is known"
    return "low", "its particles are small in the image, and no magnification is known"
