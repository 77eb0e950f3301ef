"""Texture of crops and of whole images, by a small network trained to tell materials apart.

The network makes feature maps at a quarter of the image's size. What describes a crop is the mean
and the logarithm of the standard deviation of each map over it, and a small head that embeds those
so that crops of one material lie near each other (SAM-I-Am, equation 2). Maps are made once for an
image and pooled wherever a crop lies.

A texture is seen at its own scale: an image with a clear period is resized until that is
:data:`NATURAL_PERIOD` pixels.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.errors import ModelError
from nital.models.tiles import tiles_of

__all__ = [
    "STRIDE",
    "TextureModel",
    "dominant_period",
    "load_texture_model",
    "natural_factor",
    "squares_embedded",
    "texture_features",
]

Field = NDArray[np.float32]
WEIGHTS = Path(__file__).parent / "weights"
PARTS = ("local", "head")
STRIDE = 4
SPREAD_FLOOR = 1e-3  # added to the variance before the logarithm, as in training
NATURAL_PERIOD = 12.0  # pixels
FACTORS = (0.25, 2.0)
PERIODS = (3.0, 96.0)
CLEAR_PEAK = 25.0  # power of a period over the median of its frequency ring
PERIOD_SIDE = 512
CHUNK = 1 << 15
MIRRORED = 32  # pixels around the image, more than a position of the maps sees


@dataclass(frozen=True)
class TextureModel:
    """The texture network: two ONNX graphs run by ONNX Runtime.

    ``threshold`` is the squared distance of two embeddings at which two crops are as likely of one
    material as not.
    """

    name: str
    sha256: str
    threshold: float
    channels: int
    local: Any
    head: Any

    @classmethod
    def load(cls, folder: Path) -> TextureModel:
        """Load from a folder with ``texture.json`` and two ``.onnx`` files.

        Raises
        ------
        ModelError
            When a file is missing, cannot be read, or is not the one whose SHA-256 is recorded.
        """
        try:
            description = json.loads((folder / "texture.json").read_text(encoding="utf-8"))
            graphs = {part: (folder / f"texture-{part}.onnx").read_bytes() for part in PARTS}
            hashes = {part: str(description["sha256"][part]) for part in PARTS}
            threshold, channels = float(description["threshold"]), int(description["channels"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"the texture model in {folder} cannot be read ({error}); reinstall nital or copy"
                " the model's files again"
            ) from error
        for part, graph in graphs.items():
            if hashlib.sha256(graph).hexdigest() != hashes[part]:
                raise ModelError(
                    f"{folder / f'texture-{part}.onnx'} is damaged (SHA-256 differs from"
                    " texture.json); reinstall nital or copy the file again"
                )
        joint = hashlib.sha256("".join(sorted(hashes.values())).encode()).hexdigest()
        sessions = (_session(graphs[part]) for part in PARTS)
        return cls(str(description.get("name", "texture")), joint, threshold, channels, *sessions)

    def maps(self, image: Field) -> Field:
        """(C, h, w) feature maps of a standardised (H, W) image, tile by tile; h = ceil(H / 4).

        The image is mirrored at its edges, else the network took them for structure.
        """
        rows, cols = (-(-side // STRIDE) for side in image.shape)
        image = np.pad(image, MIRRORED, mode="reflect")
        edge = MIRRORED // STRIDE
        return self._maps(image)[:, edge : edge + rows, edge : edge + cols]

    def _maps(self, image: Field) -> Field:
        """The same without a margin."""
        rows, cols = (-(-side // STRIDE) for side in image.shape)
        found = np.empty((self.channels, rows, cols), dtype=np.float32)
        for tile in tiles_of((image.shape[0], image.shape[1])):
            part = image[tile.outer]
            pad = [(0, -side % STRIDE) for side in part.shape]
            padded = np.pad(part, pad, mode="edge")[None, None].astype(np.float32)
            made = self.local.run(None, {"image": padded})[0][0]
            top, left = tile.core_top // STRIDE, tile.core_left // STRIDE
            bottom, right = -(-tile.core_bottom // STRIDE), -(-tile.core_right // STRIDE)
            down, across = top - tile.top // STRIDE, left - tile.left // STRIDE
            found[:, top:bottom, left:right] = made[
                :, down : down + bottom - top, across : across + right - left
            ]
        return found

    def embed(self, statistics: Field) -> Field:
        """(N, E) embeddings of (N, 2C) statistics of crops."""
        if len(statistics) == 0:
            return np.zeros((0, 1), dtype=np.float32)
        parts = [
            self.head.run(None, {"statistics": statistics[start : start + CHUNK]})[0]
            for start in range(0, len(statistics), CHUNK)
        ]
        return np.asarray(np.concatenate(parts), dtype=np.float32)

    def embed_crops(self, maps: Field, boxes: NDArray[np.integer]) -> Field:
        """(N, E) embeddings of (N, 4) crops: top, left, bottom, right in positions of the maps."""
        statistics = np.empty((len(boxes), 2 * self.channels), dtype=np.float32)
        for index, (top, left, bottom, right) in enumerate(boxes):
            part = maps[:, top:bottom, left:right].reshape(self.channels, -1)
            statistics[index, : self.channels] = part.mean(1)
            statistics[index, self.channels :] = 0.5 * np.log(part.var(1) + SPREAD_FLOOR)
        return self.embed(statistics)


@lru_cache(maxsize=2)
def load_texture_model(folder: Path = WEIGHTS) -> TextureModel:
    """Load the texture model that ships, or one from a folder of ``nital train texture``."""
    return TextureModel.load(folder)


def _session(graph: bytes) -> Any:
    """An ONNX Runtime session; ``NITAL_THREADS`` limits its threads, by default all processors."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = int(os.environ.get("NITAL_THREADS", "0"))
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def texture_features(
    image: Field, *, side: float = 60.0, model: TextureModel | None = None
) -> Field:
    """Texture around every place of a standardised image.

    Parameters
    ----------
    image
        (H, W) float32 of zero mean and unit variance.
    side
        Of the square over which statistics are taken, in pixels of the image.
    model
        Other than the one that ships.

    Returns
    -------
    ndarray
        (E, h, w) float32, h = ceil(H / 4), in units of the calibrated distance: two places of
        squared distance 1 are as likely of one material as not.
    """
    model = model or load_texture_model()
    return squares_embedded(model.maps(image), max(1, round(side / STRIDE)), model)


