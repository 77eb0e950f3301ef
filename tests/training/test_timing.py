"""Both number formats are timed on a batch like those of a training."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from nital.training.loop import TrainingOptions
from nital.training.timing import _squares, time_formats


def test_both_formats_take_a_positive_time(tiny):
    seconds = time_formats(TrainingOptions(batch=2), side=64, config=tiny)
    assert set(seconds) == {"float32", "bfloat16"}
    assert all(0 < value < 60 for value in seconds.values())


def test_the_batch_asks_for_objects():
    batch = _squares(3, 64)
    assert batch["image"].shape == (3, 1, 64, 64)
    assert batch["has_object"].sum() > 0
    assert np.unique(batch["phases"].numpy()).tolist() == [1, 2]
