"""The record of a run: run.json, and the tables over all its images."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nital
from nital.io import atomic_write
from nital.run.batch import Outcome

__all__ = ["Record", "write_record", "write_tables"]

SUMMARY_COLUMNS = (
    "image",
    "quantity",
    "phase",
    "object",
    "value",
    "unit",
    "ci95_low",
    "ci95_high",
    "n",
    "method",
    "standard",
)
_LENGTHS = ("ecd", "feret_max", "feret_min")


@dataclass(frozen=True)
class Record:
    """What is known about a run.

    Parameters
    ----------
    command
        The command line, word by word.
    options
        The options of the job, JSON-serialisable.
    outcomes
        One per input file.
    problems
        ``(argument, sentence)`` for the arguments that gave no file.
    interrupted
        Whether Ctrl-C ended the run.
    """

    command: tuple[str, ...]
    options: dict[str, Any]
    outcomes: tuple[Outcome, ...]
    problems: tuple[tuple[str, str], ...] = ()
    interrupted: bool = False

    @property
    def folders(self) -> tuple[str, ...]:
        """Names of the result folders that are complete."""
        return tuple(
            outcome.item.folder
            for outcome in self.outcomes
            if outcome.state in ("done", "unchanged")
        )

    @property
    def failures(self) -> tuple[str, ...]:
        """A sentence for each input that failed."""
        failed = [outcome.message for outcome in self.outcomes if outcome.state == "failed"]
        return (*(sentence for _, sentence in self.problems), *failed)


def write_record(out: Path, record: Record) -> None:
    """Write ``run.json``: every input, its folder, outcome and seconds, and the command."""
    inputs = [
        {"path": argument, "folder": None, "outcome": "failed", "seconds": 0.0, "error": sentence}
        for argument, sentence in record.problems
    ]
    inputs += [_entry(outcome) for outcome in record.outcomes]
    content = {
        "schema": 1,
        "nital": nital.__version__,
        "command": list(record.command),
        "interrupted": record.interrupted,
        "options": record.options,
        "outcomes": dict(Counter(entry["outcome"] for entry in inputs)),
        "inputs": inputs,
    }
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    atomic_write(out / "run.json", lambda path: path.write_text(text, encoding="utf-8"))


def _entry(outcome: Outcome) -> dict[str, Any]:
    failed = outcome.state == "failed"
    entry = {
        "path": outcome.item.path.as_posix(),
        "folder": outcome.item.folder,
        "outcome": outcome.state,
        "seconds": outcome.seconds,
        "error": outcome.message if failed else None,
    }
    return entry | ({"traceback": outcome.details} if outcome.details else {})


def write_tables(out: Path, folders: Sequence[str]) -> None:
    """Write ``summary.csv`` and ``objects.parquet``, one image in memory at a time.

    Parameters
    ----------
    out
        The folder of the run.
    folders
        Names of the complete result folders; they are the ``image`` column.
    """
    atomic_write(out / "summary.csv", lambda path: _write_summary(path, out, folders))
    atomic_write(out / "objects.parquet", lambda path: _write_objects(path, out, folders))


def _write_summary(path: Path, out: Path, folders: Sequence[str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(SUMMARY_COLUMNS)
        for folder in folders:
            summary = json.loads((out / folder / "summary.json").read_text(encoding="utf-8"))
            writer.writerows(_summary_rows(folder, summary))


def _summary_rows(folder: str, summary: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    for row in summary["quantities"]:
        low, high = row["ci95"] or (None, None)
        yield (
            folder,
            row["name"],
            row["phase"],
            row.get("object"),
            row["value"],
            row["unit"],
            low,
            high,
            row["n"],
            row["method"],
            row["standard"],
        )


def _write_objects(path: Path, out: Path, folders: Sequence[str]) -> None:
    import pyarrow as pa
    import pyarrow.csv as pa_csv
    import pyarrow.parquet as pa_parquet

    types = {name: pa.type_for_alias(alias) for name, alias in _column_types(out, folders)}
    schema = pa.schema([("image", pa.string()), *types.items()])
    convert = pa_csv.ConvertOptions(
        column_types=types, include_columns=list(types), include_missing_columns=True
    )
    with pa_parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for folder in folders:
            table = pa_csv.read_csv(out / folder / "objects.csv", convert_options=convert)
            image = pa.array([folder] * len(table), pa.string())
            writer.write_table(table.add_column(0, "image", image).cast(schema))


def _column_types(out: Path, folders: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Columns of all objects.csv together, in order: um where any image is calibrated, px too."""
    present: set[str] = set()
    for folder in folders:
        with (out / folder / "objects.csv").open(encoding="utf-8") as stream:
            present.update(stream.readline().strip().split(","))
    units = [unit for unit in ("um", "px") if f"ecd_{unit}" in present] or ["px"]
    yield from (("label", "int32"), ("phase", "uint8"), ("row", "double"), ("col", "double"))
    yield "area_px", "int64"
    if "um" in units:
        yield "area_um2", "double"
    for unit in units:
        for length in _LENGTHS:
            yield f"{length}_{unit}", "double"
    for name in ("circularity", "aspect_ratio", "orientation_deg", "mean_intensity", "confidence"):
        yield name, "double"
    yield "touches_edge", "bool"
