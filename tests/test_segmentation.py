"""What every segmentation keeps to, whatever the weights: sections 3 and 8 of the contract."""

from __future__ import annotations

import json
from functools import lru_cache

import numpy as np
import pytest
from scipy import ndimage

import nital
from nital.errors import ModelError, UsageError
from nital.micrograph import Micrograph
from nital.segmentation import TARGETS, Segmentation, SegmentOptions, segment
from nital.simulate import simulate

SIDE, BAR = 144, 24


@lru_cache
def simulated(target: str) -> Micrograph:
    """A simulated micrograph above a data bar with white writing."""
    image = simulate(11, target, (SIDE, SIDE), scale=24).image
    bar = np.zeros((BAR, SIDE), np.uint8)
    bar[8:14, 10:90:3] = 255
    return Micrograph(np.concatenate([image, bar]), name=target, data_bar_row=SIDE)


@lru_cache
def segmented(target: str, asked: str | None = None, **options) -> Segmentation:
    return segment(simulated(target), asked or target, **options)


def keeps_the_contract(result: Segmentation) -> None:
    """What holds for any result of any target."""
    shape = result.micrograph.shape
    rows = result.micrograph.content_rows
    for part, dtype in (
        (result.labels, np.int32),
        (result.phases, np.uint8),
        (result.confidence, np.uint8),
    ):
        assert part.shape == shape
        assert part.dtype == dtype
        assert not part[rows:].any()
    labels, phases = result.labels[:rows], result.phases[:rows]
    present = np.unique(labels[labels > 0])
    assert np.array_equal(present, np.arange(1, len(present) + 1))
    assert np.array_equal(present, result.objects)
    assert (phases > 0).all()
    for label in present:
        assert len(np.unique(phases[labels == label])) == 1
    if result.target == "grains":
        assert (labels > 0).all()
    if result.target == "particles":
        assert (phases[labels == 0] == 1).all()
        assert (phases[labels > 0] > 1).all()
    if result.target == "phases":
        assert np.array_equal(labels == 0, phases == 1)
    if result.target in ("phases", "layers"):
        for label in present:
            assert ndimage.label(labels == label)[1] == 1
    if result.target == "layers":
        areas = np.bincount(phases.ravel())[1:]
        assert (np.diff(areas) <= 0).all()
    assert result.target in TARGETS
    assert result.target_reason
    assert len(result.model.sha256) == 64
    json.dumps(result.parameters)
    json.dumps(result.boost_log)


@pytest.mark.parametrize("target", TARGETS)
def test_results_keep_the_contract(target):
    result = segmented(target)
    keeps_the_contract(result)
    assert result.target == target
    assert result.target_reason == "asked for"
    assert result.parameters["target"] == target
    assert result.parameters["found"]["scale"] > 0


@pytest.mark.parametrize("target", TARGETS)
def test_the_same_input_gives_the_same_bytes(target):
    first = segmented(target)
    image = simulated(target)
    again = segment(Micrograph(image.pixels.copy(), data_bar_row=SIDE), target)
    for name in ("labels", "phases", "confidence"):
        assert getattr(first, name).tobytes() == getattr(again, name).tobytes()
    assert first.parameters == again.parameters
    assert first.boost_log == again.boost_log


@pytest.mark.parametrize("target", TARGETS)
def test_the_data_bar_does_not_change_the_rest(target):
    alone = segment(Micrograph(simulated(target).pixels[:SIDE]), target)
    assert np.array_equal(alone.labels, segmented(target).labels[:SIDE])
    assert np.array_equal(alone.phases, segmented(target).phases[:SIDE])


@pytest.mark.parametrize("target", TARGETS)
def test_without_boost_the_contract_holds_as_well(target):
    result = segment(simulated(target), target, boost=False)
    keeps_the_contract(result)
    assert not any(entry["action"] == "remove" for entry in result.boost_log)


@pytest.mark.parametrize("target", ["phases", "layers"])
@pytest.mark.parametrize("number", [1, 2, 5])
def test_the_number_of_phases_asked_for_is_an_upper_bound(target, number):
    result = segment(simulated(target), target, phases=number)
    keeps_the_contract(result)
    assert 1 <= result.phases.max() <= number


