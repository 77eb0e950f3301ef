"""What the straight path asks of a model: embed once, decode many prompts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nital.prompts import PromptSet

__all__ = ["Decoded", "Embedding", "PromptableModel", "Selected", "SelectiveModel"]


@dataclass(frozen=True)
class Embedding:
    """What a model keeps of one image or tile.

    Parameters
    ----------
    shape
        (H, W) of the image embedded, in its own pixels.
    maps
        The model's arrays by name; only the model that made them reads them, but for ``dense``
        maps, which the automatic mode uses where a model has them.
    """

    shape: tuple[int, int]
    maps: dict[str, Any]


@dataclass(frozen=True)
class Decoded:
    """Masks of N prompts at the decoder's own resolution.

    Parameters
    ----------
    logits
        (N, L, h, w) float32 logits of L levels.
    scores
        (N, L) predicted IoU, 0...1.
    windows
        (N, L, 4) float32 top, left, bottom, right: the part of the image that each grid covers.
    """

    logits: NDArray[np.float32]
    scores: NDArray[np.float32]
    windows: NDArray[np.float32]


@dataclass(frozen=True)
class Selected:
    """Those masks of some prompts that were worth drawing.

    Parameters
    ----------
    logits
        (M, h, w) float32.
    scores
        (M,) predicted IoU, 0...1.
    windows
        (M, 4) float32 top, left, bottom, right: the part of the image that each grid covers.
    prompts
        (M,) index of the prompt of each.
    """

    logits: NDArray[np.float32]
    scores: NDArray[np.float32]
    windows: NDArray[np.float32]
    prompts: NDArray[np.intp]


class PromptableModel(Protocol):
    """A model that answers points and boxes with masks."""

    @property
    def name(self) -> str:
        """Name for reports."""

    @property
    def sha256(self) -> str | None:
        """Hash of the weights, ``None`` when there are none."""

    def embed(self, image: NDArray[np.float32], target: str) -> Embedding:
        """Embed one (H, W) image, standardised to zero mean and unit variance."""

    def decode(self, embedding: Embedding, prompts: PromptSet, level: str) -> Decoded:
        """Decode prompts at one level: ``"object"`` or ``"phase"``."""


class SelectiveModel(PromptableModel, Protocol):
    """A model that predicts how good a mask is before it draws it."""

    def decode_selected(
        self,
        embedding: Embedding,
        prompts: PromptSet,
        *,
        lowest_score: float,
        best: bool,
        level: str = "object",
    ) -> Selected:
        """Draw the masks with a score above a bar; of each prompt only the best, if asked for."""
