"""The network: shapes, where it samples, and what may not matter to it."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from nital.training.network import (
    CompactNetwork,
    NetworkConfig,
    mean_of_points,
    sample_map,
)


@pytest.fixture(scope="module")
def network(tiny):
    torch.manual_seed(0)
    return CompactNetwork(tiny).eval()


@pytest.mark.parametrize("shape", [(32, 32), (64, 96), (160, 32)])
def test_maps_have_their_strides(network, tiny, shape):
    height, width = shape
    image, target = torch.randn(2, 1, height, width), torch.eye(4)[:2]
    with torch.no_grad():
        dense, embedding, mask_features, query, target_logits = network.encoder(image, target)
    assert dense.shape == (2, 5, height // 2, width // 2)
    assert embedding.shape == (2, tiny.embedding, height // 2, width // 2)
    assert mask_features.shape == (2, tiny.mask_channels, height // 2, width // 2)
    assert query.shape == (2, tiny.coarse, height // 4, width // 4)
    assert target_logits.shape == (2, 4)


def test_the_guess_of_the_target_does_not_see_the_target(network):
    image = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        guesses = [network.encoder(image, torch.eye(4)[k : k + 1])[4] for k in range(4)]
    assert all(torch.equal(guesses[0], guess) for guess in guesses)


def test_maps_are_sampled_at_pixel_positions():
    """A map whose values are the image rows and columns that its cells stand for."""
    rows = 2 * torch.arange(20.0) + 0.5
    cols = 2 * torch.arange(30.0) + 0.5
    features = torch.stack(torch.meshgrid(rows, cols, indexing="ij"))[None]
    points = torch.tensor([[[0.5, 0.5], [13.0, 7.25]], [[20.5, 58.5], [38.5, 3.0]]])
    found = sample_map(features, points, torch.tensor([40.0, 60.0]))
    torch.testing.assert_close(found, points, atol=1e-4, rtol=0)


def test_means_are_of_the_chosen_points():
    values = torch.tensor([[[1.0], [3.0], [100.0]], [[5.0], [6.0], [7.0]]])
    weights = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    mean, present = mean_of_points(values, weights)
    assert mean.tolist() == [[2.0], [0.0]]
    assert present.tolist() == [[1.0], [0.0]]


def prompts(count=3):
    generator = torch.Generator().manual_seed(1)
    points = torch.rand(count, 3, 2, generator=generator) * 60
    labels = torch.tensor([[1.0, 0.0, -1.0], [1.0, 1.0, -1.0], [1.0, -1.0, -1.0]])[:count]
    corner = points[:, 0] - 12
    return points, labels, torch.zeros(count, 4), torch.cat([corner, corner + 24], 1)


def decode(network, points, labels, boxes, windows):
    generator = torch.Generator().manual_seed(2)
    config = network.config
    fine = torch.randn(1, config.mask_channels, 32, 32, generator=generator)
    query = torch.randn(1, config.coarse, 16, 16, generator=generator)
    unit = (torch.arange(12) + 0.5) / 12 * 2 - 1
    size = torch.tensor([64.0, 64.0])
    with torch.no_grad():
        return network.object_decoder(fine, query, points, labels, boxes, windows, size, unit)


def test_padding_and_the_order_of_prompts_do_not_matter(network):
    points, labels, boxes, windows = prompts()
    logits, scores = decode(network, points, labels, boxes, windows)
    assert logits.shape == (3, 12, 12)
    assert scores.shape == (3,)
    moved = torch.where((labels == -1)[..., None], torch.full_like(points, 7.0), points)
    again, _ = decode(network, moved, labels, boxes, windows)
    torch.testing.assert_close(again, logits)
    order = torch.tensor([2, 0, 1])
    shuffled, shuffled_scores = decode(
        network, points[order], labels[order], boxes[order], windows[order]
    )
    torch.testing.assert_close(shuffled, logits[order])
    torch.testing.assert_close(shuffled_scores, scores[order])


def test_negative_points_and_boxes_do_matter(network):
    points, labels, boxes, windows = prompts()
    logits, _ = decode(network, points, labels, boxes, windows)
    without = torch.where(labels == 0, -1.0, labels)
    assert not torch.allclose(decode(network, points, without, boxes, windows)[0][0], logits[0])
    given = torch.cat([points[:, 0] - 5, points[:, 0] + 5], 1)
    assert not torch.allclose(decode(network, points, labels, given, windows)[0], logits)


def test_a_phase_is_what_is_near_in_the_embedding(network, tiny):
    embedding = torch.zeros(1, tiny.embedding, 16, 16)
    embedding[:, 0, :, 8:] = 4.0
    query = torch.zeros(1, tiny.coarse, 16, 16)
    points = torch.tensor([[[30.0, 12.0]], [[30.0, 50.0]]])
    with torch.no_grad():
        logits, scores = network.phase_decoder(
            embedding, query, points, torch.ones(2, 1), torch.tensor([64.0, 64.0])
        )
    left = np.zeros((16, 16), bool)
    left[:, :8] = True
    assert np.array_equal(logits[0].numpy() > 0, left)
    assert np.array_equal(logits[1].numpy() > 0, ~left)
    assert scores.shape == (2,)


def test_a_negative_point_takes_its_phase_away(network, tiny):
    embedding = torch.zeros(1, tiny.embedding, 16, 16)
    embedding[:, 0, :, 8:] = 0.6
    query = torch.zeros(1, tiny.coarse, 16, 16)
    points, size = torch.tensor([[[30.0, 12.0], [30.0, 50.0]]]), torch.tensor([64.0, 64.0])
    with torch.no_grad():
        alone, _ = network.phase_decoder(
            embedding, query, points, torch.tensor([[1.0, -1.0]]), size
        )
        against, _ = network.phase_decoder(
            embedding, query, points, torch.tensor([[1.0, 0.0]]), size
        )
    assert (alone > 0).all()
    assert (against[0, :, 9:] < 0).all()
    assert (against[0, :, :7] > against[0, :, 9:].max()).all()


def test_the_usual_network_is_small_enough_for_the_wheel():
    count = sum(p.numel() for p in CompactNetwork(NetworkConfig()).parameters())
    assert 4 * count < 12e6


def test_half_the_width_is_a_quarter_of_the_weights_for_the_same_decoders():
    whole, half = NetworkConfig(), NetworkConfig().widened(0.5)
    assert whole.widened(1.0) == whole
    assert half.widths == tuple(width // 2 for width in whole.widths)
    assert (half.embedding, half.mask_channels) == (whole.embedding, whole.mask_channels)
    counts = [sum(p.numel() for p in CompactNetwork(c).parameters()) for c in (half, whole)]
    assert 0.2 < counts[0] / counts[1] < 0.35
    assert min(NetworkConfig().widened(0.01).widths) == 4


def test_the_configuration_is_plain_values(tiny):
    assert NetworkConfig(**tiny.as_dict()) == tiny
