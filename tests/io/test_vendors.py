"""Each maker's structure is written into a TIFF as the microscope does, then read back."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from nital.io import read

Write = Callable[..., Path]


def fei_ini(width: int, height: int, **sections: str) -> str:
    parts = {
        "User": "User=supervisor",
        "System": "Type=DualBeam\r\nSystemType=Helios NanoLab",
        "Beam": "HV=5000\r\nBeam=EBeam\r\nScan=EScan",
        "Scan": "InternalScan=true\r\nPixelWidth=2.5e-009\r\nPixelHeight=2.5e-009",
        "EScan": "PixelWidth=2.5e-009\r\nPixelHeight=2.5e-009",
        "Image": f"ResolutionX={width}\r\nResolutionY={height}",
        "PrivateFei": "BitShift=0\r\nDatabarHeight=",
    }
    parts |= sections
    return "".join(f"[{name}]\r\n{body}\r\n\r\n" for name, body in parts.items() if body)


class TestFei:
    @pytest.mark.parametrize("tag", [34680, 34682])
    def test_scan_section(self, write_tagged: Write, tag: int) -> None:
        micrograph = read(write_tagged({tag: fei_ini(128, 96)}))
        assert micrograph.pixel_size is not None
        assert micrograph.pixel_size.value == pytest.approx(0.0025)
        assert micrograph.pixel_size.source == f"FEI tag {tag} [Scan]"
        assert micrograph.pixel_size.alternatives == ()
        assert micrograph.modality == "SEM"
        assert micrograph.metadata["microscope"] == "FEI Helios NanoLab"
        assert micrograph.data_bar_row is None
        assert micrograph.warnings == ()

    def test_without_scan_section_the_beams_scan_counts(self, write_tagged: Write) -> None:
        ini = fei_ini(128, 96, Scan="", EScan="PixelWidth=4e-9\r\nPixelHeight=4e-9")
        size = read(write_tagged({34682: ini})).pixel_size
        assert size is not None
        assert (size.value, size.source) == (pytest.approx(0.004), "FEI tag 34682 [EScan]")

    def test_navigation_camera_takes_the_field_width(self, write_tagged: Write) -> None:
        ini = fei_ini(128, 96, Scan="", EScan="", IRBeam="HFW=0.0128\r\nVFW=0.0096")
        size = read(write_tagged({34682: ini})).pixel_size
        assert size is not None
        assert size.value == pytest.approx(100.0)
        assert "[IRBeam] field width" in size.source

    def test_without_any_scale_nothing_is_guessed(self, write_tagged: Write) -> None:
        ini = fei_ini(128, 96, Scan="PixelWidth=\r\nPixelHeight=", EScan="")
        assert read(write_tagged({34682: ini})).pixel_size is None

    def test_resolution_below_the_file_height_is_the_data_bar(self, write_tagged: Write) -> None:
        assert read(write_tagged({34682: fei_ini(128, 80)})).data_bar_row == 80

    def test_data_bar_height_without_resolution(self, write_tagged: Write) -> None:
        ini = fei_ini(128, 96, Image="", PrivateFei="DatabarHeight=12")
        assert read(write_tagged({34682: ini})).data_bar_row == 96 - 12

    def test_a_resampled_image_is_not_calibrated(self, write_tagged: Write) -> None:
        micrograph = read(write_tagged({34682: fei_ini(256, 192)}))
        assert micrograph.pixel_size is None
        assert "256 columns but the image has 128" in micrograph.warnings[0]

    def test_pixels_that_are_not_square(self, write_tagged: Write) -> None:
        ini = fei_ini(128, 96, Scan="PixelWidth=2.5e-9\r\nPixelHeight=3.1e-9")
        micrograph = read(write_tagged({34682: ini}))
        assert micrograph.pixel_size is None
        assert any("--pixel-size" in warning for warning in micrograph.warnings)

    def test_phenom_xml(self, write_tagged: Write) -> None:
        xml = (
            "<FeiImage><databarHeight>16</databarHeight><pixelWidth unit='nm'>53.7</pixelWidth>"
            "<pixelHeight unit='nm'>53.7</pixelHeight></FeiImage>"
        )
        micrograph = read(write_tagged({34683: xml}))
        assert micrograph.pixel_size is not None
        assert micrograph.pixel_size.value == pytest.approx(0.0537)
        assert micrograph.data_bar_row == 80

    def test_titan_xml_in_metres(self, write_tagged: Write) -> None:
        xml = (
            "<Metadata xmlns='http://schemas.fei.com/x'><BinaryResult><PixelSize>"
            "<X unit='m'>2.4E-11</X><Y unit='m'>2.4E-11</Y></PixelSize></BinaryResult></Metadata>"
        )
        micrograph = read(write_tagged({34683: xml}))
        assert micrograph.pixel_size is not None
        assert micrograph.pixel_size.value == pytest.approx(24e-6)
        assert micrograph.modality == "TEM"

    def test_titan_xml_of_its_first_versions(self, write_tagged: Write) -> None:
        """The element was misspelt, and the unit left out means metres."""
        xml = "<Metadata><PixelsSize><X>2.4E-11</X><Y>2.4E-11</Y></PixelsSize></Metadata>"
        size = read(write_tagged({34683: xml})).pixel_size
        assert size is not None
        assert size.value == pytest.approx(24e-6)

    def test_damaged_xml_says_nothing(self, write_tagged: Write) -> None:
        assert read(write_tagged({34683: "<Metadata><PixelSize>"})).pixel_size is None


def zeiss_text(columns: int | None, display: str, image: str | None, unnamed: str | None) -> str:
    lines = ["0", "0", "0"]
    lines += [unnamed, "1.0e+004", "6"] if unnamed else []
    lines += ["DP_ZOOM", "Zoom = Off"]
    if columns is not None:
        lines += ["DP_IMAGE_STORE", f"Store resolution = {columns} * {columns * 3 // 4}"]
    lines += ["AP_PIXEL_SIZE", f"Pixel Size = {display}"]
    lines += ["AP_IMAGE_PIXEL_SIZE", f"Image Pixel Size = {image}"] if image else []
    return "\r\n".join(lines) + "\r\n"


class TestZeiss:
    @pytest.mark.parametrize("columns", [512, 1024, 2048, 3072])
    def test_display_pixel_is_not_image_pixel(self, write_tagged: Write, columns: int) -> None:
        """The trap: 2x, 1x, 0.5x and 0.33x between the two."""
        display = 36.0
        text = zeiss_text(columns, "36.00 nm", f"{display * 1024 / columns:.2f} nm", "3.6e-008")
        pixels = np.random.default_rng(0).integers(0, 255, (64, columns), dtype=np.uint8)
        micrograph = read(write_tagged({34118: text}, pixels))
        assert micrograph.pixel_size is not None
        assert micrograph.pixel_size.value == pytest.approx(0.036 * 1024 / columns, rel=1e-3)
        assert micrograph.pixel_size.source == "Zeiss tag 34118, image pixel size"
        assert micrograph.warnings == ()
        assert micrograph.modality == "SEM"
        expected = () if columns == 1024 else (0.036,)
        shown = tuple(value for value, _ in micrograph.pixel_size.alternatives)
        assert shown == pytest.approx(expected)

    @pytest.mark.parametrize("unnamed", ["3.6e-008", None])
    def test_old_files_without_image_pixel_size(
        self, write_tagged: Write, unnamed: str | None
    ) -> None:
        pixels = np.random.default_rng(0).integers(0, 255, (64, 2048), dtype=np.uint8)
        text = zeiss_text(None, "36.00 nm", None, unnamed)
        size = read(write_tagged({34118: text}, pixels)).pixel_size
        assert size is not None
        assert size.value == pytest.approx(0.018)
        assert "x 0.5" in size.source

    def test_picometres(self, write_tagged: Write) -> None:
        pixels = np.random.default_rng(0).integers(0, 255, (64, 1024), dtype=np.uint8)
        text = zeiss_text(1024, "558.2 pm", "558.2 pm", "5.582e-010")
        size = read(write_tagged({34118: text}, pixels)).pixel_size
        assert size is not None
        assert size.value == pytest.approx(558.2e-6)

    def test_micrometres_in_windows_encoding(self, write_tagged: Write) -> None:
        pixels = np.random.default_rng(0).integers(0, 255, (64, 1024), dtype=np.uint8)
        text = zeiss_text(1024, "1.117 µm", "1.117 µm", None)
        size = read(write_tagged({34118: text.encode("cp1252")}, pixels)).pixel_size
        assert size is not None
        assert size.value == pytest.approx(1.117)

    def test_a_resampled_image_is_not_calibrated(self, write_tagged: Write) -> None:
        text = zeiss_text(1024, "36.00 nm", "36.00 nm", "3.6e-008")
        micrograph = read(write_tagged({34118: text}))
        assert micrograph.pixel_size is None
        assert "1024 columns but the image has 128" in micrograph.warnings[0]


class TestOthers:
    def test_tescan(self, write_tagged: Write) -> None:
        data = b"\x00\x01\xff\xfe[MAIN]\r\n" + (
            b"Device=MIRA3 LMH\r\nImageStripSize=16\r\nPixelSizeX=7.5e-9\r\nPixelSizeY=7.5e-9\r\n"
        )
        micrograph = read(write_tagged({50431: data}))
        assert micrograph.pixel_size is not None
        assert micrograph.pixel_size.value == pytest.approx(0.0075)
        assert micrograph.pixel_size.source == "TESCAN tag 50431"
        assert micrograph.data_bar_row == 80
        assert micrograph.metadata["microscope"] == "TESCAN MIRA3 LMH"

    def test_gatan(self, write_tagged: Write) -> None:
        tags = {65003: "nm", 65004: "nm", 65009: 0.35, 65010: 0.35}
        size = read(write_tagged(tags)).pixel_size
        assert size is not None
        assert size.value == pytest.approx(0.00035)

    def test_gatan_diffraction_is_no_length(self, write_tagged: Write) -> None:
        tags = {65003: "1/nm", 65004: "1/nm", 65009: 0.35, 65010: 0.35}
        assert read(write_tagged(tags)).pixel_size is None

    def test_jeol_sightx(self, write_tagged: Write) -> None:
        xml = (
            "<TemReporter><Eos><EosMode>eosTEM</EosMode></Eos><ImageFormingSystem>"
            "<ModeString>MAG</ModeString><SelectorValue>50000</SelectorValue>"
            "</ImageFormingSystem></TemReporter>"
        )
        path = write_tagged(
            {271: "JEOL Ltd."}, description=xml, resolution=(1000, 1000), resolutionunit=3
        )
        micrograph = read(path)
        assert micrograph.pixel_size is not None
        assert micrograph.pixel_size.value == pytest.approx(10.0 / 50000)
        assert micrograph.modality == "TEM"

    @pytest.mark.parametrize(
        ("eos", "mode", "modality"),
        [("eosTEM", "DIFF", "TEM"), ("eosASID", "MAG", "STEM")],
    )
    def test_jeol_sightx_otherwise_has_no_magnification_of_its_print(
        self, write_tagged: Write, eos: str, mode: str, modality: str
    ) -> None:
        """In diffraction the number is a camera length; a scanned image has no film."""
        xml = (
            f"<TemReporter><Eos><EosMode>{eos}</EosMode></Eos><ImageFormingSystem><ModeString>"
            f"{mode}</ModeString><SelectorValue>500</SelectorValue></ImageFormingSystem>"
            "</TemReporter>"
        )
        path = write_tagged(
            {271: "JEOL Ltd."}, description=xml, resolution=(1000, 1000), resolutionunit=3
        )
        micrograph = read(path)
        assert micrograph.pixel_size is None
        assert micrograph.modality == modality

    def test_tescan_pixels_that_are_not_square(self, write_tagged: Write) -> None:
        data = b"\x00\x01[MAIN]\r\nPixelSizeX=7.5e-9\r\nPixelSizeY=9e-9\r\n"
        micrograph = read(write_tagged({50431: data}))
        assert micrograph.pixel_size is None
        assert "not square" in micrograph.warnings[0]

    @pytest.mark.parametrize(("mode", "expected"), [(1, 0.00042), (3, None)])
    def test_tvips(self, write_tagged: Write, mode: int, expected: float | None) -> None:
        micrograph = read(write_tagged({37706: tvips_header(0.42, mode)}))
        if expected is None:
            assert micrograph.pixel_size is None
            assert "diffraction" in micrograph.warnings[0]
        else:
            assert micrograph.pixel_size is not None
            assert micrograph.pixel_size.value == pytest.approx(expected, rel=1e-6)
        assert micrograph.modality == "TEM"


def tvips_header(nanometres: float, mode: int) -> bytes:
    from tifffile.tifffile import TIFF

    first = np.zeros(1, np.dtype(TIFF.TVIPS_HEADER_V1).newbyteorder("<"))
    second = np.zeros(1, np.dtype(TIFF.TVIPS_HEADER_V2).newbyteorder("<"))
    first["Version"] = 2
    second["PixelSizeX"] = second["PixelSizeY"] = nanometres
    second["TemMode"] = mode
    second["Magic"] = 0xAAAAAAAA
    return first.tobytes() + second.tobytes()


def sis_record(offset: int, metres: float) -> bytes:
    """SIS0 head with one entry (type 1) that points behind it: exponent, x, y, magnification."""
    head = struct.pack("<4s6xhhhhh6x32sH", b"SIS0", 0, 0, 1, 0, 118, b"camera", 1)
    entry = struct.pack("<hhI", 1, 1, offset + len(head) + 8)
    general = struct.pack("<10xhdd8xd2x34s32s", -9, metres * 1e9, metres * 1e9, 6e5, b"", b"")
    return head + entry + general + bytes(16)


def add_sis(path: Path, page: int, metres: float) -> None:
    """Fill the place holder of tag 33560 of one page with a real record."""
    with tifffile.TiffFile(path) as tif:
        entry = tif.pages[page].tags[33560]
        offset = entry.valueoffset
    data = bytearray(path.read_bytes())
    record = sis_record(offset, metres)
    data[offset : offset + len(record)] = record
    path.write_bytes(bytes(data))


def test_two_image_jem_tiff(tmp_path: Path, noise: NDArray[np.uint8]) -> None:
    """JEOL TEM: an RGB rendering with a burnt-in bar, then the 16-bit image with the SIS tag."""
    path = tmp_path / "jem.tif"
    raw = noise.astype(np.uint16) * 200
    place = (33560, 1, 400, bytes(400), True)
    with tifffile.TiffWriter(path) as writer:
        writer.write(np.stack([noise] * 3, -1), photometric="rgb", metadata=None)
        writer.write(raw, photometric="minisblack", metadata=None, extratags=[place])
    add_sis(path, 1, 2.392791775876109e-11)
    micrograph = read(path)
    np.testing.assert_array_equal(micrograph.pixels, raw)
    assert micrograph.pixel_size is not None
    assert micrograph.pixel_size.value == pytest.approx(2.392791775876109e-5)
    assert micrograph.pixel_size.source == "Olympus SIS tag 33560"
    assert micrograph.metadata["page"] == 1
    assert "2 images; page 1" in micrograph.warnings[0]
    rendering = read(path, page=0)
    np.testing.assert_array_equal(rendering.pixels, noise)
    assert rendering.pixel_size == micrograph.pixel_size
