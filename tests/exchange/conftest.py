"""Label images that are hard to exchange."""

from __future__ import annotations

import numpy as np
import pytest

from nital.exchange import LabelField
from nital.micrograph import PixelSize


@pytest.fixture(scope="session")
def awkward() -> LabelField:
    """A ring with an island, a single pixel, an object in two pieces that meet at a corner."""
    labels = np.zeros((30, 40), dtype=np.int32)
    labels[2:14, 2:14] = 3
    labels[5:11, 5:11] = 0
    labels[7:9, 7:9] = 8
    labels[20, 20] = 5
    labels[15:18, 30:33] = 6
    labels[18:21, 33:36] = 6
    labels[25:30, 0:40] = 9
    phases = np.where(np.isin(labels, (3, 9)), 2, 3)
    phases[labels == 0] = 1
    return LabelField("steel", labels, phases.astype(np.uint8), PixelSize(0.0125, "test"))
