"""Run the program as a user does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.fixture
def nital_program(tmp_path):
    """Start ``nital`` in an empty folder; returns the finished process."""

    def run(*arguments, **options):
        return subprocess.run(
            [sys.executable, "-c", "from nital.cli import main; main()", *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | {"COLUMNS": "300", "TERM": "dumb"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **options,
        )

    return run
