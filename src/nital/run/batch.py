"""Work through many inputs, in this process or several, one image in memory at a time in each."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from nital.errors import NitalError
from nital.run.inputs import Item

__all__ = ["Job", "Outcome", "Progress", "State", "run_batch"]

State = Literal["done", "unchanged", "failed", "not done"]
Progress = Callable[[str, float], None]


class Job(Protocol):
    """What is done with each input; must be picklable to run in several processes."""

    def request(self) -> dict[str, Any]:
        """Return the options, JSON-serialisable."""

    def __call__(self, item: Item, progress: Progress | None) -> tuple[State, str]:
        """Process one input.

        Returns
        -------
        state
            ``"done"``, or ``"unchanged"`` when an equal result was there already.
        message
            What was found, in a few words.
        """


@dataclass(frozen=True)
class Outcome:
    """What became of one input.

    Parameters
    ----------
    item
        The input.
    state
        ``"done"``; ``"unchanged"``, an equal result was there; ``"failed"``; ``"not done"``, the
        run was stopped before.
    message
        What was found, or the sentence that names the input and says what is wrong.
    seconds
        Wall-clock time spent on it.
    details
        The traceback of an error that Nital did not foresee.
    """

    item: Item
    state: State
    message: str = ""
    seconds: float = 0.0
    details: str | None = None


def run_batch(
    items: Sequence[Item],
    job: Job,
    *,
    jobs: int = 1,
    on_outcome: Callable[[Outcome], None] | None = None,
    on_progress: Progress | None = None,
) -> tuple[tuple[Outcome, ...], bool]:
    """Process all inputs; one that fails does not stop the others.

    Parameters
    ----------
    items
        The inputs.
    job
        Called once for each.
    jobs
        Number of processes; 1 works in this one.
    on_outcome
        Called as each input is finished.
    on_progress
        Called with the stage and the fraction done of the current image; with one process only.

    Returns
    -------
    outcomes
        In the order of the items.
    interrupted
        Whether Ctrl-C stopped the run. One process stops at once; several finish the images they
        are at, and a second Ctrl-C ends them. Either way no result is half-written.
    """
    outcomes: dict[Item, Outcome] = {item: Outcome(item, "not done") for item in items}

    def finish(outcome: Outcome) -> None:
        outcomes[outcome.item] = outcome
        if on_outcome is not None:
            on_outcome(outcome)

    interrupted = False
    try:
        if jobs > 1 and len(items) > 1:
            _in_processes(items, job, min(jobs, len(items)), finish)
        else:
            for item in items:
                finish(_attempt(item, job, on_progress))
    except KeyboardInterrupt:
        interrupted = True
    return tuple(outcomes.values()), interrupted


def _in_processes(
    items: Sequence[Item], job: Job, jobs: int, finish: Callable[[Outcome], None]
) -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        jobs, mp_context=context, initializer=_share_processors, initargs=(jobs,)
    ) as pool:
        with _interrupts_ignored():
            waiting = {pool.submit(_attempt, item, job, None): item for item in items}
        try:
            for future in as_completed(tuple(waiting)):
                finish(_result(future, waiting.pop(future)))
        except KeyboardInterrupt:
            _wind_down(waiting, finish)
            raise


def _share_processors(jobs: int) -> None:
    """Let each of ``jobs`` processes compute on its share of the processors only."""
    os.environ.setdefault("NITAL_THREADS", str(max(1, (os.cpu_count() or 1) // jobs)))


def _wind_down(waiting: dict[Future[Outcome], Item], finish: Callable[[Outcome], None]) -> None:
    """Let the workers finish what they are at; end them if Ctrl-C comes again."""
    begun = [future for future in waiting if not future.cancel()]
    try:
        for future in as_completed(begun):
            finish(_result(future, waiting[future]))
    except KeyboardInterrupt:
        for process in multiprocessing.active_children():
            process.terminate()


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Start processes that leave Ctrl-C, which the terminal sends to all, to this one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _result(future: Future[Outcome], item: Item) -> Outcome:
    try:
        return future.result()
    except BrokenProcessPool:
        return Outcome(
            item,
            "failed",
            f"{item.path}: a worker process was killed, probably for lack of memory; "
            "go on with --resume and fewer --jobs",
        )


def _attempt(item: Item, job: Job, on_progress: Progress | None) -> Outcome:
    start = time.perf_counter()
    outcome = _guarded(item, job, on_progress)
    return replace(outcome, seconds=round(time.perf_counter() - start, 3))


def _guarded(item: Item, job: Job, on_progress: Progress | None) -> Outcome:
    try:
        state, message = job(item, on_progress)
        return Outcome(item, state, message)
    except NitalError as error:
        return Outcome(item, "failed", str(error))
    except MemoryError:
        message = f"{item.path}: not enough memory; use fewer --jobs or crop the image"
        return Outcome(item, "failed", message)
    except OSError as error:
        message = f"{item.path}: cannot be processed, {error.strerror or error}"
        return Outcome(item, "failed", message)
    except Exception as error:  # a fault of ours in one image must not end a night's run
        message = f"{item.path}: internal error, {type(error).__name__}: {error}; please report it"
        return Outcome(item, "failed", message, details=traceback.format_exc())
