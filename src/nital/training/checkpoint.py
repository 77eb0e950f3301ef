"""Checkpoint, weights and log of a training, each written whole or not at all."""

from __future__ import annotations

import csv
import os
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from nital.errors import ModelError

__all__ = ["log_losses", "resume", "save", "save_network"]


def resume(
    folder: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: AveragedModel | None = None,
) -> tuple[int, float]:
    """Load the checkpoint if there is one; return its step and the processor seconds spent.

    Raises
    ------
    ModelError
        When the checkpoint is of another network.
    """
    path = folder / "checkpoint.pt"
    if not path.exists():
        return 0, 0.0
    try:
        state = torch.load(path, weights_only=True)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        if average is not None:
            average.load_state_dict(state["average"])
        return int(state["step"]), float(state["spent"])
    except (
        OSError,
        EOFError,
        KeyError,
        RuntimeError,
        ValueError,
        pickle.UnpicklingError,
    ) as error:
        raise ModelError(
            f"{path} is no checkpoint of this network; train into another folder, or delete the"
            " file to begin anew"
        ) from error


def save(
    folder: Path,
    progress: tuple[int, float],
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    note: Mapping[str, str],
    average: AveragedModel | None = None,
) -> None:
    """Write ``checkpoint.pt`` and ``weights.safetensors``.

    ``progress`` holds the step and the seconds spent; of an ``average`` its weights are kept.
    """
    step, spent = progress
    state = {
        "step": step,
        "spent": spent,
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    if average is not None:
        state["average"] = average.state_dict()
    temporary = folder / "checkpoint.pt.part"
    torch.save(state, temporary)
    os.replace(temporary, folder / "checkpoint.pt")
    shipped = network if average is None else average.module
    save_network(folder / "weights.safetensors", shipped, {"step": str(step), **note})


def save_network(path: Path, network: nn.Module, note: dict[str, str] | None = None) -> None:
    """Write weights as safetensors, whole or not at all."""
    from safetensors.torch import save as to_bytes

    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(to_bytes(weights, metadata=note))
    os.replace(temporary, path)


def log_losses(path: Path, step: int, means: Mapping[str, float]) -> None:
    """Append a row with every part of the loss."""
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if fresh:
            writer.writerow(["step", *means])
        writer.writerow([step, *(f"{value:.5f}" for value in means.values())])
