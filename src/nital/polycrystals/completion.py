"""Boundaries that end in the middle of a grain, led on to the next one where the image agrees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.polycrystals.lines import thin_lines

__all__ = ["CompletionOptions", "complete_boundaries", "free_ends"]

Lines = NDArray[np.bool_]
NEIGHBOURS = np.ones((3, 3))


@dataclass(frozen=True)
class CompletionOptions:
    """How far, how straight and on what evidence a boundary is led on.

    Parameters
    ----------
    reach
        Longest piece added, in pixels.
    evidence
        Least mean evidence along the piece, relative to that along the boundary it continues.
    straightness
        Least cosine between the direction in which the boundary ends and the way to the goal.
    """

    reach: int = 40
    evidence: float = 0.5
    straightness: float = 0.5


def complete_boundaries(
    lines: Lines, evidence: NDArray[np.float32], options: CompletionOptions | None = None
) -> Lines:
    """Lead free ends of boundaries on to the next boundary where the image supports it.

    From every free end the way of least cost (1 / evidence per pixel) to another line within reach
    is found (Dijkstra); it is added when it goes on in the direction of its boundary and the
    evidence along it is a good part of that along its boundary. What the image does not show is
    not invented: other ends stay free.

    Parameters
    ----------
    lines
        (H, W) boundaries; thinned first.
    evidence
        (H, W) 0...1, how much a pixel looks like a boundary.
    options
        Reach and thresholds.

    Returns
    -------
    (H, W) the thinned lines and what was added to them.
    """
    options = options or CompletionOptions()
    lines = thin_lines(lines)
    branches, _ = ndimage.label(lines & ~_junctions(lines), NEIGHBOURS)
    strength = _mean_by_label(branches, evidence)
    completed = lines.copy()
    for row, column in free_ends(lines):
        branch = int(branches[row, column])
        if branch == 0:
            continue
        piece = _way_on(lines, branches, evidence, (row, column), float(strength[branch]), options)
        completed[tuple(piece.T)] = True
    return completed


def free_ends(lines: Lines) -> NDArray[np.intp]:
    """(n, 2) rows and columns at which thin lines end, those at the edge of the image left out."""
    neighbours = ndimage.convolve(lines.astype(np.int8), NEIGHBOURS, mode="constant") - 1
    ends = lines & (neighbours == 1)
    ends[[0, -1]] = False
    ends[:, [0, -1]] = False
    return np.argwhere(ends)


def _junctions(lines: Lines) -> Lines:
    """Pixels of thin lines with three neighbours or more, and those next to them."""
    neighbours = ndimage.convolve(lines.astype(np.int8), NEIGHBOURS, mode="constant") - 1
    return np.asarray(ndimage.binary_dilation(lines & (neighbours > 2), NEIGHBOURS) & lines)


def _mean_by_label(labels: NDArray[np.int32], values: NDArray[np.float32]) -> NDArray[np.float64]:
    sums = np.bincount(labels.ravel(), weights=values.ravel())
    return np.asarray(sums / np.maximum(np.bincount(labels.ravel()), 1))


def _way_on(
    lines: Lines,
    branches: NDArray[np.int32],
    evidence: NDArray[np.float32],
    end: tuple[int, int],
    strength: float,
    options: CompletionOptions,
) -> NDArray[np.intp]:
    """(n, 2) pixels of the way from a free end to another line; none where there is none."""
    from skimage.graph import MCP_Geometric

    nothing = np.zeros((0, 2), dtype=np.intp)
    corner = np.maximum(np.array(end) - options.reach, 0)
    window = tuple(slice(c, e + options.reach + 1) for c, e in zip(corner, end, strict=True))
    own = branches[window] == branches[end]
    others = lines[window] & ~ndimage.binary_dilation(own, NEIGHBOURS)
    if not others.any():
        return nothing
    start = np.array(end) - corner
    heading = _heading(own, start)
    costs = 1 / (evidence[window].astype(np.float64) + 0.02)
    costs[own] = -1  # not back along the boundary itself
    costs[tuple(start)] = 1
    paths = MCP_Geometric(costs)
    distances, _ = paths.find_costs([start])
    goals = np.argwhere(others & np.isfinite(distances))
    ways = goals - start
    lengths = np.hypot(ways[:, 0], ways[:, 1])
    fits = (ways @ heading >= options.straightness * lengths) & (lengths <= options.reach)
    goals = goals[fits]
    if goals.size == 0:
        return nothing
    nearest = goals[np.argmin(distances[tuple(goals.T)])]
    piece = np.array(paths.traceback(nearest))
    between = evidence[window][tuple(piece[1:-1].T)]
    if between.size and float(between.mean()) < options.evidence * strength:
        return nothing
    return np.asarray(piece + corner)


def _heading(own: Lines, start: NDArray[np.intp]) -> NDArray[np.float64]:
    """Unit vector in which a boundary arrives at its end, over its last ten pixels."""
    pixels = np.argwhere(own)
    distance = np.hypot(*(pixels - start).T)
    last = pixels[(distance <= 10)]
    way = start - last.mean(axis=0)
    length = float(np.hypot(*way))
    return np.asarray(way / length if length > 0 else way)