def squares_embedded(maps: Field, size: int, model: TextureModel, step: int = 1) -> Field:
    """(E, h, w) embeddings of squares of ``size`` positions around every ``step``-th position.

    ``maps`` are those of the model; the embeddings are in units of the calibrated distance.
    """
    places = np.s_[::step, ::step]
    statistics = np.empty((2 * model.channels, *maps[0][places].shape), dtype=np.float32)
    for index, layer in enumerate(maps):
        mean = ndimage.uniform_filter(layer, size, mode="reflect")[places]
        square = ndimage.uniform_filter(layer**2, size, mode="reflect")[places]
        statistics[index] = mean
        statistics[model.channels + index] = 0.5 * np.log(
            np.maximum(square - mean**2, 0) + SPREAD_FLOOR
        )
    embedded = model.embed(np.ascontiguousarray(statistics.reshape(len(statistics), -1).T))
    unit = np.float32(max(model.threshold, 1e-6) ** -0.5)
    return np.ascontiguousarray(unit * embedded.T.reshape(-1, *statistics.shape[1:]))


def natural_factor(image: Field) -> float:
    """Factor of size that brings an image's clear period to its natural one; 1 without any."""
    period = dominant_period(image)
    if period is None:
        return 1.0
    return float(np.clip(NATURAL_PERIOD / period, *FACTORS))


def dominant_period(image: Field) -> float | None:
    """Longest clear period of an (H, W) image in pixels, ``None`` without any.

    Peaks of the power spectrum, averaged over windows, are compared with the median of their
    frequency ring: atomic columns and lamellae rise far above it, grains and noise do not.
    """
    side = min(PERIOD_SIDE, *image.shape)
    if side < 4 * PERIODS[0]:
        return None
    taper = np.hanning(side)[:, None] * np.hanning(side)[None]
    power = np.zeros((side, side // 2 + 1))
    starts = [sorted({0, (length - side) // 2, length - side}) for length in image.shape]
    for top in starts[0]:
        for left in starts[1]:
            part = image[top : top + side, left : left + side]
            power += np.abs(np.fft.rfft2((part - part.mean()) * taper)) ** 2
    rows = np.fft.fftfreq(side)[:, None] * side
    radius = np.hypot(rows, np.arange(side // 2 + 1)[None])
    ring = radius.round().astype(int)
    low, high = int(np.ceil(side / PERIODS[1])), int(side / PERIODS[0])
    ratio = np.zeros(high + 1)
    for number in range(max(low, 3), high + 1):
        inside = power[ring == number]
        ratio[number] = inside.max() / max(float(np.median(inside)), 1e-12)
    strongest = float(ratio.max(initial=0.0))
    if strongest < CLEAR_PEAK:
        return None
    first = int(np.flatnonzero(ratio >= max(CLEAR_PEAK, 0.15 * strongest))[0])
    peak = first + int(np.argmax(ratio[first : first + 3]))
    return float(side / peak)
