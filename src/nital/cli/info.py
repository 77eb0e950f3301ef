"""``nital info``: what was read from an image, and where its pixel size comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nital.errors import NitalError
from nital.io import read
from nital.micrograph import Micrograph

__all__ = ["describe", "info_command"]


def info_command(paths: list[Path], as_json: bool) -> int:
    """Print what Nital reads from each image.

    Parameters
    ----------
    paths
        Image files.
    as_json
        Print one JSON array instead of tables; a file that fails has an ``error``.

    Returns
    -------
    0 where all were read, 1 where some failed; those are named on the standard error stream.
    """
    from rich.console import Console

    console, errors = Console(), Console(stderr=True)
    records: list[dict[str, Any]] = []
    failed = False
    for path in paths:
        try:
            micrograph = read(path)
        except NitalError as error:
            failed = True
            records.append({"path": str(path), "error": str(error)})
            errors.print(f"error: {error}", style="red", markup=False, soft_wrap=True)
            continue
        if as_json:
            records.append(describe(micrograph))
        else:
            console.print(_table(micrograph))
    if as_json:
        console.out(json.dumps(records, indent=2, ensure_ascii=False), highlight=False)
    return int(failed)


def describe(micrograph: Micrograph) -> dict[str, Any]:
    """Facts of one image for ``--json``: lengths in µm, rows and columns in pixels."""
    scale = micrograph.pixel_size
    return {
        "path": str(micrograph.path),
        "sha256": micrograph.sha256,
        "shape": list(micrograph.shape),
        "dtype": str(micrograph.pixels.dtype),
        "grey_range": [float(micrograph.pixels.min()), float(micrograph.pixels.max())],
        "pixel_size": None
        if scale is None
        else {
            "value": scale.value,
            "unit": "um",
            "source": scale.source,
            "alternatives": [
                {"value": value, "unit": "um", "source": source}
                for value, source in scale.alternatives
            ],
        },
        "data_bar_row": micrograph.data_bar_row,
        "modality": micrograph.modality,
        "metadata": dict(micrograph.metadata),
        "warnings": list(micrograph.warnings),
    }


def _table(micrograph: Micrograph) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(str(micrograph.path)), title_justify="left", show_header=False, box=None
    )
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _rows(micrograph):
        table.add_row(name, Text(value, style="yellow" if name == "warning" else ""))
    return table


def _rows(micrograph: Micrograph) -> list[tuple[str, str]]:
    height, width = micrograph.shape
    low, high = micrograph.pixels.min(), micrograph.pixels.max()
    facts = dict(micrograph.metadata)
    kind = str(facts.pop("format", "array"))
    if "page" in facts:
        kind += f", page {facts.pop('page')} of {facts.pop('pages')} (counted from 0)"
    rows = [
        ("size", f"{height} rows x {width} columns"),
        ("file", kind),
        ("grey levels", f"{micrograph.pixels.dtype}, {low:.6g} to {high:.6g}"),
        ("pixel size", _pixel_size(micrograph)),
    ]
    if micrograph.pixel_size is not None:
        side = micrograph.pixel_size.value
        rows.append(("field", f"{_length(height * side)} x {_length(width * side)}"))
        rows += [
            ("  also stated", f"{_length(value)} ({source})")
            for value, source in micrograph.pixel_size.alternatives
        ]
    bar = micrograph.data_bar_row
    rows.append(("data bar", "none" if bar is None else f"rows {bar} to {height - 1}, left out"))
    if micrograph.modality is not None:
        rows.append(("modality", micrograph.modality))
    rows += [(name, str(value)) for name, value in facts.items()]
    rows += [("warning", warning) for warning in micrograph.warnings]
    return [*rows, ("SHA-256", str(micrograph.sha256))]


def _pixel_size(micrograph: Micrograph) -> str:
    if micrograph.pixel_size is None:
        return "unknown: lengths are in pixels; state it with --pixel-size"
    return f"{_length(micrograph.pixel_size.value)} ({micrograph.pixel_size.source})"


def _length(micrometres: float) -> str:
    """Four digits in the unit that leaves 1 to 999 before the point, where there is one."""
    for unit, factor in (("mm", 1e3), ("um", 1.0), ("nm", 1e-3)):
        if micrometres >= factor:
            return f"{micrometres / factor:.4g} {unit}"
    return f"{micrometres / 1e-6:.4g} pm"
