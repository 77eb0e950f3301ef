"""When a threshold may answer in place of the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nital.classical.choice import Agreement, agreement_of, threshold_where_as_good
from nital.micrograph import Micrograph


def test_agreement_and_separability_by_hand() -> None:
    """Four of five pixels agree; levels 0, 0, 0, 10, 10: all the variance is between classes."""
    threshold = np.array([[1, 1, 1, 2, 2]])
    model = np.array([[1, 1, 1, 1, 2]])
    grey = np.array([[0.0, 0, 0, 10, 10]])
    found = agreement_of(threshold, model, grey)
    assert found.same == pytest.approx(0.8)
    assert found.separability == pytest.approx(1.0)
    assert agreement_of(threshold, 3 - model, grey).same == pytest.approx(0.8)


def test_levels_that_spread_within_the_classes_are_less_separable() -> None:
    """Levels 0, 4, 10, 14: the step of 10 has variance 25 of 29 in all."""
    threshold = np.array([[1, 1, 2, 2]])
    grey = np.array([[0.0, 4, 10, 14]])
    assert agreement_of(threshold, threshold, grey).separability == pytest.approx(25 / 29)


@pytest.mark.parametrize(
    ("same", "separability", "expected"),
    [(0.99, 0.9, True), (0.97, 0.9, False), (0.99, 0.7, False)],
)
def test_both_limits_count(same: float, separability: float, expected: bool) -> None:
    assert Agreement(same, separability).threshold_is_as_good is expected


def found_by_a_model(wrap: Callable[..., Any], moved: int = 0) -> Any:
    """A bright square on a dark matrix above a data bar; the model is off by ``moved`` pixels."""
    image = np.full((130, 120), 60, dtype=np.uint8)
    image[40:80, 40:80] = 200
    phases = np.ones(image.shape, dtype=np.uint8)
    phases[40 : 80 + moved, 40:80] = 2
    phases[120:] = 0
    micrograph = Micrograph(image, name="a", data_bar_row=120)
    found = wrap(np.where(phases == 2, 1, 0).astype(np.int32), phases, target="phases")
    return replace(found, micrograph=micrograph, target_reason="looks like phases")


def test_the_threshold_answers_where_both_agree(wrap: Callable[..., Any]) -> None:
    result = threshold_where_as_good(found_by_a_model(wrap, moved=1))
    assert result.model.name == "otsu"
    assert result.model.sha256 is None
    assert result.parameters["compared_with"] == {"name": "none", "sha256": None}
    assert result.target_reason.startswith("looks like phases; Otsu's threshold and the model")
    assert result.phases[79, 60] == 2
    assert result.phases[80, 60] == 1
    assert not result.phases[120:].any()


def test_the_model_answers_where_they_differ(wrap: Callable[..., Any]) -> None:
    found = found_by_a_model(wrap, moved=20)
    assert threshold_where_as_good(found) is found


def test_grains_and_three_phases_are_left_to_the_model(wrap: Callable[..., Any]) -> None:
    found = found_by_a_model(wrap)
    grains = replace(found, target="grains")
    assert threshold_where_as_good(grains) is grains
    three = found.phases.copy()
    three[:5] = 3
    assert threshold_where_as_good(replace(found, phases=three)).phases is three
