"""What the straight path asks of a model: embed once, decode many prompts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nital.prompts import PromptSet

__all__ = ["Decoded", "Embedding", "PromptableModel"]


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
    maps: dict[str, NDArray[Any]]


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
