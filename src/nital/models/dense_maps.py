"""Dense maps of a whole image, stitched from the cores of tiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nital.models.compact import CompactModel
from nital.models.protocol import Embedding
from nital.models.tiles import MARGIN, TILE, Tile, middle, tiles_of

__all__ = ["DenseMaps", "predict_dense"]

CONTEXT_SIDE = 1024

Half = NDArray[np.float16]


@dataclass(frozen=True)
class DenseMaps:
    """What the encoder says of every 2x2 pixels of an (H, W) image; (H/2, W/2) float16 maps.

    Parameters
    ----------
    foreground, boundary
        Probabilities.
    distance
        Distance to the object's own boundary over its largest, 0...1.
    log_extent, log_width
        log2 of the object's longer box side and of its inscribed diameter, in pixels.
    embedding
        (E, H/2, W/2) phase embedding; E = 0 when it was not asked for.
    """

    foreground: Half
    boundary: Half
    distance: Half
    log_extent: Half
    log_width: Half
    embedding: Half


def predict_dense(
    model: CompactModel,
    image: NDArray[np.float32],
    target: str,
    *,
    embedding: bool = False,
    visit: Callable[[Tile, Embedding], None] | None = None,
    progress: Callable[[float], None] | None = None,
    tile: int = TILE,
    margin: int = MARGIN,
) -> DenseMaps:
    """Run a standardised (H, W) image through the encoder, tile by tile.

    Parameters
    ----------
    embedding
        Keep the phase embedding.
    visit
        Called with each tile and its embedding while it is in memory, to decode prompts there.
    progress
        Called with the share done, 0...1.
    tile, margin
        Size of the tiles in pixels; see :func:`nital.models.tiles.tiles_of`.
    """
    height, width = image.shape
    shape = (-(-height // 2), -(-width // 2))
    dense = np.zeros((5, *shape), dtype=np.float16)
    n_embedding = int(model.description["embedding_channels"]) if embedding else 0
    phases = np.zeros((n_embedding, *shape), dtype=np.float16)
    tiles = list(tiles_of((height, width), tile, margin))
    context = None
    if len(tiles) > 1:  # all tiles see the surroundings of the image's middle
        context = model.embed(middle(image, CONTEXT_SIDE), target).maps["context"]
    for index, part in enumerate(tiles):
        embedded = model.embed(image[part.outer], target, context)
        rows = slice(part.core_top // 2, -(-part.core_bottom // 2))
        cols = slice(part.core_left // 2, -(-part.core_right // 2))
        top, left = rows.start - part.top // 2, cols.start - part.left // 2
        inner = np.s_[:, top : top + rows.stop - rows.start, left : left + cols.stop - cols.start]
        dense[:, rows, cols] = embedded.maps["dense"][inner]
        if n_embedding:
            phases[:, rows, cols] = embedded.maps["embedding"][0][inner]
        if visit is not None:
            visit(part, embedded)
        if progress is not None:
            progress((index + 1) / len(tiles))
    foreground, boundary, distance, log_extent, log_width = dense
    return DenseMaps(foreground, boundary, distance, log_extent, log_width, phases)
