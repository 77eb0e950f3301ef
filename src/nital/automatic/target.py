"""Which target an image shows.

The model is told each target in turn and asked what it sees: where it holds objects, boundaries
and their widths, sharply or not. A logistic regression on those few figures names the target.
The network's own guess from its features counts as well.

``python benchmarks/target_choice.py --write`` fits the figures in ``target.json``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nital.automatic.resample import rescale
from nital.models.compact import TARGETS, CompactModel
from nital.models.tiles import middle

__all__ = ["FIGURES", "TargetFigures", "choose_target", "evidence"]

LOOK = 512  # longest side, in pixels, of what is looked at
GUESS_WEIGHT = 0.8  # of the log probability of the network's own guess
LEAST_GUESS = 1e-3
TOO_OFTEN = {"particles": 0.5}
"""By how much the network guesses a target too often, as a difference of log probabilities: nearly
all real images that it was trained on show particles, so what looks real looks like particles."""
FEWEST = 20  # cells of dense maps within objects that tell of widths
SURE = (0.2, 0.8)  # probability of foreground outside of which a cell is sure
LARGE = 0.7  # of the side of the view: objects as long are bodies cut by the frame
FIGURES = Path(__file__).with_name("target.json")


@dataclass(frozen=True)
class TargetFigures:
    """Logistic regression on :func:`evidence`.

    ``mean`` and ``spread`` (F,) bring the evidence to one scale; ``weights`` (4, F) and
    ``offsets`` (4,) give the logit of each target.
    """

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    weights: NDArray[np.float64]
    offsets: NDArray[np.float64]

    def log_probability(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., 4) log probability of each target of (..., F) evidence."""
        logits = (values - self.mean) / self.spread @ self.weights.T + self.offsets
        top = logits.max(-1, keepdims=True)
        total = np.log(np.exp(logits - top).sum(-1, keepdims=True))
        return np.asarray(logits - top - total, dtype=np.float64)


def choose_target(model: CompactModel, image: NDArray[np.float32]) -> tuple[str, str]:
    """The most probable target of a standardised (H, W) image, and the reason in words.

    Looked at are the whole image, shrunk, and where it is large its middle as it is.
    """
    figures, logs = _figures(), []
    too_often = np.array([TOO_OFTEN.get(name, 0.0) for name in TARGETS])
    for view in _views(image):
        values, guess = evidence(model, view)
        own = np.log(np.maximum(guess, LEAST_GUESS)) - too_often
        logs.append(figures.log_probability(values) + GUESS_WEIGHT * own)
    probability = np.exp(np.mean(logs, axis=0))
    probability /= probability.sum()
    order = np.argsort(-probability)
    best, second = TARGETS[order[0]], TARGETS[order[1]]
    reason = (
        f"the image looks like {best} ({100 * probability[order[0]]:.0f} %;"
        f" {second} {100 * probability[order[1]]:.0f} %)"
    )
    return best, reason


def _views(image: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    views = [rescale(image, min(1.0, LOOK / max(image.shape)))]
    if max(image.shape) > LOOK:
        views.append(middle(image, LOOK))
    return views


def evidence(
    model: CompactModel, view: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What a model sees in a standardised (H, W) view when told each target, in one row.

    Returns
    -------
    values
        (F,) figures of the dense maps, target by target.
    guess
        (4,) probability of each target, as the network itself takes it.
    """
    rows = []
    for target in TARGETS:
        maps = model.embed(view, target).maps
        rows.append(_seen(maps["dense"].astype(np.float64)))
    return np.concatenate(rows), np.asarray(maps["target_probability"], dtype=np.float64)


def _seen(dense: NDArray[np.float64]) -> NDArray[np.float64]:
    """Foreground, boundaries, distances, widths and extents of (5, h, w) dense maps."""
    foreground, boundary, distance, extent, width = dense
    inside = (foreground > 0.5) & (boundary < 0.5)
    side = np.log2(2 * foreground.size**0.5)
    spans = np.zeros(8)
    if inside.sum() > FEWEST:
        widths, extents = (np.percentile(each[inside], (10, 50, 90)) for each in (width, extent))
        large = np.mean(extent[inside] > side + np.log2(LARGE))
        longer = np.median(extent[inside]) - np.median(width[inside])
        spans = np.array([*widths - side, *extents - side, large, longer])
    sure = (foreground < SURE[0]) | (foreground > SURE[1])
    steps = [np.abs(np.diff(foreground, axis=axis)) for axis in (0, 1)]
    shares = [foreground.mean(), np.mean(foreground > 0.5), sure.mean()]
    walls = [boundary.mean(), np.mean(boundary > 0.5), distance.mean()]
    return np.array([*shares, *walls, *spans, *(s.mean() if s.size else 0.0 for s in steps)])


@cache
def _figures() -> TargetFigures:
    given = json.loads(FIGURES.read_text(encoding="utf-8"))
    names = ("mean", "spread", "weights", "offsets")
    return TargetFigures(*(np.array(given[name], dtype=np.float64) for name in names))
