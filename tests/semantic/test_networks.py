"""The three supervised networks: shapes, sizes known from their papers, and unpooling."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch
from torch.nn import functional

from nital.errors import UsageError
from nital.semantic.networks import (
    ARCHITECTURES,
    SegNet,
    UNet,
    _first_maximum,
    make_semantic_network,
)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
class TestEveryNetwork:
    def test_answers_every_pixel_with_every_class(self, architecture: str) -> None:
        network = make_semantic_network(architecture, in_channels=2, classes=3, width=2 * 4)
        image = torch.randn(2, 2, 2 * network.stride, 3 * network.stride)
        assert network(image).shape == (2, 3, *image.shape[2:])

    def test_learns_two_crops_by_heart(self, architecture: str) -> None:
        torch.manual_seed(0)
        network = make_semantic_network(architecture, width=8)
        image = torch.randn(2, 1, 64, 64)
        truth = (functional.avg_pool2d(image, 9, stride=1, padding=4) > 0).long()[:, 0]
        optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
        losses = []
        for _ in range(12):
            loss = functional.cross_entropy(network(image), truth)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        assert losses[-1] < 0.85 * losses[0]
        assert all(parameter.grad is not None for parameter in network.parameters())


def test_an_unknown_architecture_is_named() -> None:
    with pytest.raises(UsageError, match="'vnet' is not one of segnet, transunet, unet"):
        make_semantic_network("vnet")


def parameters(module: torch.nn.Module) -> int:
    return sum(each.numel() for each in module.parameters())


def test_unet_of_the_paper_has_31_million_parameters() -> None:
    with torch.device("meta"):
        assert parameters(UNet(width=64)) == pytest.approx(31.0e6, rel=0.01)


def test_the_encoder_of_segnet_is_that_of_vgg_16() -> None:
    """VGG-16 has 14 710 464 weights in its 13 convolutions for three channels."""
    with torch.device("meta"):
        encoder = SegNet(in_channels=3, width=64).encoder
    convolutions = [each for each in encoder.modules() if isinstance(each, torch.nn.Conv2d)]
    assert len(convolutions) == 13
    assert sum(parameters(each) for each in convolutions) == 14_710_464


def test_first_maximum_marks_what_pooling_remembers() -> None:
    x = torch.randn(2, 3, 8, 6).relu()  # with ties at 0
    pooled, indices = functional.max_pool2d(x, 2, return_indices=True)
    expected = functional.max_unpool2d(torch.ones_like(pooled), indices, 2)
    assert torch.equal(_first_maximum(x), expected)
