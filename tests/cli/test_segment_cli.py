"""``nital segment`` as a user runs it: the files of the contract, hostile input, going on."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy import ndimage

from nital.report import RESULT_FILES

RUN_FILES = {"report.html", "objects.parquet", "summary.csv", "run.json"}


def blobs(shape, seed=0):
    """A smooth two-phase structure with noise, as uint8."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.standard_normal(shape), 6)
    grey = np.where(smooth > 0, 180, 80) + rng.normal(0, 8, shape)
    return grey.clip(0, 255).astype(np.uint8)


@pytest.fixture
def images(tmp_path):
    (tmp_path / "in").mkdir()
    for number, name in enumerate(("one", "two")):
        tifffile.imwrite(tmp_path / "in" / f"{name}.tif", blobs((160, 200), number))
    return tmp_path / "in"


def results(out):
    return {path.name: path for path in out.iterdir() if path.is_dir() and path.name[0] != "."}


def assert_whole(out):
    """Every result folder is complete, and nothing temporary is left."""
    for folder in results(out).values():
        figure = {"sizes.csv", "sizes.svg", "number.csv", "number.svg", "decisions.csv"}
        assert {path.name for path in folder.iterdir()} - figure == set(RESULT_FILES), folder
        json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert not list(out.rglob("*.part*"))


def assert_clean_errors(done):
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr


def test_a_folder_gives_all_files_of_the_contract(nital_program, images, tmp_path):
    done = nital_program("segment", "in", "--out", "out", "--pixel-size", "12.5nm")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    assert set(results(out)) == {"one", "two"}
    assert_whole(out)
    assert {path.name for path in out.iterdir() if path.is_file()} == RUN_FILES
    labels = tifffile.imread(out / "one" / "labels.tif")
    phases = tifffile.imread(out / "one" / "phases.tif")
    assert (labels.dtype, labels.shape) == (np.int32, (160, 200))
    assert bool((phases[labels > 0] > 0).all())
    assert set(np.unique(labels)) - {0} == set(range(1, labels.max() + 1))
    table = pd.read_csv(out / "one" / "objects.csv")
    assert table["label"].tolist() == list(range(1, labels.max() + 1))
    summary = json.loads((out / "one" / "summary.json").read_text(encoding="utf-8"))
    assert summary["image"]["pixel_size"]["value"] == 0.0125
    assert summary["target"]["value"] in {"grains", "phases", "particles", "layers"}
    assert summary["target"]["reason"]
    model = summary["model"]
    assert len(model["sha256"]) == 64 if model["name"] == "compact" else model["sha256"] is None


@pytest.mark.parametrize("target", ["grains", "phases", "particles", "layers"])
def test_each_target_keeps_its_promise(nital_program, images, tmp_path, target):
    done = nital_program("segment", "in/one.tif", "--out", "out", "--target", target)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "out" / "one"
    labels = tifffile.imread(folder / "labels.tif")
    phases = tifffile.imread(folder / "phases.tif")
    assert bool((phases[labels > 0] > 0).all())
    if target == "grains":
        assert bool((labels > 0).all())
    if target in ("phases", "particles"):
        assert bool((phases > 0).all())
    if target == "particles":
        assert np.array_equal(labels == 0, phases == 1)


