"""Masks of a grid of prompts, and what the booster makes of them, on one simulated image."""

from __future__ import annotations

import numpy as np
import pytest

from nital.automatic.layer_masks import GridOptions, grid_masks
from nital.boost.booster import boost_masks
from nital.boost.materials import MaterialOptions
from nital.evaluation.boosting import raw_masks, score_boosted, score_raw
from nital.models import load_model
from nital.models.tiles import standardise
from nital.simulate.stem_image import simulate_stem


@pytest.fixture(scope="module")
def shown():
    return simulate_stem(1, (256, 256), difficulty=1, materials=("Si", "LaFeO3"), vacuum=False)


def test_a_grid_gives_masks_and_the_booster_fewer_and_better(shown):
    image, truth = standardise(shown.image), shown.scene.phases
    masks, phase_maps = grid_masks(load_model("compact"), image, GridOptions(points=8))
    assert len(masks) > 0
    assert phase_maps.shape[1:] == (128, 128)
    drawn = raw_masks(masks, truth.shape)
    assert [m.sum() for m in drawn] == pytest.approx(masks.areas, rel=0.1, abs=60)
    boosted = boost_masks(image, masks, options=MaterialOptions(number=2), phase_maps=phase_maps)
    assert boosted.phases.max() <= 2
    before, after = score_raw(truth, masks), score_boosted(truth, boosted)
    assert set(before) == set(after)
    assert after["samiam_iou"] >= before["samiam_iou"]
    assert np.isfinite(list(after.values())).all()
