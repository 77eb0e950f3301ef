"""Training of a supervised segmenter as for MatSAM's Table 2: resumable, logged, reproducible."""

from __future__ import annotations

import csv
import pickle
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from nital.errors import ModelError
from nital.semantic.encoder import load_encoder
from nital.semantic.networks import SegNet, TransUNet, UNet, make_semantic_network
from nital.semantic.samples import IGNORED, SemanticSet, crops_of, windows_of
from nital.training.checkpoint import save_network

__all__ = ["Epoch", "SemanticOptions", "load_weights", "time_number_formats", "train_semantic"]

Network = UNet | SegNet | TransUNet
LEAST_GAIN = 1e-4
"""Loss by which an epoch must be better than the best one before it."""

TIMED_STEPS = 2


@dataclass(frozen=True)
class SemanticOptions:
    """A training, as MatSAM describes its own (section 4.4) where nothing else is said.

    Parameters
    ----------
    architecture
        ``"unet"``, ``"segnet"`` or ``"transunet"``.
    width
        Channels at full resolution, 64 in the papers of these networks.
    crop
        Side of the training crops in pixels, a multiple of 32.
    crops_per_image
        Crops that an epoch takes from each training image; ``0``: as many as would cover it.
    batch
        Crops a step.
    epochs
        At most so many.
    patience
        Epochs without gain on the validation part after which training stops.
    learning_rate
        Of Adam.
    bf16
        bfloat16 autocast; on a processor faster only where it has the instructions.
    seed
        Decides initial weights, crops and flips.
    """

    architecture: str = "unet"
    width: int = 16
    crop: int = 256
    crops_per_image: int = 0
    batch: int = 4
    epochs: int = 200
    patience: int = 10
    learning_rate: float = 5e-4
    bf16: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Epoch:
    """One row of the curve: losses, mean IoU over the classes of the validation part, seconds."""

    epoch: int
    train_loss: float
    validation_loss: float
    validation_iou: float
    seconds: float


@dataclass
class _State:
    """What goes on from epoch to epoch."""

    network: Network
    optimizer: torch.optim.Optimizer
    device: torch.device
    epoch: int = 0
    best_loss: float = float("inf")
    best_epoch: int = 0


def train_semantic(
    folder: Path,
    data: SemanticSet,
    options: SemanticOptions,
    *,
    encoder: Path | None = None,
    report: Callable[[Epoch, bool], None] | None = None,
) -> Path:
    """Train, or go on with the training whose checkpoint lies in ``folder``.

    Adam on the class-balanced cross-entropy of random crops; after each epoch the validation part
    is scored whole, the weights of the least loss are kept, and training stops when none of
    ``patience`` epochs has brought a gain. A CUDA device is used where there is one.

    Parameters
    ----------
    folder
        Gets ``checkpoint.pt`` (loaded with ``weights_only``), ``weights.safetensors`` (of the best
        epoch) and ``log.csv``.
    data
        The set, read and split.
    options
        Length and kind of the training.
    encoder
        Safetensors file whose encoder to start from; see :func:`nital.semantic.encoder`.
    report
        Called after each epoch with its row and whether it is the best so far.

    Returns
    -------
    Path
        The weights of the best epoch.

    Raises
    ------
    ModelError
        When the checkpoint or the encoder is not of this network.
    """
    state = _begin(data, options, encoder)
    _resume(folder, state, options)
    weights = torch.from_numpy(data.class_weights()).to(state.device)
    while state.epoch < options.epochs and state.epoch - state.best_epoch < options.patience:
        began = time.monotonic()
        rng = np.random.default_rng((options.seed, state.epoch))
        train_loss = _train_epoch(state, data, options, weights, rng)
        validation_loss, confusion = _validate(state, data, options, weights)
        state.epoch += 1
        best = validation_loss < state.best_loss - LEAST_GAIN
        if best:
            state.best_loss, state.best_epoch = validation_loss, state.epoch
        row = Epoch(
            state.epoch,
            train_loss,
            validation_loss,
            _mean_iou(confusion),
            time.monotonic() - began,
        )
        _keep(folder, state, options, row, best)
        if report is not None:
            report(row, best)
    return folder / "weights.safetensors"


def _begin(data: SemanticSet, options: SemanticOptions, encoder: Path | None) -> _State:
    torch.manual_seed(options.seed)
    network = make_semantic_network(
        options.architecture, classes=len(data.classes), width=options.width
    )
    if encoder is not None:
        load_encoder(network, encoder)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return _State(network, torch.optim.Adam(network.parameters(), options.learning_rate), device)


def _train_epoch(
    state: _State,
    data: SemanticSet,
    options: SemanticOptions,
    weights: Tensor,
    rng: np.random.Generator,
) -> float:
    """Mean loss of one pass over the training part."""
    state.network.train()
    area = np.mean([each.image.size for each in data.parts["train"]])
    count = options.crops_per_image or max(1, round(float(area) / options.crop**2))
    total, steps = 0.0, 0
    for image, truth in _batches(
        crops_of(data.parts["train"], options.crop, count, rng), options.batch, state.device
    ):
        total += _step(state, image, truth, weights, options.bf16)
        steps += 1
    return total / steps


def _step(state: _State, image: Tensor, truth: Tensor, weights: Tensor, bf16: bool) -> float:
    state.optimizer.zero_grad(set_to_none=True)
    loss = _loss(_logits(state, image, bf16), truth, weights)
    loss.backward()
    state.optimizer.step()
    return float(loss.detach())


def _logits(state: _State, image: Tensor, bf16: bool) -> Tensor:
    with torch.autocast(state.device.type, torch.bfloat16, enabled=bf16):
        logits: Tensor = state.network(image)
    return logits.float()


