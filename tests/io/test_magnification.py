"""A pixel size that contradicts the magnification is named together with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nital
from nital.io.magnification import (
    contradiction,
    magnification_of,
    parse_magnification,
    with_given_magnification,
)
from nital.micrograph import Micrograph, PixelSize


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("50000", 50_000),
        ("x50,000", 50_000),
        ("10.00 K X", 10_000),
        ("10k", 10_000),
        ("1.5kx", 1500),
        ("", None),
        ("high", None),
        ("0", None),
    ],
)
def test_magnifications_as_files_state_them(text: str, value: float | None) -> None:
    assert parse_magnification(text) == value


def test_a_usual_picture_contradicts_nothing() -> None:
    # 1280 pixels of 99.2 nm are 127 mm wide at 1000x: a Polaroid.
    assert contradiction(0.0992, 1280, 1000) is None
    assert contradiction(0.0992, 1280, 3000) is None


def test_a_contradiction_names_both() -> None:
    warning = contradiction(0.0992, 1280, 100_000)
    assert warning is not None
    assert "0.0992 um" in warning
    assert "100,000x" in warning
    assert contradiction(0.0992, 1280, 10) is not None


@pytest.mark.parametrize(("nanometres", "warned"), [("9.92", False), ("992", True)])
def test_reading_an_image_with_a_sidecar(tmp_path: Path, nanometres: str, warned: bool) -> None:
    Image.fromarray(np.zeros((96, 1280), dtype=np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text(
        f"[SemImageFile]\nPixelSize={nanometres}\nMagnification=10000\nDataSize=1280x96\n"
    )
    warnings = nital.read(tmp_path / "a.png").warnings
    assert any("contradicts the magnification 10,000x" in w for w in warnings) is warned


def test_a_scale_given_by_hand_is_checked_too(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((96, 1280), dtype=np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text(
        "[SemImageFile]\nPixelSize=9.92\nMagnification=10000\nDataSize=1280x96\n"
    )
    warnings = nital.read(tmp_path / "a.png", pixel_size="3um").warnings
    assert any("3 um contradicts" in w for w in warnings)


def test_a_magnification_given_by_hand_is_compared_with_the_pixel_size() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (64, 1280)).astype(np.uint8)
    micrograph = Micrograph(pixels, PixelSize(0.0992, "by hand"))
    usual = with_given_magnification(micrograph, 1000)
    wrong = with_given_magnification(micrograph, 100_000)
    assert usual.warnings == ()
    assert "0.0992 um contradicts the magnification 100,000x that was given" in wrong.warnings[0]
    assert with_given_magnification(Micrograph(pixels), 100_000).warnings == ()


def test_the_magnification_of_a_file_is_known_unless_one_is_given(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((96, 1280), dtype=np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text(
        "[SemImageFile]\nPixelSize=9.92\nMagnification=10000\nDataSize=1280x96\n"
    )
    micrograph = nital.read(tmp_path / "a.png")
    assert micrograph.metadata["magnification"] == 10_000
    assert magnification_of(micrograph, None) == 10_000
    assert magnification_of(micrograph, 300.0) == 300
    (tmp_path / "a.txt").unlink()
    assert magnification_of(nital.read(tmp_path / "a.png"), None) is None
