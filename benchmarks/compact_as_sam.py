"""The compact model behind the interface of segment_anything's models.

So the authors' own ``SamAutomaticMaskGenerator``, unchanged, asks the very weights that Nital's
generator asks. Its other parts are as thin as may be: no image is resized or padded, and a mask is
enlarged inside its window alone, the rest of the image filled with one number, which is less work
than SAM's own enlargement over the whole image.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nital.models.compact import GRID, CompactModel
from nital.models.protocol import Decoded, Embedding
from nital.models.tiles import standardise
from nital.prompts import PromptSet

OUTSIDE = -30.0  # logit of pixels that no window holds


class CompactAsSam:
    """What ``SamAutomaticMaskGenerator`` asks of a model, answered by the compact model."""

    mask_threshold = 0.0
    image_format = "RGB"
    device = "cpu"

    def __init__(self, model: CompactModel, target: str, side: int) -> None:
        self.model, self.target, self.img_size = model, target, side
        self.image_encoder = self.prompt_encoder = self.mask_decoder = self
        self.features: Embedding | None = None

    def preprocess(self, pixels: Any) -> Any:
        """(1, 3, H, W) as it is."""
        return pixels

    def __call__(self, *pixels: Any, **asked: Any) -> Any:
        """The encoder, the prompt encoder or the decoder, by what is given."""
        if pixels:
            grey = standardise(pixels[0][0, 0].numpy())
            return self.model.embed(grey, self.target)
        if "points" in asked:
            return asked["points"][0], None
        points = asked["sparse_prompt_embeddings"].numpy()[:, 0, ::-1]
        decoded = self.model.decode(asked["image_embeddings"], PromptSet.from_points(points))
        return decoded, _tensor(decoded.scores)

    def get_dense_pe(self) -> None:
        """The compact model has none."""

    def postprocess_masks(
        self, decoded: Decoded, _: tuple[int, int], shape: tuple[int, int]
    ) -> Any:
        """(N, 1, H, W) logits: each grid enlarged to its window."""
        masks = np.full((len(decoded.logits), 1, *shape), OUTSIDE, dtype=np.float32)
        for mask, logits, window in zip(
            masks[:, 0], decoded.logits[:, 0], decoded.windows[:, 0], strict=True
        ):
            rows, down = _shares(window[0], window[2], shape[0])
            cols, across = _shares(window[1], window[3], shape[1])
            mask[rows, cols] = down @ logits @ across.T
        return _tensor(masks)


def _shares(low: float, high: float, size: int) -> tuple[slice, np.ndarray]:
    """Pixels of a side whose centres a window holds, and (pixels, GRID) shares of its cells."""
    first, last = max(0, int(np.ceil(low - 0.5))), min(size, int(np.ceil(high - 0.5)))
    pixels = np.arange(first, max(first, last))
    place = ((pixels + 0.5 - low) / (high - low) * GRID - 0.5).clip(0, GRID - 1)
    near = np.abs(place[:, None] - np.arange(GRID))
    return slice(first, max(first, last)), np.maximum(0, 1 - near).astype(np.float32)


def _tensor(array: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(array)
