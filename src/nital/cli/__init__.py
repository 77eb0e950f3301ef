"""The command line: one file per command, put together here.

Nothing but typer is imported at the top of any of them, so that help and mistyped options are
answered at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nital.cli.bench import BENCH_EPILOG
from nital.cli.bench import bench as bench_datasets
from nital.cli.compare import COMPARE_EPILOG
from nital.cli.compare import compare as compare_labels
from nital.cli.export import EXPORT_EPILOG, export_labels
from nital.cli.measure import MEASURE_EPILOG, measure_labels
from nital.cli.models import models_app
from nital.cli.segment import SEGMENT_EPILOG, segment_images
from nital.cli.simulate import SIMULATE_EPILOG
from nital.cli.simulate import simulate as simulate_set
from nital.cli.train import train_app
from nital.cli.train_particles import TRAIN_PARTICLES_EPILOG, train_particles
from nital.cli.train_semantic import add_semantic_commands

__all__ = ["app", "main"]

app = typer.Typer(
    name="nital",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 all done; 1 some inputs failed, each named, the others finished; "
    "2 bad usage; 130 stopped by Ctrl-C.",
)


def main() -> None:
    """Run the command line; the entry point of the ``nital`` program."""
    app()


def _print_version(wanted: bool) -> None:
    if wanted:
        import nital

        typer.echo(f"nital {nital.__version__}")
        raise typer.Exit


@app.callback()
def nital_command(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Turn micrographs into labelled objects, phases and numbers that can be published.

    Start with **nital segment IMAGE --out results**, then open results/report.html.
    """


def show_info(
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE...", help="Image files.", show_default=False)
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False,
) -> None:
    """Show what is read from images: size, grey levels, pixel size and where it comes from."""
    from nital.cli.info import info_command

    raise typer.Exit(info_command(images, as_json))


INFO_EPILOG = "Examples:\n\nnital info steel.tif\n\nnital info *.tif --json"

app.command("segment", epilog=SEGMENT_EPILOG)(segment_images)
app.command("measure", epilog=MEASURE_EPILOG)(measure_labels)
app.command("export", epilog=EXPORT_EPILOG)(export_labels)
app.command("bench", epilog=BENCH_EPILOG)(bench_datasets)
app.command("compare", epilog=COMPARE_EPILOG)(compare_labels)
app.command("info", epilog=INFO_EPILOG)(show_info)
app.command("simulate", epilog=SIMULATE_EPILOG)(simulate_set)
add_semantic_commands(train_app)
train_app.command("particles", epilog=TRAIN_PARTICLES_EPILOG)(train_particles)
app.add_typer(models_app, name="models")
app.add_typer(train_app, name="train")
