"""``nital train particles`` on the command line: what is refused, before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from typer.testing import CliRunner

from nital.cli import app


def test_wrong_initial_weights_are_named(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.safetensors"
    wrong.write_bytes(b"no weights")
    arguments = ["train", "particles", "--out", str(tmp_path / "out"), "--initial", str(wrong)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "wrong.safetensors" in result.output


def test_a_folder_without_particles_is_bad_usage(tmp_path: Path) -> None:
    arguments = ["train", "particles", "--out", str(tmp_path / "out"), "--data", str(tmp_path)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "no labelled particles" in result.output


def test_an_unknown_backbone_is_bad_usage(tmp_path: Path) -> None:
    arguments = ["train", "particles", "--out", str(tmp_path / "out"), "--backbone", "vgg"]
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_the_unet_takes_no_backbone_and_trains(tmp_path: Path) -> None:
    start = ["train", "particles", "--network", "unet", "--out", str(tmp_path / "out")]
    refused = CliRunner().invoke(app, [*start, "--backbone", "resnet50"])
    assert refused.exit_code == 2
    assert "are the detector's" in refused.output
    small = ["--width", "4", "--size", "64", "--steps", "1", "--batch", "1"]
    assert CliRunner().invoke(app, [*start, *small]).exit_code == 0
    assert (tmp_path / "out" / "model" / "semantic.onnx").is_file()
