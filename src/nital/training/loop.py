"""Training of the compact model: resumable, logged, the same for the same seed."""

from __future__ import annotations

import csv
import math
import os
import pickle
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

from nital.errors import ModelError
from nital.training.losses import compute_losses
from nital.training.network import CompactNetwork, NetworkConfig
from nital.training.samples import RealImage, SampleStream, StreamOptions, load_real_images
from nital.training.targets import make_example

__all__ = ["TrainingOptions", "load_network", "train_compact"]

EMA_DECAY = 0.999


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
        Peak, reached after ``warmup`` steps.
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
        Gets ``checkpoint.safetensors``-style state (``checkpoint.pt``, loaded with
        ``weights_only``), ``weights.safetensors`` (averaged weights) and ``log.csv``.
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
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    network = CompactNetwork(config)
    if initial is not None:
        network.load_state_dict(load_network(initial).state_dict())
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = AveragedModel(
        network,
        multi_avg_fn=get_ema_multi_avg_fn(EMA_DECAY),  # type: ignore[no-untyped-call]
        use_buffers=True,
    )
    optimizer = torch.optim.AdamW(
        network.parameters(),
        lr=options.learning_rate,
        weight_decay=options.weight_decay,
        fused=True,
    )
    start = _resume(folder, network, average, optimizer)
    if start >= options.steps:
        return folder / "weights.safetensors"
    real = load_real_images(data) if data is not None else ()
    crops = _Crops(options.seed, start, stream or StreamOptions(), real)
    loader = DataLoader(
        crops,
        batch_size=options.batch,
        num_workers=options.workers,
        prefetch_factor=4 if options.workers else None,
    )
    sums: dict[str, float] = {}
    began, counted = time.monotonic(), 0
    network.train()
    if progress is not None:
        progress(start, options.steps)
    for step, batch in enumerate(loader, start=start + 1):
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * _schedule(step, options)
        losses = _step(network, optimizer, batch, options.bf16)
        average.update_parameters(network)
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        counted += 1
        if step % 50 == 0 or step == options.steps:
            means = {k: v / counted for k, v in sums.items()}
            means["seconds_per_step"] = (time.monotonic() - began) / counted
            _log(folder / "log.csv", step, means)
            if report is not None:
                report(step, options.steps, means)
            sums, counted, began = {}, 0, time.monotonic()
        if step % options.checkpoint_every == 0 or step >= options.steps:
            _save(folder, step, network, average, optimizer, options)
        if progress is not None:
            progress(step, options.steps)
        if step >= options.steps:
            break
    return folder / "weights.safetensors"


def _schedule(step: int, options: TrainingOptions) -> float:
    """Linear warm-up, then a cosine to 1 % of the peak."""
    if step < options.warmup:
        return step / options.warmup
    done = (step - options.warmup) / max(1, options.steps - options.warmup)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def _step(
    network: CompactNetwork,
    optimizer: torch.optim.Optimizer,
    batch: dict[str, Tensor],
    bf16: bool,
) -> dict[str, Tensor]:
    batch["image"] = batch["image"].contiguous(memory_format=torch.channels_last)
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        losses = compute_losses(network, batch)
    losses["total"].backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(network.parameters(), 3.0)
    optimizer.step()
    return losses


def _resume(
    folder: Path, network: nn.Module, average: AveragedModel, optimizer: torch.optim.Optimizer
) -> int:
    """Load the checkpoint if there is one; return the step it was made at."""
    path = folder / "checkpoint.pt"
    if not path.exists():
        return 0
    try:
        state = torch.load(path, weights_only=True)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
    except (OSError, EOFError, KeyError, RuntimeError, pickle.UnpicklingError) as error:
        raise ModelError(
            f"{path} is no checkpoint of this network; train into another folder, or delete the"
            " file to begin anew"
        ) from error
    return int(state["step"])


def _save(
    folder: Path,
    step: int,
    network: CompactNetwork,
    average: AveragedModel,
    optimizer: torch.optim.Optimizer,
    options: TrainingOptions,
) -> None:
    """Write checkpoint and averaged weights, each whole or not at all."""
    from safetensors.torch import save_file

    state = {
        "step": step,
        "network": network.state_dict(),
        "average": average.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    temporary = folder / "checkpoint.pt.part"
    torch.save(state, temporary)
    os.replace(temporary, folder / "checkpoint.pt")
    weights = {k: v.contiguous() for k, v in average.module.state_dict().items()}
    note = {"step": str(step), "config": repr(network.config), "options": repr(asdict(options))}
    temporary = folder / "weights.safetensors.part"
    save_file(weights, temporary, metadata=note)
    os.replace(temporary, folder / "weights.safetensors")


def _log(path: Path, step: int, means: dict[str, float]) -> None:
    """Append a row to the curve."""
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if fresh:
            writer.writerow(["step", *means])
        writer.writerow([step, *(f"{v:.5f}" for v in means.values())])


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
