"""``nital simulate``: labelled micrographs of any number, to try and to score methods on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nital.cli.options import Out, Target

if TYPE_CHECKING:
    from nital.simulate.dataset import SetOptions

__all__ = ["SIMULATE_EPILOG", "simulate"]

ALL_DONE, FAILED, BAD_USAGE, INTERRUPTED = 0, 1, 2, 130

SIMULATE_EPILOG = (
    "Examples:\n\n"
    "nital simulate --target grains --count 10 --out grains\n\n"
    "nital simulate --target particles --scale 30 --size 1024 --out powder\n\n"
    "nital simulate --target layers --stem mixed --phases 3 --out stem\n\n"
    "nital bench grains --methods compact,watershed --out scores"
)


def simulate(
    out: Out,
    target: Annotated[Target, typer.Option(help="What the micrographs show.", show_default=False)],
    count: Annotated[int, typer.Option(min=1, metavar="N", help="Number of micrographs.")] = 10,
    size: Annotated[
        int, typer.Option(min=64, max=8192, metavar="PIXELS", help="Side of each micrograph.")
    ] = 512,
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Start of the random numbers: the same seed gives the same micrographs, and a "
            "larger --count adds to them.",
        ),
    ] = 0,
    scale: Annotated[
        float | None,
        typer.Option(
            min=3,
            metavar="PIXELS",
            help="Mean size of the objects; drawn anew for each micrograph when left out. Not "
            "for layers.",
            show_default=False,
        ),
    ] = None,
    phases: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=8,
            metavar="N",
            help="Number of phases, matrix included (2 to 4, else 2), or of layer materials (2 to "
            "8, else 3; of --stem 2 to 5).",
            show_default=False,
        ),
    ] = None,
    stem: Annotated[
        str | None,
        typer.Option(
            metavar="1|2|3|mixed",
            help="For layers: atomic-resolution STEM cross-sections of SrTiO3, Ge, Si, LaFeO3, "
            "LaMnO3, WO3, Pt and carbon, of a difficulty class or of the three by turns.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Simulate micrographs with exact truth.

    DIR/images holds the micrographs; DIR/objects and DIR/phases say what is at each pixel;
    DIR/labels and dataset.toml make the folder a data set for **nital bench**. Contrast, texture,
    noise and artefacts vary from one micrograph to the next as they do between laboratories.
    """
    from nital.errors import NitalError, UsageError
    from nital.simulate.dataset import SetOptions

    try:
        _write(out, SetOptions(target.value, count, size, seed, scale, phases, stem))
    except NitalError as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        raise typer.Exit(BAD_USAGE if isinstance(error, UsageError) else FAILED) from error
    except KeyboardInterrupt as interrupt:
        typer.echo(f"stopped; {out} is not complete, the same command writes it anew", err=True)
        raise typer.Exit(INTERRUPTED) from interrupt
    typer.echo(
        f"look at {out / 'images'}; score methods on the set: nital bench {out} --out scores"
    )


def _write(out: Out, options: SetOptions) -> None:
    from rich.console import Console
    from rich.progress import Progress

    from nital.simulate.dataset import write_dataset

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(options.target, total=options.count)
        write_dataset(out, options, lambda done: bar.update(task, completed=done))
