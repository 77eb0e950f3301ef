from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from nital.io import read

Write = Callable[..., Path]


@pytest.mark.parametrize(
    ("unit", "micrometres"),
    [("um", 1.0), ("micron", 1.0), ("\\u00B5m", 1.0), ("nm", 1e-3), ("mm", 1e3), ("pm", 1e-6)],
)
def test_imagej_unit_and_resolution(write_tagged: Write, unit: str, micrometres: float) -> None:
    path = write_tagged(
        {}, description=f"ImageJ=1.54f\nunit={unit}\nloop=false\n", resolution=(8, 8)
    )
    size = read(path).pixel_size
    assert size is not None
    assert size.value == pytest.approx(0.125 * micrometres)
    assert size.source == f"ImageJ unit {unit}"


def test_imagej_writer_of_tifffile(tmp_path: Path, noise: NDArray[np.uint8]) -> None:
    path = tmp_path / "ij.tif"
    tifffile.imwrite(path, noise, imagej=True, resolution=(4, 4), metadata={"unit": "um"})
    size = read(path).pixel_size
    assert size is not None
    assert size.value == pytest.approx(0.25)


@pytest.mark.parametrize("unit", ["inch", "cm", "pixel", ""])
def test_imagej_print_resolution_is_no_calibration(write_tagged: Write, unit: str) -> None:
    path = write_tagged(
        {}, description=f"ImageJ=1.54f\nunit={unit}\n", resolution=(300, 300), resolutionunit=1
    )
    assert read(path).pixel_size is None


def test_imagej_pixels_that_are_not_square(write_tagged: Write) -> None:
    path = write_tagged({}, description="ImageJ=1.54f\nunit=um\n", resolution=(4, 5))
    micrograph = read(path)
    assert micrograph.pixel_size is None
    assert "not square" in micrograph.warnings[0]


@pytest.mark.parametrize("dpi", [72, 96, 150, 200, 300, 600, 1200])
def test_display_and_print_resolutions_are_not_even_mentioned(
    write_tagged: Write, dpi: int
) -> None:
    micrograph = read(write_tagged({}, resolution=(dpi, dpi), resolutionunit=2))
    assert micrograph.pixel_size is None
    assert micrograph.warnings == ()


def test_a_fine_plain_resolution_is_shown_but_not_chosen(write_tagged: Write) -> None:
    micrograph = read(write_tagged({}, resolution=(20000, 20000), resolutionunit=3))
    assert micrograph.pixel_size is None
    assert "0.5 um per pixel" in micrograph.warnings[0]
    assert "--pixel-size 0.5um" in micrograph.warnings[0]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ('PhysicalSizeX="0.25" PhysicalSizeY="0.25"', 0.25),
        ('PhysicalSizeX="250" PhysicalSizeXUnit="nm" PhysicalSizeY="0.25"', 0.25),
        ('PhysicalSizeX="12" PhysicalSizeXUnit="pm"', 12e-6),
        ('PhysicalSizeX="3" PhysicalSizeXUnit="reference frame"', None),
        ("", None),
    ],
)
def test_ome_xml(write_tagged: Write, attributes: str, expected: float | None) -> None:
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        f'<Pixels ID="Pixels:0" {attributes}/></Image></OME>'
    )
    size = read(write_tagged({}, description=xml)).pixel_size
    assert (size and size.value) == (expected and pytest.approx(expected))


def test_ome_writer_of_tifffile(tmp_path: Path, noise: NDArray[np.uint8]) -> None:
    path = tmp_path / "image.ome.tif"
    sizes = {"PhysicalSizeX": 0.1, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.1}
    tifffile.imwrite(path, noise, metadata={"axes": "YX", **sizes})
    size = read(path).pixel_size
    assert size is not None
    assert size.value == pytest.approx(0.1)


def test_damaged_ome_xml_is_a_warning(write_tagged: Write) -> None:
    micrograph = read(write_tagged({}, description="<?xml version='1.0'?><OME><Image>"))
    assert micrograph.pixel_size is None
    assert "OME-XML" in micrograph.warnings[0]


def test_sources_that_disagree_are_all_reported(write_tagged: Write) -> None:
    ini = "[Scan]\nPixelWidth=1e-8\nPixelHeight=1e-8\n"
    path = write_tagged({34682: ini}, description="ImageJ=1.54f\nunit=um\n", resolution=(50, 50))
    micrograph = read(path)
    assert micrograph.pixel_size is not None
    assert micrograph.pixel_size.value == pytest.approx(0.01)
    assert micrograph.pixel_size.alternatives == ((pytest.approx(0.02), "ImageJ unit um"),)
    assert "0.02 um by ImageJ unit um" in micrograph.warnings[0]
