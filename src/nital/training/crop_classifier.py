"""Training of a crop classifier on simulated crops of named materials (SAM-I-Am, section 5.2)."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nital.boost.texture import natural_factor
from nital.errors import ModelError, UsageError
from nital.models.tiles import standardise
from nital.simulate.stem_crystals import MATERIALS
from nital.simulate.stem_image import simulate_stem
from nital.training.checkpoint import log_losses, resume, save
from nital.training.crop_start import load_start
from nital.training.graph import to_onnx, write_whole
from nital.training.texture_network import make_crop_network
from nital.training.texture_samples import crop_corners

__all__ = ["CropStream", "CropTraining", "export_crops", "train_crops"]

Field = NDArray[np.float32]
LOG_EVERY = 25


@dataclass(frozen=True)
class CropTraining:
    """What is told apart, and how long it is trained.

    Parameters
    ----------
    materials
        Names of :data:`nital.simulate.stem_crystals.MATERIALS`, two at least.
    network
        ``"compact"``, ``"resnet18"`` or ``"fenet"``.
    steps, batch
        Optimiser steps, and crops a step.
    side
        Of a crop in pixels.
    seed
        Decides weights and crops.
    pool
        Simulated images kept for reuse.
    width
        Channels of the network, over those that it has by itself.
    initial
        Weights to start from, as :func:`nital.training.crop_start.load_start` takes them; a random
        start when ``None``. A training that goes on does not look at them.

    Raises
    ------
    UsageError
        When materials are unknown, repeated or fewer than two.
    """

    materials: tuple[str, ...] = MATERIALS
    network: str = "compact"
    steps: int = 800
    batch: int = 48
    side: int = 60
    seed: int = 0
    learning_rate: float = 3e-3
    pool: int = 150
    checkpoint_every: int = 100
    width: float = 1.0
    initial: Path | None = None

    def __post_init__(self) -> None:
        unknown = [name for name in self.materials if name not in MATERIALS]
        if unknown or len(set(self.materials)) < max(2, len(self.materials)):
            raise UsageError(
                f"{', '.join(unknown) or 'fewer than two different materials'} cannot be told "
                f"apart; choose two or more of {', '.join(MATERIALS)}"
            )


class CropStream:
    """Batches of crops, the same for the same seed, and the index of each crop's material."""

    def __init__(self, options: CropTraining, start: int = 0) -> None:
        self.options = options
        self.rng = np.random.default_rng([options.seed, start])
        self.pool: list[tuple[Field, NDArray[np.uint8], tuple[str, ...]]] = []

    def batch(self) -> tuple[Field, NDArray[np.int64]]:
        """(batch, m, m) float32 and (batch,) int64."""
        crops: list[Field] = []
        classes: list[int] = []
        while len(crops) < self.options.batch:
            image, phases, names = self._image()
            for number, name in enumerate(names, start=1):
                side = self.options.side
                for top, left in crop_corners(self.rng, phases == number, side, 0, 4):
                    turned = np.rot90(
                        image[top : top + side, left : left + side], int(self.rng.integers(4))
                    )
                    crops.append(turned)
                    classes.append(self.options.materials.index(name))
        chosen = self.rng.permutation(len(crops))[: self.options.batch]
        return (
            np.ascontiguousarray(np.stack([crops[k] for k in chosen]), dtype=np.float32),
            np.array([classes[k] for k in chosen], dtype=np.int64),
        )

    def _image(self) -> tuple[Field, NDArray[np.uint8], tuple[str, ...]]:
        full = len(self.pool) >= self.options.pool
        if self.pool and (full or self.rng.random() < 0.6):
            place = int(self.rng.integers(len(self.pool)))
            if not full or self.rng.random() > 0.05:
                return self.pool[place]
            del self.pool[place]
        count = int(self.rng.integers(2, min(4, len(self.options.materials)) + 1))
        names = tuple(str(n) for n in self.rng.choice(self.options.materials, count, replace=False))
        difficulty = int(self.rng.integers(1, 3))
        shown = simulate_stem(self.rng, (320, 320), difficulty=difficulty, materials=names)
        image = standardise(shown.image)
        factor = natural_factor(image)
        self.pool.append((*_resized(image, shown.scene.phases, factor), names))
        return self.pool[-1]


