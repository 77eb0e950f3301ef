"""HyperSpy's zarr files, which are folders or zip archives, in the structure of its writer.

rosettasciio writes them with zarr 2 alone, so they are written here by zarr 3 in version 2.
"""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nital.errors import InputError
from nital.io import read
from nital.run.inputs import find_inputs

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("rsciio", "zarr")),
    reason="needs the extra [em]",
)


def write_zspy(path: Path, pixels: NDArray[Any], units: str) -> Path:
    import zarr

    root = zarr.open_group(path, mode="w", zarr_format=2)
    root.attrs.update({"file_format": "ZSpy", "file_format_version": "3.3"})
    signal = root.create_group("Experiments").create_group("HAADF")
    signal.attrs.update({"package": "hyperspy", "package_version": "2.3"})
    signal.create_array("data", data=pixels, chunks=(64, 64))
    for index, size in enumerate(pixels.shape):
        signal.create_group(f"axis-{index}").attrs.update(
            {
                "_type": "UniformDataAxis",
                "index_in_array": index,
                "is_binned": False,
                "name": "yx"[index],
                "navigate": False,
                "offset": 0.0,
                "scale": 0.5,
                "size": size,
                "units": units,
            }
        )
    for name in ("learning_results", "metadata", "original_metadata"):
        signal.create_group(name)
    signal["metadata"].create_group("General").attrs["title"] = "HAADF"
    signal.create_group("attributes").attrs.update({"_lazy": False, "ragged": False})
    return path


@pytest.mark.parametrize("name", ["folder.zspy", "zip.zspy"])
@pytest.mark.parametrize(("units", "expected"), [("nm", 5e-4), ("µm", 0.5), ("1/nm", None)])
def test_folder_and_archive(
    tmp_path: Path, noise: NDArray[np.uint8], name: str, units: str, expected: float | None
) -> None:
    path = write_zspy(tmp_path / "folder.zspy", noise, units)
    if name != path.name:
        path = Path(shutil.make_archive(str(tmp_path / "zip"), "zip", path)).rename(tmp_path / name)
    micrograph = read(path)
    np.testing.assert_array_equal(micrograph.pixels, noise)
    if expected is None:
        assert micrograph.pixel_size is None
        assert "not a length" in micrograph.warnings[0]
    else:
        assert micrograph.pixel_size is not None
        assert micrograph.pixel_size.value == pytest.approx(expected)
        assert micrograph.pixel_size.source == "zspy calibration"


def test_the_hash_is_that_of_all_its_files(tmp_path: Path, noise: NDArray[np.uint8]) -> None:
    one = write_zspy(tmp_path / "one.zspy", noise, "nm")
    two = shutil.copytree(one, tmp_path / "two.zspy")
    first = read(one).sha256
    assert first == read(two).sha256
    write_zspy(two, noise[::-1].copy(), "nm")
    assert read(two).sha256 != first


def test_a_folder_of_images_may_hold_them(tmp_path: Path, noise: NDArray[np.uint8]) -> None:
    path = write_zspy(tmp_path / "one.zspy", noise, "nm")
    assert find_inputs([str(tmp_path)]).paths == (path,)
    assert find_inputs([str(path)]).paths == (path,)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "bad.zspy").mkdir()
    with pytest.raises(InputError, match=r"bad\.zspy: cannot be read as \.zspy"):
        read(tmp_path / "bad.zspy")
