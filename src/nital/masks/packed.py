"""Overlapping masks at the image's size, one bit a pixel inside their boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nital.masks.overlap import touching_pairs

__all__ = ["PackedMasks", "packed_overlaps"]

BITS_SET = np.array([bin(value).count("1") for value in range(256)], dtype=np.uint8)


@dataclass(frozen=True)
class PackedMasks:
    """N masks of one image, which may overlap.

    A row of a mask is stored as whole bytes of eight columns, counted from the left edge of the
    image, so that two masks are compared byte by byte without unpacking.

    Parameters
    ----------
    shape
        (H, W) of the image.
    boxes
        (N, 4) int32 top, left, bottom, right, half-open, inside the image.
    bits
        (B,) uint8; the rows of all masks one after the other.
    starts
        (N + 1,) int64; where each mask begins in ``bits``.
    scores
        (N,) float32 predicted IoU, 0...1.
    stability
        (N,) float32 IoU of the mask with itself at a higher and a lower level, 0...1.
    points
        (N, 2) float32 row, column of the prompt.
    """

    shape: tuple[int, int]
    boxes: NDArray[np.int32]
    bits: NDArray[np.uint8]
    starts: NDArray[np.int64]
    scores: NDArray[np.float32]
    stability: NDArray[np.float32]
    points: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> PackedMasks:
        """No masks."""
        return cls.pack(shape, np.zeros((0, 4), np.int32), [])

    @classmethod
    def pack(
        cls,
        shape: tuple[int, int],
        boxes: NDArray[np.integer],
        masks: Sequence[NDArray[np.bool_]],
        *,
        scores: NDArray[np.floating] | None = None,
        stability: NDArray[np.floating] | None = None,
        points: NDArray[np.floating] | None = None,
    ) -> PackedMasks:
        """Pack boolean masks, each of the size of its box; what is left out is 1, points are 0."""
        rows = [_pack(mask, int(box[1])) for mask, box in zip(masks, boxes, strict=True)]
        return cls._of_rows(shape, boxes, rows, scores, stability, points)

    @classmethod
    def _of_rows(
        cls,
        shape: tuple[int, int],
        boxes: NDArray[np.integer],
        rows: list[NDArray[np.uint8]],
        scores: NDArray[np.floating] | None,
        stability: NDArray[np.floating] | None,
        points: NDArray[np.floating] | None,
    ) -> PackedMasks:
        count = len(rows)
        sizes = np.array([row.size for row in rows], dtype=np.int64)
        ones = np.ones(count, dtype=np.float32)
        return cls(
            shape,
            np.asarray(boxes, dtype=np.int32).reshape(count, 4),
            np.concatenate([*rows, np.zeros(0, np.uint8)], dtype=np.uint8),
            np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)]),
            ones if scores is None else np.asarray(scores, dtype=np.float32),
            ones if stability is None else np.asarray(stability, dtype=np.float32),
            np.zeros((count, 2), np.float32) if points is None else points.astype(np.float32),
        )

    @classmethod
    def of_labels(cls, labels: NDArray[np.integer]) -> PackedMasks:
        """The objects 1...n of an (H, W) label image."""
        from scipy import ndimage

        found = ndimage.find_objects(labels)
        places = [(index, place) for index, place in enumerate(found, 1) if place is not None]
        boxes = [[p[0].start, p[1].start, p[0].stop, p[1].stop] for _, p in places]
        masks = [np.asarray(labels[place] == index) for index, place in places]
        shape = (labels.shape[0], labels.shape[1])
        return cls.pack(shape, np.array(boxes, dtype=np.int32).reshape(-1, 4), masks)

    @classmethod
    def join(cls, parts: Sequence[PackedMasks]) -> PackedMasks:
        """All masks of several sets of the same image, at least one set."""
        sizes = np.concatenate([np.diff(part.starts) for part in parts])
        return cls(
            parts[0].shape,
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.bits for part in parts]),
            np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.stability for part in parts]),
            np.concatenate([part.points for part in parts]),
        )

    def take(self, index: NDArray[np.generic]) -> PackedMasks:
        """Some of the masks, by a boolean array or by indices."""
        chosen = np.arange(len(self))[index]
        rows = [self.bits[self.starts[i] : self.starts[i + 1]] for i in chosen]
        return self._of_rows(
            self.shape,
            self.boxes[chosen],
            rows,
            self.scores[chosen],
            self.stability[chosen],
            self.points[chosen],
        )

    def rows(self, index: int) -> NDArray[np.uint8]:
        """(h, b) bytes of one mask; the first holds the columns from a multiple of eight on."""
        height = int(self.boxes[index, 2] - self.boxes[index, 0])
        return self.bits[self.starts[index] : self.starts[index + 1]].reshape(height, -1)

    def mask(self, index: int) -> NDArray[np.bool_]:
        """(h, w) bool of one mask inside its box."""
        left, right = int(self.boxes[index, 1]), int(self.boxes[index, 3])
        unpacked = np.unpackbits(self.rows(index), axis=1)
        return unpacked[:, left % 8 : left % 8 + right - left].astype(bool)

    def place(self, index: int) -> tuple[slice, slice]:
        """Slices of the box of one mask in the image."""
        top, left, bottom, right = (int(edge) for edge in self.boxes[index])
        return slice(top, bottom), slice(left, right)

    @property
    def areas(self) -> NDArray[np.int64]:
        """(N,) pixels of each mask."""
        sums = [
            BITS_SET[self.bits[start:stop]].sum(dtype=np.int64)
            for start, stop in zip(self.starts[:-1], self.starts[1:], strict=True)
        ]
        return np.array(sums, dtype=np.int64)


def _pack(mask: NDArray[np.bool_], left: int) -> NDArray[np.uint8]:
    """Bytes of an (h, w) mask whose first column is ``left``."""
    shifted = np.pad(mask, ((0, 0), (left % 8, 0))) if left % 8 else mask
    return np.packbits(shifted, axis=1).ravel()


def packed_overlaps(
    masks: PackedMasks, lowest_iou: float = 0.0
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Pairs of masks that share pixels; those only whose boxes meet are looked at.

    Parameters
    ----------
    lowest_iou
        Pairs whose boxes and areas rule out an IoU above this may be left out.

    Returns
    -------
    pairs
        (M, 2) indices i < j.
    shared
        (M,) pixels in both, > 0.
    """
    pairs = touching_pairs(masks.boxes.astype(np.float32))
    one, two = masks.boxes[pairs[:, 0]], masks.boxes[pairs[:, 1]]
    sides = np.minimum(one[:, 2:], two[:, 2:]) - np.maximum(one[:, :2], two[:, :2])
    areas = masks.areas[pairs]
    most = np.minimum(sides.astype(np.int64).prod(1), areas.min(1))
    pairs = pairs[most > lowest_iou * (areas.sum(1) - most)]
    shared = np.array([_shared(masks, int(i), int(j)) for i, j in pairs], dtype=np.int64)
    keep = shared > 0
    return pairs[keep], shared[keep]


def _shared(masks: PackedMasks, first: int, second: int) -> int:
    """Pixels in both masks."""
    one, two = masks.boxes[first].tolist(), masks.boxes[second].tolist()
    top, bottom = max(one[0], two[0]), min(one[2], two[2])
    start, stop = max(one[1], two[1]) // 8, -(-min(one[3], two[3]) // 8)
    cuts = [
        masks.rows(index)[top - box[0] : bottom - box[0], start - box[1] // 8 : stop - box[1] // 8]
        for index, box in ((first, one), (second, two))
    ]
    return int(BITS_SET[cuts[0] & cuts[1]].sum(dtype=np.int64))
