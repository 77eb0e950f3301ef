"""Files of electron microscopes, written here byte by byte with the formats' real structure."""

from __future__ import annotations

import importlib
import json
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nital.errors import InputError, MissingExtraError
from nital.io import read
from nital.io.em import EM_SUFFIXES

needs_rsciio = pytest.mark.skipif(
    __import__("importlib.util").util.find_spec("rsciio") is None, reason="needs the extra [em]"
)

# DigitalMicrograph: code of the tag's type, struct format.
DM_TYPES = {"short": (2, "<h"), "long": (3, "<i"), "ulong": (5, "<I"), "float": (6, "<f")}
DM_IMAGE_TYPES = {"float32": (2, 6), "uint8": (6, 10)}  # code of the image, of the array


def dm_tag(name: str, value: Any, version: int) -> bytes:
    length = ">i" if version == 3 else ">q"
    encoded = name.encode("latin-1")
    is_group = isinstance(value, Mapping | list)
    head = bytes([20 if is_group else 21]) + struct.pack(">h", len(encoded)) + encoded
    if is_group:
        body = dm_group(value, version)
    else:
        infos, data = dm_data(value)
        body = b"%%%%" + struct.pack(length, len(infos))
        body += b"".join(struct.pack(length, info) for info in infos) + data
    return head + (b"" if version == 3 else struct.pack(">q", len(body))) + body


def dm_data(value: Any) -> tuple[list[int], bytes]:
    if isinstance(value, str):
        return [20, 4, len(value)], value.encode("utf-16-le")
    if isinstance(value, np.ndarray):
        return [20, DM_IMAGE_TYPES[value.dtype.name][1], value.size], value.tobytes()
    kind, number = value
    code, layout = DM_TYPES[kind]
    return [code], struct.pack(layout, number)


def dm_group(content: Any, version: int) -> bytes:
    items = [("", item) for item in content] if isinstance(content, list) else [*content.items()]
    count = struct.pack(">i" if version == 3 else ">q", len(items))
    return b"\x01\x00" + count + b"".join(dm_tag(*item, version) for item in items)


def dm_file(images: list[dict[str, Any]], version: int) -> bytes:
    root = {
        "ApplicationBounds": {"a": ("long", 0)},
        "ImageList": images,
        "Thumbnails": [{"ImageIndex": ("ulong", 0)}],
    }
    body = dm_group(root, version) + bytes(8)
    size = struct.pack(">i" if version == 3 else ">q", len(body))
    return struct.pack(">i", version) + size + struct.pack(">i", 1) + body


def dm_image(pixels: NDArray[Any], scale: float, units: str) -> dict[str, Any]:
    axis = {"Origin": ("float", 0.0), "Scale": ("float", scale), "Units": units}
    return {
        "ImageData": {
            "Calibrations": {
                "Brightness": {"Origin": ("float", 0), "Scale": ("float", 1), "Units": ""},
                "Dimension": [axis, axis],
            },
            "Data": pixels.ravel(),
            "DataType": ("ulong", DM_IMAGE_TYPES[pixels.dtype.name][0]),
            "Dimensions": [("ulong", pixels.shape[1]), ("ulong", pixels.shape[0])],
            "PixelDepth": ("ulong", pixels.itemsize),
        },
        "ImageTags": {"Microscope Info": {"Voltage": ("float", 2e5)}},
        "Name": "image",
    }


