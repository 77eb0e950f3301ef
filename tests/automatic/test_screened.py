"""Limits that are asked for: squares of known area and grey level, for every target."""

from __future__ import annotations

import numpy as np
import pytest

import nital
from nital.automatic.screened import keep_objects
from nital.errors import UsageError
from nital.micrograph import Micrograph, PixelSize
from nital.segmentation import ModelInfo, Segmentation, Target

LABELS = np.zeros((60, 120), np.int32)
for number, side in enumerate((4, 10, 20, 30), 1):
    LABELS[5 : 5 + side, 30 * number - 30 : 30 * number - 30 + side] = number
PIXELS = np.where(LABELS > 0, 60 + 40 * LABELS, 30).astype(np.uint8)


def segmentation(target: Target, size: float | None = None) -> Segmentation:
    phases = np.where(LABELS > 2, 2, np.where(LABELS > 0, 3, 1)).astype(np.uint8)
    labels = LABELS
    if target == "particles":
        phases = np.where(LABELS > 0, 2, 1).astype(np.uint8)
    if target == "grains":
        labels, phases = LABELS + 1, np.ones_like(phases)
    pixel_size = None if size is None else PixelSize(size, "test")
    whole = (np.pad(part, ((0, 9), (0, 0))) for part in (PIXELS, labels, phases))
    pixels, labels, phases = whole
    micrograph = Micrograph(pixels, pixel_size, data_bar_row=60)
    return Segmentation(
        micrograph, labels, phases, np.zeros_like(phases), target, "", ModelInfo("made", None)
    )


@pytest.mark.parametrize(
    ("typed", "left"),
    [
        ("area=50..500", [2, 3]),
        ("area=..0.5um2", [1, 2]),
        ("intensity=150..", [3, 4]),
        ("texture=..0", [1, 2, 3, 4]),
        ("extent=0.5..", [1, 2, 3, 4]),
    ],
)
def test_particles_outside_become_background(typed: str, left: list[int]) -> None:
    found = keep_objects(segmentation("particles", 0.05), (typed,))
    expected = np.isin(LABELS, left)
    np.testing.assert_array_equal(found.labels[:60] > 0, expected)
    np.testing.assert_array_equal(found.phases[:60] == 2, expected)
    assert found.objects.tolist() == list(range(1, len(left) + 1))
    assert not found.labels[60:].any()
    assert not found.phases[60:].any()
    removed = [entry["count"] for entry in found.boost_log if entry["reason"] == "outside --keep"]
    assert removed == [4 - len(left)] * (len(left) < 4)


def test_phases_outside_become_matrix_and_numbers_stay_by_area() -> None:
    found = keep_objects(segmentation("phases"), ("area=..200",))
    np.testing.assert_array_equal(found.labels[:60] > 0, np.isin(LABELS, [1, 2]))
    np.testing.assert_array_equal(found.phases[:60], np.where(np.isin(LABELS, [1, 2]), 2, 1))


def test_layers_outside_are_unassigned() -> None:
    found = keep_objects(segmentation("layers"), ("area=50..",))
    assert (found.phases[:60][LABELS == 1] == 0).all()
    assert found.labels.max() == 3


def test_grains_outside_go_to_their_neighbours() -> None:
    found = keep_objects(segmentation("grains"), ("area=300..",))
    assert found.labels[:60].min() == 1
    assert found.labels.max() == 3
    assert (found.labels[:60][LABELS == 1] == 1).all()
    none = keep_objects(segmentation("grains"), ("area=99999..",))
    assert (none.labels[:60] == 1).all()


def test_square_micrometres_without_a_scale() -> None:
    with pytest.raises(UsageError, match="say --pixel-size"):
        keep_objects(segmentation("particles"), ("area=1..um2",))


@pytest.mark.parametrize("model", ["otsu", "compact:grid"])
def test_from_the_public_function(model: str) -> None:
    pixels = np.random.default_rng(0).normal(PIXELS, 3).clip(0, 255).astype(np.uint8)
    micrograph = Micrograph(pixels, name="squares")
    result = nital.segment(micrograph, "particles", model=model, keep=("area=300..1200",))
    areas = np.bincount(result.labels.ravel())[1:]
    assert 1 <= len(areas) <= 2
    assert ((areas >= 300) & (areas <= 1200)).all()
    assert result.parameters["keep"] == ["area=300..1200"]
    assert sum(entry["reason"] == "outside --keep" for entry in result.boost_log) >= 1
