"""Training of the texture network with the contrastive objective of SAM-I-Am (equation 2).

Crops of one material come near each other in the embedding, crops of different materials of the
same image part. With squared distances d, each crop names its own material among all crops of its
group by exp(-d) (Khosla et al., NeurIPS 2020), and a pair is of one material with logit b - d; the
learnt b is the calibrated distance at which two crops are as likely of one material as not.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from nital.errors import UsageError
from nital.training.checkpoint import log_losses, resume, save
from nital.training.texture_network import FENet, ResNet18, make_crop_network
from nital.training.texture_samples import (
    REAL_TEXTURES,
    CropGroup,
    TextureOptions,
    TextureStream,
    load_patches_from,
)

__all__ = ["ContrastiveNetwork", "TextureTraining", "contrastive_loss", "train_texture"]

LOG_EVERY = 25
EMBEDDING = 16


@dataclass(frozen=True)
class TextureTraining:
    """Length and data of a training.

    Parameters
    ----------
    steps
        Optimiser steps in all.
    groups
        Images whose crops make a step.
    learning_rate
        Peak; falls to 2 % with a cosine.
    seed
        Decides weights and crops.
    network
        ``"compact"``, or ``"resnet18"`` or ``"fenet"`` for comparison.
    width
        Channels of the network, over those that it has by itself.
    checkpoint_every
        Steps between checkpoints; a resumed training starts a new stream of crops there.
    """

    steps: int = 3000
    groups: int = 4
    learning_rate: float = 3e-3
    seed: int = 0
    network: str = "compact"
    width: float = 1.0
    checkpoint_every: int = 100


class ContrastiveNetwork(nn.Module):
    """An embedding of crops and the squared distance at which two are as likely of one material."""

    def __init__(self, network: nn.Module, margin: int) -> None:
        super().__init__()
        self.network, self.margin = network, margin
        self.threshold = nn.Parameter(torch.tensor(2.0))

    def forward(self, crops: Tensor) -> Tensor:
        """(N, E) of (N, m, m) crops with context, which only the texture network is shown."""
        inputs = crops[:, None]
        if isinstance(self.network, ResNet18 | FENet):
            inner = inputs[:, :, self.margin : -self.margin, self.margin : -self.margin]
            out: Tensor = self.network(inner)
        else:
            out = self.network(inputs, self.margin // 4)
        return out


def contrastive_loss(embedding: Tensor, materials: Tensor, threshold: Tensor) -> Tensor:
    """Loss of one group: (N, E) embeddings and the (N,) material of each, at least two of two."""
    distance = torch.cdist(embedding, embedding).square()
    count = len(materials)
    same = (materials[:, None] == materials[None]).float()
    others = 1 - torch.eye(count)
    logits = -distance - 1e9 * (1 - others)
    chosen = torch.log_softmax(logits, dim=1)
    positive = same * others
    naming = -(chosen * positive).sum(1) / positive.sum(1).clamp_min(1)
    pairs = nn.functional.binary_cross_entropy_with_logits(
        threshold - distance, same, reduction="none"
    )
    different = 1 - same
    joined = 0.5 * (pairs * positive).sum() / positive.sum().clamp_min(1)
    parted = 0.5 * (pairs * different).sum() / different.sum().clamp_min(1)
    return naming.mean() + joined + parted


def train_texture(
    folder: Path,
    options: TextureTraining,
    *,
    data: Path | None = None,
    stream: TextureOptions | None = None,
    report: Callable[[int, int, dict[str, float]], None] | None = None,
) -> Path:
    """Train, or go on with the training whose checkpoint lies in ``folder``.

    Parameters
    ----------
    folder
        Gets ``checkpoint.pt`` (loaded with ``weights_only``), ``weights.safetensors``, ``log.csv``.
    data
        Folder with the licensed real sets; simulated textures alone when ``None``.
    stream
        What crops are drawn.
    report
        Called with (step, steps, means) about every 25 steps.

    Returns
    -------
    Path
        The weights.

    Raises
    ------
    ModelError
        When the checkpoint is not of this network.
    UsageError
        When ``data`` holds none of the licensed sets, or the network is unknown.
    """
    stream = stream or TextureOptions()
    torch.manual_seed(options.seed)
    network = make_crop_network(options.network, EMBEDDING, options.width)
    model = ContrastiveNetwork(network, stream.margin)
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.learning_rate, weight_decay=0.02)
    real = load_patches_from(data) if data is not None else ()
    if data is not None and not real:
        raise UsageError(
            f"{data} holds none of the sets {', '.join(REAL_TEXTURES)}; name their folder"
        )
    start, _ = resume(folder, model, optimizer)
    folder.mkdir(parents=True, exist_ok=True)
    crops = TextureStream((options.seed, start), stream, real)
    model.train()
    losses: list[float] = []
    right: list[float] = []
    began = time.monotonic()
    for step in range(start + 1, options.steps + 1):
        rate = options.learning_rate * _schedule(step, options.steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        side = int(crops.rng.choice(stream.sides))
        groups = [crops.group(side) for _ in range(options.groups)]
        loss, accuracy = _step(model, optimizer, groups)
        losses.append(loss)
        right.append(accuracy)
        if step % LOG_EVERY == 0 or step == options.steps:
            means = {
                "total": float(np.mean(losses)),
                "accuracy": float(np.mean(right)),
                "threshold": float(model.threshold.detach()),
                "seconds_per_step": (time.monotonic() - began) / len(losses),
            }
            log_losses(folder / "log.csv", step, means)
            if report is not None:
                report(step, options.steps, means)
            losses, right, began = [], [], time.monotonic()
        if step % options.checkpoint_every == 0 or step == options.steps:
            save(folder, (step, 0.0), model, optimizer, {"options": repr(asdict(options))})
    return folder / "weights.safetensors"


def _step(
    model: ContrastiveNetwork, optimizer: torch.optim.Optimizer, groups: list[CropGroup]
) -> tuple[float, float]:
    """One optimiser step; the loss, and how often a crop's nearest is of the same material."""
    embedded = model(torch.from_numpy(np.concatenate([g.crops for g in groups])))
    parts = torch.split(embedded, [len(g.crops) for g in groups])
    losses, right = [], []
    for part, group in zip(parts, groups, strict=True):
        materials = torch.from_numpy(group.materials)
        losses.append(contrastive_loss(part, materials, model.threshold))
        distance = torch.cdist(part.detach(), part.detach()) + 1e9 * torch.eye(len(part))
        right.append(float((materials[distance.argmin(1)] == materials).float().mean()))
    loss = torch.stack(losses).mean()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 3.0)
    optimizer.step()
    return float(loss.detach()), float(np.mean(right))


def _schedule(step: int, steps: int) -> float:
    warm = min(1.0, step / 50)
    return warm * (0.02 + 0.98 * 0.5 * (1 + float(np.cos(np.pi * step / steps))))
