"""The paper's baseline for particles: a U-Net for interior and border, split by a watershed.

Trained on the same crops as the detector, simulated and real; the exported model runs without
torch, as every supervised segmenter does (``nital.semantic``).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch.nn import functional

from nital.errors import UsageError
from nital.semantic.export import MARGIN, TILE, export_semantic
from nital.semantic.instances import BORDER, CLASSES, INTERIOR
from nital.semantic.loop import SemanticOptions, load_weights
from nital.semantic.model import DESCRIPTION, GRAPH
from nital.semantic.networks import UNet
from nital.semantic.samples import IGNORED
from nital.training.checkpoint import log_losses, resume, save
from nital.training.detector.samples import Crop, CropStream
from nital.training.graph import write_whole
from nital.training.samples import load_real_images

__all__ = ["ParticleUNetOptions", "export_particle_unet", "interior_and_border", "train_unet"]

LOG_EVERY = 25
WEIGHTS = (0.6, 1.0, 2.0)  # of background, interior and border, which is rare
HALF_BORDER = 1.5  # pixels of an object that belong to its border


@dataclass(frozen=True)
class ParticleUNetOptions:
    """Length and speed of a training; as for the detector.

    Parameters
    ----------
    width
        Channels at full resolution, a multiple of 4; 64 in the paper of the U-Net.
    steps, batch, size
        Optimiser steps, crops a step, and their side in pixels, a multiple of 32.
    learning_rate
        Peak of Adam's; it falls to zero with the last step.
    seed
        Decides initial weights and every crop.
    checkpoint_every
        Steps between checkpoints.
    minutes
        Stop after so many minutes of processor time; 0 for no limit.
    """

    width: int = 16
    steps: int = 4000
    batch: int = 4
    size: int = 192
    learning_rate: float = 2e-3
    seed: int = 0
    checkpoint_every: int = 50
    minutes: float = 0.0

    def __post_init__(self) -> None:
        if self.size < 64 or self.size % 32 or self.width % 4:
            raise UsageError(
                f"crops need a side that is a multiple of 32 and the network a width that is one"
                f" of 4, not {self.size} and {self.width}"
            )


def train_unet(
    folder: Path,
    options: ParticleUNetOptions,
    *,
    data: Path | None = None,
    report: Callable[[int, int, dict[str, float]], None] | None = None,
) -> Path:
    """Train, or go on with the training whose checkpoint lies in ``folder``; return the weights.

    ``data`` is the folder with the licensed real sets; simulated crops alone when ``None``.

    Raises
    ------
    ModelError
        The checkpoint is of another network.
    UsageError
        ``data`` holds no labelled particles.
    """
    torch.manual_seed(options.seed)
    network = UNet(1, len(CLASSES), options.width)
    optimizer = torch.optim.Adam(network.parameters(), lr=options.learning_rate)
    start, spent = resume(folder, network, optimizer)
    real = () if data is None else load_real_images(data)
    if data is not None and not any(image.target == 2 for image in real):
        raise UsageError(f"{data} holds no labelled particles; name the folder of emps_train")
    folder.mkdir(parents=True, exist_ok=True)
    crops = iter(CropStream((options.seed, start), options.size, real))
    weights = torch.tensor(WEIGHTS)
    network.train()
    began, since, total = time.process_time() - spent, start, 0.0
    for step in range(start + 1, options.steps + 1):
        spent = time.process_time() - began
        share = max(step / options.steps, spent / 60 / options.minutes if options.minutes else 0)
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * max(0.02, 1 - share)
        image, truth = _batch([next(crops) for _ in range(options.batch)])
        loss = functional.cross_entropy(network(image), truth, weights, ignore_index=IGNORED)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        total += float(loss.detach())
        last = step == options.steps or share >= 1
        if step % LOG_EVERY == 0 or last:
            means = {"loss": total / (step - since)}
            log_losses(folder / "log.csv", step, means)
            if report is not None:
                report(step, options.steps, means)
            total, since = 0.0, step
        if step % options.checkpoint_every == 0 or last:
            save(folder, (step, spent), network, optimizer, {"options": repr(asdict(options))})
        if last:
            break
    return folder / "weights.safetensors"


def _batch(crops: list[Crop]) -> tuple[torch.Tensor, torch.Tensor]:
    image = np.stack([crop.image for crop in crops])[:, None]
    truth = np.stack([interior_and_border(crop.labels, crop.valid) for crop in crops])
    return torch.from_numpy(image), torch.from_numpy(truth)


def interior_and_border(labels: NDArray[np.int32], valid: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(H, W) class of every pixel: background, interior, border, or not known.

    The border of an object is what of it lies within 1.5 pixels of anything else.
    """
    padded = np.pad(labels, 1, mode="edge")
    height, width = labels.shape
    edge = np.zeros(labels.shape, dtype=bool)
    for down, right in ((0, 1), (2, 1), (1, 0), (1, 2)):
        edge |= padded[down : down + height, right : right + width] != labels
    near = ndimage.distance_transform_edt(~edge) <= HALF_BORDER - 0.5
    truth = np.where(labels > 0, np.where(near, BORDER, INTERIOR), 0)
    return np.where(valid, truth, IGNORED).astype(np.int64)


def export_particle_unet(folder: Path, options: ParticleUNetOptions) -> float:
    """Write ``model/`` for ``--model`` beside the weights; return the difference from torch.

    Raises
    ------
    ModelError
        There are no weights of this network, or the export does not reproduce torch.
    """
    shape = SemanticOptions(architecture="unet", width=options.width)
    network = load_weights(folder / "weights.safetensors", shape, len(CLASSES))
    graph, difference = export_semantic(network)
    description = {
        "name": "unet",
        "sha256": hashlib.sha256(graph).hexdigest(),
        "task": "instances",
        "classes": [{"value": value, "name": name} for value, name in enumerate(CLASSES)],
        "stride": 32,
        "tile": TILE,
        "margin": MARGIN,
        "training": asdict(options),
    }
    (folder / "model").mkdir(parents=True, exist_ok=True)
    write_whole(folder / "model" / GRAPH, graph)
    text = json.dumps(description, indent=1) + "\n"
    write_whole(folder / "model" / DESCRIPTION, text.encode())
    return difference
