"""``nital compare``: several label sets of the same images, against each other."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nital.cli.options import Out, PixelSizeText

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["COMPARE_EPILOG", "compare"]

ALL_DONE, SOME_FAILED, BAD_USAGE, INTERRUPTED = 0, 1, 2, 130
COMPARE_EPILOG = (
    "Examples:\n\n"
    "nital compare anna/ ben/ results/ --names anna,ben,nital --out agreement\n\n"
    "nital compare first.tif second.tif --pixel-size 12.5nm --out agreement"
)


def compare(
    sets: Annotated[
        list[Path],
        typer.Argument(
            metavar="SET SET...",
            help="Two or more label sets of the same images: folders that nital segment wrote, "
            "folders of label images, or single label images. Images are matched by name.",
            show_default=False,
        ),
    ],
    out: Out,
    names: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="Names of the sets for tables and plots; those of the folders when left out.",
            show_default=False,
        ),
    ] = None,
    pixel_size: PixelSizeText = None,
) -> None:
    """Compare the labels of annotators or methods: sizes, overlap, Bland-Altman, seconds.

    Writes compare.html with the size distributions (D10, D50, D90 with 95 % intervals), AJI+ and
    F1 of every two sets, and the differences of matched objects; compare.json, compare.csv (one
    row per image and two sets) and matched.csv (one row per two matched objects). Seconds per
    image come from run.json of a run of Nital, or from seconds.csv (image,seconds) in the folder.
    """
    raise typer.Exit(compare_command(sets, out, names, pixel_size))


def compare_command(paths: list[Path], out: Path, names: str | None, pixel_size: str | None) -> int:
    """Compare, write and show the tables; return the exit status."""
    from rich.console import Console

    from nital.errors import NitalError, UsageError

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        _run(console, paths, out, names, pixel_size)
    except NitalError as error:
        console.print(f"error: {error}", style="red", markup=False)
        return BAD_USAGE if isinstance(error, UsageError) else SOME_FAILED
    except KeyboardInterrupt:
        console.print("stopped; nothing was written")
        return INTERRUPTED
    return ALL_DONE


def _run(
    console: Console, paths: list[Path], out: Path, names: str | None, pixel_size: str | None
) -> None:
    import shlex

    from rich.console import Console

    from nital.evaluation.compare import as_dict, compare_sets, write_comparison
    from nital.evaluation.label_sets import find_sets
    from nital.io import parse_pixel_size

    scale = None if pixel_size is None else parse_pixel_size(pixel_size)
    sets = find_sets(paths, None if names is None else [n.strip() for n in names.split(",")])
    with console.status("comparing"):
        comparison = compare_sets(sets, scale)
    write_comparison(out, comparison, shlex.join(["nital", *sys.argv[1:]]))
    for line in comparison.warnings:
        console.print(f"warning: {line}", style="yellow", markup=False)
    facts = as_dict(comparison)
    shown = Console(highlight=False, soft_wrap=True)
    for row in facts["sets"]:
        median = row["ecd_d50"]
        size = "no object" if median is None else f"D50 {median['value']:.4g} {facts['unit']}"
        shown.print(f"{row['name']}: {row['objects']} objects, {size}", markup=False)
    for row in facts["agreement"]:
        shown.print(
            f"{row['first']} and {row['second']}: AJI+ {row['aji_plus']['value']:.3f}, "
            f"F1 {row['f1']['value']:.3f}, {row['matched']} matched objects",
            markup=False,
        )
    shown.print(f"look at {out / 'compare.html'}", markup=False)