@needs_rsciio
@pytest.mark.parametrize(("suffix", "version"), [(".dm3", 3), (".dm4", 4)])
@pytest.mark.parametrize(("units", "factor"), [("nm", 1e-3), ("µm", 1.0), ("pm", 1e-6)])
def test_digital_micrograph(
    tmp_path: Path, noise: NDArray[np.uint8], suffix: str, version: int, units: str, factor: float
) -> None:
    pixels = noise.astype(np.float32) * 1e-3
    thumbnail = dm_image(noise[::4, ::4].copy(), 1.0, "")
    path = tmp_path / f"image{suffix}"
    path.write_bytes(dm_file([thumbnail, dm_image(pixels, 0.25, units)], version))
    micrograph = read(path)
    np.testing.assert_array_equal(micrograph.pixels, pixels)
    assert micrograph.pixel_size is not None
    assert micrograph.pixel_size.value == pytest.approx(0.25 * factor)
    assert micrograph.pixel_size.source == f"{suffix[1:]} calibration"
    assert micrograph.modality == "TEM"
    assert micrograph.warnings == ()


@needs_rsciio
def test_diffraction_is_no_length(tmp_path: Path, noise: NDArray[np.uint8]) -> None:
    images = [dm_image(noise[:8, :8].copy(), 1.0, ""), dm_image(noise, 0.1, "1/nm")]
    (tmp_path / "d.dm3").write_bytes(dm_file(images, 3))
    micrograph = read(tmp_path / "d.dm3")
    assert micrograph.pixel_size is None
    assert "1/nm, not a length" in micrograph.warnings[0]


def ser_file(frames: list[NDArray[np.uint16]], metres: float) -> bytes:
    """TIA series, version 0x210: header, dimension, frames (last row first), offsets."""
    description, unit = b"Number", b""
    dimension = struct.pack("<IddI", len(frames), 0.0, 1.0, 0)
    dimension += struct.pack("<I", len(description)) + description + struct.pack("<I", len(unit))
    start = 30 + len(dimension)
    elements = []
    for frame in frames:
        element = struct.pack("<ddI", 0.0, metres, 0) * 2
        element += struct.pack("<HII", 2, frame.shape[1], frame.shape[0]) + frame[::-1].tobytes()
        elements.append(element + struct.pack("<HHI", 0x4152, 0, 0))
    offsets = [start + sum(map(len, elements[:i])) for i in range(len(elements) + 1)]
    head = struct.pack("<HHHIIII", 0x4949, 0x197, 0x210, 0x4122, 0x4152, len(frames), len(frames))
    head += struct.pack("<II", offsets[-1], 1)
    table = struct.pack(f"<{len(frames)}I", *offsets[:-1])
    tags = struct.pack(f"<{len(frames)}I", *(offset - 8 for offset in offsets[1:]))
    return head + dimension + b"".join(elements) + table + tags


@needs_rsciio
@pytest.mark.parametrize("columns", [96, 128])
def test_ser(tmp_path: Path, noise: NDArray[np.uint8], columns: int) -> None:
    frame = noise[:, :columns].astype(np.uint16) * 100
    (tmp_path / "one.ser").write_bytes(ser_file([frame], 4.2e-10))
    micrograph = read(tmp_path / "one.ser")
    np.testing.assert_array_equal(micrograph.pixels, frame)
    assert micrograph.pixel_size is not None
    assert micrograph.pixel_size.value == pytest.approx(4.2e-4)
    assert micrograph.pixel_size.source == "ser calibration"
    assert micrograph.warnings == ()


@needs_rsciio
def test_ser_of_several_frames(tmp_path: Path, noise: NDArray[np.uint8]) -> None:
    frames = [noise[:, :96].astype(np.uint16) + shift for shift in (0, 1, 2)]
    (tmp_path / "many.ser").write_bytes(ser_file(frames, 1e-9))
    micrograph = read(tmp_path / "many.ser", page=2)
    np.testing.assert_array_equal(micrograph.pixels, frames[2])
    assert "3 images; page 0" in read(tmp_path / "many.ser").warnings[0]


