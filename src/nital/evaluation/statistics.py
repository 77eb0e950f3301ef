"""Means over images with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Mean", "bootstrap_mean", "metric_names", "summarise"]

RESAMPLES = 2000
FEWEST_FOR_INTERVAL = 3


@dataclass(frozen=True)
class Mean:
    """Mean over ``count`` images with its 95 % interval, ``None`` below three images."""

    value: float
    interval: tuple[float, float] | None
    count: int

    def __str__(self) -> str:
        if self.interval is None:
            return f"{self.value:.3f}"
        return f"{self.value:.3f} [{self.interval[0]:.3f}, {self.interval[1]:.3f}]"


def bootstrap_mean(values: Sequence[float], seed: int = 0) -> Mean:
    """Mean with the percentile bootstrap interval of 2 000 resamples of the images.

    Efron & Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3.
    """
    sample = np.asarray(values, dtype=np.float64)
    assert sample.size, "a mean needs a value"
    if sample.size < FEWEST_FOR_INTERVAL:
        return Mean(float(sample.mean()), None, sample.size)
    drawn = np.random.default_rng(seed).integers(0, sample.size, (RESAMPLES, sample.size))
    low, high = np.percentile(sample[drawn].mean(axis=1), (2.5, 97.5))
    return Mean(float(sample.mean()), (float(low), float(high)), sample.size)


def metric_names(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Names of all metrics of some rows, in order of appearance."""
    return list(dict.fromkeys(name for row in rows for name in row["metrics"]))


def summarise(rows: Sequence[dict[str, Any]]) -> dict[str, Mean]:
    """Mean of each metric over the rows that have it; of errors, the mean of their size."""
    table = {}
    for name in metric_names(rows):
        values = [row["metrics"][name] for row in rows if name in row["metrics"]]
        table[name] = bootstrap_mean([abs(v) for v in values] if is_error(name) else values)
    return table


def is_error(name: str) -> bool:
    """Whether a metric is a signed error, best at 0."""
    return name.endswith("_error")
