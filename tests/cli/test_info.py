from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from nital.cli.info import info_command

INI = "[System]\nSystemType=Helios\n[Scan]\nPixelWidth=2e-9\nPixelHeight=2e-9\n" + (
    "[Image]\nResolutionX=128\nResolutionY=84\n"
)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(3, 250, (96, 128), dtype=np.uint8)
    path = tmp_path / "steel.tif"
    description = "ImageJ=1.54f\nunit=um\n"
    tifffile.imwrite(
        path,
        pixels,
        extratags=[(34682, 2, 0, INI, True)],
        metadata=None,
        description=description,
        resolution=(250, 250),
    )
    return path


def test_the_table_says_what_was_read(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert info_command([image], as_json=False) == 0
    out, err = capsys.readouterr()
    plain = " ".join(out.split())
    for fact in (
        "96 rows x 128 columns",
        "uint8, 3 to 249",
        "2 nm (FEI tag 34682 [Scan])",
        "192 nm x 256 nm",
        "4 nm (ImageJ unit um)",
        "rows 84 to 95",
        "modality SEM",
        "microscope FEI Helios",
        "override it with --pixel-size",
        "SHA-256",
    ):
        assert fact in plain
    assert err == ""


def test_json_is_complete_and_valid(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = image.with_name("no.tif")
    assert info_command([image, missing], as_json=True) == 1
    out, err = capsys.readouterr()
    first, second = json.loads(out)
    assert first["shape"] == [96, 128]
    assert first["dtype"] == "uint8"
    assert first["grey_range"] == [3.0, 249.0]
    assert first["pixel_size"]["value"] == pytest.approx(0.002)
    assert first["pixel_size"]["unit"] == "um"
    assert first["pixel_size"]["source"] == "FEI tag 34682 [Scan]"
    assert first["pixel_size"]["alternatives"][0]["source"] == "ImageJ unit um"
    assert first["data_bar_row"] == 84
    assert len(first["sha256"]) == 64
    assert second == {"path": str(missing), "error": f"{missing}: there is no such file"}
    assert "no.tif" in err


def test_without_a_scale_the_remedy_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "a.npy", np.random.default_rng(0).random((30, 40)))
    assert info_command([tmp_path / "a.npy"], as_json=False) == 0
    assert "state it with --pixel-size" in " ".join(capsys.readouterr().out.split())


def test_a_failure_does_not_stop_the_others(
    image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = image.with_name("bad.tif")
    bad.write_text("text")
    assert info_command([bad, image], as_json=False) == 1
    out, err = capsys.readouterr()
    assert "96 rows x 128 columns" in out
    assert err.startswith(f"error: {bad}: cannot be read as TIFF")
    assert err.count("\n") == 1


def test_names_with_brackets_are_shown_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert info_command([tmp_path / "[red]a.tif"], as_json=False) == 1
    assert "[red]a.tif: there is no such file" in capsys.readouterr().err
