"""A trained supervised segmenter as it runs: one ONNX graph by ONNX Runtime, no torch."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.errors import ModelError
from nital.models.tiles import tiles_of

__all__ = ["SemanticModel", "find_semantic_model", "load_semantic_model"]

DESCRIPTION, GRAPH = "semantic.json", "semantic.onnx"
ENTRIES = {"name", "sha256", "task", "classes", "stride", "tile", "margin"}


@dataclass(frozen=True)
class SemanticModel:
    """A network that gives every pixel one of its classes.

    Parameters
    ----------
    name
        Architecture, for reports.
    sha256
        Of the ONNX graph.
    task
        Of the set it was trained on, as in ``dataset.toml``.
    classes
        Names, by class index.
    description
        All of ``semantic.json``.
    session
        The ONNX Runtime session.
    """

    name: str
    sha256: str
    task: str
    classes: tuple[str, ...]
    description: dict[str, Any]
    session: Any

    @classmethod
    def load(cls, folder: Path) -> SemanticModel:
        """Load from a folder with ``semantic.json`` and ``semantic.onnx``.

        Raises
        ------
        ModelError
            When a file is missing, cannot be read, or is not what ``semantic.json`` has recorded.
        """
        try:
            description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
            graph = (folder / GRAPH).read_bytes()
        except (OSError, ValueError) as error:
            raise ModelError(
                f"the model in {folder} cannot be read ({error}); copy its files again"
            ) from error
        if not isinstance(description, dict) or not description.keys() >= ENTRIES:
            raise ModelError(
                f"{folder / DESCRIPTION} does not describe a supervised segmenter; export it "
                "again with nital train"
            )
        if hashlib.sha256(graph).hexdigest() != description["sha256"]:
            raise ModelError(
                f"{folder / GRAPH} is damaged (SHA-256 differs from {DESCRIPTION}); copy it again"
            )
        return cls(
            name=str(description["name"]),
            sha256=str(description["sha256"]),
            task=str(description["task"]),
            classes=tuple(each["name"] for each in description["classes"]),
            description=description,
            session=_session(graph),
        )

    def images_trained_on(self, dataset: str) -> frozenset[str]:
        """Names of the images of a set that decided the weights: training and validation part."""
        origin = self.description.get("trained_on", {})
        images = origin.get("images", {}) if origin.get("set") == dataset else {}
        return frozenset((*images.get("train", ()), *images.get("validation", ())))

    def classify(
        self, image: NDArray[np.float32], progress: Callable[[float], None] = lambda share: None
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Most probable class of every pixel, and its probability.

        Parameters
        ----------
        image
            (H, W) standardised to zero mean and unit variance; worked on in overlapping tiles.
        progress
            Called with the share of tiles that are done.

        Returns
        -------
        (H, W) class indices 0...K-1, and (H, W) probabilities 1/K...1.
        """
        classes = np.zeros(image.shape, dtype=np.uint8)
        probability = np.zeros(image.shape, dtype=np.float32)
        for place, core in self._logits(image, progress):
            best = core.argmax(axis=0)
            classes[place] = best
            probability[place] = 1 / np.exp(core - core.max(axis=0)).sum(axis=0)
        return classes, probability

    def maps(
        self, image: NDArray[np.float32], progress: Callable[[float], None] = lambda share: None
    ) -> NDArray[np.float32]:
        """(K, H, W) independent answers of every pixel, 0...1; arguments as for ``classify``."""
        found: NDArray[np.float32] | None = None
        for place, core in self._logits(image, progress):
            if found is None:
                found = np.zeros((len(core), *image.shape), dtype=np.float32)
            found[:, *place] = 1 / (1 + np.exp(-core.clip(-30, 30)))
        assert found is not None  # an image has a tile
        return found

    def _logits(
        self, image: NDArray[np.float32], progress: Callable[[float], None]
    ) -> Iterator[tuple[tuple[slice, slice], NDArray[np.float32]]]:
        """Core of every tile and the logits (K, h, w) there."""
        stride = int(self.description["stride"])
        shape = (image.shape[0], image.shape[1])
        tiles = list(tiles_of(shape, self.description["tile"], self.description["margin"]))
        for number, tile in enumerate(tiles, start=1):
            part = image[tile.outer]
            pad = [(0, -length % stride) for length in part.shape]
            padded = np.pad(part, pad, mode="symmetric")
            (logits,) = self.session.run(None, {"image": padded[None, None]})
            inside = np.s_[
                tile.core_top - tile.top : tile.core_bottom - tile.top,
                tile.core_left - tile.left : tile.core_right - tile.left,
            ]
            yield tile.core, logits[0][:, *inside]
            progress(number / len(tiles))


def _session(graph: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = int(os.environ.get("NITAL_THREADS", "0"))
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def find_semantic_model(name: str) -> Path | None:
    """Folder of the supervised segmenter that ``--model`` names, or ``None``.

    The folder itself, or the folder of a training that holds it as ``model/``.
    """
    folder = Path(name)
    return next((f for f in (folder, folder / "model") if (f / DESCRIPTION).is_file()), None)


@lru_cache(maxsize=2)
def load_semantic_model(folder: Path) -> SemanticModel:
    """Load a model once; see :meth:`SemanticModel.load`."""
    return SemanticModel.load(folder)
