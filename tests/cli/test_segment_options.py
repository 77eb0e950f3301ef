"""``nital segment --offline`` and ``--keep``, in this process and with sockets forbidden."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from tests.generator.conftest import small_sam
from typer.testing import CliRunner

from nital.cli import app
from nital.models import store
from nital.models.catalogue import Entry, Source

SIDES = (4, 10, 20, 30)


def no_sockets(*_: Any, **__: Any) -> Any:
    raise AssertionError("a socket was opened")


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, sockets forbidden, and an image in the working folder."""
    monkeypatch.setenv("NITAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NITAL_OFFLINE", "0")  # so that what the command sets is undone
    monkeypatch.setattr(socket, "socket", no_sockets)
    monkeypatch.setattr(socket, "create_connection", no_sockets)
    monkeypatch.setattr(socket, "getaddrinfo", no_sockets)
    monkeypatch.chdir(tmp_path)
    image = np.full((80, 120), 60, np.uint8)
    for number, side in enumerate(SIDES):
        image[5 : 5 + side, 30 * number : 30 * number + side] = 200
    image = np.random.default_rng(0).normal(image, 2).clip(0, 255).astype(np.uint8)
    tifffile.imwrite("squares.tif", image)
    return tmp_path


def typed(*words: str) -> tuple[int, str]:
    answer = CliRunner().invoke(app, ["segment", "squares.tif", "--out", "out", *words])
    return answer.exit_code, " ".join((answer.output + answer.stderr).split())


def test_a_model_that_is_not_here_is_not_fetched(
    offline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transformers")
    source = Source("model.safetensors", "http://127.0.0.1:1/weights", 4_000_000)
    monkeypatch.setitem(store.CATALOGUE, "toy", Entry("toy", "A toy", "MIT", (source,)))
    status, text = typed("--model", "toy", "--target", "particles", "--offline")
    assert status == 2
    assert "the network is forbidden" in text
    assert "type: nital models fetch toy" in text
    assert not (offline / "out").exists()
    assert not (offline / "cache").exists()


def test_a_folder_of_transformers_needs_no_socket(offline: Path) -> None:
    small_sam(side=128).save_pretrained(offline / "sam")
    status, text = typed("--model", "sam", "--target", "particles", "--offline")
    assert status == 0, text
    assert (offline / "out" / "squares" / "labels.tif").is_file()


def test_only_objects_in_the_range_are_kept(offline: Path) -> None:
    options = ("--method", "otsu", "--target", "particles", "--pixel-size", "100nm")
    limits = ("--keep", "area=0.5..5um2", "--keep", "intensity=150..")
    status, text = typed(*options, *limits, "--offline")
    assert status == 0, text
    labels = tifffile.imread(offline / "out" / "squares" / "labels.tif")
    areas = np.bincount(labels.ravel())[1:]
    assert areas.tolist() == pytest.approx([100, 400], rel=0.2)
    summary = json.loads((offline / "out" / "squares" / "summary.json").read_text())
    assert summary["parameters"]["keep"] == ["area=0.5..5um2", "intensity=150.."]
    assert "outside --keep" in (offline / "out" / "report.html").read_text()
    assert "1 of 1 done, 1 of them before" in typed(*options, *limits, "--resume")[1]


@pytest.mark.parametrize(
    ("limit", "status", "words"),
    [
        ("colour=1..2", 2, "the features are area, intensity"),
        ("area=9..3", 2, "keeps nothing"),
        ("area=1..um2", 1, "say --pixel-size"),
    ],
)
def test_limits_that_cannot_be_used(offline: Path, limit: str, status: int, words: str) -> None:
    found, text = typed("--method", "otsu", "--target", "particles", "--keep", limit)
    assert (found, words in text) == (status, True), text
