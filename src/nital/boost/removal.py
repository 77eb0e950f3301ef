"""Removal of superfluous masks (SAM-I-Am, Algorithm 1, lines 1 to 21).

The paper leaves open what "related" means, in which order masks go, and what happens in a tie. Here
a mask is the *child* of another when over 90 % of it lies in that parent and under 90 % of the
parent in it; two masks are *redundant* when both shares are over 90 %. Four rules follow one
another, each on what the one before has left:

1. redundant: from the largest mask down, those that repeat a kept one go; of equal areas the
   better score stays, then the earlier mask;
2. compound: from the smallest parent up, a mask goes when the children that are left cover over
   70 % of it together (their union, so that overlapping children do not count twice); a child of
   under 5 % of the parent does not count;
3. tiny child: a mask of under 5 % of a parent that is left goes;
4. tiny island: a tiny mask goes when hardly anything around it belongs to a mask.

A compound mask goes before its tiny children are judged, so a thin layer is not lost for the sake
of a mask over everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.errors import UsageError
from nital.masks.instances import Instances
from nital.masks.overlap import touching_pairs

__all__ = ["Removal", "RemovalOptions", "remove_superfluous"]

RASTER = 256  # cells along the longer side of the image on which islands are judged
POINTS = 96  # cells of a mask, evenly taken, that say how much of it lies in another
CHUNK = 8192


@dataclass(frozen=True)
class RemovalOptions:
    """Shares from which masks are related, and from which they go; all 0...1.

    Parameters
    ----------
    inside
        A mask lies in another when more than this share of it does.
    tiny_child
        A child of less than this share of its parent's area goes, and does not make it compound.
    compound
        A parent goes when its children cover more than this share of it.
    tiny_island
        An island is at most this share of the image.
    surrounded
        An island goes when masks cover less than this share of its surroundings.

    Raises
    ------
    UsageError
        A share is outside 0...1.
    """

    inside: float = 0.9
    tiny_child: float = 0.05
    compound: float = 0.7
    tiny_island: float = 0.002
    surrounded: float = 0.1

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value <= 1:
                raise UsageError(f"removal: {name} is a share between 0 and 1, not {value}")


@dataclass(frozen=True)
class Removal:
    """What is left, and why the rest is not.

    Parameters
    ----------
    instances
        The masks that stay, in their order.
    kept
        (n,) their indices among the masks given.
    log
        One dict per mask removed: ``action`` ``"remove"``, ``reason`` (``"empty"``,
        ``"redundant"``, ``"compound"``, ``"tiny child"``, ``"tiny island"``), ``mask`` and
        ``other`` (the larger mask or the parent; ``None`` where there is none) as indices among
        the masks given, ``share`` (of the other mask that it repeats; covered by children; of the
        parent; of the surroundings that is covered) and ``area_px``.
    """

    instances: Instances
    kept: NDArray[np.intp]
    log: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class _Relations:
    """Children and duplicates of all masks, from the pairs that overlap.

    ``parent``, ``child`` and ``share`` (of the parent's area) are (M,) each; ``larger`` and
    ``smaller`` (R,) are redundant pairs by falling rank of the larger.
    """

    parent: NDArray[np.intp]
    child: NDArray[np.intp]
    share: NDArray[np.float32]
    larger: NDArray[np.intp]
    smaller: NDArray[np.intp]
    likeness: NDArray[np.float32]


def remove_superfluous(
    instances: Instances, shape: tuple[int, int], options: RemovalOptions | None = None
) -> Removal:
    """Remove the masks of an (H, W) image that say nothing new about its materials.

    Time and memory grow with the number of masks whose boxes touch, not with all pairs.
    """
    options = options or RemovalOptions()
    areas = instances.areas
    alive = areas > 0
    log: list[dict[str, Any]] = [
        _entry("empty", int(i), None, 0.0, 0.0) for i in np.flatnonzero(~alive)
    ]
    related = _relate(instances, areas, options)

    def drop(reason: str, mask: int, other: int | None, share: float) -> None:
        alive[mask] = False
        log.append(_entry(reason, mask, other, share, float(areas[mask])))

    for pair in range(len(related.larger)):
        larger, smaller = int(related.larger[pair]), int(related.smaller[pair])
        if alive[larger] and alive[smaller]:
            drop("redundant", smaller, larger, float(related.likeness[pair]))
    _drop_compound(instances, areas, related, alive, options, drop)
    tiny = np.flatnonzero(related.share < options.tiny_child)
    for pair in tiny[np.argsort(related.share[tiny], kind="stable")]:
        parent, child = int(related.parent[pair]), int(related.child[pair])
        if alive[parent] and alive[child]:
            drop("tiny child", child, parent, float(related.share[pair]))
    for mask, covered in _islands(instances, areas, alive, shape, options):
        drop("tiny island", mask, None, covered)
    kept = np.flatnonzero(alive)
    return Removal(instances.take(kept), kept, tuple(log))


def _entry(reason: str, mask: int, other: int | None, share: float, area: float) -> dict[str, Any]:
    return {
        "action": "remove",
        "reason": reason,
        "mask": int(mask),
        "other": other,
        "share": round(share, 4),
        "area_px": round(area, 1),
    }


def _relate(
    instances: Instances, areas: NDArray[np.float32], options: RemovalOptions
) -> _Relations:
    """Relations of the pairs of which the smaller mask lies in the larger by more than ``inside``.

    The larger mask of a redundant pair, or the parent, is the first by area, score and index.
    """
    rank = np.empty(len(instances), dtype=np.intp)
    rank[np.lexsort((-instances.scores, -areas))] = np.arange(len(instances))
    pairs = touching_pairs(instances.boxes)
    swap = rank[pairs[:, 0]] > rank[pairs[:, 1]]
    larger, smaller = np.where(swap[:, None], pairs[:, ::-1], pairs).T
    low = np.maximum(instances.boxes[larger, :2], instances.boxes[smaller, :2])
    high = np.minimum(instances.boxes[larger, 2:], instances.boxes[smaller, 2:])
    can = (high - low).prod(1) > options.inside * areas[smaller]
    larger, smaller = larger[can], smaller[can]
    of_smaller = _inside_shares(instances, smaller, larger)
    lies = of_smaller > options.inside
    larger, smaller, of_smaller = larger[lies], smaller[lies], of_smaller[lies]
    of_larger = of_smaller * areas[smaller] / np.maximum(areas[larger], 1e-6)
    same = of_larger > options.inside
    order = np.lexsort((rank[smaller[same]], rank[larger[same]]))
    return _Relations(
        larger[~same],
        smaller[~same],
        of_larger[~same],
        larger[same][order],
        smaller[same][order],
        of_larger[same][order],
    )


def _inside_shares(
    instances: Instances, inner: NDArray[np.intp], outer: NDArray[np.intp]
) -> NDArray[np.float32]:
    """(M,) share of each inner mask in its outer one, from :data:`POINTS` of its cells."""
    masks = np.asarray(instances.logits > 0)
    grid = masks.shape[1]
    rows, cols = _points(masks, instances.windows)
    framed = np.pad(masks, ((0, 0), (1, 1), (1, 1))).ravel()  # outside its window is no mask
    width = np.float32(grid + 2)
    corner = instances.windows[:, :2]
    scale = grid / (instances.windows[:, 2:] - corner)
    shares = np.empty(len(inner), dtype=np.float32)
    for start in range(0, len(inner), CHUNK):
        i, j = inner[start : start + CHUNK], outer[start : start + CHUNK]
        cells = []
        for points, axis in ((rows, 0), (cols, 1)):
            place = points[i] - corner[j, axis, None]
            place *= scale[j, axis, None]
            place += 1
            cells.append(np.floor(np.clip(place, 0, grid + 1, out=place), out=place))
        index = (cells[0] * width + cells[1]).astype(np.int64)
        index += j[:, None] * (grid + 2) ** 2
        shares[start : start + CHUNK] = framed[index].sum(1) / POINTS
    return shares


def _points(
    masks: NDArray[np.bool_], windows: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(N, POINTS) rows and columns in image pixels of cells of each mask, evenly taken."""
    count, grid = len(masks), masks.shape[1]
    cells = np.zeros((count, POINTS), dtype=np.float32)
    steps = (np.arange(POINTS) + 0.5) / POINTS
    for index in range(count):
        own = np.flatnonzero(masks[index])
        if len(own):
            cells[index] = own[(steps * len(own)).astype(int)]
    unit = (windows[:, 2:] - windows[:, :2]) / grid
    rows = windows[:, :1] + (np.floor(cells / grid) + 0.5) * unit[:, :1]
    cols = windows[:, 1:2] + (cells % grid + 0.5) * unit[:, 1:]
    return rows.astype(np.float32), cols.astype(np.float32)


def _drop_compound(
    instances: Instances,
    areas: NDArray[np.float32],
    related: _Relations,
    alive: NDArray[np.bool_],
    options: RemovalOptions,
    drop: Any,
) -> None:
    """Rule 2, from the smallest parent up; the union is computed only where the sum can reach."""
    counted = np.flatnonzero(
        (related.share >= options.tiny_child) & alive[related.parent] & alive[related.child]
    )
    total = np.bincount(related.parent[counted], related.share[counted], len(areas))
    counted = counted[total[related.parent[counted]] > options.compound]
    counted = counted[np.argsort(related.parent[counted], kind="stable")]
    ordered = related.parent[counted]
    parents = np.unique(ordered)
    for parent in parents[np.lexsort((parents, areas[parents]))]:
        start, stop = np.searchsorted(ordered, (parent, parent + 1))
        children = related.child[counted[start:stop]]
        children = children[alive[children]]
        covered = _covered(instances, parent, children)
        if covered > options.compound:
            drop("compound", int(parent), None, covered)


def _covered(instances: Instances, parent: int, children: NDArray[np.intp]) -> float:
    """Share of a mask that lies in at least one of others, on its own grid."""
    mask = instances.logits[parent] > 0
    rows, cols = _cell_centres(instances.windows[parent], mask.shape[0])
    union = np.zeros(mask.shape, dtype=bool)
    for child in children:
        union |= _sample(instances, int(child), rows, cols)
    return float((union & mask).sum() / max(int(mask.sum()), 1))


def _cell_centres(
    window: NDArray[np.float32], grid: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    steps = (np.arange(grid) + 0.5) / grid
    return (
        window[0] + steps * (window[2] - window[0]),
        window[1] + steps * (window[3] - window[1]),
    )


def _sample(
    instances: Instances, index: int, rows: NDArray[np.float64], cols: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Whether the points rows x cols, in image pixels, lie in a mask."""
    window = instances.windows[index]
    grid = instances.logits.shape[1]
    places, inside = [], []
    for axis, points in ((0, rows), (1, cols)):
        low, high = float(window[axis]), float(window[axis + 2])
        cell = np.floor((points - low) / (high - low) * grid).astype(int)
        inside.append((cell >= 0) & (cell < grid))
        places.append(cell.clip(0, grid - 1))
    values = instances.logits[index][places[0][:, None], places[1][None]] > 0
    return np.asarray(values & inside[0][:, None] & inside[1][None], dtype=np.bool_)


def _islands(
    instances: Instances,
    areas: NDArray[np.float32],
    alive: NDArray[np.bool_],
    shape: tuple[int, int],
    options: RemovalOptions,
) -> list[tuple[int, float]]:
    """Tiny masks in unsegmented surroundings: a frame around the box, as wide as half the box.

    All are judged on what stands before this rule, so that their order does not matter.
    """
    tiny = np.flatnonzero(alive & (areas <= options.tiny_island * shape[0] * shape[1]))
    if len(tiny) == 0:
        return []
    step = max(1.0, max(shape) / RASTER)
    raster = tuple(max(1, round(side / step)) for side in shape)
    count = np.zeros(raster, dtype=np.int32)
    boxes = instances.boxes

    def cells(box: NDArray[np.float32]) -> tuple[slice, slice]:
        top, left, bottom, right = np.round(box / step)
        return (
            slice(int(max(top, 0)), int(np.clip(bottom, top + 1, raster[0]))),
            slice(int(max(left, 0)), int(np.clip(right, left + 1, raster[1]))),
        )

    def drawn(index: int, where: tuple[slice, slice]) -> NDArray[np.bool_]:
        rows, cols = ((np.arange(w.start, w.stop) + 0.5) * step for w in where)
        return _sample(instances, index, rows, cols)

    for index in np.flatnonzero(alive):
        where = cells(boxes[index])
        count[where] += drawn(int(index), where)
    found = []
    for index in tiny:
        box = boxes[index]
        margin = np.maximum((box[2:] - box[:2]) / 2, 2 * step)
        frame = cells(np.concatenate([box[:2] - margin, box[2:] + margin]))
        others = count[frame] - drawn(int(index), frame)
        outside = np.ones(others.shape, dtype=bool)
        inner = cells(box)
        outside[
            inner[0].start - frame[0].start : inner[0].stop - frame[0].start,
            inner[1].start - frame[1].start : inner[1].stop - frame[1].start,
        ] = False
        covered = float((others[outside] > 0).mean()) if outside.any() else 1.0
        if covered < options.surrounded:
            found.append((int(index), covered))
    return found