def _loss(logits: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """Mean weighted cross-entropy of the labelled pixels; the mean weight of a pixel is 1."""
    losses = functional.cross_entropy(logits, truth, weights, ignore_index=IGNORED, reduction="sum")
    return losses / (truth != IGNORED).sum().clamp(min=1)


@torch.no_grad()
def _validate(
    state: _State, data: SemanticSet, options: SemanticOptions, weights: Tensor
) -> tuple[float, NDArray[np.int64]]:
    """Loss per pixel and (K, K) confusion matrix (truth, found) of the whole validation part."""
    state.network.eval()
    number = weights.numel()
    confusion = torch.zeros(number * number, dtype=torch.int64, device=state.device)
    total, pixels = 0.0, 0
    windows = windows_of(data.parts["validation"], options.crop)
    for image, truth in _batches(windows, options.batch, state.device):
        logits = _logits(state, image, options.bf16)
        labelled = truth != IGNORED
        count = int(labelled.sum())
        total += float(_loss(logits, truth, weights)) * count
        pixels += count
        pairs = truth[labelled] * number + logits.argmax(1)[labelled]
        confusion += torch.bincount(pairs, minlength=confusion.numel())
    return total / max(pixels, 1), confusion.reshape(number, number).cpu().numpy()


def _batches(
    crops: Iterable[tuple[NDArray[np.float32], NDArray[np.int64]]],
    size: int,
    device: torch.device,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches (N, 1, H, W) and (N, H, W) of crops, the last one as large as what is left."""
    waiting: list[tuple[NDArray[np.float32], NDArray[np.int64]]] = []
    for crop in crops:
        waiting.append(crop)
        if len(waiting) == size:
            yield _collated(waiting, device)
            waiting = []
    if waiting:
        yield _collated(waiting, device)


def _collated(
    crops: list[tuple[NDArray[np.float32], NDArray[np.int64]]], device: torch.device
) -> tuple[Tensor, Tensor]:
    images, truths = (torch.from_numpy(np.stack(each)) for each in zip(*crops, strict=True))
    image = images[:, None].to(device).contiguous(memory_format=torch.channels_last)
    return image, truths.to(device)


def _mean_iou(confusion: NDArray[np.int64]) -> float:
    """Mean over the classes that the truth holds."""
    hits = np.diagonal(confusion)
    unions = confusion.sum(axis=0) + confusion.sum(axis=1) - hits
    present = confusion.sum(axis=1) > 0
    return float((hits[present] / unions[present]).mean()) if present.any() else 0.0


def _keep(folder: Path, state: _State, options: SemanticOptions, row: Epoch, best: bool) -> None:
    """Write the weights of a best epoch, the row of the curve and the checkpoint."""
    import os

    folder.mkdir(parents=True, exist_ok=True)
    if best:
        note = {"epoch": str(row.epoch), "options": repr(asdict(options))}
        save_network(folder / "weights.safetensors", state.network, note)
    _log(folder / "log.csv", row)
    content: dict[str, Any] = {
        "epoch": state.epoch,
        "best_loss": state.best_loss,
        "best_epoch": state.best_epoch,
        "network": state.network.state_dict(),
        "optimizer": state.optimizer.state_dict(),
    }
    temporary = folder / "checkpoint.pt.part"
    torch.save(content, temporary)
    os.replace(temporary, folder / "checkpoint.pt")


def _log(path: Path, row: Epoch) -> None:
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(asdict(row)))
        if fresh:
            writer.writeheader()
        writer.writerow({name: f"{value:.6g}" for name, value in asdict(row).items()})


def _resume(folder: Path, state: _State, options: SemanticOptions) -> None:
    """Go on from the checkpoint, if there is one."""
    path = folder / "checkpoint.pt"
    if not path.exists():
        return
    try:
        content = torch.load(path, weights_only=True, map_location=state.device)
        state.network.load_state_dict(content["network"])
        state.optimizer.load_state_dict(content["optimizer"])
    except (OSError, EOFError, KeyError, RuntimeError, pickle.UnpicklingError) as error:
        raise ModelError(
            f"{path} is no checkpoint of this {options.architecture}; train into another folder, "
            "or delete the file to begin anew"
        ) from error
    state.epoch, state.best_epoch = int(content["epoch"]), int(content["best_epoch"])
    state.best_loss = float(content["best_loss"])


def load_weights(weights: Path, options: SemanticOptions, classes: int) -> Network:
    """The network of a ``weights.safetensors``, in evaluation mode on the processor.

    Raises
    ------
    ModelError
        When the file cannot be read or holds the weights of another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    network = make_semantic_network(options.architecture, classes=classes, width=options.width)
    try:
        network.load_state_dict(load_file(weights))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ModelError(
            f"{weights} cannot be used as weights of this {options.architecture} "
            f"({str(error).splitlines()[0]}); train anew into another folder"
        ) from error
    return network.eval()


def time_number_formats(data: SemanticSet, options: SemanticOptions) -> dict[str, float]:
    """Seconds of one training step in ``float32`` and in ``bfloat16``, the better of two each."""
    crops = crops_of(data.parts["train"][:1], options.crop, options.batch, np.random.default_rng(0))
    weights = torch.from_numpy(data.class_weights())
    seconds = {}
    state = _begin(data, options, None)
    image, truth = next(_batches(crops, options.batch, state.device))
    for name in ("float32", "bfloat16"):
        durations = []
        for _ in range(TIMED_STEPS + 1):
            began = time.perf_counter()
            _step(state, image, truth, weights.to(state.device), name == "bfloat16")
            durations.append(time.perf_counter() - began)
        seconds[name] = min(durations[1:])
    return seconds
