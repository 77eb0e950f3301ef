from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nital.errors import InputError
from nital.io.pixels import to_grey, to_supported


def test_not_finite_becomes_the_median_with_a_warning() -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    values[0, 0], values[1, 1], values[2, 2] = np.nan, np.inf, -np.inf
    pixels, warnings = to_supported(values, "x")
    finite = [1, 2, 3, 4, 6, 7, 8, 9, 11]
    assert pixels[0, 0] == pixels[1, 1] == pixels[2, 2] == np.median(finite)
    assert pixels[2, 3] == 11
    assert warnings == [
        "3 of 12 pixels are NaN or infinite; they were set to the median of the others"
    ]


def test_no_finite_pixel_is_refused() -> None:
    with pytest.raises(InputError, match=r"a\.npy: no pixel is finite"):
        to_supported(np.full((3, 3), np.nan), "a.npy")


@pytest.mark.parametrize("value", [0, 7.5, -1e-30])
def test_a_constant_image_is_legal_with_a_warning(value: float) -> None:
    pixels, warnings = to_supported(np.full((3, 3), value), "x")
    assert np.all(pixels == np.float32(value))
    assert "same value" in warnings[0]


@pytest.mark.parametrize("scale", [1e-9, 1e-20, 1.0, 1e9, 1e30])
def test_a_small_or_large_range_survives(scale: float) -> None:
    values = np.linspace(0, scale, 256).reshape(16, 16)
    pixels, warnings = to_supported(values, "x")
    assert np.unique(pixels).size == 256
    np.testing.assert_allclose(pixels, values, rtol=1e-6)
    assert warnings == []


@pytest.mark.parametrize(("offset", "scale"), [(0, 1e-45), (0, 1e300), (1e9, 1.0), (-1, 1e-9)])
def test_a_range_that_float32_cannot_hold_is_stretched(offset: float, scale: float) -> None:
    values = offset + np.linspace(0, scale, 256).reshape(16, 16)
    pixels, warnings = to_supported(values, "x")
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels.ravel(), np.linspace(0, 1, 256), atol=1e-3)
    assert "stretched to 0...1" in warnings[0]


@given(
    arrays(
        np.float64,
        (4, 5),
        elements=st.floats(allow_nan=True, allow_infinity=True, width=64),
    )
)
@settings(max_examples=80, derandomize=True)
def test_any_floats_become_finite_and_keep_their_order(values: np.ndarray) -> None:
    finite = np.isfinite(values)
    if not finite.any():
        with pytest.raises(InputError):
            to_supported(values, "x")
        return
    pixels, _ = to_supported(values, "x")
    assert pixels.dtype == np.float32
    assert np.isfinite(pixels).all()
    order = np.argsort(values[finite])
    assert np.all(np.diff(pixels[finite][order]) >= 0)


def test_jpeg_noise_in_the_channels_is_still_grey() -> None:
    grey = np.full((4, 4, 3), 100, np.uint8)
    grey[0, 0] = (101, 100, 98)
    pixels, warnings = to_grey(grey, "x")
    assert pixels[1, 1] == 100
    assert warnings == []


def test_float_colour_keeps_floats() -> None:
    colour = np.zeros((2, 2, 3))
    colour[..., 1] = 0.5
    pixels, warnings = to_grey(colour, "x")
    np.testing.assert_allclose(pixels, 0.7152 * 0.5, rtol=1e-6)
    assert len(warnings) == 1
