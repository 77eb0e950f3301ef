"""The U-Net for particles: what it is taught, and plumbing from training to segmentation."""

from __future__ import annotations

import csv

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import nital
from nital.errors import ModelError, UsageError
from nital.micrograph import Micrograph
from nital.semantic.instances import objects_from_maps
from nital.semantic.particle_network import (
    MAPS,
    ParticleUNet,
    particle_loss,
    particle_losses,
)
from nital.semantic.particle_unet import (
    ParticleUNetOptions,
    export_particle_unet,
    foreground_and_border,
    train_unet,
)


def two_squares() -> np.ndarray:
    labels = np.zeros((40, 40), dtype=np.int32)
    labels[5:35, 5:20], labels[5:35, 20:35] = 1, 2
    return labels


def test_foreground_and_border_part_what_touches():
    labels = two_squares()
    foreground, border = foreground_and_border(labels)
    assert (foreground == (labels > 0)).all()
    assert (border[20, [5, 6, 18, 19, 20, 21, 33, 34]] == 1).all()
    assert not border[20, [4, 7, 12, 17, 22, 35]].any()
    found, confidence = objects_from_maps(foreground, border)
    assert found.max() == 2
    assert (found[labels == 1] == found[20, 12]).all()
    assert (found[labels == 2] == found[20, 28]).all()
    assert (confidence[labels > 0] == 255).all()


def test_a_crop_within_one_particle_has_no_border():
    foreground, border = foreground_and_border(np.ones((32, 32), dtype=np.int32))
    assert foreground.all()
    assert not border.any()


def test_the_loss_is_least_for_the_truth_and_deaf_to_what_is_not_known():
    truth = torch.from_numpy(foreground_and_border(two_squares()))[None]
    valid = torch.ones(1, 40, 40)
    right = particle_losses(torch.logit(truth, 1e-4), truth, valid)
    wrong = particle_losses(torch.logit(1 - truth, 1e-4), truth, valid)
    assert set(right) == set(MAPS)
    assert all(right[name] < 0.01 < 0.5 < wrong[name] for name in MAPS)
    valid[:, :20] = 0
    mixed = torch.cat(
        (torch.logit(1 - truth, 1e-4)[:, :, :20], torch.logit(truth, 1e-4)[:, :, 20:]), 2
    )
    assert float(particle_loss(particle_losses(mixed, truth, valid))) < 0.05


def test_it_learns_a_crop_by_heart():
    labels = np.pad(two_squares(), 12)
    rng = np.random.default_rng(0)
    image = torch.from_numpy(labels - 0.5 + rng.normal(0, 0.1, labels.shape)).float()[None, None]
    truth, valid = torch.from_numpy(foreground_and_border(labels))[None], torch.ones(1, 64, 64)
    torch.manual_seed(0)
    network = ParticleUNet(8)
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    for _ in range(60):
        loss = particle_loss(particle_losses(network(image), truth, valid))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        maps = network(image)[0].sigmoid().numpy()
    found, _ = objects_from_maps(*maps)
    for number in (1, 2):
        inside = labels == number
        label = np.bincount(found[inside]).argmax()
        assert label > 0
        assert (inside & (found == label)).sum() / (inside | (found == label)).sum() > 0.9


def test_from_training_to_segmentation(tmp_path):
    options = ParticleUNetOptions(width=4, steps=2, batch=1, size=64, checkpoint_every=1)
    train_unet(tmp_path, options)
    train_unet(tmp_path, ParticleUNetOptions(width=4, steps=3, batch=1, size=64))
    with (tmp_path / "log.csv").open() as lines:
        assert [row["step"] for row in csv.DictReader(lines)] == ["2", "3"]
    assert export_particle_unet(tmp_path, options) < 1e-4
    image = np.random.default_rng(0).integers(0, 255, (70, 90)).astype(np.uint8)
    result = nital.segment(Micrograph(image), target="auto", model=str(tmp_path))
    assert result.target == "particles"
    assert result.model.name == "unet"
    assert set(np.unique(result.phases)) <= {1, 2}
    with pytest.raises(UsageError, match="answers particles, not grains"):
        nital.segment(Micrograph(image), target="grains", model=str(tmp_path))
    with pytest.raises(ModelError, match="no checkpoint of this network"):
        train_unet(tmp_path, ParticleUNetOptions(width=8, steps=4, batch=1, size=64))


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="multiple of 32"):
        ParticleUNetOptions(size=100)
