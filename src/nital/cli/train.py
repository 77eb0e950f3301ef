"""``nital train``: train Nital's own networks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nital.cli.options import Out, Width
from nital.cli.train_crops import CROPS_EPILOG, crops
from nital.cli.train_texture import TEXTURE_EPILOG, texture
from nital.cli.training import check_installed, exit_status

if TYPE_CHECKING:
    from rich.console import Console

    from nital.training.loop import TrainingOptions

__all__ = ["train_app", "train_compact_command"]

train_app = typer.Typer(
    no_args_is_help=True,
    help="Train Nital's own networks; needs the extra nital[train].",
)


train_app.command("texture", epilog=TEXTURE_EPILOG)(texture)
train_app.command("crops", epilog=CROPS_EPILOG)(crops)


@train_app.command(
    "compact",
    epilog="Examples: nital train compact --out runs/first · "
    "nital train compact --out runs/second --data sets/ --steps 20000",
)
def compact(
    out: Out,
    data: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            metavar="FOLDER",
            help="Folder of licensed real sets (emps_train, rock_grains, nist_grains); simulated "
            "micrographs alone when left out.",
            show_default=False,
        ),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, metavar="N", help="Optimiser steps.")] = 8000,
    batch: Annotated[int, typer.Option(min=2, metavar="N", help="Crops a step.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Decides weights and crops.")] = 0,
    learning_rate: Annotated[
        float,
        typer.Option(
            min=0, metavar="RATE", help="Peak; a third to a half of it to train on from --initial."
        ),
    ] = 1.5e-3,
    workers: Annotated[
        int, typer.Option(min=0, metavar="N", help="Processes that simulate crops.")
    ] = 2,
    bf16: Annotated[
        bool | None,
        typer.Option(
            "--bf16/--no-bf16",
            help="Compute in bfloat16; when left out, both formats are timed and the faster taken.",
            show_default=False,
        ),
    ] = None,
    initial: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            metavar="FILE",
            help="weights.safetensors of an earlier training to start from.",
            show_default=False,
        ),
    ] = None,
    width: Width = 1.0,
) -> None:
    """Train the compact model and export it.

    Goes on where DIR holds a checkpoint. At the end DIR/model is a folder for **--model**, and
    DIR/curve.png shows how the losses fell.
    """
    settings = {
        "steps": steps,
        "batch": batch,
        "seed": seed,
        "learning_rate": learning_rate,
        "workers": workers,
    }
    raise typer.Exit(train_compact_command(out, data, settings, bf16, initial, width))


def train_compact_command(
    out: Path,
    data: Path | None,
    settings: dict[str, Any],
    bf16: bool | None,
    initial: Path | None,
    width: float = 1.0,
) -> int:
    """Train with these fields of ``TrainingOptions``, export, draw the curve; the exit status."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)

    def work() -> None:
        check_installed()
        from nital.training.loop import TrainingOptions

        options = TrainingOptions(**settings, bf16=bool(bf16))
        if bf16 is None:
            options = _faster_format(console, options)
        _train(console, out, options, data, initial, width)

    return exit_status(console, out, work)


def _faster_format(console: Console, options: TrainingOptions) -> TrainingOptions:
    """Time a step in both number formats and take the faster one."""
    from dataclasses import replace

    from nital.training.timing import time_formats

    with console.status("timing a step in float32 and bfloat16"):
        seconds = time_formats(options)
    faster = min(seconds, key=lambda name: seconds[name])
    console.print(
        f"a step takes {seconds['float32']:.2f} s in float32 and {seconds['bfloat16']:.2f} s in "
        f"bfloat16; {faster} is used"
    )
    return replace(options, bf16=faster == "bfloat16")


def _train(
    console: Console,
    out: Path,
    options: TrainingOptions,
    data: Path | None,
    initial: Path | None,
    width: float,
) -> None:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from nital.training.finish import finish_training
    from nital.training.loop import train_compact
    from nital.training.network import NetworkConfig

    config = NetworkConfig().widened(width)
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn())
    bar = Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console)
    task = bar.add_task("training", total=options.steps)
    first: list[int] = []

    def advance(step: int, total: int) -> None:
        if not first:
            first.append(step)
            if step:
                bar.console.print(f"going on from step {step}")
            bar.reset(task, total=total, completed=step)
        bar.update(task, completed=step)

    def show(step: int, total: int, means: dict[str, float]) -> None:
        left = (total - step) * means["seconds_per_step"]
        bar.console.print(
            f"step {step} of {total}: loss {means['total']:.3f} (boundary "
            f"{means['boundary']:.3f}, object {means['object']:.3f}, phases "
            f"{means['phases']:.3f}), {means['seconds_per_step']:.2f} s a step, "
            f"about {_duration(left)} left"
        )

    with bar:
        train_compact(
            out,
            options,
            data=data,
            config=config,
            initial=initial,
            report=show,
            progress=advance,
        )
    with console.status("fitting the target head, exporting"):
        finished = finish_training(out, options, data=data, config=config)
    console.print(
        f"the target is named rightly in {100 * finished.target_accuracy:.0f} % of held-out crops; "
        f"ONNX differs from torch by {finished.difference:.1g} at most"
    )
    console.print(f"use it with --model {finished.model}; look at {finished.curve}", markup=False)


def _duration(seconds: float) -> str:
    """A length of time as a person says it."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{round(seconds)} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
