"""The command line: ``nital segment``, ``nital measure``, ``nital info``.

Nothing but typer is imported here, so that help and mistyped options are answered at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from nital.cli.options import (
    Jobs,
    Out,
    Overwrite,
    PixelSizeText,
    Resume,
    SegmentTarget,
    Target,
)

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


@app.command(
    epilog="Examples:\n\n"
    "nital segment steel.tif --out results\n\n"
    "nital segment series/ --out results --target grains --jobs 2\n\n"
    "nital segment 'series/**/*.tif' --out results --pixel-size 12.5nm --resume"
)
def segment(
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE|FOLDER|GLOB...",
            help="Images; a folder stands for the images directly in it; a pattern in quotes, "
            "such as 'data/**/*.tif', reaches into subfolders.",
            show_default=False,
        ),
    ],
    out: Out,
    target: Annotated[
        SegmentTarget,
        typer.Option(
            help="What to look for. auto decides from the image and says why in the report."
        ),
    ] = SegmentTarget.auto,
    phases: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=255,
            metavar="N",
            help="Number of phases or materials, matrix included; estimated when left out.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(help="A model by name, or a model file. compact needs no network."),
    ] = "compact",
    pixel_size: PixelSizeText = None,
    no_boost: Annotated[
        bool,
        typer.Option("--no-boost", help="Keep the raw masks, for comparison."),
    ] = False,
    jobs: Jobs = 1,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Find the grains, phases, particles or layers in micrographs and measure them.

    Each image gets a folder with labels.tif, phases.tif, confidence.tif, objects.csv,
    summary.json and overlay.png; report.html shows them all.
    """
    from nital.cli.segment import segment_command

    raise typer.Exit(
        segment_command(
            images,
            out,
            target=target.value,
            phases=phases,
            model=model,
            pixel_size=pixel_size,
            boost=not no_boost,
            jobs=jobs,
            resume=resume,
            overwrite=overwrite,
        )
    )


@app.command(
    epilog="Examples:\n\n"
    "nital measure labels.tif --pixel-size 0.5um --target particles --out sizes\n\n"
    "nital measure 'masks/*.png' --target grains --out sizes"
)
def measure(
    labels: Annotated[
        list[str],
        typer.Argument(
            metavar="LABELS...",
            help="Label images of any tool: 0 is background, each object has its own number. "
            "Folders and patterns as in nital segment.",
            show_default=False,
        ),
    ],
    out: Out,
    target: Annotated[Target, typer.Option(help="What the labels are.", show_default=False)],
    pixel_size: PixelSizeText = None,
    jobs: Jobs = 1,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Measure label images, Nital's or another tool's, with the same tables as nital segment."""
    from nital.cli.measure import measure_command

    raise typer.Exit(
        measure_command(
            labels,
            out,
            target=cast(Any, target.value),
            pixel_size=pixel_size,
            jobs=jobs,
            resume=resume,
            overwrite=overwrite,
        )
    )


@app.command(epilog="Examples:\n\nnital info steel.tif\n\nnital info *.tif --json")
def info(
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE...", help="Image files.", show_default=False)
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False,
) -> None:
    """Show what is read from images: size, grey levels, pixel size and where it comes from."""
    from nital.cli.info import info_command

    raise typer.Exit(info_command(images, as_json))
