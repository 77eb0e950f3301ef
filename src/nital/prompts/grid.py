"""The regular grid of points."""

from __future__ import annotations

import numpy as np

from nital.errors import UsageError
from nital.prompts.prompt_set import PromptSet

__all__ = ["regular_grid"]


def regular_grid(shape: tuple[int, int], spacing: float) -> PromptSet:
    """Points at the centres of square cells of about ``spacing`` pixels over an (H, W) image.

    Raises
    ------
    UsageError
        When the spacing is not positive.
    """
    if not spacing > 0:
        raise UsageError(f"the spacing of grid points must be positive, not {spacing}")
    counts = [max(1, round(side / spacing)) for side in shape]
    rows, cols = (
        (np.arange(count) + 0.5) * side / count - 0.5
        for side, count in zip(shape, counts, strict=True)
    )
    grid = np.stack(np.meshgrid(rows, cols, indexing="ij"), axis=-1).reshape(-1, 2)
    return PromptSet.from_points(grid, origin="grid")
