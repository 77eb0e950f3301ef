"""``nital compare`` on the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nital.cli import app
from nital.io import write_label_tiff


@pytest.fixture
def sets(tmp_path: Path) -> list[str]:
    labels = np.zeros((60, 60), dtype=np.int32)
    labels[10:20, 10:20] = 1
    labels[30:50, 30:50] = 2
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_label_tiff(tmp_path / name / "a.tif", labels, None)
    return [str(tmp_path / "one"), str(tmp_path / "two")]


def test_compare_shows_sizes_and_agreement(sets: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = CliRunner().invoke(app, ["compare", *sets, "--names", "anna,ben", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "anna and ben: AJI+ 1.000, F1 1.000, 2 matched objects" in result.output
    assert (out / "compare.html").exists()


def test_one_set_is_bad_usage(sets: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["compare", sets[0], "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "at least two" in result.output
    assert not (tmp_path / "out").exists()


def test_a_missing_set_fails(sets: list[str], tmp_path: Path) -> None:
    arguments = ["compare", sets[0], str(tmp_path / "gone"), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "no such file" in result.output
