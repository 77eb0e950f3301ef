"""Boxes and regions against their definitions, written out with loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")

import torch

from nital.training.detector.regions import (
    anchors_of,
    box_overlap,
    decode_boxes,
    encode_boxes,
    nms,
    roi_align,
)


def random_boxes(rng: np.random.Generator, count: int, side: float = 40.0) -> torch.Tensor:
    corner = rng.uniform(-4, side, (count, 2))
    return torch.tensor(np.c_[corner, corner + rng.uniform(1, side, (count, 2))]).float()


def bilinear(values: np.ndarray, y: float, x: float) -> np.ndarray:
    """Value of a (C, h, w) map at a place, as torchvision's ``bilinear_interpolate`` has it."""
    height, width = values.shape[1:]
    if y < -1 or y > height or x < -1 or x > width:
        return np.zeros(values.shape[0])
    y, x = max(y, 0.0), max(x, 0.0)
    top, left = min(int(y), height - 1), min(int(x), width - 1)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    if int(y) >= height - 1:
        y = float(top)
    if int(x) >= width - 1:
        x = float(left)
    down, across = y - top, x - left
    return (
        (1 - down) * (1 - across) * values[:, top, left]
        + (1 - down) * across * values[:, top, right]
        + down * (1 - across) * values[:, bottom, left]
        + down * across * values[:, bottom, right]
    )


def defined_roi_align(
    values: np.ndarray, boxes: np.ndarray, size: int, scale: float, sampling: int
) -> np.ndarray:
    """``torchvision.ops.roi_align(aligned=True)``, bin by bin and sample by sample."""
    pooled = np.zeros((len(boxes), values.shape[0], size, size))
    for n, box in enumerate(boxes):
        top, left, bottom, right = box * scale - 0.5
        steps = (bottom - top) / size, (right - left) / size
        for row in range(size):
            for column in range(size):
                for i in range(sampling):
                    for j in range(sampling):
                        y = top + (row + (i + 0.5) / sampling) * steps[0]
                        x = left + (column + (j + 0.5) / sampling) * steps[1]
                        pooled[n, :, row, column] += bilinear(values, y, x) / sampling**2
    return pooled


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.25])
def test_roi_align_is_that_of_torchvision(scale: float) -> None:
    rng = np.random.default_rng(3)
    features = rng.standard_normal((1, 3, 14, 17)).astype(np.float32)
    boxes = random_boxes(rng, 12, 40)
    found = roi_align(torch.from_numpy(features), boxes, 4, scale)
    wanted = defined_roi_align(features[0], boxes.numpy().astype(float), 4, scale, 2)
    np.testing.assert_allclose(found.numpy(), wanted, atol=2e-5)


def test_roi_align_of_no_box_is_empty() -> None:
    found = roi_align(torch.zeros(1, 3, 8, 8), torch.zeros(0, 4), 7, 0.5)
    assert found.shape == (0, 3, 7, 7)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), threshold=st.floats(0.1, 0.9))
def test_suppression_keeps_what_the_definition_keeps(seed: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    boxes = random_boxes(rng, int(rng.integers(0, 30)))
    scores = torch.from_numpy(rng.random(len(boxes))).float()
    overlap = box_overlap(boxes, boxes).numpy()
    wanted: list[int] = []
    for index in np.argsort(-scores.numpy(), kind="stable").tolist():
        if all(overlap[index, kept] <= threshold for kept in wanted):
            wanted.append(index)
    assert nms(boxes, scores, threshold).tolist() == wanted


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6))
def test_box_codes_can_be_undone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    boxes, reference = random_boxes(rng, 9), random_boxes(rng, 9)
    back = decode_boxes(encode_boxes(boxes, reference), reference)
    torch.testing.assert_close(back, boxes, atol=1e-3, rtol=1e-4)


def test_overlap_of_known_boxes() -> None:
    first = torch.tensor([[0.0, 0, 2, 2]])
    second = torch.tensor([[0.0, 1, 2, 3], [5, 5, 6, 6], [0, 0, 2, 2]])
    assert box_overlap(first, second)[0].tolist() == pytest.approx([1 / 3, 0, 1])


def test_anchors_sit_on_the_middles_of_cells() -> None:
    anchors = anchors_of([(2, 3)], [8], [2.0], [1.0, 4.0])
    assert anchors.shape == (12, 4)
    assert anchors[0].tolist() == [-4, -4, 12, 12]
    sides = anchors[1, 2:] - anchors[1, :2]
    assert sides[0] / sides[1] == pytest.approx(4)
    assert sides.prod() == pytest.approx(256)
