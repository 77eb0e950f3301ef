"""Numbers as printed."""

from __future__ import annotations

import pytest

from nital.report.numbers import display_unit, format_interval, format_length


@pytest.mark.parametrize(
    ("value", "interval", "expected"),
    [
        (5.5364, (5.3690, 5.7080), ("5.54", "5.37 – 5.71")),
        (1630.2, (1430.9, 1859.8), ("1630", "1430 – 1860")),
        (0.0123456, (0.0123, 0.0125), ("0.01235", "0.01230 – 0.01250")),
        (100.0, (100.0, 100.0), ("100.0", "100.0 – 100.0")),
        (40.7634, None, ("40.76", "–")),
        (0.0, (0.0, 3.689), ("0.0", "0.0 – 3.7")),
        (0.0, None, ("0", "–")),
        (1.5e-9, (1.4e-9, 1.6e-9), ("1.5e-09", "1.4e-09 – 1.6e-09")),
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
