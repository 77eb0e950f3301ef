"""The choice of target: one of four, with a reason, whatever the weights."""

from __future__ import annotations

import pytest

from nital.automatic.target import choose_target
from nital.models import load_model
from nital.models.compact import TARGETS
from nital.models.tiles import standardise
from nital.simulate import simulate


@pytest.mark.parametrize("shape", [(64, 64), (700, 100)])
def test_the_target_is_one_of_four_with_its_probability(shape):
    image = standardise(simulate(2, "particles", shape).image)
    target, reason = choose_target(load_model("compact"), image)
    assert target in TARGETS
    assert f"looks like {target} (" in reason
    assert sum(name in reason for name in TARGETS) == 2
