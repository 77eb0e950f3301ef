"""A whole run: inputs, work, record, tables and report."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nital.errors import OutputError, UsageError
from nital.run.batch import Job, Outcome, Progress, run_batch
from nital.run.inputs import find_inputs, plan
from nital.run.jobs import fragment_path
from nital.run.record import Record, write_record, write_tables
from nital.run.specimens import Member, group_items, join_specimens, write_specimens

__all__ = ["Listener", "execute"]


@dataclass(frozen=True)
class Listener:
    """Who is told how a run goes on.

    Parameters
    ----------
    on_start
        Called once with the number of images.
    on_outcome
        Called as each image is finished.
    on_progress
        Called with stage and fraction of the current image, with one process only.
    """

    on_start: Callable[[int], None]
    on_outcome: Callable[[Outcome], None]
    on_progress: Progress


def execute(
    arguments: Sequence[str],
    out: Path,
    make_job: Callable[[int], Job],
    *,
    command: Sequence[str],
    jobs: int = 1,
    resume: bool = False,
    overwrite: bool = False,
    specimens: str | None = None,
    listener: Listener | None = None,
) -> Record:
    """Process all inputs and write everything into one folder.

    Parameters
    ----------
    arguments
        Files, folders and patterns; see :func:`nital.run.inputs.find_inputs`.
    out
        The output folder, made with its parents when missing.
    make_job
        Called with the number of images; returns what to do with each.
    command
        For the record.
    jobs
        Number of processes.
    resume, overwrite
        What to do where ``out`` holds a run already: go on with it, or redo its images. Without
        either it is left alone. Folders of images that are no longer named stay as they are.
    specimens
        How images are grouped to specimens, see :func:`nital.run.specimens.group_items`; ``None``
        for not at all.
    listener
        Told how it goes on.

    Returns
    -------
    The record, as written to ``run.json``; it covers the images of this command.

    Raises
    ------
    UsageError
        No image was found, the table of specimens cannot be used, or ``out`` holds a run and
        neither ``resume`` nor ``overwrite`` is set. Nothing was written.
    OutputError
        The folder or the files over all images cannot be written.
    """
    inputs = find_inputs(arguments)
    items = plan(inputs.paths)
    members = None if specimens is None else group_items(specimens, items)
    job = make_job(len(items))
    _prepare(out, resume or overwrite)
    planned = tuple(Outcome(item, "not done") for item in items)
    shared = (tuple(command), job.request())
    write_record(out, Record(*shared, planned, inputs.problems, interrupted=False))
    if listener is not None:
        listener.on_start(len(items))
    outcomes, interrupted = run_batch(
        items,
        job,
        jobs=jobs,
        on_outcome=None if listener is None else listener.on_outcome,
        on_progress=None if listener is None else listener.on_progress,
    )
    _remove_partial(out)
    record = Record(*shared, outcomes, inputs.problems, interrupted)
    write_record(out, record)
    _write_overall(out, record, members)
    return record


def _write_overall(out: Path, record: Record, members: dict[str, Member] | None) -> None:
    from nital.report.page import write_report

    write_tables(out, record.folders)
    results = None
    if members is not None and record.folders:
        results = join_specimens(out, record.folders, members)
        write_specimens(out, results)
    fragments = [(out / folder, fragment_path(out, folder)) for folder in record.folders]
    write_report(
        out / "report.html",
        fragments,
        record.command,
        record.failures,
        () if results is None else results.specimens,
        () if results is None else results.comparisons,
    )


def _prepare(out: Path, may_hold_run: bool) -> None:
    """Make the output folder, and see that it can be written to and holds no other run."""
    if (out / "run.json").exists() and not may_hold_run:
        raise UsageError(
            f"{out} holds the results of a run already: go on with it by --resume, replace its "
            "results by --overwrite, or choose another --out"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{out} is not a folder; choose another --out") from error
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"{out}: cannot be made, {reason}; choose another --out") from error
    if not os.access(out, os.W_OK | os.X_OK):
        raise OutputError(f"{out}: the folder is write-protected; choose another --out")
    _remove_partial(out)


def _remove_partial(out: Path) -> None:
    """Remove what a killed run left under a temporary name."""
    for path in (*out.glob(".*.part"), *out.glob(".*.part.*"), *out.glob(".report/.*.part.*")):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
