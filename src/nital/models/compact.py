"""The compact model: three ONNX graphs run by ONNX Runtime, no torch."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nital.errors import ModelError, UsageError
from nital.models.protocol import Decoded, Embedding
from nital.prompts import PromptSet

__all__ = ["TARGETS", "CompactModel", "open_session"]

TARGETS = ("grains", "phases", "particles", "layers")
PARTS = ("encoder", "object", "phase")
ENTRIES = {
    "name",
    "sha256",
    "context_channels",
    "embedding_channels",
    "phase_scale",
    "phase_threshold",
}
STRIDE = 32  # image sides that the encoder takes are multiples of this
GRID = 48  # cells a side of an object's window
WINDOW = 1.5  # side of the window over the longer side of the object's box, as in training
BATCH = 64  # prompts decoded at once


@dataclass(frozen=True)
class CompactModel:
    """Nital's own promptable network.

    Besides the protocol it offers dense maps: ``embed(...).maps["dense"]`` is (5, H/2, W/2):
    foreground and boundary probability, normalised distance to the object's boundary, and log2 of
    the object's longer box side and of its inscribed diameter, both in pixels.
    """

    name: str
    sha256: str | None
    description: dict[str, Any]
    encoder: Any
    object_decoder: Any
    phase_decoder: Any

    @classmethod
    def load(cls, folder: Path) -> CompactModel:
        """Load from a folder with ``compact.json`` and three ``.onnx`` files.

        Raises
        ------
        ModelError
            When a file is missing or cannot be read, when ``compact.json`` describes no compact
            model, or when the SHA-256 of a file is not the recorded one.
        """
        try:
            description = json.loads((folder / "compact.json").read_text(encoding="utf-8"))
            graphs = {part: (folder / f"compact-{part}.onnx").read_bytes() for part in PARTS}
        except (OSError, ValueError) as error:
            raise ModelError(
                f"the compact model in {folder} cannot be read ({error}); reinstall nital or copy"
                " the model's files again"
            ) from error
        _check_description(description, folder / "compact.json")
        for part, graph in graphs.items():
            if hashlib.sha256(graph).hexdigest() != description["sha256"][part]:
                raise ModelError(
                    f"{folder / f'compact-{part}.onnx'} is damaged (SHA-256 differs from"
                    " compact.json); reinstall nital or copy the file again"
                )
        joint = hashlib.sha256("".join(sorted(description["sha256"].values())).encode())
        return cls(
            description["name"],
            joint.hexdigest(),
            description,
            *(open_session(graphs[part]) for part in PARTS),
        )

    def embed(
        self,
        image: NDArray[np.float32],
        target: str,
        context: NDArray[np.float32] | None = None,
    ) -> Embedding:
        """Embed an (H, W) standardised image of any size; sides are padded to multiples of 32.

        ``context`` is ``maps["context"]`` of an embedding of the image that this tile is cut from:
        all tiles see the same surroundings then; left out, the tile is its own.
        """
        height, width = image.shape
        pad = ((0, -height % STRIDE), (0, -width % STRIDE))
        mode: Literal["reflect", "edge"] = "reflect" if min(height, width) > STRIDE else "edge"
        padded = np.pad(image, pad, mode=mode)
        one_hot = np.zeros((1, len(TARGETS)), dtype=np.float32)
        one_hot[0, TARGETS.index(target)] = 1
        if context is None:
            context = np.zeros((1, int(self.description["context_channels"])), dtype=np.float32)
        dense, embedding, mask_features, query, target_logits, own_context = self.encoder.run(
            None,
            {
                "image": padded[None, None].astype(np.float32),
                "target": one_hot,
                "context": context,
            },
            _give_memory_back(),
        )
        dense = dense[0]
        dense[:3] = _sigmoid(dense[:3])
        dense[3:] += 5.0
        return Embedding(
            (height, width),
            {
                "dense": dense[:, : -(-height // 2), : -(-width // 2)],
                "embedding": embedding,
                "mask_features": mask_features,
                "query": query,
                "padded": np.array(padded.shape, dtype=np.float32),
                "target_probability": _softmax(target_logits[0]),
                "context": own_context,
            },
        )

    def decode(self, embedding: Embedding, prompts: PromptSet, level: str = "object") -> Decoded:
        """Decode prompts: ``"object"`` in windows around each, ``"phase"`` over the whole image.

        Raises
        ------
        UsageError
            For a point outside the image, another level, or a phase asked for without a point.
        """
        prompts.check_inside(embedding.shape)
        if level not in ("object", "phase"):
            raise UsageError(f"the level of masks is 'object' or 'phase', not {level!r}")
        if level == "phase":
            return self._decode_phase(embedding, prompts)
        windows = self._windows(embedding, prompts)
        unit = ((np.arange(GRID, dtype=np.float32) + 0.5) / GRID * 2 - 1).astype(np.float32)
        logits = np.empty((len(prompts), 1, GRID, GRID), dtype=np.float32)
        scores = np.empty((len(prompts), 1), dtype=np.float32)
        for start in range(0, len(prompts), BATCH):
            part = slice(start, start + BATCH)
            logits[part, 0], scores[part, 0] = self.object_decoder.run(
                None,
                {
                    "mask_features": embedding.maps["mask_features"],
                    "query": embedding.maps["query"],
                    "points": prompts.points[part],
                    "labels": prompts.labels[part],
                    "boxes": prompts.boxes[part],
                    "windows": windows[part],
                    "image_size": embedding.maps["padded"],
                    "unit_grid": unit,
                },
            )
        return Decoded(logits, _sigmoid(scores), windows[:, None])

    def _decode_phase(self, embedding: Embedding, prompts: PromptSet) -> Decoded:
        if not (prompts.labels == 1).any(1).all():
            raise UsageError("a phase is asked for with a point inside it; a box names an object")
        coarse = embedding.maps["embedding"][:, :, ::2, ::2]
        rows, cols = coarse.shape[2:]
        logits = np.empty((len(prompts), 1, rows, cols), dtype=np.float32)
        scores = np.empty((len(prompts), 1), dtype=np.float32)
        for start in range(0, len(prompts), BATCH):
            part = slice(start, start + BATCH)
            logits[part, 0], scores[part, 0] = self.phase_decoder.run(
                None,
                {
                    "embedding": coarse,
                    "query": embedding.maps["query"],
                    "points": prompts.points[part],
                    "labels": prompts.labels[part],
                    "image_size": embedding.maps["padded"],
                },
            )
        height, width = embedding.maps["padded"]
        window = np.array([0, 0, height, width], dtype=np.float32)
        return Decoded(logits, _sigmoid(scores), np.tile(window, (len(prompts), 1, 1)))

    def _windows(self, embedding: Embedding, prompts: PromptSet) -> NDArray[np.float32]:
        """The square part of the image decoded for each prompt, from its box or its point."""
        dense = embedding.maps["dense"]
        given = prompts.boxes[:, 2] > prompts.boxes[:, 0]
        first = np.argmax(prompts.labels == 1, axis=1)
        points = prompts.points[np.arange(len(prompts)), first]
        cells = np.clip(np.round(points / 2).astype(int), 0, np.array(dense.shape[1:]) - 1)
        extent = 2.0 ** dense[3][cells[:, 0], cells[:, 1]]
        sides = np.maximum(2 * WINDOW * extent, 12.0)
        box_sides = (prompts.boxes[:, 2:] - prompts.boxes[:, :2]).max(1)
        sides = np.where(given, WINDOW * np.maximum(box_sides, 4.0), sides)
        box_centres = 0.5 * (prompts.boxes[:, :2] + prompts.boxes[:, 2:])
        centres = np.where(given[:, None], box_centres, points)
        half = sides[:, None] / 2
        return np.concatenate([centres - half, centres + half], axis=1).astype(np.float32)


def _check_description(description: Any, path: Path) -> None:
    """Raise :class:`ModelError` unless ``compact.json`` holds what a compact model needs."""
    entries = description if isinstance(description, dict) else {}
    hashes = entries.get("sha256")
    if not (entries.keys() >= ENTRIES and isinstance(hashes, dict) and hashes.keys() == set(PARTS)):
        raise ModelError(
            f"{path} does not describe a compact model; export it again with this version of nital"
        )


def open_session(graph: bytes) -> Any:
    """An ONNX Runtime session; ``NITAL_THREADS`` limits its threads, by default all processors."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = int(os.environ.get("NITAL_THREADS", "0"))
    options.enable_mem_pattern = False  # tiles differ in shape, and each would keep its own memory
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _give_memory_back() -> Any:
    """Options of a run that leaves no unused memory with ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def _sigmoid(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))), dtype=np.float32)


def _softmax(x: NDArray[np.float32]) -> NDArray[np.float32]:
    shifted = np.exp(x - x.max())
    return np.asarray(shifted / shifted.sum(), dtype=np.float32)
