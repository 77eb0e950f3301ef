"""Make the example micrographs and their truth; the same Nital gives the same files.

``python examples/make_examples.py [FOLDER]`` writes four TIFF files, each with the pixel size as
one kind of microscope or program writes it, and ``truth/`` with labels and phases of each. All
are simulated; no image of a real specimen is behind them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from recipes.coating import coating_stack
from recipes.common import Specimen
from recipes.ferrite import etched_ferrite
from recipes.powder import atomised_powder
from recipes.superalloy import superalloy

from nital import PixelSize
from nital.io import atomic_write, write_label_tiff

__all__ = ["main"]

FERRITE_UM = 0.48
SUPERALLOY_UM = 7.5 / 1024
POWDER_UM = 0.4
COATING_UM = 0.00025
BAR_ROWS = 59
ORIGIN = "Simulated by Nital (examples/make_examples.py)"


def main(folder: Path) -> None:
    """Write all examples into a folder."""
    (folder / "truth").mkdir(parents=True, exist_ok=True)
    _write(folder, "ferrite", etched_ferrite(1), FERRITE_UM, _imagej)
    _write(folder, "superalloy", superalloy(3), SUPERALLOY_UM, _fei)
    _write(folder, "powder", atomised_powder(2), POWDER_UM, _zeiss)
    _write(folder, "coating", coating_stack(2), COATING_UM, _ome)


def _write(
    folder: Path,
    name: str,
    specimen: Specimen,
    pixel_um: float,
    write: Callable[[Path, NDArray[np.uint8]], None],
) -> None:
    """Write one micrograph and its truth, which covers the data bar with zeros."""
    path = folder / f"{name}.tif"
    atomic_write(path, lambda temporary: write(temporary, specimen.image))
    height = tifffile.imread(path).shape[0]
    below = ((0, height - specimen.labels.shape[0]), (0, 0))
    pixel_size = PixelSize(pixel_um, "make_examples.py")
    for kind, truth in (("labels", specimen.labels), ("phases", specimen.phases)):
        target = folder / "truth" / f"{name}_{kind}.tif"
        write_label_tiff(target, np.pad(truth, below), pixel_size)
    print(f"{path}: {specimen.labels.max()} objects, {pixel_um:g} um per pixel")


def _imagej(path: Path, image: NDArray[np.uint8]) -> None:
    """As ImageJ saves a light micrograph after Set Scale."""
    density = 1 / FERRITE_UM
    tifffile.imwrite(
        path,
        image,
        imagej=True,
        resolution=(density, density),
        metadata={"unit": "um", "Info": ORIGIN},
    )


def _ome(path: Path, image: NDArray[np.uint8]) -> None:
    """As a STEM program exports OME-TIFF."""
    metadata = {
        "axes": "YX",
        "UUID": "6e697461-6c00-4000-8000-000000000001",
        "Name": "HAADF",
        "Description": ORIGIN,
        "PhysicalSizeX": COATING_UM * 1000,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": COATING_UM * 1000,
        "PhysicalSizeYUnit": "nm",
    }
    tifffile.imwrite(path, image, ome=True, photometric="minisblack", metadata=metadata)


def _zeiss(path: Path, image: NDArray[np.uint8]) -> None:
    """As SmartSEM stores an image: unnamed numbers, then key and value on lines of their own."""
    height, width = image.shape
    entries = (
        ("AP_WD", "WD = 8.4 mm"),
        ("AP_IMAGE_PIXEL_SIZE", f"Image Pixel Size = {POWDER_UM * 1000:.1f} nm"),
        ("AP_PIXEL_SIZE", f"Pixel Size = {POWDER_UM * 1000 * width / 1024:.1f} nm"),
        ("AP_ACTUALKV", "EHT Target = 15.00 kV"),
        ("DP_DETECTOR_CHANNEL", "Signal A = SE2"),
        ("DP_IMAGE_STORE", f"Store resolution = {width} * {height}"),
        ("SV_USER_TEXT", f"User Text = {ORIGIN}"),
    )
    lines = ["", "0", "0", "0", f"{POWDER_UM * 1e-6 * width / 1024:.6e}", "0", "0"]
    lines += [line for key, text in entries for line in (key, text)]
    _tagged(path, image, 34118, "\r\n".join(lines) + "\r\n")


def _fei(path: Path, image: NDArray[np.uint8]) -> None:
    """As FEI's microscopes store an image, data bar included."""
    height, width = image.shape
    field, side = width * SUPERALLOY_UM * 1e-6, SUPERALLOY_UM * 1e-6
    sections: dict[str, dict[str, Any]] = {
        "User": {"UserText": ORIGIN},
        "System": {"Type": "SEM", "Dnumber": "simulated"},
        "Beam": {"HV": 10000, "Spot": 3, "Beam": "EBeam", "Scan": "EScan"},
        "EBeam": {"HFW": field, "VFW": height * side, "WD": 0.0061},
        "Scan": {
            "InternalScan": "true",
            "Dwelltime": 3e-06,
            "PixelWidth": side,
            "PixelHeight": side,
            "HorFieldsize": field,
            "VerFieldsize": height * side,
        },
        "EScan": {"PixelWidth": side, "PixelHeight": side, "HorFieldsize": field},
        "Detectors": {"Number": 1, "Name": "ETD", "Mode": "SE"},
        "Image": {"ResolutionX": width, "ResolutionY": height, "DigitalContrast": 1},
        "PrivateFei": {"DatabarSelected": "HV mag WD HFW det MicronBar", "DatabarHeight": BAR_ROWS},
    }
    text = "\r\n\r\n".join(
        "\r\n".join([f"[{name}]", *(f"{key}={value}" for key, value in keys.items())])
        for name, keys in sections.items()
    )
    _tagged(path, np.vstack([image, _data_bar(width)]), 34682, text + "\r\n")


