"""What a set of prompts refuses and keeps."""

from __future__ import annotations

import numpy as np
import pytest

from nital.errors import UsageError
from nital.prompts import PromptSet


def prompts(points, labels, boxes):
    return PromptSet(*(np.asarray(a, dtype=np.float32) for a in (points, labels, boxes)))


def test_points_become_one_positive_prompt_each():
    made = PromptSet.from_points(np.array([[1, 2], [3, 4.5]]), origin="test")
    assert len(made) == 2
    assert made.points.tolist() == [[[1, 2]], [[3, 4.5]]]
    assert made.labels.tolist() == [[1], [1]]
    assert not made.boxes.any()
    assert made.points.dtype == made.labels.dtype == made.boxes.dtype == np.float32


def test_no_points_are_no_prompts():
    made = PromptSet.from_points(np.zeros((0, 2)))
    assert len(made) == 0
    made.check_inside((1, 1))


def test_take_keeps_points_labels_and_boxes_together():
    made = prompts(
        [[[1, 1], [2, 2]], [[3, 3], [0, 0]], [[5, 5], [6, 6]]],
        [[1, 0], [1, -1], [-1, 1]],
        [[0, 0, 9, 9], [0, 0, 0, 0], [4, 4, 7, 7]],
    )
    part = made.take(np.array([2, 0]))
    assert part.points[:, 0].tolist() == [[5, 5], [1, 1]]
    assert part.labels.tolist() == [[-1, 1], [1, 0]]
    assert part.boxes.tolist() == [[4, 4, 7, 7], [0, 0, 9, 9]]


def test_a_box_alone_is_a_prompt():
    assert len(prompts([[[0, 0]]], [[-1]], [[1, 2, 5, 6]])) == 1


@pytest.mark.parametrize(
    ("points", "labels", "boxes", "says"),
    [
        ([[1, 1]], [[1]], [[0, 0, 0, 0]], r"\(N, P, 2\)"),
        (np.zeros((1, 0, 2)), np.zeros((1, 0)), [[1, 1, 2, 2]], r"\(N, P, 2\)"),
        ([[[1, 1]]], [[1, 1]], [[0, 0, 0, 0]], r"labels must be \(N, P\)"),
        ([[[1, 1]]], [[1]], [[0, 0, 0]], r"boxes \(N, 4\)"),
        ([[[1, 1]]], [[0]], [[0, 0, 0, 0]], "point inside the object or a box"),
        ([[[1, 1]]], [[-1]], [[0, 0, 0, 0]], "point inside the object or a box"),
        ([[[1, 1]]], [[-1]], [[5, 2, 1, 6]], "top < bottom"),
        ([[[1, 1]]], [[1]], [[1, 6, 5, 6]], "top < bottom"),
        ([[[np.nan, 1]]], [[1]], [[0, 0, 0, 0]], "finite"),
        ([[[1, 1]]], [[1]], [[0, 0, np.inf, 5]], "finite"),
    ],
)
def test_wrong_prompts_are_refused_in_words(points, labels, boxes, says):
    with pytest.raises(UsageError, match=says):
        prompts(points, labels, boxes)


def test_points_outside_the_image_are_named():
    made = prompts([[[9.4, 3], [90, 90]]], [[1, -1]], [[0, 0, 0, 0]])
    made.check_inside((10, 4))
    with pytest.raises(UsageError, match=r"point \(9\.4, 3\) lies outside the image of 4 x 10"):
        made.check_inside((4, 10))
