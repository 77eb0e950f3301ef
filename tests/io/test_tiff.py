from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from nital.errors import InputError
from nital.io import read

Image = NDArray[np.uint8]


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ("u1", "u1"),
        ("u2", "u2"),
        (">u2", "u2"),
        ("u4", "f4"),
        ("i1", "f4"),
        ("i2", "f4"),
        ("i4", "f4"),
        ("f2", "f4"),
        ("f4", "f4"),
        ("f8", "f4"),
    ],
)
@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
def test_types(
    tmp_path: Path, noise: Image, stored: str, expected: str, compression: str | None
) -> None:
    values = (noise // 2).astype(stored)
    byteorder = ">" if stored.startswith(">") else "<"
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, values, compression=compression, byteorder=byteorder)
    pixels = read(path).pixels
    assert pixels.dtype == np.dtype(expected)
    assert pixels.dtype.isnative
    np.testing.assert_array_equal(pixels, noise // 2)


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_grey_encoded_as_rgb(tmp_path: Path, noise: Image, planar: str) -> None:
    channels = np.stack([noise] * 3, axis=0 if planar == "separate" else -1)
    path = tmp_path / "rgb.tif"
    tifffile.imwrite(path, channels, photometric="rgb", planarconfig=planar)
    micrograph = read(path)
    np.testing.assert_array_equal(micrograph.pixels, noise)
    assert micrograph.warnings == ()


def test_colour_becomes_luminance_with_a_warning(tmp_path: Path) -> None:
    colour = np.zeros((8, 9, 3), np.uint16)
    colour[:4] = (1000, 2000, 3000)
    path = tmp_path / "colour.tif"
    tifffile.imwrite(path, colour, photometric="rgb")
    micrograph = read(path)
    assert micrograph.pixels.dtype == np.uint16
    assert micrograph.pixels[0, 0] == round(0.2126 * 1000 + 0.7152 * 2000 + 0.0722 * 3000)
    assert "luminance" in micrograph.warnings[0]


def test_zero_is_black(tmp_path: Path, noise: Image) -> None:
    for pixels, name in ((255 - noise, "grey"), (noise <= 100, "binary")):
        tifffile.imwrite(tmp_path / f"{name}.tif", pixels, photometric="miniswhite")
    np.testing.assert_array_equal(read(tmp_path / "grey.tif").pixels, noise)
    np.testing.assert_array_equal(read(tmp_path / "binary.tif").pixels, (noise > 100) * 255)


def test_binary(tmp_path: Path, noise: Image) -> None:
    tifffile.imwrite(tmp_path / "binary.tif", noise > 100, photometric="minisblack")
    np.testing.assert_array_equal(read(tmp_path / "binary.tif").pixels, (noise > 100) * 255)


def test_grey_palette(tmp_path: Path, noise: Image) -> None:
    ramp = np.tile(np.arange(255, -1, -1, dtype=np.uint16) * 257, (3, 1))
    tifffile.imwrite(tmp_path / "p.tif", noise, photometric="palette", colormap=ramp)
    micrograph = read(tmp_path / "p.tif")
    assert micrograph.pixels.dtype == np.uint8
    np.testing.assert_array_equal(micrograph.pixels, 255 - noise)
    assert micrograph.warnings == ()


def write_pages(path: Path, pages: list[tuple[Any, int]]) -> Path:
    with tifffile.TiffWriter(path) as writer:
        for pixels, subfile in pages:
            writer.write(pixels, subfiletype=subfile, metadata=None)
    return path


def test_a_thumbnail_is_skipped_silently(tmp_path: Path, noise: Image) -> None:
    path = write_pages(tmp_path / "t.tif", [(noise[::2, ::2], 1), (noise, 0)])
    micrograph = read(path)
    np.testing.assert_array_equal(micrograph.pixels, noise)
    assert micrograph.warnings == ()
    assert micrograph.metadata == {"format": "TIFF", "pages": 2, "page": 1}


def test_an_unmarked_small_page_is_a_thumbnail_too(tmp_path: Path, noise: Image) -> None:
    path = write_pages(tmp_path / "t.tif", [(noise[::4, ::4], 0), (noise, 0)])
    micrograph = read(path)
    np.testing.assert_array_equal(micrograph.pixels, noise)
    assert micrograph.warnings == ()


def test_of_several_pages_the_first_is_read_with_a_warning(tmp_path: Path, noise: Image) -> None:
    path = write_pages(tmp_path / "s.tif", [(noise, 0), (noise[::-1], 0), (noise[:, ::-1], 0)])
    micrograph = read(path)
    np.testing.assert_array_equal(micrograph.pixels, noise)
    assert "3 images; page 0 (96 x 128)" in micrograph.warnings[0]
    chosen = read(path, page=2)
    np.testing.assert_array_equal(chosen.pixels, noise[:, ::-1])
    assert chosen.warnings == ()


@pytest.mark.parametrize("page", [-1, 1, 7])
def test_a_page_that_is_not_there(tmp_path: Path, noise: Image, page: int) -> None:
    path = write_pages(tmp_path / "one.tif", [(noise, 0)])
    with pytest.raises(InputError, match=r"one\.tif: has no page"):
        read(path, page=page)


def test_a_volume_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "volume.tif"
    tifffile.imwrite(path, np.zeros((16, 32, 48), np.uint8), volumetric=True, tile=(16, 16, 16))
    with pytest.raises(InputError, match=r"volume\.tif: page 0 has axes ZYX"):
        read(path)


def test_print_colours_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "print.tif"
    tifffile.imwrite(path, np.zeros((16, 32, 4), np.uint8), photometric="separated")
    with pytest.raises(InputError, match=r"print\.tif: is in print colours"):
        read(path)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("kept", [3, 20, 0.3, 0.7, -7])
def test_a_truncated_file(
    tmp_path: Path,
    noise: Image,
    compression: str | None,
    kept: float,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, noise, compression=compression, rowsperstrip=16)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data)) if 0 < kept < 1 else int(kept)])
    with pytest.raises(InputError, match=r"cut\.tif: .*export it again"):
        read(path)
    assert capfd.readouterr() == ("", "")


def test_random_damage_raises_one_kind_of_error(tmp_path: Path, noise: Image) -> None:
    path = tmp_path / "damaged.tif"
    tifffile.imwrite(path, noise, compression="zlib", rowsperstrip=16)
    data = np.frombuffer(path.read_bytes(), np.uint8)
    rng = np.random.default_rng(3)
    refused = 0
    for _ in range(60):
        damaged = data.copy()
        damaged[rng.integers(0, data.size, 12)] = rng.integers(0, 256, 12)
        damaged[rng.integers(8, 250, 2)] = rng.integers(0, 256, 2)
        path.write_bytes(damaged.tobytes())
        try:
            assert read(path).pixels.ndim == 2
        except InputError:
            refused += 1
    assert refused > 10


def test_wide_strip_and_long_column(tmp_path: Path) -> None:
    strip = np.random.default_rng(0).integers(0, 255, (70, 50_000), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "strip.tif", strip)
    np.testing.assert_array_equal(read(tmp_path / "strip.tif").pixels, strip)
    tifffile.imwrite(tmp_path / "column.tif", strip[:1, :10_000].T)
    assert read(tmp_path / "column.tif").shape == (10_000, 1)
