"""Losses: finite for any batch, low for a perfect answer, lowered by a step."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from nital.training.loop import TrainingOptions, make_network, train_step
from nital.training.losses import WEIGHTS, _dense_losses, _mask_loss, compute_losses


def test_the_total_is_the_weighted_sum_of_finite_parts(tiny, disc, grains, make_batch):
    network, _, _ = make_network(TrainingOptions(), tiny)
    losses = compute_losses(network, make_batch([disc(64), grains()]))
    assert set(losses) == {*WEIGHTS, "total"}
    assert all(torch.isfinite(value) for value in losses.values())
    expected = sum(weight * float(losses[name].detach()) for name, weight in WEIGHTS.items())
    assert float(losses["total"].detach()) == pytest.approx(expected, rel=1e-5)


def test_steps_on_one_batch_lower_its_loss(tiny, disc, grains, make_batch):
    options = TrainingOptions(learning_rate=3e-3)
    network, _, optimizer = make_network(options, tiny)
    network.train()
    batch = make_batch([disc(64, centre=(30, 30), radius=14), grains()])
    totals = [
        float(train_step(network, optimizer, dict(batch), bf16=False)["total"].detach())
        for _ in range(8)
    ]
    assert totals[1] < totals[0]
    assert totals[-1] < 0.9 * totals[0]


def test_bfloat16_gives_about_the_same_loss(tiny, disc, grains, make_batch):
    batch = make_batch([disc(64), grains()])
    totals = []
    for bf16 in (False, True):
        network, _, optimizer = make_network(TrainingOptions(), tiny)
        losses = train_step(network, optimizer, dict(batch), bf16)
        totals.append(float(losses["total"].detach()))
    assert totals[1] == pytest.approx(totals[0], rel=0.05)


def test_a_batch_of_which_nothing_is_known_changes_nothing_but_the_target(tiny, disc, make_batch):
    nowhere = np.zeros((64, 64), bool)
    batch = make_batch([disc(64, radius=-1, valid=nowhere)] * 2)
    network, _, _ = make_network(TrainingOptions(), tiny)
    losses = compute_losses(network, batch)
    losses["total"].backward()
    for name in set(WEIGHTS) - {"target"}:
        assert float(losses[name].detach()) == 0
    grads = [p.grad for p in network.parameters() if p.grad is not None]
    assert all(torch.isfinite(grad).all() for grad in grads)


def test_perfect_maps_cost_almost_nothing_and_wrong_ones_much(disc, make_batch):
    batch = make_batch([disc(64, centre=(30, 33))])
    truth, weight = batch["dense"], batch["dense_weight"]
    logits = torch.where(truth > 0.5, 12.0, -12.0)
    logits[:, 2] = torch.logit(truth[:, 2], eps=1e-6)
    logits[:, 3:] = truth[:, 3:]
    perfect = _dense_losses(logits, truth, weight)
    assert all(float(value) < 0.01 for value in perfect.values())
    wrong = _dense_losses(-logits, truth, weight)
    assert all(float(wrong[name]) > 10 * float(perfect[name]) for name in perfect)


def test_the_score_to_learn_is_the_iou_of_the_mask():
    truth = torch.zeros(2, 8, 8)
    truth[:, :4] = 1
    logits = torch.full((2, 8, 8), -5.0)
    logits[0, :4] = 5
    logits[1, 2:6] = 5
    loss, iou = _mask_loss(logits, truth)
    assert iou.tolist() == pytest.approx([1, 16 / 48])
    known = torch.zeros(8, 8)
    known[:4] = 1
    _, known_iou = _mask_loss(logits, truth, known)
    assert known_iou.tolist() == pytest.approx([1, 0.5])
    assert torch.isfinite(loss)
