"""When a plain threshold is as good as the model, and is taken in its place."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nital.classical.segmenter import classical_segment
from nital.segmentation import Segmentation

__all__ = ["Agreement", "agreement_of", "threshold_where_as_good"]

AGREEMENT, SEPARABILITY = 0.98, 0.75
"""Set once, on simulated micrographs; docs/classical.md has the numbers."""


@dataclass(frozen=True)
class Agreement:
    """How a threshold compares with a model on one image of two phases.

    Parameters
    ----------
    same
        Share of the pixels that both give to the same phase, under the better naming.
    separability
        Otsu's criterion: variance of the grey levels between the two classes over the whole
        variance, 0...1 (IEEE Trans. SMC 9 (1979) 62, eq. 14).
    """

    same: float
    separability: float

    @property
    def threshold_is_as_good(self) -> bool:
        """Whether the threshold may answer.

        Where both agree on 98 % of the pixels they see the same structure, and differ at its
        edges alone, which a threshold draws to the pixel and a network at half the resolution.
        """
        return self.same >= AGREEMENT and self.separability >= SEPARABILITY


def agreement_of(
    threshold: NDArray[np.integer], model: NDArray[np.integer], grey: NDArray[np.floating]
) -> Agreement:
    """Compare two maps of phases 1 and 2.

    Parameters
    ----------
    threshold, model
        (H, W) phases 1 and 2.
    grey
        (H, W) grey levels that were thresholded.
    """
    upper = threshold == 2
    same = float((threshold == model).mean())
    share, spread = float(upper.mean()), float(grey.var())
    if share in (0.0, 1.0) or spread == 0:
        return Agreement(max(same, 1 - same), 0.0)
    step = float(grey[upper].mean() - grey[~upper].mean())
    return Agreement(max(same, 1 - same), share * (1 - share) * step**2 / spread)


def threshold_where_as_good(found: Segmentation) -> Segmentation:
    """The result of Otsu's threshold in place of a model's, where it is as good; else the model's.

    Only for two phases. The reason is added to ``target_reason``; the model that it was compared
    with is ``compared_with`` in the parameters, as the result's own model is then the threshold.
    """
    from nital.classical.grey import smoothed

    rows = found.micrograph.content_rows
    if found.target != "phases" or set(np.unique(found.phases[:rows])) != {1, 2}:
        return found
    threshold = classical_segment(found.micrograph, "otsu", "phases", 2)
    agreement = agreement_of(
        threshold.phases[:rows], found.phases[:rows], smoothed(found.micrograph.content)
    )
    if not agreement.threshold_is_as_good:
        return found
    reason = (
        f"; Otsu's threshold and the model agree on {100 * agreement.same:.1f} % of the pixels, so "
        "the threshold, which draws edges to the pixel, answers"
    )
    return replace(
        threshold,
        target_reason=found.target_reason + reason,
        parameters={
            **found.parameters,
            **threshold.parameters,
            "compared_with": {"name": found.model.name, "sha256": found.model.sha256},
        },
    )
