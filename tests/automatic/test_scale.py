"""The scale of an image: what it is chosen by, and ranges that hold whatever the weights."""

from __future__ import annotations

import numpy as np
import pytest

from nital.automatic import scale as scale_module
from nital.automatic.scale import natural_scale
from nital.models import Embedding, load_model
from nital.models.tiles import standardise
from nital.simulate import simulate


class Sees:
    """A perfect observer: structures of one width everywhere, or only background."""

    def __init__(self, image, width):
        self.side, self.width = image.shape[0], width

    def embed(self, view, target):
        dense = np.zeros((5, *(-(-side // 2) for side in view.shape)), np.float32)
        if self.width is not None:
            dense[0] = 1
            dense[4] = np.log2(self.width * view.shape[0] / self.side)
        return Embedding(view.shape, {"dense": dense})


@pytest.mark.parametrize("width", [1.5, 5, 20, 80, 200, 2000])
def test_phases_are_brought_to_widths_that_the_model_knows(width):
    image = np.zeros((200, 150), np.float32)
    choice = natural_scale(Sees(image, width), image, "phases")
    wanted = np.clip(width, *scale_module.WIDTHS) / width
    assert choice.scale == pytest.approx(np.clip(wanted, *scale_module.PHASE_SCALES), rel=0.02)
    assert choice.trials[0] == (1.0, pytest.approx(width, rel=0.02))


def test_where_no_phase_is_seen_the_scale_is_one():
    image = np.zeros((64, 64), np.float32)
    choice = natural_scale(Sees(image, None), image, "phases")
    assert (choice.scale, choice.trials) == (1.0, ())


def test_layers_are_looked_at_as_a_whole():
    wide, small = np.zeros((100, 2048), np.float32), np.zeros((100, 60), np.float32)
    model = Sees(wide, 5)
    assert natural_scale(model, wide, "layers").scale == scale_module.LAYERS_SIDE / 2048
    assert natural_scale(model, small, "layers").scale == 1


@pytest.mark.parametrize("target", ["grains", "particles"])
def test_objects_take_the_scale_of_the_best_masks_or_one_as_good_and_coarser(target):
    image = standardise(simulate(2, target, (160, 160), scale=30).image)
    choice = natural_scale(load_model("compact"), image, target)
    tried = dict(choice.trials)
    best = max(tried, key=lambda scale: tried[scale])
    tolerance = scale_module.COARSER[target]
    assert tried[choice.scale] >= tried[best] - tolerance
    assert best / 2.05 < choice.scale <= best
    assert 0 <= min(tried.values()) <= max(tried.values()) <= 1
    assert list(tried) == sorted(tried)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (5, 7)])
def test_tiny_images_are_not_shrunk_to_nothing(shape):
    image = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    for target in ("grains", "phases", "particles", "layers"):
        choice = natural_scale(load_model("compact"), image, target)
        assert min(shape) * choice.scale >= 0.25
