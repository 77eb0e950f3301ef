"""Which number format trains faster on this machine."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from nital.training.loop import TrainingOptions, make_network, train_step
from nital.training.network import NetworkConfig
from nital.training.targets import Sample, make_example

__all__ = ["time_formats"]

TIMED_STEPS = 3
SIDE = 256


def time_formats(
    options: TrainingOptions, *, side: int = SIDE, config: NetworkConfig | None = None
) -> dict[str, float]:
    """Seconds of one step with float32 and with bfloat16, the better of three each.

    Parameters
    ----------
    side
        Side of the crops in pixels, a multiple of 32; they show plain squares.
    """
    batch = _squares(options.batch, side)
    seconds = {}
    for name in ("float32", "bfloat16"):
        chosen = replace(options, bf16=name == "bfloat16")
        network, _, optimizer = make_network(chosen, config)
        network.train()
        durations = []
        for _ in range(TIMED_STEPS + 1):
            began = time.perf_counter()
            train_step(network, optimizer, dict(batch), chosen.bf16)
            durations.append(time.perf_counter() - began)
        seconds[name] = min(durations[1:])
    return seconds


def _squares(count: int, side: int) -> dict[str, Any]:
    """A batch of crops with four squares each."""
    quarter = np.arange(side) % (side // 2) < side // 4
    squares = (quarter[:, None] & quarter[None]).astype(np.int32)
    labels = squares * (1 + (np.arange(side) >= side // 2)[:, None] * 2).astype(np.int32)
    labels += squares * (np.arange(side) >= side // 2)[None].astype(np.int32)
    rng = np.random.default_rng(0)
    image = (60 + 120 * squares + rng.integers(0, 20, labels.shape)).astype(np.uint8)
    valid = np.ones(labels.shape, dtype=bool)
    sample = Sample(image, labels, (1 + squares).astype(np.uint8), valid, target=2)
    examples = [make_example(rng, sample) for _ in range(count)]
    return {
        key: torch.from_numpy(np.stack([example[key] for example in examples]))
        for key in examples[0]
    }