def test_auto_gives_a_target_and_its_reason():
    result = segment(simulated("grains"))
    keeps_the_contract(result)
    assert result.target in result.target_reason
    assert "%" in result.target_reason
    assert result.parameters["target"] == "auto"


@pytest.mark.parametrize("target", [*TARGETS, "auto"])
@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (64, 80)])
def test_a_constant_image_is_one_grain_one_phase_or_nothing(target, shape):
    for dtype in (np.uint8, np.uint16, np.float32):
        result = segment(Micrograph(np.full(shape, 100, dtype)), target)
        keeps_the_contract(result)
        assert result.labels.max() == (result.target in ("grains", "layers"))
        assert result.phases.max() == 1
        assert any("constant" in warning for warning in result.warnings)


@pytest.mark.parametrize("target", [*TARGETS, "auto"])
@pytest.mark.parametrize("shape", [(1, 2), (5, 7), (3, 40), (1, 10000), (2000, 2)])
def test_tiny_and_narrow_images(target, shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    keeps_the_contract(segment(Micrograph(pixels), target))


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_grey_levels_of_any_type_and_range_give_the_same_objects(dtype):
    image = simulated("particles").pixels[:SIDE].astype(float)
    factor = 257 if dtype is np.uint16 else 1e-9
    found = segment(Micrograph((image * factor).astype(dtype)), "particles").labels > 0
    assert (found == (segmented("particles").labels[:SIDE] > 0)).mean() > 0.99


def test_discs_of_high_contrast_are_found_one_by_one():
    """Plumbing only: plain shapes that any trained weights find."""
    centres = [(r, c) for r in (30, 90, 150) for c in (30, 90, 150)]
    rows, cols = np.mgrid[:180, :180]
    truth = np.zeros((180, 180), np.int32)
    for number, (row, col) in enumerate(centres, start=1):
        truth[np.hypot(rows - row, cols - col) < 16] = number
    noise = np.random.default_rng(0).normal(0, 6, truth.shape)
    pixels = np.clip(60 + 130 * (truth > 0) + noise, 0, 255).astype(np.uint8)
    result = segment(Micrograph(pixels), "particles")
    keeps_the_contract(result)
    for number in range(1, 10):
        label = np.bincount(result.labels[truth == number]).argmax()
        assert label > 0
        found = result.labels == label
        assert (found & (truth == number)).sum() > 0.7 * (found | (truth == number)).sum()


def test_progress_names_stages_and_rises():
    heard = []
    segment(simulated("particles"), "particles", progress=lambda *said: heard.append(said))
    assert list(dict.fromkeys(stage for stage, _ in heard)) == ["model", "scale", "segment"]
    shares = [share for stage, share in heard if stage == "segment"]
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_warnings_of_the_micrograph_come_first():
    image = Micrograph(np.zeros((9, 9), np.uint8), warnings=("read from a photograph",))
    assert segment(image, "grains").warnings[0] == "read from a photograph"


@pytest.mark.parametrize("options", [{"target": "crystals"}, {"target": ""}, {"phases": 0}])
def test_impossible_options_are_refused(options):
    with pytest.raises(UsageError):
        segment(simulated("grains"), **options)
    with pytest.raises(UsageError, match="1 to 8, not 9"):
        SegmentOptions("grains", 9)


def test_an_unknown_model_is_refused():
    with pytest.raises(ModelError, match="'sam-vit-z' is not known"):
        segment(simulated("grains"), "grains", model="sam-vit-z")


def test_a_classical_method_needs_a_target():
    with pytest.raises(UsageError, match="--target"):
        segment(simulated("grains"), model="otsu")


def test_the_public_names_lead_here():
    assert nital.segment is segment
    assert nital.Segmentation is Segmentation


def test_one_phase_is_said_with_the_remedy():
    noise = np.random.default_rng(1).normal(128, 20, (128, 128)).clip(0, 255).astype(np.uint8)
    result = segment(Micrograph(noise), "phases")
    assert result.phases.max() == 1
    assert any("--phases" in warning for warning in result.warnings)
