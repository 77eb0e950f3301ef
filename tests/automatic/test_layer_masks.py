"""Masks of a grid of prompts reach the edges of the image."""

from __future__ import annotations

import numpy as np

from nital.automatic.layer_masks import GridOptions, grid_masks
from nital.boost.booster import draw_owners
from nital.boost.removal import remove_superfluous
from nital.models import load_model
from nital.models.tiles import standardise
from nital.simulate.stem_image import simulate_stem


def test_masks_reach_the_edges_of_the_image():
    shown = simulate_stem(81102, (256, 256), difficulty=1, vacuum=False)
    masks, phase_maps = grid_masks(
        load_model("compact"), standardise(shown.image), GridOptions(points=8)
    )
    assert phase_maps.shape[1:] == (128, 128)
    kept = remove_superfluous(masks, (256, 256)).instances
    covered = draw_owners(kept, (256, 256)) >= 0
    frame = np.ones_like(covered)
    frame[6:-6, 6:-6] = False
    assert covered[frame].mean() > 0.95


def test_an_image_smaller_than_the_margin_is_looked_at():
    rng = np.random.default_rng(0)
    masks, phase_maps = grid_masks(
        load_model("compact"), standardise(rng.random((20, 48))), GridOptions(points=4)
    )
    assert phase_maps.shape[1:] == (10, 24)
    assert (masks.windows == [0, 0, 20, 48]).all()
