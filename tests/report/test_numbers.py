"""Numbers as printed."""

from __future__ import annotations

import pytest

from nital.report.names import GROUPS, group_of, label_of
from nital.report.numbers import (
    common_units,
    display_unit,
    format_accuracy,
    format_interval,
    format_length,
    headline,
    print_quantity,
)


@pytest.mark.parametrize(
    ("value", "interval", "expected"),
    [
        (5.5364, (5.3690, 5.7080), ("5.54", "5.37 – 5.71")),
        (1630.2, (1430.9, 1859.8), ("1630", "1430 – 1860")),
        (0.0123456, (0.0123, 0.0125), ("0.01235", "0.01230 – 0.01250")),
        (100.0, (100.0, 100.0), ("100.0", "100.0 – 100.0")),
        (40.7634, None, ("41", "–")),
        (9.396, None, ("9.4", "–")),
        (345.2, None, ("345", "–")),
        (0.01234, None, ("0.0123", "–")),
        (0.0, (0.0, 3.689), ("0.0", "0.0 – 3.7")),
        (0.0, None, ("0", "–")),
        (1.5e-9, (1.4e-9, 1.6e-9), ("1.5e-09", "1.4e-09 – 1.6e-09")),
        (-0.3766, (-0.435, -0.318), ("−0.377", "−0.435 – −0.318")),
    ],
)
def test_as_many_digits_as_the_interval_carries(value, interval, expected):
    assert format_interval(value, interval) == expected


@pytest.mark.parametrize(
    ("micrometres", "expected"),
    [(0.0125, "12.5 nm"), (1.0, "1 µm"), (0.5, "500 nm"), (2e3, "2 mm"), (6.2e-5, "62 pm")],
)
def test_lengths_in_the_unit_that_suits(micrometres, expected):
    assert format_length(micrometres) == expected


def test_small_lengths_are_printed_in_nanometres():
    assert display_unit("um", 0.033) == ("nm", 1e3)
    assert display_unit("um^2", 0.0033) == ("nm²", 1e6)
    assert display_unit("um", 3.0) == ("µm", 1.0)
    assert display_unit("px", 0.033) == ("px", 1.0)


def test_amounts_are_printed_per_square_micrometre_where_there_are_many():
    assert display_unit("mm^-2", 4.8e6) == ("µm⁻²", 1e-6)
    assert display_unit("mm^-1", 2e4) == ("µm⁻¹", 1e-3)
    assert display_unit("mm^-2", 4000.0) == ("mm⁻²", 1.0)


@pytest.mark.parametrize(
    ("value", "interval", "expected"),
    [
        (50.0, (45.0, 55.0), "10"),
        (50.0, (48.0, 52.0), "4"),
        (1.0, (1.0, 1.0), ""),
        (3.0, None, ""),
        (0.0, (0.0, 3.7), ""),
    ],
)
def test_the_accuracy_is_half_the_interval(value, interval, expected):
    assert format_accuracy(value, interval) == expected


def row(name, value, interval=None, unit="um", phase=None, **more):
    return {"name": name, "value": value, "ci95": interval, "unit": unit, "phase": phase, **more}


def test_all_lengths_of_a_table_are_printed_in_one_unit():
    rows = [row("ecd_d10", 0.02), row("ecd_d50", 0.08, (0.075, 0.085)), row("ecd_d90", 0.13)]
    units = common_units(rows)
    assert print_quantity(rows[1], units) == ("80.0", "75.0 – 85.0", "nm")
    assert print_quantity(rows[2], units) == ("130", "–", "nm")


@pytest.mark.parametrize(
    ("target", "rows", "expected"),
    [
        (
            "grains",
            [row("astm_g_planimetric", 7.02, (6.8, 7.2), "1"), row("lineal_intercept_mean", 28.0)],
            "G 7.02 (6.80 – 7.20)",
        ),
        ("grains", [row("lineal_intercept_mean", 28.0, unit="px")], "mean intercept 28.0 px (–)"),
        (
            "phases",
            [row("phase_fraction", 0.7, None, "1", 1), row("phase_fraction", 0.3, None, "1", 2)],
            "phase 2 30.0 % (–)",
        ),
        ("particles", [row("ecd_d50", 3.0, (2.5, 3.5))], "d50 3.00 µm (2.50 – 3.50)"),
        (
            "layers",
            [row("layer_thickness_mean", 1.0 + n, None, "um", 1, object=n) for n in range(4)],
            "layer 0 1.00 µm (–), layer 1 2.00 µm (–), layer 2 3.00 µm (–), …",
        ),
        ("particles", [], ""),
    ],
)
def test_the_headline_of_a_target(target, rows, expected):
    assert headline({"target": {"value": target}, "quantities": rows}) == expected


@pytest.mark.parametrize("target", ["grains", "phases", "particles", "layers"])
def test_every_quantity_has_a_name_in_print(wrap, voronoi, target):
    labels = voronoi(300, (300, 300)) * (voronoi(70, (300, 300), 1) % 4 > 0)
    for quantity in wrap(labels, scale=0.1, target=target).measure().quantities:
        assert label_of(quantity.name) != quantity.name
        assert group_of(quantity.name) in GROUPS
