from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nital.errors import UsageError
from nital.io.units import MICROMETRES, parse_length, parse_pixel_size, to_micrometres


@pytest.mark.parametrize(
    ("unit", "micrometres"),
    [
        ("pm", 1e-6),
        ("Å", 1e-4),
        ("A", 1e-4),
        ("\u212b", 1e-4),
        ("A\u030a", 1e-4),
        ("nm", 1e-3),
        ("NM", 1e-3),
        ("\u00b5m", 1.0),
        ("\u03bcm", 1.0),
        ("um", 1.0),
        ("\\u00B5m", 1.0),
        ("Âµm", 1.0),
        ("micron", 1.0),
        (" microns ", 1.0),
        ("mm", 1e3),
        ("cm", 1e4),
        ("m", 1e6),
        ("inch", 25400.0),
    ],
)
def test_units_become_micrometres(unit: str, micrometres: float) -> None:
    assert to_micrometres(2.0, unit) == pytest.approx(2 * micrometres)


@pytest.mark.parametrize("unit", ["", "px", "pixel", "1/nm", "?m", "a", "kV"])
def test_what_is_no_length_has_no_micrometres(unit: str) -> None:
    assert to_micrometres(1.0, unit) is None


@pytest.mark.parametrize(
    ("text", "micrometres"),
    [
        ("12.5nm", 0.0125),
        ("12,5 nm", 0.0125),
        ("0.5um", 0.5),
        (" 0.5 µm ", 0.5),
        ("1e-3mm", 1.0),
        ("1.2E-9m", 0.0012),
        (".5um", 0.5),
        ("24pm", 24e-6),
        ("1 inch", 25400),
    ],
)
def test_pixel_size_from_the_command_line(text: str, micrometres: float) -> None:
    size = parse_pixel_size(text)
    assert size.value == pytest.approx(micrometres, rel=1e-12)
    assert size.source == "--pixel-size"
    assert size.alternatives == ()


@pytest.mark.parametrize(
    "text", ["", "12.5", "nm", "12.5 px", "-1nm", "0nm", "1e999nm", "nan nm", "12.5nm2", "1 2 nm"]
)
def test_a_bad_pixel_size_names_the_allowed_forms(text: str) -> None:
    with pytest.raises(UsageError, match=r"12\.5nm.*0\.5um.*nm, um, mm") as caught:
        parse_pixel_size(text)
    assert repr(text) in str(caught.value)


@given(
    st.floats(min_value=1e-6, max_value=1e6),
    st.sampled_from([unit for unit in sorted(MICROMETRES) if unit != "in"]),
)
@settings(max_examples=50, derandomize=True)
def test_any_number_with_any_unit_is_read_back(value: float, unit: str) -> None:
    assert parse_length(f"{value!r} {unit}") == pytest.approx(value * MICROMETRES[unit])
