"""The paper's baseline for particles: a U-Net for foreground and border, split by a watershed.

Trained on the same sets as the detector, simulated and real; the exported model runs without
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
from torch import Tensor

from nital.errors import ModelError, UsageError
from nital.evaluation.boundaries import label_boundaries
from nital.semantic.export import MARGIN, TILE, export_semantic
from nital.semantic.model import DESCRIPTION, GRAPH
from nital.semantic.particle_network import MAPS, ParticleUNet, particle_loss, particle_losses
from nital.training.checkpoint import log_losses, resume, save
from nital.training.detector.samples import Crop, CropStream
from nital.training.graph import write_whole
from nital.training.samples import load_real_images

__all__ = ["ParticleUNetOptions", "export_particle_unet", "foreground_and_border", "train_unet"]

LOG_EVERY = 25
REAL_SHARE = 0.9
"""Of the crops, where there are real sets: a simulated one takes five times as long to make."""
WARMUP = 50  # steps
WEIGHT_DECAY = 0.02
BORDER = 2.0  # pixels of an object that belong to its border
GAIN, OFFSET = 0.15, 0.3
"""Standard deviations by which crops are brighter and of more contrast than their own mean and
spread say, as places in a whole image are."""


@dataclass(frozen=True)
class ParticleUNetOptions:
    """Length and speed of a training; as for the detector.

    Parameters
    ----------
    width
        Channels at half resolution, a multiple of 4.
    steps, batch, size
        Optimiser steps, crops a step, and their side in pixels, a multiple of 32.
    learning_rate
        Peak of AdamW's, after 50 steps; it falls to zero with the last step.
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
    size: int = 256
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
    network = ParticleUNet(options.width).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=options.learning_rate, weight_decay=WEIGHT_DECAY
    )
    start, spent = resume(folder, network, optimizer)
    real = () if data is None else load_real_images(data)
    if data is not None and not any(image.target == 2 for image in real):
        raise UsageError(f"{data} holds no labelled particles; name the folder of emps_train")
    folder.mkdir(parents=True, exist_ok=True)
    seed = (options.seed, start)
    crops = iter(CropStream(seed, options.size, real, real_share=REAL_SHARE))
    rng = np.random.default_rng((*seed, 2))
    network.train()
    began, since, sums = time.process_time() - spent, start, dict.fromkeys(("loss", *MAPS), 0.0)
    for step in range(start + 1, options.steps + 1):
        spent = time.process_time() - began
        share = max(step / options.steps, spent / 60 / options.minutes if options.minutes else 0)
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * min(step / WARMUP, max(0.02, 1 - share))
        image, truth, valid = _batch([next(crops) for _ in range(options.batch)], rng)
        losses = particle_losses(network(image), truth, valid)
        loss = particle_loss(losses)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        for name, value in {"loss": loss, **losses}.items():
            sums[name] += float(value.detach())
        last = step == options.steps or share >= 1
        if step % LOG_EVERY == 0 or last:
            means = {name: value / (step - since) for name, value in sums.items()}
            log_losses(folder / "log.csv", step, means)
            if report is not None:
                report(step, options.steps, means)
            since, sums = step, dict.fromkeys(sums, 0.0)
        if step % options.checkpoint_every == 0 or last:
            save(folder, (step, spent), network, optimizer, {"options": repr(asdict(options))})
        if last:
            break
    return folder / "weights.safetensors"


def _batch(crops: list[Crop], rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Images (N, 1, H, W), their maps (N, 2, H, W) and where these are known (N, H, W)."""
    gains, offsets = np.exp(rng.normal(0, GAIN, len(crops))), rng.normal(0, OFFSET, len(crops))
    image = np.stack([g * crop.image + o for crop, g, o in zip(crops, gains, offsets, strict=True)])
    truth = np.stack([foreground_and_border(crop.labels) for crop in crops])
    valid = np.stack([crop.valid for crop in crops])
    images = torch.from_numpy(image.astype(np.float32))[:, None]
    return (
        images.contiguous(memory_format=torch.channels_last),
        torch.from_numpy(truth),
        torch.from_numpy(valid.astype(np.float32)),
    )


def foreground_and_border(labels: NDArray[np.int32]) -> NDArray[np.float32]:
    """(2, H, W) foreground and border of (H, W) labels.

    The border of an object is what of it lies within two pixels of anything else.
    """
    inside, edge = labels > 0, label_boundaries(labels)
    border = np.zeros(labels.shape, dtype=bool)
    if edge.any():
        border = inside & (ndimage.distance_transform_edt(~edge) + 0.5 <= BORDER)
    return np.stack([inside, border]).astype(np.float32)


def _load(weights: Path, width: int) -> ParticleUNet:
    """The network of a training, in evaluation mode.

    Raises
    ------
    ModelError
        The file cannot be read or holds the weights of another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    network = ParticleUNet(width)
    try:
        network.load_state_dict(load_file(weights))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ModelError(
            f"{weights} holds no weights of this U-Net ({str(error).splitlines()[0]}); train into"
            " another folder"
        ) from error
    return network.eval()


def export_particle_unet(folder: Path, options: ParticleUNetOptions) -> float:
    """Write ``model/`` for ``--model`` beside the weights; return the difference from torch.

    Raises
    ------
    ModelError
        There are no weights of this network, or the export does not reproduce torch.
    """
    network = _load(folder / "weights.safetensors", options.width)
    graph, difference = export_semantic(network)
    description = {
        "name": "unet",
        "sha256": hashlib.sha256(graph).hexdigest(),
        "task": "instances",
        "classes": [{"value": 0, "name": "background"}, {"value": 1, "name": "particle"}],
        "maps": list(MAPS),
        "stride": network.stride,
        "tile": TILE,
        "margin": MARGIN,
        "training": asdict(options),
    }
    (folder / "model").mkdir(parents=True, exist_ok=True)
    write_whole(folder / "model" / GRAPH, graph)
    text = json.dumps(description, indent=1) + "\n"
    write_whole(folder / "model" / DESCRIPTION, text.encode())
    return difference
