"""A detector small enough for tests, and a crop of known objects."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from nital.simulate.scene import Outline
from nital.training.detector.network import Detector, DetectorConfig
from nital.training.detector.samples import Crop, make_crop
from nital.training.network import NetworkConfig


@pytest.fixture(scope="session")
def small_config() -> DetectorConfig:
    torch.set_num_threads(1)
    return DetectorConfig(hidden=32, mask_depth=1, proposals=40)


@pytest.fixture
def detector(small_config: DetectorConfig, tiny: NetworkConfig) -> Detector:
    torch.manual_seed(0)
    return Detector(small_config, tiny)


@pytest.fixture(scope="session")
def two_discs() -> Callable[[], Crop]:
    """Two discs of 20 pixels radius; the second, in front, hides part of the first."""

    def make() -> Crop:
        rows, columns = np.indices((128, 128))
        first = np.hypot(rows - 50, columns - 50) <= 20
        second = np.hypot(rows - 60, columns - 75) <= 20
        labels = np.where(second, 2, np.where(first, 1, 0)).astype(np.int32)
        image = (60 + 60 * labels + (rows + columns) % 5).astype(np.uint8)
        whole = {1: Outline(1, 30, 30, first[30:71, 30:71])}
        return make_crop(image, labels, frozenset({1}), whole)

    return make
