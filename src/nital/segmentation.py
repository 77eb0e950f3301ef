"""The straight path from a micrograph to a :class:`Segmentation`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from nital.micrograph import Micrograph

if TYPE_CHECKING:
    from nital.metrology import Measurements

__all__ = ["ModelInfo", "SegmentOptions", "Segmentation", "Target", "segment"]

Target = Literal["grains", "phases", "particles", "layers"]


@dataclass(frozen=True)
class SegmentOptions:
    """What to look for and how; every field is recorded in ``summary.json``."""

    target: str = "auto"
    phases: int | None = None
    model: str = "compact"
    boost: bool = True


@dataclass(frozen=True)
class ModelInfo:
    """Name and SHA-256 of the weights that made the masks."""

    name: str
    sha256: str | None


@dataclass(frozen=True)
class Segmentation:
    """Labels that never overlap, with phases and confidence.

    Parameters
    ----------
    micrograph
        The image that was segmented.
    labels
        (H, W) int32; 0 = unassigned, 1...n objects, consecutive.
    phases
        (H, W) uint8; 0 = unassigned, 1 = matrix or the largest phase, 2... by falling area.
    confidence
        (H, W) uint8; 0...255, confidence of the assigned label.
    target, target_reason
        What was looked for, and why.
    model
        The weights used.
    parameters
        All options and derived settings, JSON-serialisable.
    warnings
        Sentences for the user, those of the micrograph first.
    boost_log
        One dict per candidate removed or merged: ``{"action", "reason", ...}``.
    """

    micrograph: Micrograph
    labels: NDArray[np.int32]
    phases: NDArray[np.uint8]
    confidence: NDArray[np.uint8]
    target: Target
    target_reason: str
    model: ModelInfo
    parameters: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    boost_log: tuple[dict[str, Any], ...] = ()

    @property
    def objects(self) -> NDArray[np.int32]:
        """(n,) labels of the objects, rising."""
        return np.arange(1, int(self.labels.max(initial=0)) + 1, dtype=np.int32)

    def measure(self) -> Measurements:
        """Measure the objects and phases; see :func:`nital.metrology.measure`."""
        from nital.metrology import measure

        return measure(self)

    def save(self, folder: str | Path) -> Path:
        """Write the files of one result; see :func:`nital.report.save_result`."""
        from nital.report import save_result

        return save_result(self, Path(folder))


def segment(micrograph: Micrograph, target: str = "auto", **options: Any) -> Segmentation:
    """Segment one micrograph (being written: see ``SegmentOptions`` for the options)."""
    raise NotImplementedError
