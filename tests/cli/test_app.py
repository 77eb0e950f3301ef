"""The program itself: help, version, bad usage, and how fast it answers."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import nital
from nital.cli import app

HEAVY = {"numpy", "pandas", "scipy", "matplotlib", "skimage", "onnxruntime", "torch", "pyarrow"}


def invoke(*arguments):
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "200", "TERM": "dumb"})


def test_help_names_the_commands():
    result = invoke("--help")
    assert result.exit_code == 0
    for command in ("segment", "measure", "bench", "info"):
        assert command in result.output
    assert "Exit status" in result.output


@pytest.mark.parametrize("command", ["segment", "measure", "bench", "info"])
def test_each_command_explains_itself_with_examples(command):
    result = invoke(command, "--help")
    assert result.exit_code == 0
    assert "Examples" in result.output
    assert f"nital {command} " in result.output


def test_segment_has_the_options_of_the_contract():
    output = invoke("segment", "--help").output
    for option in (
        "--out",
        "--target",
        "--phases",
        "--model",
        "--pixel-size",
        "--no-boost",
        "--jobs",
        "--resume",
    ):
        assert option in output


def test_version():
    assert invoke("--version").output == f"nital {nital.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["segment", "a.tif", "--out", "out", "--unknown"],
        ["segment", "a.tif"],
        ["segment", "--out", "out"],
        ["segment", "a.tif", "--out", "out", "--target", "crystals"],
        ["segment", "a.tif", "--out", "out", "--phases", "0"],
        ["segment", "a.tif", "--out", "out", "--jobs", "0"],
        ["measure", "a.tif", "--out", "out"],
        ["frobnicate"],
        [],
    ],
)
def test_bad_usage_is_status_2(arguments):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_help_is_quick_and_loads_nothing_heavy():
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from nital.cli import app\n"
        "assert CliRunner().invoke(app, ['segment', '--help']).exit_code == 0\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & {name.partition(".")[0] for name in done.stdout.split()}
    seconds = []
    for _ in range(3):
        before = os.times()
        program = "from nital.cli import main; main()"
        subprocess.run([sys.executable, "-c", program, "--help"], capture_output=True, check=True)
        after = os.times()  # of the processor, so that a busy machine does not matter
        seconds.append(
            after.children_user
            - before.children_user
            + after.children_system
            - before.children_system
        )
    assert min(seconds) < 0.5


def test_python_dash_m_is_the_program():
    command = [sys.executable, "-m", "nital", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert nital.__version__ in done.stdout
