"""``nital bench`` as typed: files, messages and exit statuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from tests.generator.conftest import small_sam
from typer.testing import CliRunner

from nital.cli.bench import BENCH_EPILOG, bench
from nital.models import load_model

app = typer.Typer()
app.command(epilog=BENCH_EPILOG)(bench)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One image of a square on a background."""
    labels = np.zeros((40, 50), np.uint8)
    labels[10:25, 12:30] = 1
    (tmp_path / "set" / "images").mkdir(parents=True)
    (tmp_path / "set" / "labels").mkdir()
    Image.fromarray(labels * 150 + 50).save(tmp_path / "set" / "images" / "a.png")
    Image.fromarray(labels).save(tmp_path / "set" / "labels" / "a.png")
    (tmp_path / "set" / "dataset.toml").write_text('task = "instances"\n', encoding="utf-8")
    return tmp_path / "set"


def call(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_a_run_ends_well_and_says_where_to_look(folder: Path, tmp_path: Path) -> None:
    status, text = call(folder, "--out", tmp_path / "out", "--methods", "otsu")
    assert status == 0
    assert "1 of 1 scored; look at" in text
    rows = json.loads((tmp_path / "out" / "bench.json").read_text())["rows"]
    assert rows[0]["metrics"]["ap50"] == 1
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "bench.csv",
        "bench.html",
        "bench.json",
        "bench.md",
        "pictures",
    }


def test_a_local_sam_is_a_method_on_structure_and_on_the_grid(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random weights: what is tested is that each is asked, hashed and scored, not how well."""
    small_sam(side=128).save_pretrained(tmp_path / "sam")
    monkeypatch.chdir(tmp_path)
    status, text = call(folder, "--out", tmp_path / "out", "--methods", "sam,sam:grid,otsu")
    assert status == 0, text
    assert "3 of 3 scored" in text
    written = json.loads((tmp_path / "out" / "bench.json").read_text())
    rows = {row["method"]: row for row in written["rows"]}
    assert set(rows) == {"sam", "sam:grid", "otsu"}
    assert all("ap50" in row["metrics"] and row["seconds"] > 0 for row in rows.values())
    page = (tmp_path / "out" / "bench.html").read_text()
    sha256 = load_model("sam").sha256
    assert sha256 is not None
    assert sha256[:12] in page + json.dumps(written)


def test_failed_images_give_status_one(folder: Path, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(folder / "labels" / "a.png")
    status, text = call(folder, "--out", tmp_path / "out", "--methods", "otsu")
    assert status == 1
    assert "a.png: is 5 x 5 pixels, its image 40 x 50" in text
    assert json.loads((tmp_path / "out" / "bench.json").read_text())["rows"] == []


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("--methods", ""), 2, "names no method"),
        (("--methods", "otsu", "--split", "half"), 2, "is not one of all, train, validation, test"),
        (("--methods", "otsu", "--limit", "0"), 2, "--limit"),
        (("--methods", "otsu", "--tuned", "missing.toml"), 1, "missing.toml: cannot be read"),
    ],
)
def test_bad_usage_is_named(
    folder: Path, tmp_path: Path, arguments: tuple[str, ...], status: int, message: str
) -> None:
    found, text = call(folder, "--out", tmp_path / "out", *arguments)
    assert found == status
    assert message in text
    assert not (tmp_path / "out").exists()


def test_a_folder_without_sets_is_named(tmp_path: Path) -> None:
    status, text = call(tmp_path, "--out", tmp_path / "out", "--methods", "otsu")
    assert status == 1
    assert "is no data set" in text


def test_a_folder_that_cannot_be_made_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    status, text = call(folder, "--out", tmp_path / "file" / "out", "--methods", "otsu")
    assert status == 1
    assert "choose another folder with --out" in text


def test_the_command_imports_nothing_heavy() -> None:
    code = (
        "import sys, nital.cli.bench; "
        "print(*[m for m in ('scipy', 'skimage', 'pandas', 'torch', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
