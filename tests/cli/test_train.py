"""``nital train compact``: what it asks for, and one whole, very short training."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import nital.models
from nital.cli import app
from nital.models import load_model


def invoke(*arguments):
    return CliRunner().invoke(
        app, list(map(str, arguments)), env={"COLUMNS": "200", "TERM": "dumb"}
    )


def test_help_explains_the_training():
    assert "compact" in invoke("train", "--help").output
    output = invoke("train", "compact", "--help").output
    for option in (
        "--out",
        "--data",
        "--steps",
        "--batch",
        "--seed",
        "--workers",
        "--bf16",
        "--no-bf16",
        "--initial",
        "--width",
    ):
        assert option in output
    assert "Examples" in output


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--out", "run", "--steps", "0"],
        ["--out", "run", "--batch", "1"],
        ["--out", "run", "--workers", "-1"],
        ["--out", "run", "--data", "no/such/folder"],
        ["--out", "run", "--initial", "no/such/file"],
        ["--out", "run", "--width", "0"],
    ],
)
def test_bad_usage_is_status_2(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = invoke("train", "compact", *arguments)
    assert result.exit_code == 2
    assert not list(tmp_path.iterdir())


def test_without_torch_the_install_line_is_given(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    result = invoke("train", "compact", "--out", tmp_path / "run")
    assert result.exit_code == 1
    assert 'training needs torch; run: pip install "nital[train]"' in result.output
    assert not (tmp_path / "run").exists()


def test_data_without_licensed_sets_is_bad_usage(tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "sets").mkdir()
    result = invoke(
        *("train", "compact", "--out", tmp_path / "run", "--no-bf16"),
        *("--data", tmp_path / "sets"),
    )
    assert result.exit_code == 2
    assert "holds none of the sets" in result.output
    assert not (tmp_path / "run").exists()


def test_initial_weights_that_are_none_are_named(tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "weights.safetensors").write_bytes(b"none")
    result = invoke(
        *("train", "compact", "--out", tmp_path / "run", "--no-bf16"),
        *("--initial", tmp_path / "weights.safetensors"),
    )
    assert result.exit_code == 1
    assert "weights.safetensors cannot be used" in result.output
    assert not (tmp_path / "run").exists()


def test_an_out_that_is_a_file_is_named(tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "run").write_text("a file")
    result = invoke("train", "compact", "--out", tmp_path / "run", "--no-bf16")
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert "choose another --out" in result.output


@pytest.mark.slow
def test_one_step_trains_exports_and_draws(tmp_path):
    pytest.importorskip("torch")
    out = tmp_path / "run"
    result = invoke(
        *("train", "compact", "--out", out),
        *("--steps", 1, "--batch", 2, "--workers", 0, "--no-bf16", "--width", 0.25),
    )
    assert result.exit_code == 0, result.output
    ours = next((Path(nital.models.__file__).parent / "weights").glob("compact-encoder.onnx"))
    narrow = out / "model" / "compact-encoder.onnx"
    assert narrow.stat().st_size < 0.2 * ours.stat().st_size
    assert "step 1 of 1: loss" in result.output
    assert f"--model {out / 'model'}" in result.output
    assert (out / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert len((out / "log.csv").read_text().splitlines()) == 2
    assert len(load_model(str(out / "model")).sha256) == 64
