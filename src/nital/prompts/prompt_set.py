"""Points and boxes that ask a promptable model for masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nital.errors import UsageError

__all__ = ["PromptSet"]


@dataclass(frozen=True)
class PromptSet:
    """N prompts of up to P points, each with an optional box.

    Parameters
    ----------
    points
        (N, P, 2) float32 row, column in pixels of the image, P at least 1; pixel centres are whole
        numbers.
    labels
        (N, P) float32: 1 inside the object, 0 outside it, -1 no point.
    boxes
        (N, 4) float32 top, left, bottom, right (half-open); all zero where no box is given.
    origin
        Where the prompts come from: ``"grid"``, ``"dense"``, ``"user"`` ...
    """

    points: NDArray[np.float32]
    labels: NDArray[np.float32]
    boxes: NDArray[np.float32]
    origin: str = "user"

    def __post_init__(self) -> None:
        count = len(self.points)
        if self.points.ndim != 3 or self.points.shape[1] < 1 or self.points.shape[2] != 2:
            raise UsageError(f"prompt points must be (N, P, 2), not {self.points.shape}")
        if self.labels.shape != self.points.shape[:2] or self.boxes.shape != (count, 4):
            raise UsageError("prompt labels must be (N, P) and boxes (N, 4) for points (N, P, 2)")
        if not (np.isfinite(self.points).all() and np.isfinite(self.boxes).all()):
            raise UsageError("prompt points and boxes must be finite numbers")
        given = self.boxes.any(1)
        if (given & (self.boxes[:, 2:] <= self.boxes[:, :2]).any(1)).any():
            raise UsageError("prompt boxes must be top, left, bottom, right with top < bottom")
        if not ((self.labels == 1).any(1) | given).all():
            raise UsageError("every prompt needs a point inside the object or a box")

    @classmethod
    def from_points(cls, points: NDArray[np.floating], origin: str = "user") -> PromptSet:
        """One positive point a prompt, from (N, 2) rows and columns."""
        array = np.asarray(points, dtype=np.float32).reshape(-1, 1, 2)
        count = len(array)
        return cls(
            array,
            np.ones((count, 1), dtype=np.float32),
            np.zeros((count, 4), dtype=np.float32),
            origin,
        )

    def __len__(self) -> int:
        return len(self.points)

    def take(self, index: NDArray[np.intp] | slice) -> PromptSet:
        """Some of the prompts, in the order of ``index``."""
        return PromptSet(self.points[index], self.labels[index], self.boxes[index], self.origin)

    def check_inside(self, shape: tuple[int, int]) -> None:
        """Raise :class:`UsageError` when a point lies outside an (H, W) image."""
        used = self.points[self.labels >= 0]
        outside = ((used < -0.5) | (used > np.array(shape) - 0.5)).any(-1)
        if outside.any():
            row, col = used[outside][0]
            raise UsageError(
                f"point ({row:g}, {col:g}) lies outside the image of {shape[0]} x {shape[1]}"
                " pixels; points are row, column"
            )
