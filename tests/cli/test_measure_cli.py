"""``nital measure`` as a user runs it."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import tifffile

FILES = {"report.html", "objects.parquet", "summary.csv", "run.json"}


@pytest.fixture
def labels(tmp_path, voronoi):
    tifffile.imwrite(tmp_path / "labels.tif", voronoi(30, (60, 80)))
    return tmp_path / "labels.tif"


def test_one_label_image(nital_program, labels, tmp_path):
    done = nital_program(
        "measure", "labels.tif", "--pixel-size", "0.5um", "--target", "grains", "--out", "out"
    )
    assert done.returncode == 0, done.stderr
    assert "30 grains, G " in done.stderr
    assert "report.html" in done.stderr
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} - {".report"} == FILES | {"labels"}
    table = pd.read_csv(out / "labels" / "objects.csv")
    assert len(table) == 30
    assert "ecd_um" in table
    summary = json.loads((out / "labels" / "summary.json").read_text())
    assert summary["image"]["path"] == "labels.tif"
    assert summary["image"]["pixel_size"]["source"] == "--pixel-size"
    command = json.loads((out / "run.json").read_text())["command"]
    assert command[1:3] == ["measure", "labels.tif"]


def test_bad_files_are_named_and_the_others_finish(nital_program, labels, tmp_path):
    (tmp_path / "empty.tif").write_bytes(b"")
    (tmp_path / "text.tif").write_text("not an image at all")
    (tmp_path / "cut.tif").write_bytes(labels.read_bytes()[:200])
    np.save(tmp_path / "floats.npy", np.full((4, 4), 0.5))
    np.save(tmp_path / "negative.npy", np.full((4, 4), -1))
    done = nital_program(
        "measure", ".", "missing.tif", "--target", "grains", "--out", "out", "--jobs", "2"
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    for name in ("empty.tif", "text.tif", "cut.tif", "floats.npy", "negative.npy", "missing.tif"):
        assert sum(name in line for line in errors) == 1, name
    assert len(errors) == 6
    folders = {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()}
    assert folders == {".report", "labels"}


def test_without_a_pixel_size_there_is_a_warning_in_the_summary(nital_program, labels, tmp_path):
    done = nital_program("measure", "labels.tif", "--target", "grains", "--out", "out")
    assert done.returncode == 0
    summary = json.loads((tmp_path / "out" / "labels" / "summary.json").read_text())
    assert summary["image"]["pixel_size"] is None
    assert "--pixel-size" in summary["warnings"][0]


@pytest.mark.parametrize("size", ["12", "nm", "-3nm", "0um", "nan um", "5 parsec"])
def test_a_pixel_size_that_is_none_is_bad_usage(nital_program, labels, tmp_path, size):
    done = nital_program(
        "measure", "labels.tif", f"--pixel-size={size}", "--target", "grains", "--out", "out"
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_the_second_run_asks_and_resume_goes_on(nital_program, labels):
    arguments = ("measure", "labels.tif", "--target", "grains", "--out", "out")
    assert nital_program(*arguments).returncode == 0
    again = nital_program(*arguments)
    assert again.returncode == 2
    assert "--resume" in again.stderr
    assert "--overwrite" in again.stderr
    resumed = nital_program(*arguments, "--resume")
    assert resumed.returncode == 0
    assert "1 of 1 done, 1 of them before" in resumed.stderr
    assert nital_program(*arguments, "--overwrite").returncode == 0


def test_with_the_micrograph_there_are_grey_levels_and_an_overlay(nital_program, labels, tmp_path):
    (tmp_path / "images").mkdir()
    grey = np.full((60, 80), 100, dtype=np.uint8)
    grey[:30] = 50
    tifffile.imwrite(tmp_path / "images" / "labels.tif", grey)
    arguments = ("measure", "labels.tif", "--target", "grains", "--out", "out")
    done = nital_program(*arguments, "--micrograph", "images")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "out" / "labels"
    assert {path.name for path in folder.iterdir()} == {
        "objects.csv",
        "summary.json",
        "overlay.png",
        "sizes.csv",
        "sizes.svg",
    }
    table = pd.read_csv(folder / "objects.csv")
    assert table["mean_intensity"].between(50, 100).all()
    assert "data:image/jpeg" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    resumed = nital_program(*arguments, "--micrograph", "images", "--resume")
    assert "1 of 1 done, 1 of them before" in resumed.stderr


@pytest.mark.parametrize("case", ["other size", "none of that name"])
def test_a_micrograph_that_does_not_fit_is_named(nital_program, labels, tmp_path, case):
    (tmp_path / "images").mkdir()
    name = "labels.tif" if case == "other size" else "another.tif"
    tifffile.imwrite(tmp_path / "images" / name, np.zeros((50, 80), dtype=np.uint8))
    done = nital_program(
        "measure", "labels.tif", "--target", "grains", "--out", "out", "--micrograph", "images"
    )
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "labels.tif" in errors[0]
    assert not (tmp_path / "out" / "labels").exists()


@pytest.mark.parametrize(
    "options",
    [
        ("--precision", "0"),
        ("--precision", "5"),
        ("--micrograph", "missing.tif"),
        ("second.tif", "--micrograph", "labels.tif"),
    ],
)
def test_options_that_cannot_be_meant_are_bad_usage(nital_program, labels, tmp_path, options):
    (tmp_path / "second.tif").write_bytes(labels.read_bytes())
    done = nital_program("measure", "labels.tif", *options, "--target", "particles", "--out", "out")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert options[-2] in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_precision_asked_for_decides_how_many_more_are_needed(nital_program, labels, tmp_path):
    needed = []
    for precision in ("0.02", "0.01"):
        nital_program(
            *("measure", "labels.tif", "--target", "particles", "--out", precision),
            *("--precision", precision),
        )
        summary = json.loads((tmp_path / precision / "labels" / "summary.json").read_text())
        quantities = {row["name"]: row for row in summary["quantities"] if row["phase"] is None}
        needed.append(quantities["more_objects_for_ecd_mean"])
    first, second = (row["value"] + row["n"] for row in needed)
    assert second / first == pytest.approx(4, rel=0.05)
