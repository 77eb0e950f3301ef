"""The scale of an image: what it is chosen by, and ranges that hold whatever the weights."""

from __future__ import annotations

import numpy as np
import pytest

from nital.automatic import scale as scale_module
from nital.automatic.objects import find_objects
from nital.automatic.scale import natural_scale
from nital.models import Embedding, load_model
from nital.models.tiles import standardise
from nital.simulate import ImagingOptions, simulate


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


class SeesUpTo(Sees):
    """As the network does: whatever is wider than it has learnt looks 55 pixels wide to it."""

    def embed(self, view, target):
        embedding = super().embed(view, target)
        np.minimum(embedding.maps["dense"][4], np.log2(55), out=embedding.maps["dense"][4])
        return embedding


@pytest.mark.parametrize(("width", "scale"), [(30, 1.0), (50, 1.0), (100, 0.5), (220, 0.25)])
def test_widths_beyond_what_the_model_knows_are_looked_at_from_further_away(width, scale):
    image = np.zeros((400, 400), np.float32)
    assert natural_scale(SeesUpTo(image, width), image, "phases").scale == scale


class SeesFromAfar(Sees):
    """Objects that nothing is seen of at the image's own size."""

    def embed(self, view, target):
        embedding = super().embed(view, target)
        if view.shape[0] == self.side:
            embedding.maps["dense"][0] = 0
        return embedding


def test_what_is_seen_only_from_afar_sets_the_scale():
    image = np.zeros((400, 400), np.float32)
    assert natural_scale(SeesFromAfar(image, 60), image, "phases").scale == 0.5


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


def test_fine_precipitates_are_enlarged_until_most_are_claimed():
    rng = np.random.default_rng(4)
    centres = np.stack(np.meshgrid(np.arange(8, 200, 12), np.arange(8, 200, 12)), -1)
    centres = centres.reshape(-1, 2) + rng.uniform(-2, 2, (256, 2))
    pixels = np.stack(np.indices((200, 200)), -1)[:, :, None]
    distance = np.sqrt(((pixels - centres) ** 2).sum(-1)).min(-1)
    grey = 120.0 / (1 + np.exp(3 * (distance - 2.6))) + 60 + 12 * rng.standard_normal((200, 200))
    image, model = standardise(grey.clip(0, 255).astype(np.uint8)), load_model("compact")
    choice = natural_scale(model, image, "particles")
    assert choice.scale >= 2
    found = find_objects(model, image, "particles", choice.scale)
    assert 0.85 * 256 < len(found.scores) < 1.05 * 256


def test_grains_are_looked_at_where_masks_claim_most_of_the_image():
    rng = np.random.default_rng((991, 13))
    scale = float(np.exp(rng.uniform(np.log(14), np.log(110))))
    plain = ImagingOptions(annotations=False, compression=False, severity=0.6)
    made = simulate(rng, "grains", (448, 448), scale=scale, options=plain)
    image, model = standardise(made.image), load_model("compact")
    coarse = scale_module.look(model, image, "grains", 0.125)
    fine = scale_module.look(model, image, "grains", 0.707)
    assert coarse.quality > fine.quality  # the few masks seen from afar would be the better ones
    assert coarse.claimed < 0.3 < scale_module.CLAIMED < fine.claimed
    assert natural_scale(model, image, "grains").scale > 0.3


def test_masks_that_claim_little_are_worth_less():
    trial = scale_module.Trial(0.9, 20.0, 20.0, 12, scale_module.CLAIMED / 2)
    assert trial.worth == pytest.approx(0.45)
    assert scale_module.Trial(0.9, 20.0, 20.0, 12, 0.95).worth == 0.9


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (5, 7)])
def test_tiny_images_are_not_shrunk_to_nothing(shape):
    image = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    for target in ("grains", "phases", "particles", "layers"):
        choice = natural_scale(load_model("compact"), image, target)
        assert min(shape) * choice.scale >= 0.25
