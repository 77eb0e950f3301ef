"""HDF5 files of USID and of Odemis, written with the structure that their programs write."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nital.errors import InputError
from nital.io import read
from nital.run.inputs import find_inputs

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("rsciio", "h5py")),
    reason="needs the extra [em]",
)

Dimension = tuple[str, str, NDArray[Any]]  # name, unit, values


def add_side(group: Any, name: str, dimensions: list[Dimension], fastest_first: bool) -> Any:
    """The tables of steps and values along rows (position) or columns (spectroscopic)."""
    slow_to_fast = np.meshgrid(*(np.arange(len(d[2])) for d in dimensions), indexing="ij")
    steps = np.array([grid.ravel() for grid in slow_to_fast], np.uint32)
    values = np.array([d[2][row] for d, row in zip(dimensions, steps, strict=True)], np.float32)
    order = range(len(dimensions))[:: -1 if fastest_first else 1]
    found = []
    for ending, table in (("Indices", steps), ("Values", values)):
        table = table[list(order)]
        made = group.create_dataset(
            f"{name}_{ending}", data=table.T if name == "Position" else table
        )
        made.attrs["labels"] = np.array([dimensions[i][0].encode() for i in order])
        made.attrs["units"] = np.array([dimensions[i][1].encode() for i in order])
        found.append(made)
    return found


def write_usid(
    path: Path,
    rows: list[Dimension],
    columns: list[Dimension],
    data: NDArray[Any],
    fastest_first: bool = False,
) -> Path:
    import h5py

    with h5py.File(path, "w") as file:
        group = file.create_group("Measurement_000").create_group("Channel_000")
        main = group.create_dataset("Raw_Data", data=data)
        for name, dimensions in (("Position", rows), ("Spectroscopic", columns)):
            for table in add_side(group, name, dimensions, fastest_first):
                main.attrs[table.name.rpartition("/")[2]] = table.ref
        main.attrs["quantity"], main.attrs["units"] = "Height", "nm"
    return path


def axis(name: str, unit: str, size: int, step: float = 0.5) -> Dimension:
    return name, unit, 3.0 + step * np.arange(size)


NONE: Dimension = ("Arb", "a. u.", np.ones(1))


@pytest.mark.parametrize("fastest_first", [False, True])
def test_a_scanned_image_of_usid(
    tmp_path: Path, noise: NDArray[np.uint8], fastest_first: bool
) -> None:
    """Positions are the pixels, in whichever order the tables name the two directions."""
    height, width = noise.shape
    rows = [axis("Y", "nm", height), axis("X", "nm", width)]
    path = write_usid(tmp_path / "a.h5", rows, [NONE], noise.reshape(-1, 1), fastest_first)
    micrograph = read(path)
    np.testing.assert_array_equal(micrograph.pixels, noise)
    assert micrograph.pixel_size is not None
    assert micrograph.pixel_size.value == pytest.approx(5e-4)
    assert micrograph.pixel_size.source == "USID calibration"
    assert micrograph.warnings == ()


@pytest.mark.parametrize("stated", ["nm", None])
def test_units_of_usid_that_are_not_one_for_each_direction(
    tmp_path: Path, noise: NDArray[np.uint8], stated: str | None
) -> None:
    """What has no unit has no calibration; it is an image all the same."""
    import h5py

    height, width = noise.shape
    rows = [axis("Y", "nm", height), axis("X", "nm", width)]
    path = write_usid(tmp_path / "a.h5", rows, [NONE], noise.reshape(-1, 1))
    with h5py.File(path, "r+") as file:
        attributes = file["Measurement_000/Channel_000/Position_Indices"].attrs
        del attributes["units"]
        if stated is not None:
            attributes["units"] = stated
    micrograph = read(path)
    np.testing.assert_array_equal(micrograph.pixels, noise)
    assert micrograph.pixel_size is None


def test_rows_of_usid_in_any_order(tmp_path: Path, noise: NDArray[np.uint8]) -> None:
    """Each row goes where its steps say, not where it lies."""
    import h5py

    height, width = noise.shape
    rows = [axis("Y", "nm", height), axis("X", "nm", width)]
    path = write_usid(tmp_path / "a.h5", rows, [NONE], noise.reshape(-1, 1))
    with h5py.File(path, "r+") as file:
        group = file["Measurement_000/Channel_000"]
        for name in ("Raw_Data", "Position_Indices", "Position_Values"):
            group[name][...] = np.roll(group[name][()], 7, axis=0)
    np.testing.assert_array_equal(read(path).pixels, noise)


def test_images_along_positions_of_usid(tmp_path: Path, noise: NDArray[np.uint8]) -> None:
    """As HyperSpy's signals are written: the pixels of a frame are its columns."""
    height, width = noise.shape
    frames = np.stack([noise, noise // 2, noise // 3])
    columns = [axis("y", "µm", height), axis("x", "µm", width)]
    path = write_usid(tmp_path / "a.hdf5", [axis("t", "s", 3)], columns, frames.reshape(3, -1))
    micrograph = read(path, page=2)
    np.testing.assert_array_equal(micrograph.pixels, frames[2])
    assert micrograph.pixel_size is not None
    assert micrograph.pixel_size.value == pytest.approx(0.5)
    assert "3 images; page 0" in read(path).warnings[0]


@pytest.mark.parametrize("unit", ["V", "1/nm"])
def test_other_units_of_usid_are_no_length(
    tmp_path: Path, noise: NDArray[np.uint8], unit: str
) -> None:
    height, width = noise.shape
    columns = [axis("y", unit, height), axis("x", unit, width)]
    micrograph = read(write_usid(tmp_path / "a.h5", [NONE], columns, noise.reshape(1, -1)))
    assert micrograph.pixel_size is None
    assert "not a length" in micrograph.warnings[0]


def test_uneven_steps_of_usid_are_no_calibration(tmp_path: Path, noise: NDArray[np.uint8]) -> None:
    height, width = noise.shape
    columns = [("y", "nm", np.arange(height) ** 2.0), axis("x", "nm", width)]
    micrograph = read(write_usid(tmp_path / "a.h5", [NONE], columns, noise.reshape(1, -1)))
    np.testing.assert_array_equal(micrograph.pixels, noise)
    assert micrograph.pixel_size is None


def test_spectra_of_usid_are_no_image(tmp_path: Path, noise: NDArray[np.uint8]) -> None:
    height, width = noise.shape
    rows, columns = [axis("Y", "nm", height)], [axis("Bias", "V", width)]
    with pytest.raises(InputError, match=r"a\.h5: holds spectra or diffraction stacks"):
        read(write_usid(tmp_path / "a.h5", rows, columns, noise))


def test_an_unfinished_scan_of_usid(tmp_path: Path, noise: NDArray[np.uint8]) -> None:
    import h5py

    height, width = noise.shape
    rows = [axis("Y", "nm", height), axis("X", "nm", width)]
    path = write_usid(tmp_path / "a.h5", rows, [NONE], noise.reshape(-1, 1))
    with h5py.File(path, "r+") as file:
        group = file["Measurement_000/Channel_000"]
        kept = {**group["Raw_Data"].attrs}
        for name in ("Position_Indices", "Position_Values", "Raw_Data"):
            values, attributes = group[name][:-5], {**group[name].attrs}
            del group[name]
            group[name] = values
            group[name].attrs.update(attributes)
            kept |= {name: group[name].ref} if name in kept else {}
        group["Raw_Data"].attrs.update(kept)
    with pytest.raises(InputError, match=r"a\.h5: the scan of .*Raw_Data holds"):
        read(path)


def write_odemis(path: Path, images: dict[str, NDArray[Any]], metres: float) -> Path:
    """Images of a Delmic SPARC: five dimensions, the lowest row last, sizes in metres."""
    import h5py

    with h5py.File(path, "w") as file:
        for number, (title, pixels) in enumerate(images.items()):
            group = file.create_group(f"Acquisition{number}")
            data = group.create_group("ImageData")
            image = data.create_dataset("Image", data=pixels[None, None, None])
            for dimension, label in zip(image.dims, "CTZYX", strict=True):
                dimension.label = label
            for label in "XY":
                data[f"DimensionScale{label}"] = metres
                data[f"{label}Offset"] = 1e-3
            data["TOffset"] = 1.7e9
            physical = group.create_group("PhysicalData")
            for name in ("Title", "ChannelDescription"):
                content = title.encode() if name == "Title" else np.array([title.encode()])
                physical[name] = content
                physical[name].attrs["State"] = np.array([115])
            versions = group.create_group("SVIData")
            versions["Company"] = b"Delmic"
            versions["WriterVersion"] = b"0.2"
    return path


def test_the_electron_image_of_odemis(tmp_path: Path, noise: NDArray[np.uint8]) -> None:
    images = {
        "Secondary electrons concurrent": noise[:8, :8].copy(),
        "Secondary electrons survey": noise,
    }
    micrograph = read(write_odemis(tmp_path / "a.h5", images, 2.5e-8))
    np.testing.assert_array_equal(micrograph.pixels, noise)
    assert micrograph.pixel_size is not None
    assert micrograph.pixel_size.value == pytest.approx(0.025)
    assert micrograph.pixel_size.source == "Odemis calibration"
    assert micrograph.modality == "SEM"


def test_of_whom_it_is_not(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "labels.h5", "w") as file:
        file["exported_data"] = np.zeros((8, 8, 1), np.uint32)
    with pytest.raises(InputError, match=r"labels\.h5: is neither a HyperSpy, nor an Odemis"):
        read(tmp_path / "labels.h5")


def test_a_folder_stands_for_no_hdf5_file(tmp_path: Path, noise: NDArray[np.uint8]) -> None:
    """Labels of ilastik lie beside the images that they belong to."""
    np.save(tmp_path / "a.npy", noise)
    (tmp_path / "a.h5").write_bytes(b"anything")
    assert find_inputs([str(tmp_path)]).paths == (tmp_path / "a.npy",)
    assert find_inputs([str(tmp_path / "*.h5")]).paths == (tmp_path / "a.h5",)
