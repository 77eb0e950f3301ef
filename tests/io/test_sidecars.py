from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from nital.io import read


@pytest.fixture
def image(tmp_path: Path, noise: NDArray[np.uint8]) -> Path:
    path = tmp_path / "field 1.tif"
    Image.fromarray(noise).save(path)
    return path


JEOL = (
    "$CM_FORMAT JEOL/EO\n$CM_VERSION 1.0\n$CM_INSTRUMENT 7600F\n$CM_MAG 10000\n"
    "$CM_FULL_SIZE {size}\n$$SM_MICRON_BAR 80\n$$SM_MICRON_MARKER {marker}\n"
)


@pytest.mark.parametrize(
    ("marker", "expected"), [("1um", 0.0125), ("100nm", 0.00125), ("1 µm", 0.0125), ("1mm", 12.5)]
)
def test_jeol(image: Path, marker: str, expected: float) -> None:
    image.with_suffix(".txt").write_text(JEOL.format(size="128 80", marker=marker))
    micrograph = read(image)
    assert micrograph.pixel_size is not None
    assert micrograph.pixel_size.value == pytest.approx(expected)
    assert micrograph.pixel_size.source == "JEOL sidecar, micron bar"
    assert micrograph.data_bar_row == 80
    assert micrograph.modality == "SEM"
    assert micrograph.metadata["microscope"] == "JEOL 7600F"


def test_jeol_of_another_width_is_not_used(image: Path) -> None:
    image.with_suffix(".txt").write_text(JEOL.format(size="1280 960", marker="1um"))
    micrograph = read(image)
    assert micrograph.pixel_size is None
    assert micrograph.data_bar_row is None
    assert "1280 columns but the image has 128" in micrograph.warnings[0]


HITACHI = (
    "[SemImageFile]\r\nInstructName=SU8000\r\nDataSize=128x96\r\nPixelSize={size}\r\n"
    "Magnification=50000\r\n"
)


@pytest.mark.parametrize("encoding", ["ascii", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("size", ["24.8", "24.8 nm", "0.0248 um"])
def test_hitachi(image: Path, encoding: str, size: str) -> None:
    image.with_suffix(".txt").write_text(HITACHI.format(size=size), encoding=encoding)
    micrograph = read(image)
    assert micrograph.pixel_size is not None
    assert micrograph.pixel_size.value == pytest.approx(0.0248)
    assert micrograph.pixel_size.source == "Hitachi sidecar, PixelSize"
    assert micrograph.data_bar_row is None
    assert micrograph.metadata["microscope"] == "Hitachi SU8000"


def test_hitachi_of_another_width_is_not_used(image: Path) -> None:
    text = HITACHI.format(size="24.8").replace("128x96", "1280x960")
    image.with_suffix(".txt").write_text(text)
    micrograph = read(image)
    assert micrograph.pixel_size is None
    assert "1280 columns but the image has 128" in micrograph.warnings[0]


def test_hitachi_transmission_microscope(image: Path) -> None:
    text = HITACHI.format(size="0.35").replace("SemImageFile", "TemImageFile")
    image.with_suffix(".txt").write_text(text)
    micrograph = read(image)
    assert micrograph.pixel_size is not None
    assert micrograph.pixel_size.value == pytest.approx(0.35e-3)
    assert micrograph.modality == "TEM"


@pytest.mark.parametrize("name", ["field 1-tif.hdr", "field 1.hdr"])
def test_tescan(image: Path, name: str) -> None:
    text = "[MAIN]\nDevice=VEGA3\nPixelSizeX=5e-8\nPixelSizeY=5e-8\nImageStripSize=6\n[SEM]\nHV=1\n"
    image.with_name(name).write_text(text)
    micrograph = read(image)
    assert micrograph.pixel_size is not None
    assert micrograph.pixel_size.value == pytest.approx(0.05)
    assert micrograph.pixel_size.source == f"TESCAN sidecar {name}"
    assert micrograph.data_bar_row == 90


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".json", '{"pixel_size": "12.5 nm"}'),
        (".json", '{"pixel_size": 12.5, "unit": "nm"}'),
        (".json", '{"pixel_size": 12.5, "pixel_size_unit": "nm"}'),
        (".json", '{"pixel_size": {"value": 0.0125, "unit": "\\u00b5m"}}'),
        (".json", '{"pixel_size_um": 0.0125, "sample": 3}'),
        (".toml", 'pixel_size = "12.5nm"'),
        (".toml", "pixel_size_nm = 12.5"),
    ],
)
def test_ones_own_sidecar(image: Path, suffix: str, text: str) -> None:
    image.with_suffix(suffix).write_text(text)
    size = read(image).pixel_size
    assert size is not None
    assert size.value == pytest.approx(0.0125)
    assert size.source == f"sidecar field 1{suffix}"


def test_ones_own_sidecar_comes_before_the_makers(image: Path) -> None:
    image.with_suffix(".txt").write_text(HITACHI.format(size=20))
    image.with_suffix(".toml").write_text("pixel_size_nm = 10")
    micrograph = read(image)
    assert micrograph.pixel_size is not None
    assert micrograph.pixel_size.value == pytest.approx(0.01)
    assert micrograph.pixel_size.alternatives == (
        (pytest.approx(0.02), "Hitachi sidecar, PixelSize"),
    )
    assert len(micrograph.warnings) == 1


@pytest.mark.parametrize("text", ['{"pixel_size": 12.5}', '{"pixel_size": "-3 nm"}'])
def test_a_size_without_a_unit_is_ignored_with_a_warning(image: Path, text: str) -> None:
    image.with_suffix(".json").write_text(text)
    micrograph = read(image)
    assert micrograph.pixel_size is None
    assert 'pixel_size = "12.5 nm"' in micrograph.warnings[0]


@pytest.mark.parametrize(
    ("suffix", "text"), [(".json", '{"a": 1}'), (".json", "[1]"), (".txt", "my notes = good")]
)
def test_files_of_another_purpose_say_nothing(image: Path, suffix: str, text: str) -> None:
    image.with_suffix(suffix).write_text(text)
    micrograph = read(image)
    assert micrograph.pixel_size is None
    assert micrograph.warnings == ()


def test_a_damaged_sidecar_is_a_warning(image: Path) -> None:
    image.with_suffix(".json").write_text("{")
    assert "field 1.json cannot be parsed" in read(image).warnings[0]


def test_the_users_size_silences_doubts_about_the_others(image: Path) -> None:
    image.with_suffix(".txt").write_text(JEOL.format(size="1280 960", marker="1um"))
    micrograph = read(image, pixel_size="30nm")
    assert micrograph.pixel_size is not None
    assert micrograph.pixel_size.value == pytest.approx(0.03)
    assert micrograph.pixel_size.source == "--pixel-size"
    assert len(micrograph.pixel_size.alternatives) == 1
    assert micrograph.warnings == ()
