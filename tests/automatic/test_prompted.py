"""The straight path by points: contract of the labels for every target, with the compact model."""

from __future__ import annotations

import numpy as np
import pytest
from tests.generator.conftest import discs

import nital
from nital.automatic.prompted import _flatten
from nital.masks.packed import PackedMasks
from nital.micrograph import Micrograph
from nital.simulate.stem_image import simulate_stem

RNG = np.random.default_rng(3)
TRUTH = discs((160, 200), 40, 13) > 0
PIXELS = np.uint8((60 + 120 * TRUTH + RNG.normal(0, 6, TRUTH.shape)).clip(0, 255))


@pytest.mark.parametrize("model", ["compact:grid"])
def test_particles_end_to_end(model: str) -> None:
    result = nital.segment(
        Micrograph(PIXELS, name="discs", data_bar_row=150), "particles", model=model
    )
    assert result.model.name == model
    assert result.parameters["found"]["prompts"] == 1024
    assert result.labels.max() == len(np.unique(result.labels)) - 1 > 8
    assert not result.labels[150:].any()
    assert not result.phases[150:].any()
    np.testing.assert_array_equal(result.phases[:150] == 2, result.labels[:150] > 0)
    shared = (result.labels > 0) & TRUTH
    assert shared.sum() / ((result.labels > 0) | TRUTH)[:150].sum() > 0.7
    quantities = result.measure().summary["quantities"]
    assert any(row["name"] == "object_count" for row in quantities)


IMAGE = ((PIXELS - PIXELS.mean()) / PIXELS.std()).astype(np.float32)
MASKS = PackedMasks.of_labels(discs((160, 200), 40, 13).astype(np.int32))


class TestFlatten:
    def test_grains_fill_the_image(self) -> None:
        labels, phases, confidence = _flatten(MASKS, IMAGE, "grains", None)
        assert labels.min() == 1
        assert labels.max() == len(MASKS)
        assert (phases == 1).all()
        assert (confidence[~TRUTH] == 0).all()

    def test_without_masks_there_is_one_grain_or_nothing(self) -> None:
        none = PackedMasks.empty(IMAGE.shape)
        assert (_flatten(none, IMAGE, "grains", None)[0] == 1).all()
        assert not _flatten(none, IMAGE, "particles", None)[0].any()
        labels, phases, _ = _flatten(none, IMAGE, "layers", None)
        assert not labels.any()
        assert not phases.any()

    def test_phases_cover_the_image_and_the_largest_is_the_first(self) -> None:
        labels, phases, _ = _flatten(MASKS, IMAGE, "phases", None)
        assert set(np.unique(phases)) == {1, 2}
        assert ((phases == 2) == TRUTH).mean() > 0.99
        np.testing.assert_array_equal(labels > 0, phases > 1)

    def test_layers_are_where_masks_are(self) -> None:
        labels, phases, _ = _flatten(MASKS, IMAGE, "layers", 1)
        np.testing.assert_array_equal(labels > 0, TRUTH)
        np.testing.assert_array_equal(phases, TRUTH)


def test_a_grid_of_prompts_to_the_compact_model_gives_layers_and_decisions():
    shown = simulate_stem(1, (192, 192), difficulty=1, materials=("Si", "LaFeO3"), vacuum=False)
    found = nital.segment(Micrograph(shown.image), "layers", model="compact:grid", phases=2)
    assert 1 <= found.phases.max() <= 2
    booster = found.parameters["found"]["booster"]
    assert booster["number"] == found.phases.max()
    assert any("mask" in entry or "masks" in entry for entry in found.boost_log)
