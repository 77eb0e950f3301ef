"""``nital bench``: accuracy tables on labelled data."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nital.cli.options import Jobs, Out

if TYPE_CHECKING:
    from rich.console import Console

    from nital.evaluation.bench import Result

__all__ = ["BENCH_EPILOG", "bench", "bench_command"]

ALL_DONE, SOME_FAILED, BAD_USAGE, INTERRUPTED = 0, 1, 2, 130

BENCH_EPILOG = (
    "Examples: nital bench my-set --out scores · "
    "nital bench sets/ --methods compact,compact:no-boost,otsu --out scores --split validation"
)


def bench(
    datasets: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATASET_DIR...",
            help="Folders with images/, labels/ and dataset.toml, folders that hold such folders, "
            "or sets in the public layout of MatSAM (image/, label/).",
            show_default=False,
        ),
    ],
    out: Out,
    methods: Annotated[
        str,
        typer.Option(
            metavar="NAME,...",
            help="Models, folders of trained models, and classical methods (adaptive, canny, otsu, "
            "watershed, watershed-gradient); compact:no-boost leaves the boost out.",
        ),
    ] = "compact,otsu",
    split: Annotated[
        str,
        typer.Option(
            metavar="all|train|validation|test",
            help="Part of the sets that models may be trained on; other sets are taken whole. "
            "test: the images that nital train unet and its like keep out.",
        ),
    ] = "all",
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="At most N images of each set.", show_default=False),
    ] = None,
    tuned: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="TOML tables of options by data set folder; the run is then labelled as tuned.",
            show_default=False,
        ),
    ] = None,
    no_boost: Annotated[
        bool,
        typer.Option("--no-boost", help="Score each model also without the boost, in a column."),
    ] = False,
    jobs: Jobs = 1,
) -> None:
    """Score methods on labelled micrographs: tables, intervals, pictures with the worst first.

    Writes bench.json, bench.csv, bench.md and bench.html. One frozen configuration serves all
    sets; what is asked for follows from the task in dataset.toml.
    """
    raise typer.Exit(bench_command(datasets, out, methods, split, limit, tuned, no_boost, jobs))


def bench_command(
    folders: Sequence[Path],
    out: Path,
    methods: str,
    split: str = "all",
    limit: int | None = None,
    tuned: Path | None = None,
    no_boost: bool = False,
    jobs: int = 1,
) -> int:
    """Run a benchmark and write it; return the exit status.

    Data sets that cannot be read, images without a usable label and failed images are named on
    the standard error stream and in the tables; the rest is scored.
    """
    from rich.console import Console

    from nital.errors import NitalError, UsageError

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        return _run(console, folders, out, methods, split, limit, tuned, no_boost, jobs)
    except NitalError as error:
        console.print(f"error: {error}", style="red", markup=False)
        return BAD_USAGE if isinstance(error, UsageError) else SOME_FAILED
    except KeyboardInterrupt:
        console.print("stopped; nothing was written")
        return INTERRUPTED


def _run(
    console: Console,
    folders: Sequence[Path],
    out: Path,
    methods: str,
    split: str,
    limit: int | None,
    tuned: Path | None,
    no_boost: bool,
    jobs: int,
) -> int:
    from nital.evaluation.bench import Bench, plan, read_tuned, run
    from nital.evaluation.datasets import check_split, find_datasets, read_dataset
    from nital.evaluation.methods import check_models, parse_methods, with_and_without_boost
    from nital.evaluation.output import prepare_folder, write_bench
    from nital.evaluation.tables import About

    chosen = parse_methods(methods, read_tuned(tuned))
    check_models(chosen)
    if no_boost:
        chosen = with_and_without_boost(chosen)
    part = check_split(split)
    sets = [read_dataset(folder) for folder in find_datasets(folders)]
    work, notes = plan(sets, chosen, part, limit)
    prepare_folder(out)
    done = 0

    def show(result: Result) -> None:
        nonlocal done
        done += 1
        line = f"[{done}/{len(work)}] {result.work.sample.image}, {result.work.method.name}"
        if result.failure:
            console.print(f"error: {result.failure}", style="red", markup=False)
        else:
            name, value = next(iter(result.metrics.items()))
            console.print(f"{line}: {name} {value:.3f}, {result.seconds:.1f} s", markup=False)

    results = run(work, jobs, on_result=show)
    found = tuple(dict.fromkeys(note for result in results for note in result.notes))
    finished = Bench(results, (*notes, *found))
    about = About(chosen, ("nital", *sys.argv[1:]), part, jobs)
    write_bench(out, finished, about)
    for note in finished.notes:
        console.print(f"note: {note}", markup=False)
    console.print(
        f"{len(results) - len(finished.failures)} of {len(results)} scored; "
        f"look at {out / 'bench.html'}",
        markup=False,
    )
    return SOME_FAILED if finished.failures or not results else ALL_DONE
