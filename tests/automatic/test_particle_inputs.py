"""Particles at the limits: none, larger than the image, thousands of specks, inverted contrast."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from typer.testing import CliRunner

import nital
from nital.cli import app
from nital.micrograph import Micrograph


def discs(level: int = 200, ground: int = 60) -> np.ndarray:
    """Nine bright discs of 12 pixels radius with a little noise."""
    rows, columns = np.indices((160, 160))
    inside = np.hypot(rows % 52 - 26, columns % 52 - 26) <= 12
    image = np.where(inside, level, ground) + np.random.default_rng(0).normal(0, 4, inside.shape)
    return np.clip(ndimage.gaussian_filter(image, 0.7), 0, 255).astype(np.uint8)


def count(image: np.ndarray) -> int:
    return len(nital.segment(Micrograph(image), target="particles").objects)


def test_an_image_without_particles_gives_an_empty_table_and_says_so(tmp_path: Path) -> None:
    Image.fromarray(np.full((96, 96), 120, dtype=np.uint8)).save(tmp_path / "flat.png")
    arguments = ["segment", str(tmp_path / "flat.png"), "--target", "particles"]
    result = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    table = (tmp_path / "out" / "flat" / "objects.csv").read_text().splitlines()
    assert len(table) == 1
    summary = json.loads((tmp_path / "out" / "flat" / "summary.json").read_text())
    assert "no particle was found" in summary["warnings"]
    assert "no particle was found" in (tmp_path / "out" / "report.html").read_text()


def test_inverted_contrast_finds_the_same_particles() -> None:
    image = discs()
    assert 8 <= count(image) <= 11
    assert 8 <= count(255 - image) <= 11


def test_a_particle_larger_than_the_image_is_one_object_at_the_edge_or_none() -> None:
    rows, columns = np.indices((128, 128))
    large = np.where(np.hypot(rows - 64, columns + 40) <= 140, 190, 60)
    noise = np.random.default_rng(1).normal(0, 5, large.shape)
    result = nital.segment(Micrograph((large + noise).clip(0, 255).astype(np.uint8)), "particles")
    assert len(result.objects) <= 3
    table = result.measure()
    assert not table.objects.empty
    assert table.objects["touches_edge"].any()


def test_specks_of_four_pixels_are_found_and_measured_with_a_warning() -> None:
    rng = np.random.default_rng(2)
    image = np.full((128, 128), 70.0)
    for place in rng.permutation(32 * 32)[:600].tolist():
        row, column = 4 * (place // 32) + 1, 4 * (place % 32) + 1
        image[row : row + 2, column : column + 2] = 210
    image += rng.normal(0, 4, image.shape)
    result = nital.segment(Micrograph(image.clip(0, 255).astype(np.uint8)), "particles")
    assert 540 <= len(result.objects) <= 600
    found = result.measure()
    assert any("pixels across" in warning for warning in found.summary["warnings"])


def test_noise_is_not_taken_for_specks() -> None:
    noise = np.random.default_rng(0).normal(120, 10, (128, 128)).clip(0, 255)
    assert count(noise.astype(np.uint8)) == 0


def test_a_scale_that_contradicts_the_magnification_is_named_with_it(tmp_path: Path) -> None:
    Image.fromarray(discs()).save(tmp_path / "discs.png")
    start = ["segment", str(tmp_path / "discs.png"), "--target", "particles"]
    start += ["--out", str(tmp_path / "out"), "--pixel-size", "1um"]
    result = CliRunner().invoke(app, [*start, "--magnification", "900kx"])
    assert result.exit_code == 0, result.output
    summary = json.loads((tmp_path / "out" / "discs" / "summary.json").read_text())
    assert summary["parameters"]["magnification"] == 900_000
    (warning,) = (text for text in summary["warnings"] if "contradicts" in text)
    assert "1 um contradicts the magnification 900,000x" in warning
    refused = CliRunner().invoke(app, [*start, "--overwrite", "--magnification", "large"])
    assert refused.exit_code == 2
    assert "25kx" in refused.output
