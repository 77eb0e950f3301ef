"""A second look: finer cells, and never another object."""

from __future__ import annotations

import numpy as np
import pytest

from nital.automatic import second_look
from nital.automatic.second_look import look_again
from nital.masks.flatten import paint
from nital.masks.instances import Instances
from nital.models import load_model
from nital.models.tiles import standardise
from nital.prompts import PromptSet

SHAPE = (192, 192)


def rod() -> np.ndarray:
    """A bright rod, longer than wide, on a noisy ground: its truth."""
    rows, columns = np.indices(SHAPE) - 96
    return (abs(rows * 0.8 + columns * 0.6) < 20) & (abs(columns * 0.8 - rows * 0.6) < 45)


@pytest.fixture(scope="module")
def embedded():
    rng = np.random.default_rng(5)
    grey = 60 + 90 * rod() + 8 * rng.standard_normal(SHAPE)
    model = load_model("compact")
    return model, model.embed(standardise(grey.astype(np.uint8)), "particles")


def first_look(model, embedding, points) -> Instances:
    points = np.array(points, dtype=np.float32)
    decoded = model.decode(embedding, PromptSet.from_points(points), "object")
    logits = decoded.logits[:, 0].astype(np.float16)
    return Instances(logits, decoded.windows[:, 0], decoded.scores[:, 0], points)


def iou_of_first(found: Instances) -> float:
    mask = paint(found, SHAPE).labels == 1
    return np.count_nonzero(mask & rod()) / np.count_nonzero(mask | rod())


def test_cells_are_finer_and_the_outline_is_no_worse(embedded):
    found = first_look(*embedded, [[96, 96]])
    again = look_again(*embedded, found)
    assert again.cell_areas[0] < found.cell_areas[0]
    assert iou_of_first(again) > max(0.85, iou_of_first(found) - 0.01)
    assert np.array_equal(again.scores, found.scores)
    assert np.array_equal(again.points, found.points)


def test_what_is_given_stays_as_it_was(embedded):
    found = first_look(*embedded, [[96, 96], [20, 20]])
    before = found.logits.copy(), found.windows.copy()
    look_again(*embedded, found)
    assert np.array_equal(found.logits, before[0])
    assert np.array_equal(found.windows, before[1])


def test_another_object_in_the_box_does_not_take_the_place_of_the_first(embedded, monkeypatch):
    found = first_look(*embedded, [[96, 96]])
    monkeypatch.setattr(second_look, "SAME", 1.01)
    again = look_again(*embedded, found)
    assert np.array_equal(again.logits, found.logits)


def test_doubtful_and_empty_masks_are_left_alone(embedded):
    found = first_look(*embedded, [[96, 96], [20, 20]])
    found.scores[0] = second_look.LEAST_SCORE - 0.1
    found.logits[1] = -5
    again = look_again(*embedded, found)
    assert np.array_equal(again.windows, found.windows)
    assert look_again(*embedded, Instances.empty(48)).logits.shape == (0, 48, 48)
