"""Which images belong to which specimen, and the files over specimens."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nital
from nital.errors import InputError, UsageError
from nital.io import atomic_write
from nital.metrology.comparisons import Comparison, compare, why_not_compared
from nital.metrology.pooled import FieldSizes, field_sizes
from nital.metrology.specimens import Specimen, specimen_of
from nital.run.inputs import Item

__all__ = ["Member", "Results", "group_items", "join_specimens", "write_specimens"]

BY_FOLDER = "folder"
_NEEDED = ("image", "specimen")
_COLUMNS = (
    "specimen",
    "condition",
    "fields",
    "quantity",
    "phase",
    "object",
    "value",
    "unit",
    "ci95_low",
    "ci95_high",
    "sd_between_fields",
    "relative_accuracy_percent",
    "fields_needed",
    "method",
    "standard",
)


@dataclass(frozen=True)
class Member:
    """The specimen and condition of one image."""

    specimen: str
    condition: str | None = None


@dataclass(frozen=True)
class Results:
    """All specimens of a run, and what they are compared by."""

    specimens: tuple[Specimen, ...]
    comparisons: tuple[Comparison, ...]


def group_items(option: str, items: Sequence[Item]) -> dict[str, Member]:
    """Tell the specimen of each image, by the name of its result folder.

    Parameters
    ----------
    option
        ``"folder"``, or a CSV file with the columns ``image``, ``specimen`` and perhaps
        ``condition``; further columns are ignored. An image is named by its path, seen from the
        table or from here, by its file name, or by that without its suffix.
    items
        The images of the run.

    Raises
    ------
    UsageError
        The table cannot be read, lacks a column, leaves out an image of the run, names one twice,
        or gives a specimen two conditions.
    """
    if option == BY_FOLDER:
        return {item.folder: Member(item.path.resolve().parent.name or "/") for item in items}
    table = Path(option)
    rows = _rows(table)
    known: dict[str, Member] = {}
    conditions: dict[str, str | None] = {}
    for number, row in enumerate(rows, start=2):
        image, specimen = (str(row[name] or "").strip() for name in _NEEDED)
        condition = str(row.get("condition") or "").strip() or None
        if not image or not specimen:
            raise UsageError(f"{table}: row {number} has no image or no specimen; fill it in")
        if conditions.setdefault(specimen, condition) != condition:
            raise UsageError(
                f"{table}: specimen {specimen} has two conditions; it can have only one"
            )
        member = Member(specimen, condition)
        for key in {str((table.parent / image).resolve()), str(Path(image).resolve()), image}:
            if known.setdefault(key, member) != member:
                raise UsageError(f"{table}: {image} belongs to two specimens; name it once")
    return {item.folder: _member(item, known, table) for item in items}


def _rows(table: Path) -> list[dict[str, Any]]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            first = stream.readline()
            stream.seek(0)
            delimiter = ";" if first.count(";") > first.count(",") else ","
            reader = csv.DictReader(stream, delimiter=delimiter, skipinitialspace=True)
            rows = list(reader)
            names = reader.fieldnames or ()
    except FileNotFoundError as error:
        raise UsageError(
            f"--specimens {table}: there is no such table; name a CSV file, or write folder"
        ) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"--specimens {table}: cannot be read as CSV ({error})") from error
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise UsageError(
            f"--specimens {table}: has no column {' and no column '.join(missing)}; the first row "
            "names the columns image, specimen, condition"
        )
    return rows


def _member(item: Item, known: dict[str, Member], table: Path) -> Member:
    names = (str(item.path.resolve()), item.path.as_posix(), item.path.name, item.path.stem)
    for name in names:
        if name in known:
            return known[name]
    raise UsageError(f"--specimens {table}: has no row for {item.path}; add one, or leave it out")


def join_specimens(out: Path, folders: Sequence[str], members: dict[str, Member]) -> Results:
    """Join the fields that are done; specimens in the order of their first image.

    Raises
    ------
    InputError
        A result folder has no readable ``summary.json``.
    """
    import pandas as pd

    fields: dict[Member, list[tuple[str, Any]]] = {}
    sizes: dict[str, FieldSizes] = {}
    for folder in folders:
        try:
            summary = json.loads((out / folder / "summary.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{out / folder}: has no readable summary.json; redo it") from error
        fields.setdefault(members[folder], []).append((folder, summary))
        if summary["target"]["value"] != "layers":
            sizes[folder] = field_sizes(pd.read_csv(out / folder / "objects.csv"), summary)
    specimens = tuple(specimen_of(m.specimen, m.condition, of, sizes) for m, of in fields.items())
    return Results(specimens, compare(specimens))


def write_specimens(out: Path, results: Results) -> None:
    """Write ``specimens.json`` and ``specimens.csv``."""
    content = {
        "schema": 1,
        "nital": nital.__version__,
        "specimens": [specimen.as_dict() for specimen in results.specimens],
        "comparisons": [comparison.as_dict() for comparison in results.comparisons],
        "not_compared": why_not_compared(results.specimens),
    }
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    atomic_write(out / "specimens.json", lambda path: path.write_text(text, encoding="utf-8"))
    atomic_write(out / "specimens.csv", lambda path: _write_table(path, results.specimens))


def _write_table(path: Path, specimens: Sequence[Specimen]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for specimen in specimens:
            for quantity in specimen.quantities:
                accuracy = quantity.relative_accuracy
                writer.writerow(
                    (
                        specimen.name,
                        specimen.condition,
                        quantity.n,
                        quantity.name,
                        quantity.phase,
                        quantity.object,
                        quantity.value,
                        quantity.unit,
                        *(quantity.ci95 or (None, None)),
                        quantity.sd,
                        None if accuracy is None else 100.0 * accuracy,
                        quantity.fields_needed,
                        quantity.method,
                        quantity.standard,
                    )
                )
