from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from nital.errors import OutputError
from nital.io import atomic_write, read, read_labels, write_label_tiff
from nital.micrograph import PixelSize


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("labels")


@given(
    arrays(
        np.int32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 9999)
    ),
    st.floats(min_value=1e-6, max_value=1e3),
)
@settings(max_examples=30, derandomize=True)
def test_labels_and_scale_read_back_exactly(
    folder: Path, labels: NDArray[np.int32], value: float
) -> None:
    path = folder / "labels.tif"
    write_label_tiff(path, labels, PixelSize(value, "somewhere"))
    read_back = read_labels(path)
    assert read_back.dtype == np.int32
    np.testing.assert_array_equal(read_back, labels)
    size = read(path).pixel_size
    assert size is not None
    assert size.value == value
    assert size.source == "TIFF tags written by Nital"


@pytest.mark.parametrize("value", [2.4e-5, 0.0125, 1 / 3, 0.4444, 12.0, 2500.0])
def test_other_programs_read_the_same_scale(tmp_path: Path, value: float) -> None:
    """What ImageJ reads: the unit in the description, pixels per unit in the resolution tags."""
    path = tmp_path / "labels.tif"
    write_label_tiff(path, np.zeros((4, 5), np.int32), PixelSize(value, "x"))
    with tifffile.TiffFile(path) as tif:
        assert tif.imagej_metadata is not None
        assert tif.imagej_metadata["unit"] == "um"
        numerator, denominator = tif.pages[0].tags["XResolution"].value
        assert denominator / numerator == pytest.approx(value, rel=1e-6)
        assert tif.series[0].shape == (4, 5)
        assert tif.asarray().dtype == np.int32


def test_pillow_opens_both_types(tmp_path: Path) -> None:
    values = np.arange(20).reshape(4, 5)
    for dtype in (np.int32, np.uint8):
        write_label_tiff(tmp_path / "labels.tif", values.astype(dtype), None)
        with Image.open(tmp_path / "labels.tif") as image:
            np.testing.assert_array_equal(np.asarray(image), values)


def test_no_scale_stays_no_scale(tmp_path: Path) -> None:
    write_label_tiff(tmp_path / "labels.tif", np.zeros((4, 5), np.uint8), None)
    assert read(tmp_path / "labels.tif").pixel_size is None


def test_the_same_labels_give_the_same_bytes(tmp_path: Path) -> None:
    labels = np.random.default_rng(0).integers(0, 50, (64, 64), dtype=np.int32)
    for name in ("a.tif", "b.tif"):
        write_label_tiff(tmp_path / name, labels, PixelSize(0.1, "x"))
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


def test_labels_are_compressed(tmp_path: Path) -> None:
    labels = np.repeat(np.arange(1024, dtype=np.int32)[:, None], 1024, axis=1)
    write_label_tiff(tmp_path / "labels.tif", labels, None)
    assert (tmp_path / "labels.tif").stat().st_size < labels.nbytes / 50


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit, OSError])
@pytest.mark.parametrize("exists", [False, True])
def test_any_failure_leaves_the_folder_as_it_was(
    tmp_path: Path, error: type[BaseException], exists: bool
) -> None:
    path = tmp_path / "result.csv"
    if exists:
        path.write_text("before")

    def fail(temporary: Path) -> None:
        temporary.write_text("half")
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".csv"
        raise error

    with pytest.raises(OutputError if error is OSError else error):
        atomic_write(path, fail)
    assert [entry.name for entry in tmp_path.iterdir()] == (["result.csv"] if exists else [])
    assert not exists or path.read_text() == "before"


def test_a_file_is_replaced_with_usual_rights(tmp_path: Path) -> None:
    path = tmp_path / "result.csv"
    path.write_text("before")
    atomic_write(path, lambda temporary: temporary.write_text("after"))
    assert path.read_text() == "after"
    assert len(list(tmp_path.iterdir())) == 1
    (tmp_path / "usual").touch()
    assert path.stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_very_long_name(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 240 + ".csv")
    atomic_write(path, lambda temporary: temporary.write_text("x"))
    assert path.read_text() == "x"


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file may grow beyond 64 KiB, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk(tmp_path: Path, full_disk: None) -> None:
    labels = np.random.default_rng(0).integers(0, 2**30, (512, 512), dtype=np.int32)
    with pytest.raises(OutputError, match=r"labels\.tif: cannot be written, the disk is full"):
        write_label_tiff(tmp_path / "labels.tif", labels, None)
    assert list(tmp_path.iterdir()) == []


def write_text(temporary: Path) -> Any:
    return temporary.write_text("x")


def test_a_folder_that_is_missing_or_a_file(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"a\.csv: cannot be written, its folder does not exist"):
        atomic_write(tmp_path / "no" / "a.csv", write_text)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"a\.csv: cannot be written, its folder"):
        atomic_write(tmp_path / "file" / "a.csv", write_text)


def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(OutputError, match=r"a\.csv: cannot be written"):
        atomic_write(tmp_path / "a.csv", write_text)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)
def test_a_write_protected_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="write-protected; choose another folder"):
            atomic_write(tmp_path / "a.csv", write_text)
    finally:
        tmp_path.chmod(0o700)