@needs_rsciio
def test_emi_with_its_ser_files(tmp_path: Path, noise: NDArray[np.uint8]) -> None:
    """TIA keeps what it knows in the emi file, and the images in ser files named after it."""
    frames = [noise[:, :96].astype(np.uint16) + shift for shift in (0, 1)]
    for number, frame in enumerate(frames, start=1):
        (tmp_path / f"scan_{number}.ser").write_bytes(ser_file([frame], 4.2e-10))
    information = (
        b"<ObjectInfo><ExperimentalDescription><Root><Data><Label>Mode</Label>"
        b"<Value>STEM nP SA Zoom Image</Value><Unit></Unit></Data></Root></ExperimentalDescription>"
        b"<AcquireInfo></AcquireInfo></ObjectInfo>"
    )
    (tmp_path / "scan.emi").write_bytes(bytes(64) + information + bytes(64))
    micrograph = read(tmp_path / "scan.emi")
    np.testing.assert_array_equal(micrograph.pixels, frames[0])
    assert micrograph.pixel_size is not None
    assert micrograph.pixel_size.value == pytest.approx(4.2e-4)
    assert "2 images; page 0" in micrograph.warnings[0]
    np.testing.assert_array_equal(read(tmp_path / "scan.emi", page=1).pixels, frames[1])


@needs_rsciio
def test_emi_without_its_ser_files(tmp_path: Path) -> None:
    (tmp_path / "scan.emi").write_bytes(b"<ObjectInfo></ObjectInfo>")
    with pytest.raises(InputError, match=r"scan\.emi: its images are in \.ser files beside it"):
        read(tmp_path / "scan.emi")


@needs_rsciio
def test_ser_in_reciprocal_metres_is_no_length(tmp_path: Path, noise: NDArray[np.uint8]) -> None:
    frame = noise[:, :96].astype(np.uint16)
    (tmp_path / "d.ser").write_bytes(ser_file([frame], 2.5e7))
    micrograph = read(tmp_path / "d.ser")
    assert micrograph.pixel_size is None
    assert "diffraction" in micrograph.warnings[0]


# Format, module of its writer, and the type of number that it keeps.
WRITERS = [
    (".de5", "emd", np.uint8),
    (".emd", "emd", np.uint8),
    (".hdf5", "hspy", np.uint8),
    (".hspy", "hspy", np.uint8),
    (".nxs", "nexus", np.uint8),
    (".prz", "pantarhei", np.uint8),
    (".rpl", "ripple", np.uint16),
    (".sur", "digitalsurf", np.int16),
    (".unf", "semper", np.int16),
]


def write_signal(path: Path, module: str, pixels: NDArray[Any], units: str = "nm") -> None:
    """Write an image with half a unit to a pixel by the format's own writer."""
    if module in ("emd", "hspy", "nexus"):
        pytest.importorskip("h5py")
    importlib.import_module(f"rsciio.{module}").file_writer(str(path), signal_of(pixels, units))


def signal_of(pixels: NDArray[Any], units: str = "nm", frames: str = "s") -> dict[str, Any]:
    """An image, or images along axes in another unit, as rosettasciio's writers take it."""
    images = pixels.ndim - 2
    axes = [
        {
            "name": f"axis{index}",
            "units": frames if index < images else units,
            "scale": 0.5,
            "offset": 0.0,
            "size": size,
            "navigate": index < images,
            "index_in_array": index,
            "is_binned": False,
            "_type": "UniformDataAxis",
        }
        for index, size in enumerate(pixels.shape)
    ]
    return {
        "data": pixels,
        "axes": axes,
        "metadata": {"General": {"title": "HAADF"}, "Signal": {"signal_type": ""}},
        "original_metadata": {},
        "learning_results": {},
        "tmp_parameters": {},
        "models": {},
        "attributes": {"_lazy": False, "ragged": False},
        "package_info": {"package": "test", "package_version": "0"},
        "package": "test",
        "package_version": "0",
    }


