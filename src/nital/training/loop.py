"""Training of the compact model: resumable, logged, the same for the same seed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, IterableDataset

from nital.errors import ModelError, UsageError
from nital.training.checkpoint import log_losses, resume, save
from nital.training.losses import compute_losses
from nital.training.network import CompactNetwork, NetworkConfig
from nital.training.samples import (
    REAL_SETS,
    RealImage,
    SampleStream,
    StreamOptions,
    load_real_images,
)
from nital.training.targets import make_example

__all__ = [
    "TrainingOptions",
    "learning_rate_share",
    "load_network",
    "make_network",
    "train_compact",
    "train_step",
]

AVERAGED = 1000.0  # steps that the running average of the weights spans, or
AVERAGED_SHARE = 1 / 8  # of all steps where that is less
WARMUP_SHARE = 0.1  # of all steps, at most
LOG_EVERY = 50


@dataclass(frozen=True)
class TrainingOptions:
    """Length, speed and data of a training.

    Parameters
    ----------
    steps
        Optimiser steps in all; the learning rate falls to zero at the last.
    batch
        Crops a step.
    learning_rate
        Peak, reached after ``warmup`` steps, or a tenth of all where that is less.
    seed
        Decides initial weights and every crop.
    workers
        Processes that simulate crops beside the training.
    bf16
        bfloat16 autocast; faster only where the processor has it: time it first.
    checkpoint_every
        Steps between checkpoints; a resumed training starts a new stream of crops there.
    """

    steps: int = 8000
    batch: int = 8
    learning_rate: float = 1.5e-3
    warmup: int = 300
    weight_decay: float = 0.02
    seed: int = 0
    workers: int = 2
    bf16: bool = False
    checkpoint_every: int = 500


class _Crops(IterableDataset[dict[str, np.ndarray[Any, Any]]]):
    """Examples of one worker's stream."""

    def __init__(self, seed: int, start: int, options: StreamOptions, real: tuple[RealImage, ...]):
        self.seed, self.start, self.options, self.real = seed, start, options, real

    def __iter__(self) -> Iterator[dict[str, np.ndarray[Any, Any]]]:
        info = torch.utils.data.get_worker_info()
        worker = 0 if info is None else info.id
        if info is not None:
            torch.set_num_threads(1)
        key = (self.seed, self.start, worker)
        stream = SampleStream(key, self.options, self.real)
        rng = np.random.default_rng((*key, 1))
        for sample in stream:
            yield make_example(rng, sample)


