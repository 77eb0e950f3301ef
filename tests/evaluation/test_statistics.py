"""Bootstrap means."""

from __future__ import annotations

import numpy as np
import pytest

from nital.evaluation.statistics import bootstrap_mean, metric_names, summarise


def test_interval_covers_what_theory_says() -> None:
    sample = np.random.default_rng(1).normal(5, 2, 400)
    mean = bootstrap_mean(sample.tolist())
    assert mean.interval is not None
    half = 1.96 * sample.std() / np.sqrt(400)
    assert mean.value == pytest.approx(sample.mean())
    assert mean.interval == pytest.approx((mean.value - half, mean.value + half), abs=0.02)
    assert bootstrap_mean(sample.tolist()) == mean


def test_too_few_images_give_no_interval() -> None:
    assert bootstrap_mean([0.4, 0.6]).interval is None
    assert str(bootstrap_mean([0.4, 0.6])) == "0.500"
    assert str(bootstrap_mean([0.5] * 3)) == "0.500 [0.500, 0.500]"


def test_means_are_over_the_images_that_have_the_metric_and_errors_lose_their_sign() -> None:
    rows = [{"metrics": {"ari": 1.0, "size_error": -0.5}}, {"metrics": {"size_error": 0.5}}]
    table = summarise(rows)
    assert metric_names(rows) == ["ari", "size_error"]
    assert (table["ari"].value, table["ari"].count) == (1, 1)
    assert (table["size_error"].value, table["size_error"].count) == (0.5, 2)
    assert summarise([]) == {}
