"""``nital models``: what there is, and what of it is on this computer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

__all__ = ["models_app"]

WIDTH = 96  # columns of the list: narrower it would wrap its lines
ALL_DONE, SOME_FAILED, BAD_USAGE, INTERRUPTED = 0, 1, 2, 130

models_app = typer.Typer(
    no_args_is_help=True,
    help="Fetch, list, check and carry the weights of Segment Anything models.",
)

Names = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME...", help="As 'nital models list' names them.", show_default=False
    ),
]
Offline = Annotated[
    bool,
    typer.Option(
        "--offline", help="Never open a connection; NITAL_OFFLINE=1 says the same to all commands."
    ),
]


@models_app.command("list", epilog="Example: nital models list")
def list_models(offline: Offline = False) -> None:
    """Show the models that can be named, their sizes, and which of them are here."""

    def work(console: Console) -> int:
        from rich.table import Table

        from nital.models.catalogue import CATALOGUE
        from nital.models.store import cache_folder, manifest_of

        table = Table("name", "model", "licence", "MB to fetch", "here", box=None)
        table.add_row("compact", "Nital's own", "BSD-3-Clause", "0", "in the package")
        for entry in CATALOGUE.values():
            here = manifest_of(cache_folder() / entry.name) is not None
            size = f"{entry.size / 1e6:.0f}"
            table.add_row(entry.name, entry.title, entry.licence, size, "yes" if here else "no")
        console.width = max(console.width, WIDTH)
        console.print(table)
        console.print(f"cache: {cache_folder()}", markup=False)
        return ALL_DONE

    raise typer.Exit(_guarded(work))


@models_app.command(
    "fetch",
    epilog="Examples: nital models fetch sam-vit-b · "
    "nital models fetch sam-vit-b --from sam-vit-b.tar --offline",
)
def fetch_models(
    names: Names,
    bundle: Annotated[
        Path | None,
        typer.Option(
            "--from",
            exists=True,
            dir_okay=False,
            metavar="BUNDLE",
            help="File of 'nital models bundle' to take them from instead of the network.",
            show_default=False,
        ),
    ] = None,
    offline: Offline = False,
) -> None:
    """Fetch models into the cache; a fetch that broke goes on where it was."""

    def work(console: Console) -> int:
        from nital.models.store import fetch, unbundle

        if bundle is not None:
            unbundle(bundle, names)
        else:
            from nital.models.registry import need_sam_extra

            need_sam_extra()
            from nital.models.sam.convert import convert_checkpoint

            for name in names:
                with Bar(console) as advance:
                    fetch(name, convert=convert_checkpoint, offline=offline, progress=advance)
        for name in names:
            console.print(f"{name} is here: nital segment IMAGE --model {name} --out results")
        return ALL_DONE

    raise typer.Exit(_guarded(work))


@models_app.command("bundle", epilog="Example: nital models bundle sam-vit-b --out sam.tar")
def bundle_models(
    names: Names,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="File to write.", show_default=False)
    ],
    offline: Offline = False,
) -> None:
    """Put models of the cache into one file, to bring to a computer without a network."""

    def work(console: Console) -> int:
        from nital.models.store import bundle

        bundle(names, out)
        console.print(f"{out}: take it along, and type: nital models fetch NAME --from {out.name}")
        return ALL_DONE

    raise typer.Exit(_guarded(work))


@models_app.command("verify", epilog="Example: nital models verify")
def verify_models(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME...]", help="All of the cache when left out."),
    ] = None,
    offline: Offline = False,
) -> None:
    """Compute the SHA-256 of every file again and compare it with what it was."""

    def work(console: Console) -> int:
        from nital.models.store import cache_folder, damaged_files, manifest_of

        here = sorted(p.name for p in cache_folder().glob("*") if manifest_of(p) is not None)
        status = ALL_DONE
        for name in names or here:
            folder = cache_folder() / name
            wrong = damaged_files(folder) if name in here else []
            if wrong or name not in here:
                status = SOME_FAILED
                what = f"not in the cache; type: nital models fetch {name}"
                if wrong:
                    what = f"{', '.join(wrong)} damaged; remove {folder} and get the model anew"
                console.print(f"error: {name}: {what}", style="red", markup=False)
            else:
                console.print(f"{name}: as it was fetched", markup=False)
        if not (names or here):
            console.print("no models in the cache")
        return status

    raise typer.Exit(_guarded(work))


def _guarded(work: Callable[[Console], int]) -> int:
    """Run a command; what goes wrong is one sentence and an exit status."""
    from rich.console import Console

    from nital.errors import NitalError, UsageError

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        return work(Console(highlight=False, soft_wrap=True))
    except NitalError as error:
        console.print(f"error: {error}", style="red", markup=False)
        return BAD_USAGE if isinstance(error, UsageError) else SOME_FAILED
    except KeyboardInterrupt:
        console.print("stopped; the same command goes on")
        return INTERRUPTED


class Bar:
    """A progress bar on a terminal, nothing elsewhere."""

    def __init__(self, console: Console) -> None:
        from rich.progress import DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Callable[[str, int, int], None]:
        self._progress.start()
        task = self._progress.add_task("connecting", total=None)

        def advance(file: str, have: int, total: int) -> None:
            self._progress.update(task, description=file, completed=have, total=total or None)

        return advance

    def __exit__(self, *details: object) -> None:
        self._progress.stop()
