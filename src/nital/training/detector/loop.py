"""Training of the detector: resumable, every part of the loss logged."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from nital.errors import ModelError, UsageError
from nital.training.checkpoint import log_losses, resume, save
from nital.training.detector.backbones import load_initial
from nital.training.detector.losses import detector_losses
from nital.training.detector.network import Detector, DetectorConfig
from nital.training.detector.samples import LENGTH_SCALES, CropStream
from nital.training.detector.supply import Supply
from nital.training.network import NetworkConfig
from nital.training.samples import load_real_images

__all__ = ["DetectorOptions", "load_detector", "train_detector"]

LOG_EVERY = 25


@dataclass(frozen=True)
class DetectorOptions:
    """Length and speed of a training.

    Parameters
    ----------
    steps
        Optimiser steps in all.
    batch
        Crops a step.
    size
        Side of the crops in pixels, a multiple of 64.
    learning_rate
        Peak; it falls to zero with the last step.
    seed
        Decides initial weights and every crop.
    checkpoint_every
        Steps between checkpoints.
    held
        Share of the training in which the backbone is held and the heads learn alone, which is
        several times faster; for a backbone that already knows particles.
    length_scale
        ``"both"``, or crops of small objects alone (``"low"`` magnification) or of large ones.
    minutes
        Stop after so many minutes of processor time with the learning rate falling accordingly;
        0 for no limit.
    """

    steps: int = 4000
    batch: int = 4
    size: int = 256
    learning_rate: float = 1e-3
    warmup: int = 50
    seed: int = 0
    checkpoint_every: int = 50
    minutes: float = 0.0
    held: float = 0.0
    length_scale: str = "both"

    def __post_init__(self) -> None:
        if self.length_scale not in LENGTH_SCALES:
            raise UsageError(
                f"the length scale is {', '.join(LENGTH_SCALES)}, not {self.length_scale!r}"
            )
        if not 0 <= self.held <= 1:
            raise UsageError(f"the backbone is held for a share of 0 to 1, not {self.held}")
        if self.size < 64 or self.size % 64:
            raise UsageError(f"crops need a side that is a multiple of 64, not {self.size}")


def train_detector(
    folder: Path,
    options: DetectorOptions,
    *,
    config: DetectorConfig | None = None,
    encoder: NetworkConfig | None = None,
    data: Path | None = None,
    initial: Path | None = None,
    report: Callable[[int, int, dict[str, float]], None] | None = None,
) -> Path:
    """Train, or go on with the training whose checkpoint lies in ``folder``.

    Parameters
    ----------
    folder
        Gets ``checkpoint.pt`` (loaded as data only), ``weights.safetensors`` and ``log.csv`` with
        every part of the loss.
    config, encoder
        Shape of the detector, and of a compact encoder other than the usual one.
    data
        Folder with the licensed real sets; simulated crops alone when ``None``.
    initial
        Weights of the backbone to start from.
    report
        Called with (step, steps, mean losses) now and then.

    Returns
    -------
    Path
        The weights.

    Raises
    ------
    ModelError
        The checkpoint or the initial weights are of another network.
    UsageError
        ``data`` holds no labelled particles.
    """
    torch.manual_seed(options.seed)
    detector = Detector(config, encoder)
    if initial is not None:
        load_initial(detector.pyramid, initial)
    trained = [p for p in detector.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=options.learning_rate, weight_decay=0.01)
    start, spent = resume(folder, detector, optimizer)
    real = () if data is None else load_real_images(data)
    if data is not None and not any(image.target == 2 for image in real):
        raise UsageError(f"{data} holds no labelled particles; name the folder of emps_train")
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(options.seed + start)
    seed = (options.seed, start)
    stream = CropStream(seed, options.size, real, length_scale=options.length_scale)
    supply = Supply(detector, iter(stream), (*seed, 1))
    detector.train()
    note = {"config": repr(detector.config.as_dict()), "options": repr(asdict(options))}
    sums: dict[str, float] = {}
    began, since = time.process_time() - spent, start
    for step in range(start + 1, options.steps + 1):
        spent = time.process_time() - began
        share = max(step / options.steps, spent / 60 / options.minutes if options.minutes else 0)
        rate = options.learning_rate * min(1.0, step / options.warmup) * max(0.02, 1 - share)
        for group in optimizer.param_groups:
            group["lr"] = rate
        crops, levels = supply.batch(options.batch, held=share < options.held)
        losses = detector_losses(detector, crops, levels, generator)
        optimizer.zero_grad(set_to_none=True)
        losses["total"].backward()
        nn.utils.clip_grad_norm_(trained, 5.0)
        optimizer.step()
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        last = step == options.steps or share >= 1
        if step % LOG_EVERY == 0 or last:
            means = {name: value / (step - since) for name, value in sums.items()}
            log_losses(folder / "log.csv", step, means)
            if report is not None:
                report(step, options.steps, means)
            sums, since = {}, step
        if step % options.checkpoint_every == 0 or last:
            save(folder, (step, spent), detector, optimizer, note)
        if last:
            break
    return folder / "weights.safetensors"


def load_detector(
    weights: Path, config: DetectorConfig | None = None, encoder: NetworkConfig | None = None
) -> Detector:
    """The detector of a ``weights.safetensors``, in evaluation mode.

    Raises
    ------
    ModelError
        The file cannot be read or holds the weights of another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    detector = Detector(config, encoder)
    try:
        detector.load_state_dict(load_file(weights))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ModelError(
            f"{weights} cannot be used as weights of the detector ({str(error).splitlines()[0]});"
            " give the weights.safetensors of nital train particles"
        ) from error
    return detector.eval()