def _data_bar(width: int) -> NDArray[np.uint8]:
    """The strip below an image: fields parted by lines, and a bar of 2 um between ticks."""
    canvas = Image.new("L", (width, BAR_ROWS), 0)
    draw = ImageDraw.Draw(canvas)
    small, large = ImageFont.load_default(size=13), ImageFont.load_default(size=19)
    draw.line((0, 0, width, 0), fill=170)
    fields = (
        (10, "HV", "10.00 kV"),
        (110, "mag", "27 600 x"),
        (212, "WD", "6.1 mm"),
        (292, "HFW", f"{width * SUPERALLOY_UM:.2f} um"),
        (388, "det", "ETD"),
        (446, "mode", "SE"),
    )
    for left, name, value in fields:
        draw.text((left, 7), name, fill=200, font=small)
        draw.text((left, 28), value, fill=235, font=large)
        draw.line((left - 6, 4, left - 6, BAR_ROWS - 5), fill=130)
    length = round(2 / SUPERALLOY_UM)
    left, right = 510, 510 + length
    for column in (left, right):
        draw.line((column, 10, column, 32), fill=235, width=2)
    for start, end in ((left, left + length // 2 - 34), (right - length // 2 + 34, right)):
        draw.line((start, 21, end, 21), fill=235, width=2)
    draw.text(((left + right) / 2, 21), "2 um", fill=235, font=large, anchor="mm")
    draw.text(((left + right) / 2, 45), "simulated specimen", fill=200, font=small, anchor="mm")
    draw.line((right + 14, 4, right + 14, BAR_ROWS - 5), fill=130)
    draw.text((right + 28, 28), "Nital example", fill=235, font=large)
    return np.array(canvas, dtype=np.uint8)


def _tagged(path: Path, image: NDArray[np.uint8], tag: int, text: str) -> None:
    tifffile.imwrite(
        path,
        image,
        photometric="minisblack",
        metadata=None,
        extratags=[(tag, 2, 0, text, True)],
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
