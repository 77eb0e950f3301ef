"""The U-Net for particles: what it is taught, and plumbing from training to segmentation."""

from __future__ import annotations

import csv

import numpy as np
import pytest

pytest.importorskip("torch")

import nital
from nital.errors import ModelError, UsageError
from nital.micrograph import Micrograph
from nital.semantic.instances import BORDER, INTERIOR, objects_from_borders
from nital.semantic.particle_unet import (
    ParticleUNetOptions,
    export_particle_unet,
    interior_and_border,
    train_unet,
)
from nital.semantic.samples import IGNORED


def test_interior_and_border_part_what_touches():
    labels = np.zeros((40, 40), dtype=np.int32)
    labels[5:35, 5:20], labels[5:35, 20:35] = 1, 2
    valid = np.ones(labels.shape, dtype=bool)
    valid[:3] = False
    classes = interior_and_border(labels, valid)
    assert (classes[:3] == IGNORED).all()
    assert classes[20, 12] == INTERIOR
    assert (classes[20, [5, 18, 19, 20, 21, 34]] == BORDER).all()
    known = np.where(valid, classes, 0).astype(np.uint8)
    found, _ = objects_from_borders(known, np.ones(labels.shape, np.float32))
    assert found.max() == 2
    assert (found[labels == 1] == found[20, 12]).all()
    assert (found[labels == 2] == found[20, 28]).all()


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
