"""Laying particles on top of one another, and what remains visible of each."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label

from nital.simulate.particle_shapes import Stamp
from nital.simulate.scene import Outline

__all__ = ["Canvas", "separate_crumbs"]

_CRUMB = 0.2  # of the largest piece of its particle: a smaller piece is no sure part of it


@dataclass
class Canvas:
    """The picture being laid down, particle on particle.

    Parameters
    ----------
    shape
        Rows and columns.
    transmission
        Heights of particles add up (projected thickness) instead of lying on what is below.

    Attributes
    ----------
    objects, height, lines
        (H, W) maps of the front particle, its height in pixels and its edges.
    areas, radii, kinds
        Per label, 0 being the support: pixels in the frame before anything lay on top, mean
        half-width in pixels, and phase.
    outlines
        Whole outline of every particle laid, within the frame, in the order of laying.
    """

    shape: tuple[int, int]
    transmission: bool
    objects: NDArray[np.int32] = field(init=False)
    height: NDArray[np.float32] = field(init=False)
    lines: NDArray[np.float32] = field(init=False)
    areas: list[int] = field(default_factory=lambda: [0])
    radii: list[float] = field(default_factory=lambda: [0.0])
    kinds: list[int] = field(default_factory=lambda: [1])
    outlines: list[Outline] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.objects = np.zeros(self.shape, dtype=np.int32)
        self.height = np.zeros(self.shape, dtype=np.float32)
        self.lines = np.zeros(self.shape, dtype=np.float32)

    def lay(
        self, stamp: Stamp, centre: NDArray[np.float64], overlap: float, first: int, kind: int
    ) -> bool:
        """Lay one particle on top, unless it covers too much of those from ``first`` on.

        ``centre`` is the row and column of the middle of the box of ``stamp``; ``overlap`` the
        share of its own area that may cover others. Returns whether it was laid.
        """
        h, w = stamp.inside.shape
        top, left = round(centre[0] - h / 2), round(centre[1] - w / 2)
        r0, c0 = max(0, top), max(0, left)
        r1, c1 = min(self.shape[0], top + h), min(self.shape[1], left + w)
        if r0 >= r1 or c0 >= c1:
            return False
        there = np.s_[r0:r1, c0:c1]
        here = np.s_[r0 - top : r1 - top, c0 - left : c1 - left]
        inside = stamp.inside[here]
        area = int(np.count_nonzero(inside))
        if area == 0:
            return False
        below = self.objects[there]
        if overlap < 1:
            covered = np.count_nonzero((below >= first) & inside)
            if covered > overlap * area:
                return False
        ground = self.height[there]
        if self.transmission:
            ground += np.where(inside, stamp.height[here], 0)
        else:
            foot = 0.8 * float(ground[inside].mean())
            np.copyto(ground, stamp.height[here] + np.float32(foot), where=inside)
        np.copyto(self.lines[there], stamp.lines[here], where=inside)
        np.copyto(below, np.int32(len(self.areas)), where=inside)
        self.outlines.append(Outline(len(self.areas), r0, c0, inside))
        self.areas.append(area)
        self.radii.append(0.5 * float(np.sqrt(h * w)))
        self.kinds.append(kind)
        return True

    def fill(self, objects: NDArray[np.int32], lines: NDArray[np.float32]) -> None:
        """Show flat objects 1...n that lie side by side, in place of all that was laid."""
        self.objects = objects
        self.lines = lines
        areas = np.bincount(objects.ravel())
        self.areas = [0, *areas[1:].tolist()]
        self.radii = np.sqrt(np.array(self.areas) / np.pi).tolist()
        self.kinds = [1] + [2] * (len(self.areas) - 1)


def separate_crumbs(objects: NDArray[np.int32]) -> tuple[NDArray[np.int32], int]:
    """Give small pieces, cut off from their particle by others in front, labels of their own.

    Returns the new labels and how many were added after the largest old one.
    """
    pieces = label(objects, connectivity=1, background=0)
    sizes = np.bincount(pieces.ravel())
    owner = np.zeros(sizes.size, dtype=np.int64)
    owner[pieces.ravel()] = objects.ravel()
    largest = np.zeros(int(objects.max(initial=0)) + 1, dtype=np.int64)
    np.maximum.at(largest, owner, sizes)
    small = sizes < _CRUMB * largest[owner]
    small[0] = False
    last = int(owner.max(initial=0))
    count = int(small.sum())
    owner[small] = last + 1 + np.arange(count)
    return owner.astype(np.int32)[pieces], count
