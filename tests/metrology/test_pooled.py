"""Sizes over the objects of all fields: known mixtures, and how often intervals hold."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nital.metrology.pooled import FieldSizes, pooled_interval, pooled_value


def field(diameter, weight=None, phase=2, certain=True):
    number = len(diameter)
    return FieldSizes(
        np.asarray(diameter, float),
        np.ones(number) if weight is None else np.asarray(weight, float),
        np.full(number, phase),
        np.full(number, certain),
    )


def test_fields_count_by_what_they_show():
    """10 objects of 1 and 90 of 3: the mean of the means would be 2, the median of all is 3."""
    fields = [field(np.ones(10)), field(np.full(90, 3.0))]
    assert pooled_value(fields, "ecd_mean", None) == pytest.approx(2.8)
    assert pooled_value(fields, "ecd_d50", None) == 3
    assert pooled_value(fields, "object_area_mean", None) == pytest.approx(math.pi / 4 * 8.2)
    deviation = math.exp(math.sqrt(0.09 * 100 / 99) * math.log(3))
    assert pooled_value(fields, "ecd_geometric_sd", None) == pytest.approx(deviation)


def test_area_and_volume_weigh_the_large():
    fields = [field([1.0] * 800), field([2.0] * 100)]
    by_number, by_volume = (pooled_value(fields, f"ecd_d50{w}", None) for w in ("", "_volume"))
    assert by_number == 1
    assert 1 < by_volume < 2  # half of the volume is that of the large ones


def test_only_what_is_asked_for_counts():
    fields = [field([1.0] * 5, phase=2), field([4.0] * 5, phase=3, certain=False)]
    assert pooled_value(fields, "ecd_mean", 3) == 4
    assert pooled_value(fields, "ecd_mean_certain", None) == 1
    assert pooled_value(fields, "feret_max_median", None) is None
    assert pooled_value(fields, "ecd_d50", 7) is None


def test_one_field_has_no_interval_between_fields():
    assert pooled_interval([field([1.0, 2.0])], "ecd_mean", None, 0.0) is None


@pytest.mark.parametrize(
    ("name", "point"), [("ecd_d10", -1.2816), ("ecd_d50", 0.0), ("ecd_d90", 1.2816)]
)
def test_the_interval_holds_the_truth_of_specimens_whose_fields_differ(name, point):
    rng, held = np.random.default_rng(3), 0
    truth = math.exp(point * math.hypot(0.1, 0.4))
    for _ in range(200):
        shift = rng.normal(0, 0.1, 5)
        fields = [field(np.exp(rng.normal(s, 0.4, rng.poisson(80)))) for s in shift]
        low, high = pooled_interval(fields, name, None, 0.0)
        held += low <= truth <= high
    assert 182 <= held <= 199


def test_a_percentile_that_the_objects_do_not_reach_beyond_has_no_interval():
    rng = np.random.default_rng(0)
    fields = [field(np.exp(rng.normal(0, 0.4, 4))) for _ in range(3)]
    assert pooled_interval(fields, "ecd_d90", None, 0.0) is None
    assert pooled_interval(fields, "ecd_mean", None, 0.0) is not None


def test_the_pixel_size_widens_percentiles_to_either_side():
    rng = np.random.default_rng(1)
    fields = [field(np.exp(rng.normal(0, 0.4, 60))) for _ in range(5)]
    value = pooled_value(fields, "ecd_d50", None)
    for plain, wide in zip(*(pooled_interval(fields, "ecd_d50", None, s) for s in (0.0, 0.05)),
                           strict=True):  # fmt: skip
        expected = math.hypot(math.log(plain / value), 1.96 * 0.05)
        assert abs(math.log(wide / value)) == pytest.approx(expected, rel=1e-3)


def test_the_pixel_size_that_all_share_does_not_average_out():
    fields = [field([1.0, 2.0, 3.0])] * 4
    low, high = pooled_interval(fields, "ecd_mean", None, 0.05)
    assert math.log(high / low) / 2 == pytest.approx(1.96 * 0.05, rel=1e-3)
