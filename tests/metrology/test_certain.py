"""Sizes with and without the particles that are uncertain."""

from __future__ import annotations

import numpy as np
import pytest

import nital
from nital.errors import UsageError
from nital.metrology import measure
from nital.micrograph import Micrograph
from nital.report.overlay import CERTAINTY_COLOURS, draw_overlay
from nital.segmentation import ModelInfo, Segmentation, SegmentOptions


def scene(confidences: list[float], bar: float | None = 0.5, target: str = "particles"):
    """Squares of 10, 12, 14 ... pixels with the confidences given."""
    labels = np.zeros((40, 40 * len(confidences)), dtype=np.int32)
    confidence = np.full(labels.shape, 255, dtype=np.uint8)
    for index, value in enumerate(confidences):
        side = 10 + 2 * index
        place = np.s_[10 : 10 + side, 40 * index + 10 : 40 * index + 10 + side]
        labels[place] = index + 1
        confidence[place] = round(255 * value)
    return Segmentation(
        Micrograph((50 + 10 * labels).astype(np.uint8)),
        labels,
        (1 + (labels > 0)).astype(np.uint8),
        confidence,
        target,
        "asked for",
        ModelInfo("compact", None),
        {} if bar is None else {"min_confidence": bar},
    )


def values(segmentation: Segmentation) -> dict[str, float]:
    return {
        q["name"]: q["value"] for q in measure(segmentation).summary["quantities"] if not q["phase"]
    }


def test_sizes_without_the_uncertain_are_those_of_the_others_alone() -> None:
    both = values(scene([0.9, 0.2, 0.8, 0.5]))
    diameters = np.array([10, 12, 14, 16]) * np.sqrt(4 / np.pi)
    assert both["object_count"] == 4
    assert both["object_count_certain"] == 3
    assert both["ecd_d50_certain"] != both["ecd_d50"]
    assert diameters[0] < both["ecd_mean_certain"] < diameters[3]
    alone = values(scene([0.9, 0.9, 0.9, 0.9], bar=0.5))
    assert alone["ecd_mean_certain"] == alone["ecd_mean"] == both["ecd_mean"]


def test_a_higher_bar_leaves_fewer() -> None:
    counts = [values(scene([0.3, 0.6, 0.9], bar))["object_count_certain"] for bar in (0, 0.5, 1)]
    assert counts == [3, 2, 0]
    assert "ecd_d50_certain" not in values(scene([0.3, 0.6], 1))


@pytest.mark.parametrize(("bar", "target"), [(None, "particles"), (0.5, "grains")])
def test_no_bar_no_second_figures(bar: float | None, target: str) -> None:
    assert not any(name.endswith("_certain") for name in values(scene([0.9, 0.2], bar, target)))


def test_certain_particles_are_green_and_uncertain_ones_red() -> None:
    picture = draw_overlay(scene([0.9, 0.2]))
    red, green = CERTAINTY_COLOURS
    assert tuple(picture[10, 15]) == green
    assert tuple(picture[10, 55]) == red
    assert not (draw_overlay(scene([0.9, 0.2], None))[10, 15] == green).all()


@pytest.mark.parametrize("bar", [-0.1, 1.5])
def test_a_bar_outside_0_to_1_is_refused(bar: float) -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        SegmentOptions(min_confidence=bar)


def test_segment_records_the_bar() -> None:
    image = np.zeros((64, 64), dtype=np.uint8)
    result = nital.segment(Micrograph(image), target="particles", min_confidence=0.7)
    assert result.parameters["min_confidence"] == 0.7