def test_damaged_files_are_named_and_the_others_finish(nital_program, images, tmp_path):
    (images / "empty.tif").write_bytes(b"")
    (images / "text.tif").write_text("these are no pixels")
    whole = (images / "one.tif").read_bytes()
    (images / "cut.tif").write_bytes(whole[: len(whole) // 2])
    (images / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    done = nital_program("segment", "in", "in/missing.tif", "--out", "out")
    assert done.returncode == 1
    assert_clean_errors(done)
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    for name in ("empty.tif", "text.tif", "cut.tif", "cut.png", "missing.tif"):
        assert sum(name in line for line in errors) == 1, name
    assert len(errors) == 5
    assert set(results(tmp_path / "out")) == {"one", "two"}
    assert_whole(tmp_path / "out")


ODD = {
    "pixel": np.full((1, 1), 7, np.uint8),
    "row": np.arange(10_000, dtype=np.uint16)[None],
    "column": blobs((2000, 1)),
    "constant": np.full((64, 64), 9, np.uint8),
    "nan": np.where(np.eye(80, dtype=bool), np.nan, blobs((80, 80))).astype(np.float32),
    "infinite": np.where(np.eye(80, dtype=bool), np.inf, blobs((80, 80))).astype(np.float32),
    "all_nan": np.full((40, 40), np.nan, np.float32),
    "tiny_range": blobs((90, 90)).astype(np.float32) * np.float32(1e-11),
    "huge_range": blobs((90, 90)).astype(np.float32) * np.float32(1e36),
    "strip": blobs((8, 50_000)),
}


def test_odd_images_give_a_whole_result_or_a_sentence(nital_program, tmp_path):
    (tmp_path / "in").mkdir()
    for name, pixels in ODD.items():
        tifffile.imwrite(tmp_path / "in" / f"{name}.tif", pixels)
    done = nital_program("segment", "in", "--out", "out")
    assert_clean_errors(done)
    assert done.returncode in (0, 1)
    out = tmp_path / "out"
    assert_whole(out)
    whole = results(out)
    for name, pixels in ODD.items():
        if name in whole:
            assert tifffile.imread(whole[name] / "labels.tif").shape == pixels.shape
        else:
            assert f"error: in/{name}.tif: " in done.stderr


def test_a_folder_without_images_is_bad_usage(nital_program, tmp_path):
    (tmp_path / "empty").mkdir()
    done = nital_program("segment", "empty", "--out", "out")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read every folder")
def test_an_unreadable_folder_is_bad_usage(nital_program, images, tmp_path):
    images.chmod(0)
    try:
        done = nital_program("segment", "in", "--out", "out")
    finally:
        images.chmod(0o700)
    assert done.returncode == 2
    assert "permission" in done.stderr.lower()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--model", "nonexistent"], "nonexistent"),
        (["--model", "in/one.tif"], "in/one.tif"),
        (["--model", "otsu"], "--target"),
        (["--method", "otsu"], "--target"),
        (["--method", "sobel", "--target", "grains"], "--method sobel is not one of adaptive"),
        (["--method", "otsu", "--model", "canny"], "leave --model canny out"),
        (["--phases", "300"], "300"),
        (["--pixel-size", "12"], "12"),
    ],
)
def test_impossible_options_are_said_once_before_any_work(
    nital_program, images, tmp_path, options, word
):
    done = nital_program("segment", "in", "--out", "out", *options)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert word in done.stderr
    assert not (tmp_path / "out").exists()


def test_colliding_stems_are_numbered_and_mapped(nital_program, images, tmp_path):
    shutil.copy(images / "one.tif", tmp_path / "one.tif")
    done = nital_program("segment", "in/one.tif", "one.tif", "--out", "out")
    assert done.returncode == 0, done.stderr
    inputs = json.loads((tmp_path / "out" / "run.json").read_text())["inputs"]
    folders = {entry["path"]: entry["folder"] for entry in inputs}
    assert folders == {"in/one.tif": "one", "one.tif": "one-2"}
    assert set(results(tmp_path / "out")) == {"one", "one-2"}


def test_the_same_images_give_the_same_bytes_in_any_number_of_processes(
    nital_program, images, tmp_path
):
    assert nital_program("segment", "in", "--out", "a").returncode == 0
    assert nital_program("segment", "in", "--out", "b", "--jobs", "2").returncode == 0
    for name in [f"{image}/{file}" for image in ("one", "two") for file in RESULT_FILES]:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_resume_leaves_what_is_done(nital_program, images, tmp_path):
    out = tmp_path / "out"
    assert nital_program("segment", "in/one.tif", "--out", "out").returncode == 0
    before = (out / "one" / "labels.tif").stat().st_mtime_ns
    done = nital_program("segment", "in", "--out", "out", "--resume")
    assert done.returncode == 0, done.stderr
    assert "2 of 2 done, 1 of them before" in done.stderr
    assert (out / "one" / "labels.tif").stat().st_mtime_ns == before
    done = nital_program("segment", "in", "--out", "out", "--resume", "--no-boost")
    assert "2 of 2 done;" in done.stderr


def test_a_full_disk_leaves_whole_files_or_none(nital_program, images, tmp_path):
    """A limit on the size of files stands for a disk that fills up."""

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000))

    done = nital_program("segment", "in", "--out", "out", preexec_fn=limit)
    assert done.returncode == 1
    assert_clean_errors(done)
    assert "disk is full" in done.stderr
    assert results(tmp_path / "out") == {}
    assert not list((tmp_path / "out").rglob("*.part*"))


def test_ctrl_c_in_the_middle_and_going_on(nital_program, images, tmp_path):
    for number in range(6):
        tifffile.imwrite(images / f"more{number}.tif", blobs((300, 300), number))
    out = tmp_path / "out"
    program = "from nital.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "segment", "in", "--out", "out"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 60
    while not (out.exists() and results(out)):
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "--resume" in errors
    assert_whole(out)
    assert 1 <= len(results(out)) < 8
    states = {entry["outcome"] for entry in json.loads((out / "run.json").read_text())["inputs"]}
    assert "not done" in states
    assert states <= {"done", "not done"}
    done = nital_program("segment", "in", "--out", "out", "--resume")
    assert done.returncode == 0, done.stderr
    assert len(results(out)) == 8
    assert_whole(out)
