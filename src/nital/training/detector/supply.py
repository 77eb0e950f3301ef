"""Batches for the detector: crops and the maps that the backbone gives for them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from nital.training.detector.network import Detector
from nital.training.detector.samples import Crop

__all__ = ["Supply"]


class Supply:
    """Crops with their maps: computed afresh, or kept and used again while the backbone is held.

    A held backbone gives the same maps for the same crop, so that most of a step is spared where
    a crop comes back with other regions sampled from it.

    Parameters
    ----------
    detector
        Its backbone makes the maps.
    crops
        Endless stream of crops of one size.
    seed
        Decides which crops come back.
    reuse
        Times that a crop is used on average while the backbone is held.
    most
        Crops kept.
    """

    def __init__(
        self,
        detector: Detector,
        crops: Iterator[Crop],
        seed: tuple[int, ...],
        *,
        reuse: int = 4,
        most: int = 128,
    ) -> None:
        self.detector = detector
        self.crops = crops
        self.rng = np.random.default_rng(seed)
        self.reuse, self.most = reuse, most
        self.kept: list[tuple[Crop, list[Tensor]]] = []

    def batch(self, count: int, *, held: bool) -> tuple[list[Crop], list[Tensor]]:
        """So many crops and their maps, (count, C, h, w) each; without gradient where held."""
        if not held:
            self.kept = []
            crops = [next(self.crops) for _ in range(count)]
            return crops, self.detector.pyramid(_images(crops))
        chosen = [self._kept() for _ in range(count)]
        levels = [torch.cat(maps) for maps in zip(*(maps for _, maps in chosen), strict=True)]
        return [crop for crop, _ in chosen], levels

    def _kept(self) -> tuple[Crop, list[Tensor]]:
        """A fresh crop that takes the place of an old one, or one of those kept."""
        if len(self.kept) == self.most and self.rng.random() > 1 / self.reuse:
            return self.kept[int(self.rng.integers(self.most))]
        crop = next(self.crops)
        with torch.no_grad():
            entry = (crop, self.detector.pyramid(_images([crop])))
        if len(self.kept) < self.most:
            self.kept.append(entry)
        else:
            self.kept[int(self.rng.integers(self.most))] = entry
        return entry


def _images(crops: list[Crop]) -> Tensor:
    return torch.from_numpy(np.stack([crop.image for crop in crops]))[:, None]
