"""``nital train unet``: what it asks for, and one short training used as a user would."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from nital.cli import app

QUICK = ("--width", 4, "--crop", 64, "--epochs", 1, "--no-bf16")


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(
        app, list(map(str, arguments)), env={"COLUMNS": "300", "TERM": "dumb"}
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six images of two halves; the label of the last one is missing."""
    folder = tmp_path / "halves"
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    for number in range(6):
        truth = np.ones((64, 80), dtype=np.uint8)
        truth[20 + 3 * number :] = 2
        noise = np.random.default_rng(number).normal(0, 5, truth.shape)
        image = np.clip(90 * truth + noise, 0, 255).astype(np.uint8)
        Image.fromarray(image).save(folder / "images" / f"image {number}.png")
        Image.fromarray(truth).save(folder / "labels" / f"image {number}.png")
    (folder / "labels" / "image 5.png").unlink()
    (folder / "dataset.toml").write_text(
        'name = "Halves"\ntask = "semantic"\nuse = "train"\n[classes]\n1 = "steel"\n2 = "oxide"\n',
        encoding="utf-8",
    )
    return folder


@pytest.mark.parametrize("architecture", ["unet", "segnet", "transunet"])
def test_help_teaches(architecture: str) -> None:
    output = invoke("train", architecture, "--help").output
    for option in (
        "--out",
        "--width",
        "--crop",
        "--epochs",
        "--patience",
        "--encoder",
        "--no-bf16",
    ):
        assert option in output
    assert f"nital bench my-set --split test --methods runs/{architecture}" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--crop", 100), "--crop must be a multiple of 32 and --width one of 4, not 100 and 16"),
        (("--width", 6), "--crop must be a multiple of 32 and --width one of 4, not 256 and 6"),
    ],
)
def test_sizes_that_do_not_fit_are_named(
    folder: Path, tmp_path: Path, arguments: tuple[object, ...], message: str
) -> None:
    result = invoke("train", "unet", folder, "--out", tmp_path / "run", *arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_no_set_is_named(tmp_path: Path) -> None:
    result = invoke("train", "segnet", tmp_path, "--out", tmp_path / "run", *QUICK)
    assert result.exit_code == 1
    assert f"{tmp_path}: is no data set" in result.output


def test_an_encoder_that_cannot_be_read_is_named(folder: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing.safetensors"
    options = (*QUICK, "--encoder", missing)
    result = invoke("train", "unet", folder, "--out", tmp_path / "run", *options)
    assert result.exit_code == 1
    assert f"{missing} cannot be read as safetensors" in result.output


@pytest.mark.slow
def test_train_then_segment_then_bench(folder: Path, tmp_path: Path) -> None:
    """The missing label is named (status 1), the rest is trained on, and the model is used."""
    run = tmp_path / "run"
    trained = invoke("train", "unet", folder, "--out", run, *QUICK)
    assert trained.exit_code == 1, trained.output
    assert "image 5.png: has no label file; add" in trained.output
    assert "classes steel, oxide" in trained.output
    assert "epoch 1: loss" in trained.output
    assert "test part, oxide: iou" in trained.output
    assert (run / "curve.png").is_file()
    description = json.loads((run / "model" / "semantic.json").read_text())
    assert [each["name"] for each in description["classes"]] == ["steel", "oxide"]
    assert set(description["test"]) == {"steel", "oxide"}

    picture = folder / "images" / "image 0.png"
    segmented = invoke("segment", picture, "--model", run, "--out", tmp_path / "out")
    assert segmented.exit_code == 0, segmented.output
    summary = json.loads((tmp_path / "out" / "image 0" / "summary.json").read_text())
    assert summary["model"]["sha256"] == description["sha256"]
    assert set(summary["parameters"]["found"]["classes"].values()) <= {"steel", "oxide"}

    scored = invoke("bench", folder, "--methods", f"{run},otsu", "--out", tmp_path / "scores")
    assert scored.exit_code == 1  # the label is still missing
    table = json.loads((tmp_path / "scores" / "bench.json").read_text())
    assert {row["method"] for row in table["rows"]} == {str(run), "otsu"}
    assert len(table["rows"]) == 10
    assert any(f"{run} was trained on" in note for note in table["notes"])
    assert any("image 5.png: has no label file" in each for each in table["failures"])
