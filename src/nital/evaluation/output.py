"""Write a benchmark: bench.json, bench.csv, bench.md, bench.html and its pictures."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nital.errors import OutputError
from nital.evaluation.bench import Bench, Result
from nital.evaluation.published import Published, images_in_common, published
from nital.evaluation.resources import versions
from nital.evaluation.tables import (
    About,
    Line,
    SetTable,
    about_set,
    as_csv,
    as_json,
    as_markdown,
    counted,
    published_name,
    set_tables,
    weights_of,
)

__all__ = ["prepare_folder", "write_bench"]

PICTURES = "pictures"


def prepare_folder(out: Path) -> None:
    """Make the folder of the results.

    Raises
    ------
    OutputError
        When it cannot be made.
    """
    try:
        (out / PICTURES).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{out}: cannot be made ({error.strerror}); choose another folder with --out"
        ) from error


def write_bench(out: Path, bench: Bench, about: About) -> None:
    """Write all files of a benchmark, each whole or not at all.

    Raises
    ------
    OutputError
        When a file cannot be written.
    """
    from nital.io import atomic_write

    prepare_folder(out)
    texts = {
        "bench.json": as_json(bench, about),
        "bench.csv": as_csv(bench),
        "bench.md": as_markdown(bench, about),
        "bench.html": _page(out, bench, about),
    }
    for name, text in texts.items():
        atomic_write(out / name, _writer(text.encode()))


def _writer(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def _page(out: Path, bench: Bench, about: About) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("nital.evaluation"), autoescape=True, undefined=StrictUndefined
    )
    tables = set_tables(bench)
    return environment.get_template("bench.html.j2").render(
        tuned=about.tuned,
        setting=about.setting,
        command=shlex.join(about.command),
        versions=", ".join(f"{name} {value}" for name, value in versions().items()),
        methods=[
            {
                "name": method.name,
                "configuration": method.configuration,
                "weights": weights_of(bench, method),
            }
            for method in about.methods
        ],
        notes=list(bench.notes),
        failures=list(bench.failures),
        sets=[_section(out, table) for table in tables],
        published=[
            {
                "set": entry.sets[0],
                "method": entry.method,
                "metrics": ", ".join(f"{k} {v:.3f}" for k, v in entry.metrics.items()),
                "images": images_in_common(entry, _images_run(entry, tables)),
                "setting": entry.setting,
                "source": f"{entry.source}, {entry.table}",
            }
            for entry in published()
        ],
    )


def _images_run(entry: Published, tables: tuple[SetTable, ...]) -> list[str]:
    same = [table for table in tables if entry.is_about(table.dataset.name, table.folder)]
    return [name for table in same for name in table.image_names]


def _section(out: Path, table: SetTable) -> dict[str, Any]:
    return {
        "anchor": _file_name(table.folder),
        "folder": table.folder,
        "title": f"{table.folder}: {table.dataset.name}",
        "about": about_set(table),
        "columns": table.columns or ("score",),
        "lines": [_line(table, line) for line in table.lines],
        "published": [
            {
                "method": published_name(entry, table),
                "count": entry.test_images or "",
                "cells": [
                    f"{entry.metrics[m]:.3f}" if m in entry.metrics else "" for m in table.columns
                ],
            }
            for entry in table.published
        ],
        "first": table.lines[0].method,
        "images": _images(out, table),
    }


def _line(table: SetTable, line: Line) -> dict[str, Any]:
    cells = []
    for metric in table.columns:
        mean = line.means.get(metric)
        interval = mean.interval if mean else None
        cells.append(
            {
                "value": f"{mean.value:.3f}" if mean else "",
                "interval": f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else "",
                "best": table.best(metric) == line.method,
            }
        )
    return {
        "method": line.method,
        "count": counted(line),
        "cells": cells,
        "seconds": f"{line.seconds:.2f}",
        "peak": f"{line.peak_mb:.0f}",
    }


def _images(out: Path, table: SetTable) -> list[dict[str, Any]]:
    """Images of a set with their pictures written, the worst of the first method first."""
    groups: dict[str, list[Result]] = {}
    for result in table.results:
        if result.failure is None:
            groups.setdefault(result.work.sample.image.name, []).append(result)
    headline = table.columns[0] if table.columns else ""
    ranked = sorted(groups.items(), key=lambda item: item[1][0].metrics.get(headline, -1.0))
    return [
        {"name": name, "pictures": _pictures(out, table, name, results)} for name, results in ranked
    ]


def _pictures(out: Path, table: SetTable, name: str, results: list[Result]) -> list[dict[str, str]]:
    from nital.io import atomic_write

    folder = Path(PICTURES) / _file_name(table.folder)
    (out / folder).mkdir(exist_ok=True)
    image, truth, _ = results[0].pictures
    views = [("image", "micrograph", image), ("truth", "truth", truth)]
    views += [(r.work.method.name, _caption(table, r), r.pictures[2]) for r in results]
    found = []
    for kind, caption, content in views:
        path = folder / f"{_file_name(name)}-{_file_name(kind)}.jpg"
        atomic_write(out / path, _writer(content))
        found.append({"address": quote(path.as_posix()), "caption": caption})
    return found


def _caption(table: SetTable, result: Result) -> str:
    known = [m for m in table.columns if m in result.metrics][:4]
    values = ", ".join(f"{metric} {result.metrics[metric]:.3f}" for metric in known)
    return f"{result.work.method.name}: {values}"


def _file_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text)