def _resized(
    image: Field, phases: NDArray[np.uint8], factor: float
) -> tuple[Field, NDArray[np.uint8]]:
    from PIL import Image

    rows, cols = (max(1, round(side * factor)) for side in image.shape)
    shown = Image.fromarray(image).resize((cols, rows), Image.Resampling.BILINEAR)
    truth = Image.fromarray(phases).resize((cols, rows), Image.Resampling.NEAREST)
    return np.array(shown, dtype=np.float32), np.array(truth, dtype=np.uint8)


def train_crops(
    folder: Path,
    options: CropTraining,
    report: Callable[[int, int, dict[str, float]], None] | None = None,
) -> nn.Module:
    """Train, or go on with the training whose checkpoint lies in ``folder``.

    Parameters
    ----------
    folder
        Gets ``checkpoint.pt`` (loaded with ``weights_only``), ``weights.safetensors``, ``log.csv``.
    options
        What is told apart.
    report
        Called with (step, steps, means) about every 25 steps; ``accuracy`` is that of crops before
        they are learnt from.

    Returns
    -------
    torch.nn.Module
        The network in evaluation mode.

    Raises
    ------
    ModelError
        When the checkpoint or the initial weights are not of this network.
    """
    torch.manual_seed(options.seed)
    network = make_crop_network(options.network, len(options.materials), options.width)
    if options.initial is not None:
        load_start(network, options.initial)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, weight_decay=0.02)
    start, _ = resume(folder, network, optimizer)
    folder.mkdir(parents=True, exist_ok=True)
    stream = CropStream(options, start)
    network.train()
    losses: list[float] = []
    right: list[float] = []
    began = time.monotonic()
    for step in range(start + 1, options.steps + 1):
        share = 0.02 + 0.98 * 0.5 * (1 + float(np.cos(np.pi * step / options.steps)))
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * min(1.0, step / 50) * share
        crops, classes = stream.batch()
        logits = network(torch.from_numpy(crops)[:, None])
        truth = torch.from_numpy(classes)
        loss = nn.functional.cross_entropy(logits, truth, label_smoothing=0.05)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 3.0)
        optimizer.step()
        losses.append(float(loss.detach()))
        right.append(float((logits.argmax(1) == truth).float().mean()))
        if step % LOG_EVERY == 0 or step == options.steps:
            means = {
                "total": float(np.mean(losses)),
                "accuracy": float(np.mean(right)),
                "seconds_per_step": (time.monotonic() - began) / len(losses),
            }
            log_losses(folder / "log.csv", step, means)
            if report is not None:
                report(step, options.steps, means)
            losses, right, began = [], [], time.monotonic()
        if step % options.checkpoint_every == 0 or step == options.steps:
            save(folder, (step, 0.0), network, optimizer, {})
    trained: nn.Module = network.eval()
    return trained


def export_crops(network: nn.Module, folder: Path, options: CropTraining) -> float:
    """Write ``crops.onnx`` and ``crops.json``; return the largest difference from torch.

    Raises
    ------
    ModelError
        When the export does not reproduce torch; then nothing is written.
    """
    import onnxruntime

    example: Tensor = torch.randn(3, 1, options.side, options.side)
    dynamic = {"crops": {0: torch.export.Dim("n", max=1 << 16)}}
    graph = to_onnx(network.eval(), {"crops": example}, dynamic, (["crops"], ["logits"]))
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    other = torch.randn(7, 1, options.side, options.side)
    with torch.no_grad():
        expected = network(other).numpy()
    found = session.run(None, {"crops": other.numpy()})[0]
    difference = float(np.abs(expected - found).max() / max(1.0, float(np.abs(expected).max())))
    if difference > 2e-3:
        raise ModelError(f"the export differs from torch by {difference:.2g}")
    description = {
        "name": "crops",
        "sha256": hashlib.sha256(graph).hexdigest(),
        "materials": list(options.materials),
        "side": options.side,
        "network": options.network,
        "width": options.width,
        "initial": None if options.initial is None else options.initial.name,
        "training": {"steps": options.steps, "batch": options.batch, "seed": options.seed},
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "crops.onnx", graph)
    write_whole(folder / "crops.json", (json.dumps(description, indent=1) + "\n").encode())
    return difference