def train_compact(
    folder: Path,
    options: TrainingOptions,
    *,
    data: Path | None = None,
    stream: StreamOptions | None = None,
    config: NetworkConfig | None = None,
    initial: Path | None = None,
    report: Callable[[int, int, dict[str, float]], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Train, or go on with the training whose checkpoint lies in ``folder``.

    Parameters
    ----------
    folder
        Gets ``checkpoint.pt`` (loaded with ``weights_only``), ``weights.safetensors`` (averaged
        weights) and ``log.csv``.
    data
        Folder with the licensed real sets; simulated crops alone when ``None``.
    initial
        ``weights.safetensors`` of an earlier training to start from.
    report
        Called with (step, steps, mean losses) about every 50 steps.
    progress
        Called with (step, steps) at the start and after every step.

    Returns
    -------
    Path
        The averaged weights.

    Raises
    ------
    ModelError
        When the checkpoint or the initial weights are not of this network.
    UsageError
        When ``data`` holds none of the licensed sets.
    """
    network, average, optimizer = make_network(options, config, initial)
    start, _ = resume(folder, network, optimizer, average)
    if start >= options.steps:
        return folder / "weights.safetensors"
    real = load_real_images(data) if data is not None else ()
    if data is not None and not real:
        raise UsageError(f"{data} holds none of the sets {', '.join(REAL_SETS)}; name their folder")
    folder.mkdir(parents=True, exist_ok=True)
    means = _Means()
    network.train()
    if progress is not None:
        progress(start, options.steps)
    for step, batch in enumerate(_loader(options, start, stream, real), start=start + 1):
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * learning_rate_share(step, options)
        means.add(train_step(network, optimizer, batch, options.bf16))
        average.update_parameters(network)
        if step % LOG_EVERY == 0 or step == options.steps:
            values = means.take()
            log_losses(folder / "log.csv", step, values)
            if report is not None:
                report(step, options.steps, values)
        if step % options.checkpoint_every == 0 or step == options.steps:
            note = {"config": repr(network.config), "options": repr(asdict(options))}
            save(folder, (step, 0.0), network, optimizer, note, average)
        if progress is not None:
            progress(step, options.steps)
        if step == options.steps:
            break
    return folder / "weights.safetensors"


def make_network(
    options: TrainingOptions, config: NetworkConfig | None = None, initial: Path | None = None
) -> tuple[CompactNetwork, AveragedModel, torch.optim.Optimizer]:
    """Network, its running average and the optimiser at step 0."""
    torch.manual_seed(options.seed)
    network = CompactNetwork(config)
    if initial is not None:
        network.load_state_dict(load_network(initial, config).state_dict())
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    span = max(1.0, min(AVERAGED, AVERAGED_SHARE * options.steps))
    average = AveragedModel(
        network,
        multi_avg_fn=get_ema_multi_avg_fn(1 - 1 / span),
        use_buffers=True,
    )
    optimizer = torch.optim.AdamW(
        network.parameters(),
        lr=options.learning_rate,
        weight_decay=options.weight_decay,
        fused=True,
    )
    return network, average, optimizer


def _loader(
    options: TrainingOptions, start: int, stream: StreamOptions | None, real: tuple[RealImage, ...]
) -> DataLoader[dict[str, np.ndarray[Any, Any]]]:
    """Endless batches of crops, collated to tensors."""
    return DataLoader(
        _Crops(options.seed, start, stream or StreamOptions(), real),
        batch_size=options.batch,
        num_workers=options.workers,
        prefetch_factor=4 if options.workers else None,
    )


class _Means:
    """Mean losses and seconds a step since the last look."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.count, self.began = 0, time.monotonic()

    def add(self, losses: dict[str, Tensor]) -> None:
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value.detach())
        self.count += 1

    def take(self) -> dict[str, float]:
        means = {name: value / self.count for name, value in self.sums.items()}
        means["seconds_per_step"] = (time.monotonic() - self.began) / self.count
        self.sums, self.count, self.began = {}, 0, time.monotonic()
        return means


def learning_rate_share(step: int, options: TrainingOptions) -> float:
    """Share of the peak at a step: linear warm-up, then a cosine to 1 %."""
    warmup = min(float(options.warmup), WARMUP_SHARE * options.steps)
    if step < warmup:
        return step / warmup
    done = (step - warmup) / max(1.0, options.steps - warmup)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def train_step(
    network: CompactNetwork,
    optimizer: torch.optim.Optimizer,
    batch: dict[str, Tensor],
    bf16: bool,
) -> dict[str, Tensor]:
    """One optimiser step on a batch; returns its losses."""
    batch["image"] = batch["image"].contiguous(memory_format=torch.channels_last)
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        losses = compute_losses(network, batch)
    losses["total"].backward()
    nn.utils.clip_grad_norm_(network.parameters(), 3.0)
    optimizer.step()
    return losses


def load_network(weights: Path, config: NetworkConfig | None = None) -> CompactNetwork:
    """The network of a ``weights.safetensors``, in evaluation mode.

    Raises
    ------
    ModelError
        When the file cannot be read or holds the weights of another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    network = CompactNetwork(config)
    try:
        network.load_state_dict(load_file(weights))
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(
            f"{weights} cannot be used as weights of the compact network ({reason}); give the"
            " weights.safetensors of a training with this version of nital"
        ) from error
    return network.eval()
