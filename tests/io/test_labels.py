from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from nital.errors import InputError
from nital.io import read_labels, read_pixel_size

LABELS = np.array([[0, 1, 1], [2, 2, 300]])


@pytest.mark.parametrize("dtype", ["u2", "i2", "u4", "i4", "i8", "f4", "f8"])
@pytest.mark.parametrize("suffix", [".tif", ".npy"])
def test_integers_and_integral_floats(tmp_path: Path, dtype: str, suffix: str) -> None:
    path = tmp_path / f"labels{suffix}"
    values = LABELS.astype(dtype)
    if suffix == ".npy":
        np.save(path, values)
    else:
        tifffile.imwrite(path, values)
    labels = read_labels(path)
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, LABELS)


def test_sixteen_bit_and_palette_png(tmp_path: Path) -> None:
    Image.fromarray(LABELS.astype(np.uint16)).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "deep.png"), LABELS)
    small = (LABELS % 256).astype(np.uint8)
    image = Image.fromarray(small, mode=None).convert("P")
    image.putpalette(np.random.default_rng(0).integers(0, 255, 768, dtype=np.uint8).tobytes())
    image.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "palette.png"), small)


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_a_mask_keeps_its_ones_whatever_is_shown_as_white(tmp_path: Path, photometric: str) -> None:
    mask = LABELS > 1
    tifffile.imwrite(tmp_path / "mask.tif", mask, photometric=photometric)
    np.testing.assert_array_equal(read_labels(tmp_path / "mask.tif"), mask.astype(int))


def test_labels_encoded_as_grey_rgb(tmp_path: Path) -> None:
    small = (LABELS % 256).astype(np.uint8)
    Image.fromarray(np.stack([small] * 3, -1)).save(tmp_path / "rgb.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "rgb.png"), small)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (LABELS + 0.5, "holds fractions or NaN"),
        (np.where(LABELS > 1, np.nan, LABELS), "holds fractions or NaN"),
        (LABELS - 1, "labels must lie between 0 and 2147483647"),
        (LABELS.astype(np.int64) << 40, "labels must lie between 0 and 2147483647"),
        (np.dstack([LABELS, LABELS + 1, LABELS]), "is not a label image"),
        (LABELS.astype(complex), "is not a label image"),
        (np.zeros((0, 3), int), "is not a label image"),
    ],
)
def test_what_is_no_label_image(tmp_path: Path, values: NDArray[Any], message: str) -> None:
    np.save(tmp_path / "bad.npy", values)
    with pytest.raises(InputError, match=rf"bad\.npy: .*{message}") as caught:
        read_labels(tmp_path / "bad.npy")
    assert "\n" not in str(caught.value)


def test_jpeg_and_stacks_are_refused(tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "labels.jpg")
    with pytest.raises(InputError, match="JPEG does not keep labels"):
        read_labels(tmp_path / "labels.jpg")
    for name in ("stack.tif", "stack.npy"):
        stack = np.zeros((2, 5, 6), np.uint16)
        if name.endswith("tif"):
            tifffile.imwrite(tmp_path / name, stack, photometric="minisblack")
        else:
            np.save(tmp_path / name, stack)
        with pytest.raises(InputError, match="holds several images"):
            read_labels(tmp_path / name)


def test_the_scale_of_a_label_image(tmp_path: Path) -> None:
    path = tmp_path / "labels.png"
    Image.fromarray(LABELS.astype(np.uint16)).save(path)
    assert read_pixel_size(path) == (None, ())
    path.with_suffix(".toml").write_text('pixel_size = "250 nm"')
    size, warnings = read_pixel_size(path)
    assert size is not None
    assert (size.value, size.source) == (0.25, "sidecar labels.toml")
    assert warnings == ()
