"""Many inputs: failures, several processes, Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nital.errors import InputError
from nital.run import Item, run_batch

ITEMS = [Item(Path(f"{name}.tif"), name) for name in "abcd"]


@dataclass
class Recorder:
    """A job that fails as told and keeps what it saw."""

    errors: dict[str, BaseException] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    def request(self):
        return {}

    def __call__(self, item, progress):
        self.seen.append(item.folder)
        if progress is not None:
            progress("stage", 0.5)
        if item.folder in self.errors:
            raise self.errors[item.folder]
        return "done", f"found {item.folder}"


def test_all_are_done_in_order_and_told():
    told, stages, job = [], [], Recorder()
    outcomes, interrupted = run_batch(
        ITEMS, job, on_outcome=told.append, on_progress=lambda *stage: stages.append(stage)
    )
    assert [outcome.item for outcome in outcomes] == ITEMS
    assert [outcome.message for outcome in outcomes] == [f"found {name}" for name in "abcd"]
    assert tuple(told) == outcomes
    assert stages == [("stage", 0.5)] * 4
    assert not interrupted


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (InputError("b.tif: is empty; copy it again"), "b.tif: is empty; copy it again"),
        (MemoryError(), "b.tif: not enough memory"),
        (PermissionError(13, "Permission denied"), "b.tif: cannot be processed, Permission denied"),
        (ZeroDivisionError("oh"), "b.tif: internal error, ZeroDivisionError: oh"),
    ],
)
def test_one_that_fails_is_named_and_the_others_finish(error, sentence):
    outcomes, _ = run_batch(ITEMS, Recorder({"b": error}))
    assert [outcome.state for outcome in outcomes] == ["done", "failed", "done", "done"]
    assert outcomes[1].message.startswith(sentence)


def test_the_traceback_of_an_internal_error_is_kept():
    outcomes, _ = run_batch(ITEMS, Recorder({"b": ZeroDivisionError("oh")}))
    assert "Traceback" in outcomes[1].details
    assert outcomes[0].details is None


def test_ctrl_c_stops_and_says_what_was_not_done():
    job = Recorder({"c": KeyboardInterrupt()})
    outcomes, interrupted = run_batch(ITEMS, job)
    assert interrupted
    assert job.seen == ["a", "b", "c"]
    assert [outcome.state for outcome in outcomes] == ["done", "done", "not done", "not done"]


SCRIPT = """
    import os, signal, sys, time
    from pathlib import Path
    from nital.run import Item, run_batch

    class Slow:
        def request(self):
            return {}

        def __call__(self, item, progress):
            if item.folder == "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            Path(item.folder + ".begun").touch()
            time.sleep(float(sys.argv[1]))
            Path(item.folder + ".ended").touch()
            return "done", str(os.getpid())

    if __name__ == "__main__":
        items = [Item(Path(name), name) for name in sys.argv[2:]]
        outcomes, interrupted = run_batch(items, Slow(), jobs=2)
        print(interrupted, *(o.state for o in outcomes), sep=",")
        print(*sorted({o.message for o in outcomes if o.state == "done"}))
        print(*(o.message for o in outcomes if o.state == "failed"))
"""


@pytest.fixture
def start(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))

    def begin(seconds, *names):
        return subprocess.Popen(
            [sys.executable, script, str(seconds), *names],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return begin


def wait_for(paths, seconds=30):
    end = time.monotonic() + seconds
    while not all(path.exists() for path in paths):
        assert time.monotonic() < end, "did not begin"
        time.sleep(0.02)


def test_several_processes_share_the_work(start):
    output, errors = start(0.2, "a", "b", "c", "d").communicate(timeout=60)
    assert output.splitlines()[0] == "False,done,done,done,done"
    assert len(output.splitlines()[1].split()) == 2
    assert errors == ""


def test_a_worker_that_is_killed_does_not_hang_the_run(start):
    output, _ = start(0.0, "dies", "b").communicate(timeout=60)
    assert "failed" in output.splitlines()[0]
    assert "--resume and fewer --jobs" in output.splitlines()[2]


def test_ctrl_c_lets_the_images_at_hand_finish(start, tmp_path):
    process = start(1.0, *"abcdefgh")
    wait_for([tmp_path / "a.begun", tmp_path / "b.begun"])
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    states = output.splitlines()[0].split(",")
    assert states[0] == "True"
    assert states[1:3] == ["done", "done"]
    assert states[-1] == "not done"
    begun, ended = (sorted(p.stem for p in tmp_path.glob(f"*.{k}")) for k in ("begun", "ended"))
    assert begun == ended
    assert errors == ""


def test_a_second_ctrl_c_ends_them(start, tmp_path):
    process = start(60.0, "a", "b", "c")
    wait_for([tmp_path / "a.begun", tmp_path / "b.begun"])
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert output.splitlines()[0] == "True,not done,not done,not done"
