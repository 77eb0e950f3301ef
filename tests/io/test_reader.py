from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import nital
from nital.errors import InputError, UsageError
from nital.io import IMAGE_SUFFIXES, read
from nital.micrograph import PixelSize


def test_what_is_recorded(tmp_path: Path, noise: NDArray[np.uint8]) -> None:
    path = tmp_path / "steel 3.png"
    Image.fromarray(noise).save(path)
    micrograph = nital.read(str(path), pixel_size="0.4444um")
    assert micrograph.name == "steel 3"
    assert micrograph.path == path
    assert micrograph.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert micrograph.pixel_size == PixelSize(0.4444, "--pixel-size")
    assert micrograph.metadata == {"format": "PNG"}
    assert micrograph.modality is None
    assert micrograph.data_bar_row is None
    assert micrograph.warnings == ()


def test_a_pixel_size_object_keeps_its_source(tmp_path: Path, noise: NDArray[np.uint8]) -> None:
    Image.fromarray(noise).save(tmp_path / "a.png")
    size = PixelSize(2.0, "stage micrometer")
    assert read(tmp_path / "a.png", pixel_size=size).pixel_size == size


def test_a_bad_pixel_size_is_told_before_the_file_is_opened(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'12'"):
        read(tmp_path / "missing.tif", pixel_size="12")


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_an_empty_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"empty{suffix}"
    path.touch()
    with pytest.raises(InputError, match=r"empty\.\w+: the file is empty"):
        read(path)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.tif: there is no such file"):
        read(tmp_path / "no.tif")
    (tmp_path / "folder.tif").mkdir()
    with pytest.raises(InputError, match=r"folder\.tif: is a folder"):
        read(tmp_path / "folder.tif")


@pytest.mark.parametrize("name", ["notes.docx", "image"])
def test_an_unknown_suffix_names_the_known_ones(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(InputError, match=r"\.tif \.tiff .*\.dm3 \.dm4 \.emd .*\.ser"):
        read(tmp_path / name)


def test_text_named_tif(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.tif").write_text("These are notes.\n" * 20)
    with pytest.raises(InputError, match=r"notes\.tif: cannot be read as TIFF") as caught:
        read(tmp_path / "notes.tif")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything"
)
def test_a_file_without_read_permission(tmp_path: Path, noise: NDArray[np.uint8]) -> None:
    path = tmp_path / "secret.png"
    Image.fromarray(noise).save(path)
    path.chmod(0)
    with pytest.raises(InputError, match=r"secret\.png: no permission to read it"):
        read(path)


@pytest.mark.parametrize("shape", [(1, 1), (1, 10_000), (10_000, 1), (3, 2)])
def test_tiny_and_thin_images(tmp_path: Path, shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).random(shape)
    np.save(tmp_path / "thin.npy", pixels)
    assert read(tmp_path / "thin.npy").shape == shape


def test_importing_the_package_loads_no_decoder() -> None:
    code = (
        "import sys, nital.io; "
        "print([m for m in ('tifffile', 'PIL', 'imagecodecs', 'scipy', 'skimage', 'pandas', "
        "'matplotlib', 'rsciio') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