@needs_rsciio
@pytest.mark.parametrize(("suffix", "module", "kind"), WRITERS)
def test_what_its_own_writer_made(
    tmp_path: Path, noise: NDArray[np.uint8], suffix: str, module: str, kind: Any
) -> None:
    path = tmp_path / f"image{suffix}"
    write_signal(path, module, noise.astype(kind))
    micrograph = read(path)
    np.testing.assert_array_equal(micrograph.pixels, noise)
    assert micrograph.pixel_size is not None
    assert micrograph.pixel_size.value == pytest.approx(0.0005)
    source = "HyperSpy" if suffix == ".hdf5" else suffix[1:]
    assert micrograph.pixel_size.source == f"{source} calibration"
    assert micrograph.modality == ("TEM" if suffix in (".de5", ".emd", ".prz") else None)


@needs_rsciio
@pytest.mark.parametrize(("suffix", "module", "kind"), WRITERS)
def test_reciprocal_units_are_no_length(
    tmp_path: Path, noise: NDArray[np.uint8], suffix: str, module: str, kind: Any
) -> None:
    path = tmp_path / f"pattern{suffix}"
    write_signal(path, module, noise.astype(kind), "1/nm")
    micrograph = read(path)
    assert micrograph.pixel_size is None
    assert "not a length" in micrograph.warnings[0]


@needs_rsciio
@pytest.mark.parametrize(("units", "expected"), [("nm", 0.002), ("1/nm", None)])
def test_frames_of_a_tvips_camera(
    tmp_path: Path, noise: NDArray[np.uint8], units: str, expected: float | None
) -> None:
    frames = np.stack([noise, noise + 1, noise + 2]).astype(np.uint16)
    path = tmp_path / "movie_000.tvips"
    writer = importlib.import_module("rsciio.tvips").file_writer
    signal = signal_of(frames, units)
    for axis in signal["axes"]:
        axis["scale"] = 2.0  # whole numbers are kept
    writer(str(path), signal, show_progressbar=False)
    micrograph = read(path, page=1)
    np.testing.assert_array_equal(micrograph.pixels, frames[1])
    assert micrograph.modality == "TEM"
    if expected is None:
        assert micrograph.pixel_size is None
    else:
        assert micrograph.pixel_size is not None
        assert micrograph.pixel_size.value == pytest.approx(expected)
    assert "3 images; page 0" in read(path).warnings[0]


@needs_rsciio
def test_of_a_blockfile_the_bright_field_is_read(tmp_path: Path, noise: NDArray[np.uint8]) -> None:
    """Not the patterns: they are no images of the specimen."""
    patterns = np.zeros((*noise[:6, :8].shape, 16, 16), np.uint8)
    signal = signal_of(patterns, "cm", frames="nm")
    writer = importlib.import_module("rsciio.blockfile").file_writer
    writer(str(tmp_path / "a.blo"), signal, navigator=noise[:6, :8], show_progressbar=False)
    micrograph = read(tmp_path / "a.blo")
    np.testing.assert_array_equal(micrograph.pixels, noise[:6, :8])
    assert micrograph.pixel_size is not None
    assert micrograph.pixel_size.value == pytest.approx(0.0005)


@needs_rsciio
def test_spectra_are_no_image(tmp_path: Path, noise: NDArray[np.uint8]) -> None:
    pytest.importorskip("h5py")
    signal = signal_of(noise.astype(np.float32))
    signal["axes"][0]["navigate"] = True
    importlib.import_module("rsciio.hspy").file_writer(str(tmp_path / "lines.hspy"), signal)
    with pytest.raises(InputError, match="holds spectra or diffraction stacks but no image"):
        read(tmp_path / "lines.hspy")


