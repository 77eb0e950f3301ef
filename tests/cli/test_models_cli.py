"""``nital models``: words and exit statuses, with sockets forbidden throughout."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nital.cli import app
from nital.models import store
from nital.models.catalogue import Entry, Source


def no_sockets(*_: Any, **__: Any) -> Any:
    raise AssertionError("a socket was opened")


@pytest.fixture(autouse=True)
def quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, a toy model in the catalogue, and no network."""
    monkeypatch.setenv("NITAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(socket, "socket", no_sockets)
    source = Source("weights", "http://127.0.0.1:1/weights", 4_000_000)
    monkeypatch.setitem(store.CATALOGUE, "toy", Entry("toy", "A toy", "MIT", (source,)))
    return tmp_path


def typed(*words: str) -> tuple[int, str]:
    answer = CliRunner().invoke(app, ["models", *words])
    return answer.exit_code, " ".join(answer.output.split())


def put_into_cache(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "weights").write_bytes(b"1234")
    store.seal(folder, {"name": "toy"})


def test_list_names_all_and_says_what_is_here(quiet: Path) -> None:
    status, text = typed("list", "--offline")
    assert status == 0
    assert "sam-vit-b Segment Anything, ViT-B Apache-2.0 375 no" in text
    assert "toy A toy MIT 4 no" in text
    put_into_cache(quiet / "cache" / "models" / "toy")
    assert "toy A toy MIT 4 yes" in typed("list")[1]


def test_offline_says_what_to_type_elsewhere() -> None:
    status, text = typed("fetch", "toy", "--offline")
    assert status == 1
    assert "type: nital models fetch toy" in text
    assert "nital models bundle toy --out toy.tar" in text


def test_bundle_carry_and_verify(quiet: Path) -> None:
    folder = quiet / "cache" / "models" / "toy"
    put_into_cache(folder)
    bundle = str(quiet / "toy.tar")
    assert typed("bundle", "toy", "--out", bundle)[0] == 0
    (folder / "weights").write_bytes(b"12345")
    status, text = typed("verify")
    assert (status, "error: toy: weights damaged; remove" in text) == (1, True)
    assert typed("fetch", "toy", "--from", bundle, "--offline")[0] == 0
    assert typed("verify", "toy") == (0, "toy: as it was fetched")


def test_bad_usage(quiet: Path) -> None:
    assert typed("fetch", "sam-vit-x", "--offline")[0] == 2
    status, text = typed("bundle", "toy", "--out", str(quiet / "x.tar"))
    assert status == 1
    assert "type: nital models fetch toy" in text
    assert not (quiet / "x.tar").exists()
    assert typed("verify") == (0, "no models in the cache")
    missing = "error: toy: not in the cache; type: nital models fetch toy"
    assert typed("verify", "toy") == (1, missing)
