"""The scale at which an image's structure is natural to the model.

The model knows objects of some 10 to 150 pixels. Grains and particles: the image is tried at
several scales, and the one whose masks the model itself predicts to be best is taken, if they claim
most of what looks like particles, or most of the image where it shows grains. Phases: the image is
enlarged or shrunk until the predicted widths are within the model's range. Layers: large structures
by nature, so the whole image is brought to a fixed size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nital.automatic.objects import ObjectOptions, candidates, claimed_share, clean
from nital.automatic.resample import rescale
from nital.models.compact import CompactModel
from nital.models.tiles import middle

__all__ = ["ScaleChoice", "natural_scale"]

COARSE = (0.125, 0.25, 0.5, 1.0, 2.0)
LARGE_ENOUGH = 40.0  # median diameter in pixels from which enlarging an image is not even tried
LOOK = 400  # longest side, in rescaled pixels, of what a trial looks at
ENLARGEMENT_COST = 0.04  # of predicted quality that each doubling beyond the image's size must gain
CLAIMED = 0.6
"""Share that masks should claim of the particles' foreground, or of an image of grains: a scale at
which they claim less has missed objects, and its quality counts for as much less."""
MANY, SMALL = 20, 18.0
"""Where so many particles are found in what is looked at, of less than so many pixels, they are
enlarged for as long as the masks do not get worse: the model misses more of what is small."""
SPECKS = 4.0  # tried where little or nothing is found at any other scale: particles of 2 pixels
LEAST_SPECKS = 10  # in what is looked at; fewer may be noise
COARSER = {"grains": 0.02, "particles": 0.0}
"""Predicted quality that a scale up to an octave coarser may lose and still be taken: scratches,
twins and pits vanish there before grain boundaries do."""
COARSE_DIAMETER = 18.0  # pixels that objects must keep at such a coarser scale
LARGEST_SIDE = 16000  # of a rescaled image: no enlargement beyond
LAYERS_SIDE = 512
WIDTHS = (12.0, 60.0)
WIDTH_LOOK = 640
PHASE_SCALES = (0.25, 2.5)
SATURATED = 36.0  # predicted width in pixels from which it may be that of anything wider
FEW = 0.1  # share of the image within objects below which half the scale is looked at too
MUCH_MORE = 3.0  # times that share
LEAST_GROWTH = 1.3  # of the width that doubling the scale doubles, where the model can tell


@dataclass(frozen=True)
class ScaleChoice:
    """The factor chosen and why.

    ``trials`` holds (scale, worth of the masks or width of the objects); ``width`` is the objects'
    median width in pixels of the rescaled image, ``None`` where it was not looked at.
    """

    scale: float
    trials: tuple[tuple[float, float], ...]
    width: float | None = None


def natural_scale(model: CompactModel, image: NDArray[np.float32], target: str) -> ScaleChoice:
    """Choose the scale of a standardised (H, W) image for one target."""
    if target == "layers":
        return ScaleChoice(min(1.0, LAYERS_SIDE / max(image.shape)), ())
    if target == "phases":
        return _by_width(model, image)
    return _by_quality(model, image, target)


def _by_quality(model: CompactModel, image: NDArray[np.float32], target: str) -> ScaleChoice:
    """Octaves first, then the half octaves beside the best."""
    tried: dict[float, Trial] = {}

    def attempt(scale: float) -> None:
        too_small = min(image.shape) * scale < 16 and scale < 1
        too_large = max(image.shape) * scale > LARGEST_SIDE and scale > 1
        needless = scale > 1 and 1.0 in tried and tried[1.0].median >= LARGE_ENOUGH
        if not (too_small or too_large or needless or scale in tried):
            tried[scale] = look(model, image, target, scale)

    def worth(scale: float) -> float:
        return tried[scale].worth - ENLARGEMENT_COST * max(0.0, math.log2(scale))

    for scale in COARSE:
        attempt(scale)
    if not any(trial.quality for trial in tried.values()) and target == "particles":
        attempt(SPECKS)
        if SPECKS in tried and tried[SPECKS].count < LEAST_SPECKS:
            del tried[SPECKS]
    if all(trial.quality == 0.0 for trial in tried.values()):
        return ScaleChoice(1.0, tuple((s, 0.0) for s in sorted(tried)))
    best = max(tried, key=worth)
    if tried[best].claimed < CLAIMED and target == "particles":
        attempt(SPECKS)
        best = max(tried, key=worth)
    for steps in (-1, 1):
        attempt(_half_octaves(best, steps))
    best = max(tried, key=worth)
    enough = worth(best) - COARSER[target]
    coarsest = best * max(0.49, min(1.0, COARSE_DIAMETER / max(tried[best].diameter, 1.0)))
    chosen = min(s for s in tried if s >= coarsest and worth(s) >= enough)
    while target == "particles" and tried[chosen].count >= MANY and tried[chosen].median < SMALL:
        finer = _half_octaves(chosen, 1)
        attempt(finer)
        if finer not in tried or tried[finer].worth < tried[chosen].worth:
            break
        chosen = finer
    trials = tuple((s, round(tried[s].worth, 4)) for s in sorted(tried))
    return ScaleChoice(chosen, trials)


def _half_octaves(scale: float, steps: int) -> float:
    """A scale so many factors of root 2 away, the same number however it is reached."""
    return float(2.0 ** ((round(2 * math.log2(scale)) + steps) / 2))


@dataclass(frozen=True)
class Trial:
    """What the masks found in the middle of a rescaled image are like; all 0 without masks.

    ``quality`` is the mean of their predicted IoU and ``diameter`` the median of their equivalent
    circle diameters in pixels of the rescaled image, both weighted by area; ``median`` is that of
    their number, ``count``. ``claimed`` is the share of the foreground, or of the image, that they
    claim.
    """

    quality: float
    diameter: float
    median: float
    count: int
    claimed: float

    @property
    def worth(self) -> float:
        """Predicted quality, less where objects are missed."""
        return self.quality * min(1.0, self.claimed / CLAIMED)


def look(model: CompactModel, image: NDArray[np.float32], target: str, scale: float) -> Trial:
    """Try a scale on the middle of an image."""
    view = rescale(middle(image, max(1, round(LOOK / scale))), scale)
    found, maps = candidates(model, view, target)
    survivors, _ = clean(found, maps, target, ObjectOptions())
    areas = survivors.areas.astype(np.float64)
    total = float(areas.sum())
    if total == 0:
        return Trial(0.0, 0.0, 0.0, 0, 0.0)
    ordered = np.sort(areas)
    diameters = np.sqrt(1.2732 * ordered)
    halfway = int(np.searchsorted(np.cumsum(ordered), 0.5 * total))
    return Trial(
        float((areas * survivors.scores).sum()) / total,
        float(diameters[halfway]),
        float(np.median(diameters)),
        len(diameters),
        claimed_share(survivors, maps, target),
    )


def _by_width(model: CompactModel, image: NDArray[np.float32]) -> ScaleChoice:
    """Bring the area-weighted median of the predicted widths into the range.

    Widths beyond what the model has learnt look alike to it, or are not seen: where wide objects
    are hardly wider than at half the scale, or far more is seen there, that scale comes first.
    """
    scale = 1.0
    width: float | None = None
    trials: list[tuple[float, float]] = []
    seen, share = _width(model, image, scale)
    while (seen >= SATURATED or share < FEW) and scale > PHASE_SCALES[0]:
        half, more = _width(model, image, scale / 2)
        if more <= MUCH_MORE * share and (seen < SATURATED or seen >= LEAST_GROWTH * half):
            break
        trials.append((scale, round(seen, 2)))
        seen, share, scale = half, more, scale / 2
    for _ in range(2):
        if seen == 0:
            break
        trials.append((scale, round(seen, 2)))
        wanted = float(np.clip(scale * np.clip(seen, *WIDTHS) / seen, *PHASE_SCALES))
        width, step, scale = seen * wanted / scale, wanted / scale, wanted
        if 0.8 < step < 1.25:
            break
        seen, _ = _width(model, image, scale)
    return ScaleChoice(scale, tuple(trials), width)


def _width(model: CompactModel, image: NDArray[np.float32], scale: float) -> tuple[float, float]:
    """Median predicted width in the middle of a rescaled image, 0 where none is seen, and share."""
    view = rescale(middle(image, max(1, round(WIDTH_LOOK / scale))), scale)
    dense = model.embed(view, "phases").maps["dense"]
    inside = (dense[0] > 0.5) & (dense[1] < 0.5)
    share = float(inside.mean())
    return (0.0 if share < 0.002 else float(2.0 ** np.median(dense[4][inside]))), share
