from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from nital.errors import InputError
from nital.io import read

Pixels = NDArray[np.uint8]


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".PNG"])
@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_lossless_grey(tmp_path: Path, noise: Pixels, suffix: str, mode: str) -> None:
    path = tmp_path / f"image{suffix}"
    Image.fromarray(noise).convert(mode).save(path)
    micrograph = read(path)
    assert micrograph.pixels.dtype == np.uint8
    np.testing.assert_array_equal(micrograph.pixels, noise)
    assert micrograph.warnings == ()


@pytest.mark.parametrize("suffix", [".png", ".bmp"])
def test_binary(tmp_path: Path, noise: Pixels, suffix: str) -> None:
    Image.fromarray(noise > 99).save(tmp_path / f"b{suffix}")
    np.testing.assert_array_equal(read(tmp_path / f"b{suffix}").pixels, (noise > 99) * 255)


def test_sixteen_bits_stay_sixteen(tmp_path: Path, noise: Pixels) -> None:
    deep = noise.astype(np.uint16) * 211 + 3
    Image.fromarray(deep).save(tmp_path / "grey.png")
    (tmp_path / "rgb.png").write_bytes(imagecodecs.png_encode(np.stack([deep] * 3, -1)))
    for name in ("grey.png", "rgb.png"):
        micrograph = read(tmp_path / name)
        assert micrograph.pixels.dtype == np.uint16
        np.testing.assert_array_equal(micrograph.pixels, deep)
        assert micrograph.warnings == ()


def test_alpha_is_dropped(tmp_path: Path, noise: Pixels) -> None:
    image = Image.fromarray(noise)
    for mode in ("LA", "RGBA"):
        layered = image.convert(mode)
        layered.putalpha(Image.fromarray(255 - noise))
        layered.save(tmp_path / f"{mode}.png")
        np.testing.assert_array_equal(read(tmp_path / f"{mode}.png").pixels, noise)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_grey_jpeg(tmp_path: Path, mode: str) -> None:
    ramp = np.tile(np.arange(128, dtype=np.uint8), (96, 1))
    Image.fromarray(ramp).convert(mode).save(tmp_path / "image.jpg", quality=95)
    micrograph = read(tmp_path / "image.jpg")
    assert np.abs(micrograph.pixels.astype(int) - ramp).max() <= 3
    assert micrograph.warnings == ()


def test_colour(tmp_path: Path) -> None:
    Image.new("RGB", (20, 10), (200, 40, 40)).save(tmp_path / "red.png")
    micrograph = read(tmp_path / "red.png")
    assert np.all(micrograph.pixels == round(0.2126 * 200 + 0.7874 * 40))
    assert "in colour" in micrograph.warnings[0]


def test_very_many_pixels_are_no_attack(tmp_path: Path) -> None:
    Image.new("L", (50_000, 2_000)).save(tmp_path / "large.png")
    before = Image.MAX_IMAGE_PIXELS
    assert read(tmp_path / "large.png").shape == (2_000, 50_000)
    assert before == Image.MAX_IMAGE_PIXELS


def test_a_cut_png(tmp_path: Path, noise: Pixels) -> None:
    path = tmp_path / "cut.png"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError, match=r"cut\.png: cannot be read"):
        read(path)


@pytest.mark.parametrize("name", ["image.png", "image.jpg", "image.bmp"])
def test_text_with_an_image_suffix(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("this is text")
    with pytest.raises(InputError, match=r"image\.\w+: cannot be read as PNG, JPEG or BMP"):
        read(tmp_path / name)


class TestArrays:
    def test_npy_and_npz(self, tmp_path: Path, noise: Pixels) -> None:
        np.save(tmp_path / "a.npy", noise)
        np.savez_compressed(tmp_path / "a.npz", noise)
        for name in ("a.npy", "a.npz"):
            np.testing.assert_array_equal(read(tmp_path / name).pixels, noise)

    def test_stack_and_colour(self, tmp_path: Path, noise: Pixels) -> None:
        np.save(tmp_path / "stack.npy", np.stack([noise, noise[::-1]]))
        micrograph = read(tmp_path / "stack.npy", page=1)
        np.testing.assert_array_equal(micrograph.pixels, noise[::-1])
        assert "2 images; page 0" in read(tmp_path / "stack.npy").warnings[0]
        np.save(tmp_path / "rgb.npy", np.stack([noise] * 3, -1))
        np.testing.assert_array_equal(read(tmp_path / "rgb.npy").pixels, noise)

    @pytest.mark.parametrize(
        ("array", "message"),
        [
            (np.zeros(5), "not one grey or RGB image"),
            (np.zeros((2, 3, 4, 5)), "not one grey or RGB image"),
            (np.zeros((0, 7)), "the image is empty"),
            (np.zeros((4, 4), complex), "not grey levels"),
            (np.array([["a", "b"]]), "not grey levels"),
            (np.array([[{}, 1]], dtype=object), "cannot be read as a NumPy array"),
        ],
    )
    def test_what_is_no_image(
        self, tmp_path: Path, array: NDArray[np.generic], message: str
    ) -> None:
        np.save(tmp_path / "bad.npy", array, allow_pickle=True)
        with pytest.raises(InputError, match=rf"bad\.npy: .*{message}"):
            read(tmp_path / "bad.npy")

    def test_several_arrays(self, tmp_path: Path, noise: Pixels) -> None:
        np.savez(tmp_path / "two.npz", a=noise, b=noise)
        with pytest.raises(InputError, match=r"two\.npz: holds 2 arrays"):
            read(tmp_path / "two.npz")

    @pytest.mark.parametrize("name", ["text.npy", "text.npz"])
    def test_text(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_text("this is text")
        with pytest.raises(InputError, match="is not a NumPy file"):
            read(tmp_path / name)
