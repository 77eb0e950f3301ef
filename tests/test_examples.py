"""The example micrographs: read as microscopes' files are, with a truth that keeps the contract."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nital.io import read, read_labels

EXAMPLES = Path(__file__).parents[1] / "examples"
LARGEST_MB = 6

NAMES = ["ferrite", "superalloy", "powder", "coating"]


@pytest.mark.parametrize(
    ("name", "pixel_um", "source", "data_bar", "modality"),
    [
        ("ferrite", 0.48, "ImageJ unit um", None, None),
        ("superalloy", 7.5 / 1024, "FEI tag 34682 [Scan]", 884, "SEM"),
        ("powder", 0.4, "Zeiss tag 34118, image pixel size", None, "SEM"),
        ("coating", 0.00025, "OME-XML PhysicalSizeX, PhysicalSizeY", None, None),
    ],
)
def test_pixel_size_and_data_bar_are_found(
    name: str, pixel_um: float, source: str, data_bar: int | None, modality: str | None
) -> None:
    micrograph = read(EXAMPLES / f"{name}.tif")
    assert micrograph.pixel_size is not None
    assert micrograph.pixel_size.value == pytest.approx(pixel_um)
    assert micrograph.pixel_size.source == source
    assert micrograph.pixel_size.alternatives == ()
    assert micrograph.data_bar_row == data_bar
    assert micrograph.modality == modality
    assert micrograph.warnings == ()
    assert micrograph.pixels.dtype == np.uint8


@pytest.mark.parametrize("name", NAMES)
def test_the_truth_covers_the_specimen_and_nothing_else(name: str) -> None:
    micrograph = read(EXAMPLES / f"{name}.tif")
    labels, phases = (
        read_labels(EXAMPLES / "truth" / f"{name}_{kind}.tif") for kind in ("labels", "phases")
    )
    assert labels.shape == phases.shape == micrograph.shape
    rows = micrograph.content_rows
    assert not labels[rows:].any()
    assert not phases[rows:].any()
    assert phases[:rows].min() == 1
    np.testing.assert_array_equal(np.unique(labels[labels > 0]), 1 + np.arange(labels.max()))
    if name != "powder":  # there, 1 is the background whatever its area
        areas = np.bincount(phases[:rows].ravel())[1:]
        assert np.all(np.diff(areas) <= 0)


@pytest.mark.parametrize(("name", "darker"), [("superalloy", 2), ("powder", 1)])
def test_the_picture_shows_the_truth(name: str, darker: int) -> None:
    micrograph = read(EXAMPLES / f"{name}.tif")
    phases = read_labels(EXAMPLES / "truth" / f"{name}_phases.tif")
    dark, bright = (np.median(micrograph.pixels[phases == phase]) for phase in (darker, 3 - darker))
    assert bright - dark > 30


def test_boundaries_of_the_truth_are_dark_in_the_picture() -> None:
    pixels = read(EXAMPLES / "ferrite.tif").pixels.astype(float)
    labels = read_labels(EXAMPLES / "truth" / "ferrite_labels.tif")
    wall = labels[:, 1:] != labels[:, :-1]
    assert np.median(pixels[:, 1:][wall]) < np.median(pixels) - 40


def test_the_examples_are_small() -> None:
    total = sum(file.stat().st_size for file in EXAMPLES.rglob("*") if file.is_file())
    assert total < LARGEST_MB * 1e6