@needs_rsciio
@pytest.mark.parametrize(("binning", "scale"), [(1, 0.25), (4, 1.0)])
def test_the_pixel_size_of_a_binned_image_is_that_of_its_own_pixels(
    tmp_path: Path, noise: NDArray[np.uint8], binning: int, scale: float
) -> None:
    """The camera's pixel size and its binning are in the tags; the calibration holds already."""
    image = dm_image(noise[::binning, ::binning].copy(), scale, "nm")
    image["ImageTags"]["Acquisition"] = {
        "Parameters": {"Detector": {"hbin": ("long", binning), "vbin": ("long", binning)}},
        "Device": {"CCD": {"Pixel Size (um)": ("float", 14.0)}},
    }
    thumbnail = dm_image(noise[::8, ::8].copy(), 1.0, "")
    (tmp_path / "binned.dm3").write_bytes(dm_file([thumbnail, image], 3))
    micrograph = read(tmp_path / "binned.dm3")
    assert micrograph.pixel_size is not None
    assert micrograph.pixel_size.value == pytest.approx(scale * 1e-3)
    assert micrograph.pixels.shape == noise[::binning, ::binning].shape


def mrc_file(pixels: NDArray[np.int16], angstroms: float) -> bytes:
    """MRC 2014: the header's cell is that of the whole image, in angstroms."""
    height, width = pixels.shape
    head = bytearray(1024)
    struct.pack_into("<4i", head, 0, width, height, 1, 1)
    struct.pack_into("<3i", head, 28, width, height, 1)
    struct.pack_into("<3f", head, 40, width * angstroms, height * angstroms, angstroms)
    struct.pack_into("<3i", head, 64, 1, 2, 3)
    head[208:216] = b"MAP DD\x00\x00"
    return bytes(head) + pixels[::1].tobytes()


@needs_rsciio
@pytest.mark.parametrize(("angstroms", "expected"), [(4.2, 4.2e-4), (0.0, None)])
def test_mrc(
    tmp_path: Path, noise: NDArray[np.uint8], angstroms: float, expected: float | None
) -> None:
    pixels = noise.astype(np.int16) * 3
    (tmp_path / "image.mrc").write_bytes(mrc_file(pixels, angstroms))
    micrograph = read(tmp_path / "image.mrc")
    np.testing.assert_array_equal(micrograph.pixels, pixels)
    if expected is None:
        assert micrograph.pixel_size is None
    else:
        assert micrograph.pixel_size is not None
        assert micrograph.pixel_size.value == pytest.approx(expected)
        assert micrograph.pixel_size.source == "mrc calibration"


@needs_rsciio
@pytest.mark.parametrize("compressor", [None, "zstd", "lz4"])
@pytest.mark.parametrize("frames", [1, 3])
def test_mrcz(
    tmp_path: Path, noise: NDArray[np.uint8], compressor: str | None, frames: int
) -> None:
    pytest.importorskip("mrcz")
    images = np.stack([noise.astype(np.int16) * 3 + shift for shift in range(frames)])
    writer = importlib.import_module("rsciio.mrcz").file_writer
    writer(str(tmp_path / "a.mrcz"), signal_of(images, frames="nm"), compressor=compressor)
    micrograph = read(tmp_path / "a.mrcz", page=frames - 1)
    np.testing.assert_array_equal(micrograph.pixels, images[-1])
    assert micrograph.pixel_size is not None
    assert micrograph.pixel_size.value == pytest.approx(5e-4)
    assert micrograph.pixel_size.source == "mrcz calibration"
    assert micrograph.modality == "TEM"


@needs_rsciio
def test_an_mrc_file_under_its_other_name(tmp_path: Path, noise: NDArray[np.uint8]) -> None:
    (tmp_path / "aligned.ali").write_bytes(mrc_file(noise.astype(np.int16), 4.2))
    micrograph = read(tmp_path / "aligned.ali")
    np.testing.assert_array_equal(micrograph.pixels, noise)
    assert micrograph.pixel_size is not None
    assert micrograph.pixel_size.value == pytest.approx(4.2e-4)


def jeol_item(name: str, value: Any) -> bytes:
    """An entry of JEOL's Analysis Station: name, code of the type, value, what is inside, end."""
    head = b"\x01" + struct.pack("<i", len(name) + 1) + name.encode() + b"\x00"
    if isinstance(value, dict):
        inside = b"".join(jeol_item(*item) for item in value.items())
        return head + struct.pack("<ii", 0, 0) + inside + b"\xff"
    code, content = value
    return head + struct.pack("<ii", code, len(content)) + content + b"\xff"


