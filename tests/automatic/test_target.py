"""The choice of target and scale: ranges that hold whatever the weights."""

from __future__ import annotations

import numpy as np
import pytest

from nital.automatic.target import SCALES, WIDTHS, choose_target, natural_scale
from nital.models import Embedding, load_model
from nital.models.compact import TARGETS
from nital.models.tiles import standardise
from nital.simulate import simulate


@pytest.mark.parametrize("shape", [(64, 64), (700, 100)])
def test_the_target_is_one_of_four_with_its_probability(shape):
    image = standardise(simulate(2, "particles", shape).image)
    target, reason = choose_target(load_model("compact"), image)
    assert target in TARGETS
    assert f"looks like {target} (" in reason
    assert sum(name in reason for name in TARGETS) == 2


@pytest.mark.parametrize("target", TARGETS)
def test_the_scale_stays_in_its_range(target):
    image = standardise(simulate(2, target, (128, 128)).image)
    scale, width = natural_scale(load_model("compact"), image, target)
    assert SCALES[0] <= scale <= SCALES[1]
    assert width is None or 0 < width < 1000


class Sees:
    """A perfect observer: objects of one width everywhere, or only background."""

    def __init__(self, image, width):
        self.side, self.width = image.shape[0], width

    def embed(self, view, target):
        dense = np.zeros((5, *(-(-side // 2) for side in view.shape)), np.float32)
        if self.width is not None:
            dense[0] = 1
            dense[4] = np.log2(self.width * view.shape[0] / self.side)
        return Embedding(view.shape, {"dense": dense})


@pytest.mark.parametrize("width", [1.5, 5, 20, 80, 200, 2000])
def test_objects_are_brought_into_the_range_that_the_model_knows(width):
    image = np.zeros((200, 150), np.float32)
    scale, found = natural_scale(Sees(image, width), image, "particles")
    assert found == pytest.approx(width, rel=0.02)
    assert scale == pytest.approx(np.clip(np.clip(width, *WIDTHS) / width, *SCALES), rel=0.02)


def test_where_nothing_is_seen_the_scale_is_one():
    image = np.zeros((64, 64), np.float32)
    assert natural_scale(Sees(image, None), image, "particles") == (1.0, None)
