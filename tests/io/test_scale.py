from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nital.io.scale import ScaleCandidate, resolve_scale
from nital.micrograph import PixelSize


def square(value: float, source: str, trusted: bool = True) -> ScaleCandidate:
    return ScaleCandidate(value, value, source, trusted)


def test_nothing_known_is_no_calibration() -> None:
    assert resolve_scale([]) == (None, [])


def test_the_first_trusted_candidate_counts_and_close_ones_are_silent() -> None:
    size, warnings = resolve_scale([square(0.0125, "a"), square(0.01255, "b")])
    assert size == PixelSize(0.0125, "a")
    assert warnings == []


def test_disagreement_above_one_percent_is_listed_and_warned() -> None:
    size, warnings = resolve_scale([square(0.0125, "a"), square(0.025, "b")])
    assert size == PixelSize(0.0125, "a", ((0.025, "b"),))
    (warning,) = warnings
    assert "0.0125 um by a" in warning
    assert "0.025 um by b" in warning
    assert "--pixel-size" in warning


def test_an_untrusted_candidate_is_never_chosen() -> None:
    size, warnings = resolve_scale([square(0.5, "TIFF resolution tags", trusted=False)])
    assert size is None
    assert "--pixel-size 0.5um" in warnings[0]


def test_an_untrusted_candidate_is_an_alternative_without_a_warning() -> None:
    size, warnings = resolve_scale([square(1.0, "a", trusted=False), square(2.0, "b")])
    assert size == PixelSize(2.0, "b", ((1.0, "a"),))
    assert warnings == []


def test_pixels_that_are_not_square_are_no_calibration() -> None:
    size, warnings = resolve_scale([ScaleCandidate(0.5, 0.6, "FEI tag 34682")])
    assert size is None
    assert "not square" in warnings[0]
    assert "--pixel-size" in warnings[0]


def test_pixels_square_within_one_percent_are_taken() -> None:
    size, _ = resolve_scale([ScaleCandidate(0.5, 0.5049, "x")])
    assert size == PixelSize(0.5, "x")


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_sizes_are_dropped(value: float) -> None:
    assert resolve_scale([square(value, "a"), square(1.0, "b")])[0] == PixelSize(1.0, "b")


def test_the_users_size_overrides_and_keeps_the_others_as_alternatives() -> None:
    given_size = PixelSize(0.3, "--pixel-size")
    size, warnings = resolve_scale([square(0.1, "a"), square(0.3001, "b")], given_size)
    assert size == PixelSize(0.3, "--pixel-size", ((0.1, "a"),))
    assert warnings == []


@given(
    st.lists(st.floats(min_value=1e-5, max_value=1e3), min_size=1, max_size=5),
    st.floats(min_value=1e-3, max_value=1e3),
)
@settings(max_examples=50, derandomize=True)
def test_the_choice_does_not_depend_on_the_unit(values: list[float], factor: float) -> None:
    plain, _ = resolve_scale([square(value, str(i)) for i, value in enumerate(values)])
    scaled, _ = resolve_scale([square(value * factor, str(i)) for i, value in enumerate(values)])
    assert plain is not None
    assert scaled is not None
    assert scaled.value == pytest.approx(plain.value * factor)
    assert scaled.source == plain.source == "0"
