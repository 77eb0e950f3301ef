"""``nital train texture`` and ``crops``: they train, go on, export, and say what is wrong."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from nital.cli import app

pytest.importorskip("torch")


def run(*arguments):
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


def test_texture_trains_exports_and_is_used(tmp_path):
    out = tmp_path / "texture"
    done = run("texture", "--out", out, "--steps", 2, "--groups", 1)
    assert done.exit_code == 0, done.output
    assert json.loads((out / "model" / "texture.json").read_text())["sha256"]
    again = run("texture", "--out", out, "--steps", 2, "--groups", 1)
    assert again.exit_code == 0, again.output
    assert len((out / "log.csv").read_text().splitlines()) == 2


def test_crops_train_and_export(tmp_path):
    out = tmp_path / "crops"
    done = run("crops", "--materials", "SrTiO3,Ge", "--out", out, "--steps", 2, "--batch", 4)
    assert done.exit_code == 0, done.output
    assert json.loads((out / "model" / "crops.json").read_text())["materials"] == ["SrTiO3", "Ge"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("texture", "--data"), "holds none of the sets"),
        (("crops", "--materials", "SrTiO3,Unobtainium"), "Unobtainium"),
    ],
)
def test_what_cannot_be_trained_is_said_in_one_sentence(tmp_path, arguments, words):
    if arguments[-1] == "--data":
        (tmp_path / "empty").mkdir()
        arguments = (*arguments, tmp_path / "empty")
    done = run(*arguments, "--out", tmp_path / "out", "--steps", 1)
    assert done.exit_code == 2
    assert words in " ".join(done.output.split())
