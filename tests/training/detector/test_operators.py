"""torchvision's operators are asked in torchvision's conventions, and agree where they load."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("torch")

import torch

from nital.training.detector import operators, regions


def boxes_and_scores(count: int = 9) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(4)
    corner = 20 * torch.rand(count, 2, generator=generator)
    sides = 3 + 15 * torch.rand(count, 2, generator=generator)
    return torch.cat([corner, corner + sides], 1), torch.rand(count, generator=generator)


def in_torchvisions_conventions() -> SimpleNamespace:
    """Plain torch behind torchvision's signatures: boxes are left, top, right, bottom."""

    def nms(boxes, scores, iou_threshold):
        return regions.nms(boxes[:, [1, 0, 3, 2]], scores, iou_threshold)

    def roi_align(input, boxes, output_size, spatial_scale=1.0, sampling_ratio=-1, aligned=False):
        assert aligned
        assert len(boxes) == input.shape[0] == 1
        rows_first = boxes[0][:, [1, 0, 3, 2]]
        return regions.roi_align(input, rows_first, output_size, spatial_scale, sampling_ratio)

    return SimpleNamespace(nms=nms, roi_align=roi_align)


def test_without_torchvision_plain_torch_answers(monkeypatch):
    monkeypatch.setattr(operators, "compiled_operators", lambda: None)
    boxes, scores = boxes_and_scores()
    assert torch.equal(operators.nms(boxes, scores, 0.4), regions.nms(boxes, scores, 0.4))


def test_torchvision_is_asked_in_its_own_conventions(monkeypatch):
    monkeypatch.setattr(operators, "compiled_operators", in_torchvisions_conventions)
    boxes, scores = boxes_and_scores()
    features = torch.arange(3 * 14 * 17).reshape(1, 3, 14, 17).float().sin()
    assert torch.equal(operators.nms(boxes, scores, 0.4), regions.nms(boxes, scores, 0.4))
    pooled = operators.roi_align(features, boxes, 5, 0.5)
    torch.testing.assert_close(pooled, regions.roi_align(features, boxes, 5, 0.5))


def test_torchvision_gives_the_same_where_it_loads():
    compiled = operators.compiled_operators()
    if compiled is None:
        pytest.skip("torchvision's compiled operators do not load here")
    boxes, scores = boxes_and_scores(40)
    features = torch.randn(1, 3, 14, 17, generator=torch.Generator().manual_seed(0))
    assert torch.equal(operators.nms(boxes, scores, 0.4), regions.nms(boxes, scores, 0.4))
    pooled = operators.roi_align(features, boxes, 7, 0.5)
    torch.testing.assert_close(
        pooled, regions.roi_align(features, boxes, 7, 0.5), atol=2e-5, rtol=0
    )
