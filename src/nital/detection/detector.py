"""Mask R-CNN with an uncertainty head, run by ONNX Runtime: no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.detection.boxes import anchors_of, decode_boxes, level_of, nms
from nital.errors import ModelError
from nital.masks.instances import Instances
from nital.models.compact import open_session
from nital.models.tiles import MARGIN, Tile, tiles_of

__all__ = ["DetectorModel"]

PARTS = ("regions", "boxes", "masks")
ENTRIES = {
    "sha256",
    "anchor_sizes",
    "anchor_ratios",
    "anchor_strides",
    "roi_strides",
    "proposals",
    "level_side",
}
STRIDE = 64
MASK_SIDE = 28
TILE = 832  # with its margins a tile is 1024 pixels
LOWEST_PARTICLE = 0.8  # best of 0.3 to 0.95 on training images, after a short training
BATCH = 128

Boxes = NDArray[np.float32]


@dataclass(frozen=True)
class DetectorModel:
    """The exported detector.

    Parameters
    ----------
    sha256
        Hash of all three graphs.
    description
        ``detector.json``.
    regions, boxes, masks
        ONNX Runtime sessions.
    """

    sha256: str
    description: dict[str, Any]
    regions: Any
    boxes: Any
    masks: Any

    @classmethod
    def load(cls, folder: Path) -> DetectorModel:
        """Load from a folder with ``detector.json`` and three ``.onnx`` files.

        Raises
        ------
        ModelError
            A file is missing, damaged, or of another kind.
        """
        try:
            description = json.loads((folder / "detector.json").read_text(encoding="utf-8"))
            graphs = {part: (folder / f"detector-{part}.onnx").read_bytes() for part in PARTS}
        except (OSError, ValueError) as error:
            raise ModelError(
                f"the detector in {folder} cannot be read ({error}); export it again"
            ) from error
        if not isinstance(description, dict) or not description.keys() >= ENTRIES:
            raise ModelError(f"{folder / 'detector.json'} describes no detector; export it again")
        for part, graph in graphs.items():
            if hashlib.sha256(graph).hexdigest() != description["sha256"].get(part):
                raise ModelError(
                    f"{folder / f'detector-{part}.onnx'} is damaged (SHA-256 differs from"
                    " detector.json); copy the file again"
                )
        joint = hashlib.sha256("".join(sorted(description["sha256"].values())).encode())
        return cls(joint.hexdigest(), description, *(open_session(graphs[part]) for part in PARTS))

    def detect(
        self,
        image: NDArray[np.float32],
        progress: Callable[[float], None] | None = None,
    ) -> tuple[Instances, NDArray[np.float32]]:
        """Find the particles of a standardised (H, W) image, tile by tile.

        A tile answers for the particles whose middle lies in its core, so that those on a seam
        are found whole, once.

        Returns
        -------
        instances, certainty
            Masks of what is seen, with the probability to be a particle as score; and (n,) how
            certain an expert would be of each.
        """
        found: list[Instances] = []
        certainty: list[NDArray[np.float32]] = []
        tiles = list(tiles_of((image.shape[0], image.shape[1]), TILE, MARGIN))
        for number, tile in enumerate(tiles):
            boxes, scores, certain, maps = self._boxes_of(image[tile.outer], tile)
            logits = self._masks_of(maps, boxes)
            corner = np.tile(np.array([tile.top, tile.left], dtype=np.float32), 2)
            windows = np.asarray(boxes + corner, dtype=np.float32)
            middle = np.asarray((windows[:, :2] + windows[:, 2:]) / 2, dtype=np.float32)
            found.append(Instances(logits, windows, scores, middle, "detector"))
            certainty.append(certain)
            if progress is not None:
                progress((number + 1) / len(tiles))
        return Instances.join(found), np.concatenate(certainty)

    def _boxes_of(
        self, image: NDArray[np.float32], tile: Tile
    ) -> tuple[Boxes, NDArray[np.float32], NDArray[np.float32], list[NDArray[np.float32]]]:
        """Boxes in one tile, their scores and certainty, and the maps that serve them."""
        height, width = image.shape
        padded = np.pad(image, ((0, -height % STRIDE), (0, -width % STRIDE)), mode="edge")
        *maps, objectness, codes = self.regions.run(None, {"image": padded[None, None]})
        facts = self.description
        anchors = anchors_of(
            (padded.shape[0], padded.shape[1]),
            facts["anchor_strides"],
            facts["anchor_sizes"],
            facts["anchor_ratios"],
        )
        most = int(facts["proposals"]) * max(1, image.size // 65536)
        best = np.argsort(-objectness[0], kind="stable")[: 3 * most]
        boxes = _within(decode_boxes(codes[0][best], anchors[best]), (height, width))
        large = (boxes[:, 2:] - boxes[:, :2] >= 2).all(1)
        boxes, logits = boxes[large], objectness[0][best][large]
        boxes = boxes[nms(boxes, logits, 0.7)[:most]]
        particle, growth, certain = self._heads(self.boxes, maps, boxes, ((), (4,), ()))
        scores = _sigmoid(particle)
        boxes = _within(decode_boxes(growth, boxes), (height, width))
        corner = np.array([tile.top, tile.left], dtype=np.float32)
        keep = (scores >= LOWEST_PARTICLE) & (boxes[:, 2:] - boxes[:, :2] >= 1).all(1)
        keep &= tile.holds((boxes[:, :2] + boxes[:, 2:]) / 2 + corner - 0.5)
        boxes, scores, certain = boxes[keep], scores[keep], _sigmoid(certain[keep])
        last = nms(boxes, scores, 0.5)
        return boxes[last], scores[last], certain[last], maps

    def _masks_of(self, maps: list[NDArray[np.float32]], boxes: Boxes) -> NDArray[np.float16]:
        """(N, 28, 28) logits of what is seen of each."""
        shape = (2, MASK_SIDE, MASK_SIDE)
        (logits,) = self._heads(self.masks, maps, boxes, (shape,))
        return np.asarray(logits[:, 0], dtype=np.float16)

    def _heads(
        self,
        session: Any,
        maps: list[NDArray[np.float32]],
        boxes: Boxes,
        shapes: tuple[tuple[int, ...], ...],
    ) -> list[NDArray[np.float32]]:
        """Outputs of a head for all boxes, each on the map that serves it."""
        strides = self.description["roi_strides"]
        outputs = [np.zeros((len(boxes), *shape), dtype=np.float32) for shape in shapes]
        which = level_of(boxes, strides, self.description["level_side"])
        for level, (stride, features) in enumerate(zip(strides, maps, strict=True)):
            mine = np.flatnonzero(which == level)
            for start in range(0, len(mine), BATCH):
                part = mine[start : start + BATCH]
                given = {
                    "features": features,
                    "boxes": boxes[part],
                    "scale": np.array(1 / stride, dtype=np.float32),
                }
                for output, values in zip(outputs, session.run(None, given), strict=True):
                    output[part] = values
        return outputs


def _within(boxes: Boxes, shape: tuple[int, int]) -> Boxes:
    """Cut boxes off at the rim of an image."""
    limits = np.array([shape[0], shape[1]] * 2, dtype=np.float32)
    return np.asarray(np.clip(boxes, 0, limits), dtype=np.float32)


def _sigmoid(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))), dtype=np.float32)
