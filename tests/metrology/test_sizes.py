"""Size distributions seen through a frame, against the distribution they were drawn from."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nital.metrology import measure
from nital.metrology.field import Field
from nital.metrology.intervals import independent
from nital.metrology.sizes import edge_weights, geometric_deviation

SPREAD, MEDIAN = 0.5, 16.0


def through_a_frame(rng, side, number, make_discs):
    """Log-normal discs, apart from each other, about a frame that cuts some of them.

    They are dropped one by one and kept where there is room, the largest first so that room does
    not choose among sizes; the area around is large enough for any that reaches inside.
    """
    margin = 80
    diameters = np.sort(MEDIAN * np.exp(SPREAD * rng.standard_normal(number)))[::-1]
    diameters = np.clip(diameters, 3.0, 2.0 * margin)
    whole = side + 2 * margin
    centres = np.empty((0, 2))
    radii = np.empty(0)
    for radius in diameters / 2.0:
        for _ in range(200):
            spot = rng.random(2) * whole
            apart = np.hypot(*(centres - spot).T) if len(centres) else np.array([np.inf])
            if len(radii) == 0 or bool((apart > radii + radius + 2.5).all()):
                centres, radii = np.vstack([centres, spot]), np.append(radii, radius)
                break
    return make_discs((side, side), centres - margin, radii)


@pytest.fixture(scope="module")
def fields(wrap, make_discs):
    rng = np.random.default_rng(12)
    return [measure(wrap(through_a_frame(rng, 240, 130, make_discs), scale=1.0)) for _ in range(60)]


TRUTH = {
    "ecd_mean": MEDIAN * math.exp(SPREAD**2 / 2),
    "ecd_d50": MEDIAN,
    "ecd_d10": MEDIAN * math.exp(SPREAD * stats.norm.ppf(0.1)),
    "ecd_d90": MEDIAN * math.exp(SPREAD * stats.norm.ppf(0.9)),
    "ecd_geometric_sd": math.exp(SPREAD),
    "ecd_d50_area": MEDIAN * math.exp(2 * SPREAD**2),
    "object_area_mean": math.pi / 4 * MEDIAN**2 * math.exp(2 * SPREAD**2),
}


@pytest.mark.parametrize("name", TRUTH)
def test_the_frame_is_corrected_for(fields, by_name, name):
    values, held, given = [], 0, 0
    for measured in fields:
        found = by_name(measured)[name]
        values.append(found.value)
        if found.ci95 is not None:
            given += 1
            held += found.ci95[0] <= TRUTH[name] <= found.ci95[1]
    error = np.std(values) / math.sqrt(len(values))
    assert abs(np.mean(values) - TRUTH[name]) < 3 * error + 0.02 * TRUTH[name]
    assert error < 0.04 * TRUTH[name]
    assert given >= 50 or name in ("ecd_d10", "ecd_d90", "ecd_d50_area")
    assert held >= 0.83 * given


def test_leaving_out_what_the_edge_cuts_would_be_wrong(fields):
    """The mean area of the objects inside is too small by a tenth and more."""
    inside = [m.objects["area_px"][~m.objects["touches_edge"]].mean() for m in fields]
    error = np.std(inside) / math.sqrt(len(inside))
    assert np.mean(inside) < TRUTH["object_area_mean"] - 3 * error


def test_the_rule_is_printed(fields, by_name):
    for name in TRUTH:
        assert "Miles-Lantuéjoul" in by_name(fields[0])[name].method


def test_weights_are_the_inverse_of_the_chance_to_lie_inside():
    """A 3 x 5 box has 10 - 3 - 1 by 20 - 5 - 1 places in a 10 x 20 frame that touch no edge."""
    labels = np.zeros((10, 20), dtype=np.int32)
    labels[2:5, 3:8] = 1
    labels[8:, 10] = 2
    names = np.unique(labels[labels > 0]).astype(np.int32)
    field = Field(labels, names, np.ones(labels.shape, dtype=np.uint8), None, None)
    assert edge_weights(field).tolist() == [pytest.approx(200 / (6 * 14)), 0.0]


@pytest.mark.parametrize("spread", [0.2, 0.6])
@pytest.mark.parametrize("number", [10, 60])
def test_the_geometric_deviation_and_its_interval(spread, number):
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(400):
        values = np.exp(1.0 + spread * rng.standard_normal(number))
        value, (low, high) = geometric_deviation(values, np.ones(number), independent)
        assert low < value < high
        held += low <= math.exp(spread) <= high
    assert 0.925 <= held / 400 <= 0.975


def test_the_interval_of_the_deviation_is_that_of_its_equation():
    """Bonett's eq. 6 written out, for the logarithms 1...9: kurtosis about the middle 5.

    The trimmed mean of a symmetric sample is its mean.
    """
    values = np.arange(1.0, 10.0)
    deviation, (low, high) = geometric_deviation(np.exp(values), np.ones(9), independent)
    variance = values.var(ddof=1)
    kurtosis = 9 * ((values - 5) ** 4).sum() / ((values - 5) ** 2).sum() ** 2
    c = 9 / (9 - 1.959963984540054)
    error = c * math.sqrt((kurtosis - 6 / 9) / 8)
    assert math.log(deviation) == pytest.approx(math.sqrt(variance))
    for limit, sign in ((low, -1), (high, 1)):
        expected = math.sqrt(c * variance * math.exp(sign * 1.959963984540054 * error))
        assert math.log(limit) == pytest.approx(expected)


@given(st.lists(st.floats(0.1, 100.0), min_size=5, max_size=30), st.floats(0.2, 5.0))
def test_the_deviation_does_not_depend_on_the_unit_or_the_order(values, unit):
    sizes = np.array(values)
    value, interval = geometric_deviation(sizes, np.ones(len(sizes)), independent)
    other = geometric_deviation(unit * sizes[::-1], np.ones(len(sizes)), independent)
    assert other[0] == pytest.approx(value, rel=1e-6)
    if interval is not None and other[1] is not None and value > 1.001:
        assert other[1] == pytest.approx(interval, rel=1e-3)


def test_the_forecast_is_of_more_particles(wrap, by_name, fields):
    found = by_name(fields[0])
    more = found["more_objects_for_ecd_mean"]
    mean = found["ecd_mean"]
    assert isinstance(more.value, int)
    half = (mean.ci95[1] - mean.ci95[0]) / 2 / mean.value
    assert math.sqrt((mean.n + more.value) / mean.n) == pytest.approx(half / 0.05, rel=0.25)


def test_a_forecast_comes_true(wrap, by_name):
    """With as many more particles as forecast, the precision asked for is reached."""
    rng = np.random.default_rng(3)

    def field(number):
        places = math.ceil(math.sqrt(number))
        labels = np.zeros((60 * places, 60 * places), dtype=np.int32)
        for index in range(number):
            side = int(np.clip(10 * np.exp(0.4 * rng.standard_normal()), 2, 50))
            row, col = (60 * position + 5 for position in divmod(index, places))
            labels[row : row + side, col : col + side] = index + 1
        return by_name(measure(wrap(labels)))

    first = field(80)
    more = first["more_objects_for_ecd_mean"].value
    assert more > 100
    later = field(80 + more)["ecd_mean"]
    assert (later.ci95[1] - later.ci95[0]) / 2 / later.value == pytest.approx(0.05, rel=0.25)


def test_three_objects_of_which_one_decides_give_no_interval_of_the_deviation():
    """One size among many weights: an interval by factors of thousands is none."""
    values, weight = np.array([5.0, 5.0, 50.0]), np.array([1.0, 1.0, 1.0])
    deviation, interval = geometric_deviation(values, weight, lambda residual: 1e6)
    assert deviation > 1
    assert interval is None
