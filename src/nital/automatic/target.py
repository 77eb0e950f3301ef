"""Which target an image shows, and at which scale its structure is natural to the model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nital.automatic.resample import rescale
from nital.models.compact import TARGETS, CompactModel

__all__ = ["choose_target", "natural_scale"]

LOOK = 640  # longest side of the image looked at as a whole
WIDTHS = (12.0, 90.0)  # widths of objects in pixels at which the model is at home
SCALES = (0.2, 3.0)


def choose_target(model: CompactModel, image: NDArray[np.float32]) -> tuple[str, str]:
    """The most probable target of a standardised (H, W) image, and the reason in words."""
    probability = np.zeros(len(TARGETS))
    views = [rescale(image, min(1.0, LOOK / max(image.shape)))]
    if max(image.shape) > LOOK:
        views.append(_middle(image, LOOK))
    for view in views:
        probability += model.embed(view, "auto").maps["target_probability"] / len(views)
    order = np.argsort(-probability)
    best, second = TARGETS[order[0]], TARGETS[order[1]]
    reason = (
        f"the image looks like {best} ({100 * probability[order[0]]:.0f} %;"
        f" {second} {100 * probability[order[1]]:.0f} %)"
    )
    return best, reason


def natural_scale(
    model: CompactModel, image: NDArray[np.float32], target: str
) -> tuple[float, float | None]:
    """A factor that brings the objects of the image into the range that the model knows.

    Returns
    -------
    scale
        1 when the objects are at home already.
    width
        Median width of the objects in pixels of the image; ``None`` where nothing was seen.
    """
    scale = 1.0
    width: float | None = None
    for _ in range(2):
        view = rescale(_middle(image, round(LOOK / scale)), scale)
        seen = _typical_width(model, view, target)
        if seen is None:
            return scale, width
        width = seen / scale
        wanted = float(np.clip(seen, *WIDTHS))
        step = wanted / seen
        scale = float(np.clip(scale * step, *SCALES))
        if 0.8 < step < 1.25:
            break
    return scale, width


def _middle(image: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """The central part of at most ``side`` pixels a side."""
    top, left = (max(0, (length - side) // 2) for length in image.shape)
    return image[top : top + side, left : left + side]


def _typical_width(model: CompactModel, view: NDArray[np.float32], target: str) -> float | None:
    """Area-weighted median of the predicted widths inside objects."""
    dense = model.embed(view, target).maps["dense"]
    inside = (dense[0] > 0.5) & (dense[1] < 0.5)
    if inside.mean() < 0.002:
        return None
    return float(2.0 ** np.median(dense[4][inside]))
