"""Objects from interior and border, on shapes whose objects are known."""

from __future__ import annotations

import numpy as np

from nital.semantic.instances import (
    BORDER,
    INTERIOR,
    objects_from_borders,
    objects_from_maps,
)


def two_touching_discs() -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.indices((60, 90))
    truth = np.zeros((60, 90), dtype=np.int32)
    for number, middle in ((1, 28), (2, 60)):
        distance = np.hypot(rows - 30, columns - middle)
        truth[(distance <= 16) & (truth == 0)] = number
    return truth, np.minimum(np.hypot(rows - 30, columns - 28), np.hypot(rows - 30, columns - 60))


def test_touching_discs_with_borders_are_two_objects():
    truth, distance = two_touching_discs()
    classes = np.where(distance <= 13, INTERIOR, np.where(truth > 0, BORDER, 0)).astype(np.uint8)
    labels, confidence = objects_from_borders(classes, np.full(classes.shape, 0.8, np.float32))
    assert labels.max() == 2
    assert ((labels > 0) == (truth > 0)).all()
    left, right = labels[30, 28], labels[30, 60]
    for number, label in ((1, left), (2, right)):
        overlap = ((truth == number) & (labels == label)).sum()
        assert overlap / ((truth == number) | (labels == label)).sum() > 0.95
    assert set(np.unique(confidence)) == {0, 204}


def test_a_border_without_interior_is_an_object_and_specks_are_none():
    classes = np.zeros((20, 20), dtype=np.uint8)
    classes[4:8, 4:8] = BORDER
    classes[15, 15] = BORDER
    labels, _ = objects_from_borders(classes, np.ones((20, 20), np.float32))
    assert labels.max() == 1
    assert (labels > 0).sum() == 16


def test_nothing_gives_nothing():
    labels, confidence = objects_from_borders(
        np.zeros((8, 9), np.uint8), np.ones((8, 9), np.float32)
    )
    assert not labels.any()
    assert not confidence.any()


def test_maps_of_touching_discs_give_two_objects_though_the_foreground_is_one():
    truth, distance = two_touching_discs()
    foreground = np.where(truth > 0, 0.9, 0.1).astype(np.float32)
    border = ((distance > 14) & (truth > 0)).astype(np.float32)
    labels, confidence = objects_from_maps(foreground, border)
    assert labels.max() == 2
    assert ((labels > 0) == (truth > 0)).all()
    for number, column in ((1, 28), (2, 60)):
        found = labels == labels[30, column]
        assert (found & (truth == number)).sum() / (found | (truth == number)).sum() > 0.95
    assert set(np.unique(confidence)) == {0, 229}


def test_foreground_that_is_nowhere_sure_is_an_object_and_none_is_none():
    foreground = np.zeros((20, 20), dtype=np.float32)
    foreground[4:8, 4:8] = foreground[15, 15] = 0.6
    nothing = np.zeros_like(foreground)
    labels, _ = objects_from_maps(foreground, nothing)
    assert labels.max() == 1
    assert (labels > 0).sum() == 16
    assert not objects_from_maps(nothing, nothing)[0].any()
