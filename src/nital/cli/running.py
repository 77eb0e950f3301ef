"""Show on the terminal how a run goes on, and turn its record into an exit status."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from nital.errors import NitalError, UsageError
from nital.run import Listener, Outcome, Record, execute
from nital.run.batch import Job

__all__ = ["INTERRUPTED", "run_and_show"]

ALL_DONE, SOME_FAILED, BAD_USAGE, INTERRUPTED = 0, 1, 2, 130


def run_and_show(
    arguments: Sequence[str],
    out: Path,
    make_job: Callable[[int], Job],
    jobs: int,
    resume: bool,
    overwrite: bool,
    specimens: str | None = None,
) -> int:
    """Run over all inputs; return the exit status.

    Progress goes to the standard error stream: a bar with the time left on a terminal, a line
    for each image elsewhere. Failed inputs are named there, each in one sentence.
    """
    display = Display(Console(stderr=True, highlight=False, soft_wrap=True))
    try:
        with display:
            record = execute(
                arguments,
                out,
                make_job,
                command=("nital", *sys.argv[1:]),
                jobs=jobs,
                resume=resume,
                overwrite=overwrite,
                specimens=specimens,
                listener=Listener(display.start, display.show, display.advance),
            )
    except NitalError as error:
        display.print_error(str(error))
        return BAD_USAGE if isinstance(error, UsageError) else SOME_FAILED
    except KeyboardInterrupt:
        display.print("stopped; the same command with --resume goes on")
        return INTERRUPTED
    for _, sentence in record.problems:
        display.print_error(sentence)
    return _conclude(record, out, display)


def _conclude(record: Record, out: Path, display: Display) -> int:
    states = Counter(outcome.state for outcome in record.outcomes)
    total = len(record.outcomes) + len(record.problems)
    finished = states["done"] + states["unchanged"]
    unchanged = f", {states['unchanged']} of them before" if states["unchanged"] else ""
    if record.interrupted:
        display.print(
            f"stopped: {finished} of {total} done{unchanged}; the same command with --resume "
            "goes on"
        )
        return INTERRUPTED
    display.print(f"{finished} of {total} done{unchanged}; look at {out / 'report.html'}")
    return SOME_FAILED if record.failures else ALL_DONE


class Display:
    """A progress bar on a terminal, plain lines elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description:<24.24}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._total = 0
        self._finished = 0

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *details: object) -> None:
        self._bar.stop()

    def start(self, total: int) -> None:
        """Show an empty bar for this many images."""
        self._total = total
        self._bar.add_task("starting", total=total)
        self._bar.start()

    def advance(self, stage: str, fraction: float) -> None:
        """Show the stage of the current image and the fraction of it that is done."""
        if self._console.is_terminal:
            done = self._finished + min(max(fraction, 0.0), 0.99)
            self._bar.update(self._bar.task_ids[0], completed=done, description=stage)

    def show(self, outcome: Outcome) -> None:
        """Print the line of one finished image."""
        self._finished += 1
        if self._console.is_terminal:
            task = self._bar.task_ids[0]
            self._bar.update(task, completed=self._finished, description=outcome.item.folder)
        if outcome.state == "failed":
            self.print_error(outcome.message)
        else:
            path, seconds = outcome.item.path, outcome.seconds
            number = f"[{self._finished}/{self._total}]"
            self.print(f"{number} {path}: {outcome.message}, {seconds:.1f} s")

    def print(self, text: str) -> None:
        """Print one line above the bar."""
        self._console.print(Text(text))

    def print_error(self, sentence: str) -> None:
        """Print what is wrong with one input."""
        self._console.print(Text(f"error: {sentence}", style="red"))