def jeol_image(pixels: NDArray[np.uint8], field_mm: float, magnification: float) -> bytes:
    height, width = pixels.shape
    tree = {
        "Instrument": {
            "ScanSize": (9, struct.pack("<f", field_mm)),
            "Mag": (8, struct.pack("<i", round(magnification))),
            "AccV": (9, struct.pack("<f", 15.0)),
        },
        "Image": {
            "Title": (20, b"IMG1\x00"),
            "Size": (8, struct.pack("<ii", width, height)),
            "Bits": (6, pixels.tobytes()),
            "Created": (10, struct.pack("<d", 43670.5)),
        },
    }
    head = struct.pack("<I32sIII", 52, b"JED-2200:IMG", 0, 0, 48)
    items = b"".join(jeol_item(*item) for item in tree.items())
    return head + bytes(60 - len(head)) + items + b"\xff"


@needs_rsciio
def test_an_image_of_jeols_analysis_station(tmp_path: Path, noise: NDArray[np.uint8]) -> None:
    """The field is the width of a print, in millimetres, over the magnification."""
    square = noise[:96, :96].copy()
    (tmp_path / "View000_0000001.img").write_bytes(jeol_image(square, 128.0, 10_000))
    micrograph = read(tmp_path / "View000_0000001.img")
    np.testing.assert_array_equal(micrograph.pixels, square)
    assert micrograph.pixel_size is not None
    assert micrograph.pixel_size.value == pytest.approx(128e3 / 10_000 / 96)
    assert micrograph.pixel_size.source == "img calibration"
    assert micrograph.modality == "SEM"


@needs_rsciio
def test_what_panta_rhei_calibrated_itself(tmp_path: Path, noise: NDArray[np.uint8]) -> None:
    """Since version 24.03 it writes JSON; a binned image has larger pixels than its device."""
    side = {"value": 2.5e-10, "offset": 0.0, "unit": "m", "pixel_factor": 2.0}
    text = json.dumps([{"device.calib": [side, side], "ref_size": [256, 192]}])
    with (tmp_path / "a.prz").open("wb") as stream:
        np.savez(stream, data=noise, meta_data_json=text, file_format_version=3)
    micrograph = read(tmp_path / "a.prz")
    np.testing.assert_array_equal(micrograph.pixels, noise)
    assert micrograph.pixel_size is not None
    assert micrograph.pixel_size.value == pytest.approx(5e-4)


class Malicious:
    """Its pickle would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.write_text, (self.path, "run"))


@needs_rsciio
def test_code_in_the_pickle_of_an_old_prz_file_never_runs(
    tmp_path: Path, noise: NDArray[np.uint8]
) -> None:
    with (tmp_path / "a.prz").open("wb") as stream:
        np.savez(stream, data=noise, meta_data=np.array([Malicious(tmp_path / "x")], dtype=object))
    with pytest.raises(InputError, match=r"a\.prz: cannot be read as \.prz"):
        read(tmp_path / "a.prz")
    assert not (tmp_path / "x").exists()


@needs_rsciio
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # open files
@pytest.mark.parametrize("suffix", EM_SUFFIXES)
@pytest.mark.parametrize("content", [b"this is text, not an image", bytes(300)])
def test_damaged_files(
    tmp_path: Path, suffix: str, content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"bad\{suffix}: "):
        read(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", EM_SUFFIXES)
def test_without_the_extra_the_install_line_comes_before_opening(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rsciio", None)
    path = tmp_path / f"image{suffix}"
    path.write_bytes(b"not read")
    with pytest.raises(MissingExtraError, match=r'pip install "nital\[em\]"') as caught:
        read(path)
    assert str(path) in str(caught.value)
