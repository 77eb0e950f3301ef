"""The choice of target: what a micrograph plainly shows is chosen, with a reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nital.automatic.target import TargetFigures, choose_target, evidence
from nital.io import read
from nital.models import load_model
from nital.models.compact import TARGETS
from nital.models.tiles import standardise
from nital.simulate import simulate

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("shape", [(64, 64), (700, 100), (1, 1), (3, 900)])
def test_the_target_is_one_of_four_with_its_probability(shape):
    pixels = np.random.default_rng(2).integers(0, 256, shape).astype(np.uint8)
    target, reason = choose_target(load_model("compact"), standardise(pixels))
    assert target in TARGETS
    assert f"looks like {target} (" in reason
    assert sum(name in reason for name in TARGETS) == 2


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("ferrite", "grains"),
        ("superalloy", "phases"),
        ("powder", "particles"),
        ("coating", "layers"),
    ],
)
def test_the_examples_are_what_they_are(name, target):
    image = standardise(read(EXAMPLES / f"{name}.tif").content)
    assert choose_target(load_model("compact"), image)[0] == target


def test_the_probabilities_sum_to_one_and_grow_with_their_weight():
    figures = TargetFigures(np.zeros(2), np.ones(2), np.eye(4)[:, :2], np.zeros(4))
    logs = figures.log_probability(np.array([[3.0, 0.0], [0.0, 3.0], [800.0, 0.0]]))
    np.testing.assert_allclose(np.exp(logs).sum(-1), 1)
    assert list(logs.argmax(-1)) == [0, 1, 0]


def test_evidence_is_finite_and_the_guess_a_probability():
    image = standardise(simulate(2, "particles", (96, 128)).image)
    values, guess = evidence(load_model("compact"), image)
    assert values.shape == (4 * 16,)
    assert np.isfinite(values).all()
    assert guess.sum() == pytest.approx(1, abs=1e-5)
