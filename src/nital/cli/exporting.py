"""The work of ``nital export``: find the labels, write the files, say what was written."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import nital
from nital.errors import InputError, NitalError, OutputError, UsageError
from nital.exchange import FORMATS, LabelField, read_fields
from nital.io import read_labels, read_pixel_size

__all__ = ["export_command"]

ALL_DONE, SOME_FAILED, BAD_USAGE = 0, 1, 2
_SET = "annotations"


def export_command(
    results: Sequence[Path], out: Path, kind: str, micrograph: Path | None, overwrite: bool
) -> int:
    """Write the labels of all results into a folder; return the exit status."""
    try:
        shape = None if micrograph is None else nital.read(micrograph).shape
        _prepare(out)
        fields, failures = _gather(results, shape)
        written = _write(fields, out, kind, overwrite) if fields else []
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_USAGE
    except NitalError as error:
        print(f"error: {error}", file=sys.stderr)
        return SOME_FAILED
    for sentence in failures:
        print(f"error: {sentence}", file=sys.stderr)
    for field in fields:
        for warning in field.warnings:
            print(f"warning: {warning}", file=sys.stderr)
    for path, count in written:
        print(f"{path}: {count} {'image' if count == 1 else 'images'}", file=sys.stderr)
    return SOME_FAILED if failures else ALL_DONE


def _prepare(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise UsageError(f"{out} is not a folder; choose another --out") from error
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"{out}: cannot be made, {reason}; choose another --out") from error


def _gather(
    results: Sequence[Path], shape: tuple[int, int] | None
) -> tuple[list[LabelField], list[str]]:
    """All fields, each under a name of its own, and a sentence for each result without any."""
    fields: list[LabelField] = []
    failures = []
    taken: set[str] = set()
    for result in results:
        try:
            found = list(_fields_of(result, shape))
        except InputError as error:
            failures.append(str(error))
            continue
        for field in found:
            name, number = field.name, 1
            while name.casefold() in taken:
                number += 1
                name = f"{field.name}-{number}"
            taken.add(name.casefold())
            fields.append(replace(field, name=name))
    return fields, failures


def _fields_of(result: Path, shape: tuple[int, int] | None) -> Iterator[LabelField]:
    """Fields of a run, of one result folder, or of a label file."""
    if not result.is_dir() or result.suffix == ".zarr":
        yield from read_fields(result, shape)
        return
    folders = [result] if (result / "labels.tif").is_file() else sorted(result.iterdir())
    folders = [folder for folder in folders if (folder / "labels.tif").is_file()]
    if not folders:
        raise InputError(
            f"{result}: holds no labels.tif, itself or in its folders; name the folder of a run "
            "of nital segment, or a label file"
        )
    for folder in folders:
        pixel_size, _ = read_pixel_size(folder / "labels.tif")
        phases = folder / "phases.tif"
        yield LabelField(
            folder.resolve().name,
            read_labels(folder / "labels.tif"),
            read_labels(phases).astype("uint8") if phases.is_file() else None,
            pixel_size,
        )


def _write(
    fields: Sequence[LabelField], out: Path, kind: str, overwrite: bool
) -> list[tuple[Path, int]]:
    """Write one file for all fields, or one each."""
    form = FORMATS[kind]
    if form.many:
        name = fields[0].name if len(fields) == 1 else _SET
        plan = [(out / f"{name}{form.suffix}", list(fields))]
    else:
        plan = [(out / f"{field.name}{form.suffix}", [field]) for field in fields]
    there = [path for path, _ in plan if path.exists()]
    if there and not overwrite:
        raise UsageError(f"{there[0]} is there already: replace it by --overwrite")
    for path, of_file in plan:
        form.write(path, of_file)
    return [(path, len(of_file)) for path, of_file in plan]
