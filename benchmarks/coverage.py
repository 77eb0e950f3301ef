"""How often 95 % intervals hold the truth, on specimens whose truth is known.

Fields are cut at random from simulated specimens and measured. To their labels may be done what a
model does to them: objects are missed and invented, outlines are shifted and the pixel size is
wrong, as often and as far as the model's doubts and the stated uncertainty say. An interval holds
the truth if the value of the whole specimen lies in it.

    python benchmarks/coverage.py --json coverage.json

The few constants of the intervals were found with `--fitting`; without it the fields are others,
that nothing was fitted to. Of particles there are three times as many fields, of layers six times.
Rows are `[structure, objects, quantity, fields with an interval, share
that holds the truth]`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from coverage_specimens import Structure, structures

FITTING, REPORTING = 1, 2
# Facts of a field rather than estimates, and what has no truth in that structure.
LEFT_OUT = {
    "grains": ("anisotropy_", "coverage", "phase_fraction", "object_count"),
    "particles": ("object_count", "phase_fraction", "circularity_", "solidity_", "convexity_"),
    "phases": ("object_count",),
    "layers": ("object_count", "coverage", "phase_fraction"),
}
ONLY = {"stretched cells": ("anisotropy_index", "anisotropy_direction")}


def main() -> None:
    """Simulate, print a table to the standard error stream and one JSON object at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="20 fields of each structure")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    parser.add_argument("--fields", type=int, default=150, help="fields of most structures")
    parser.add_argument("--fitting", action="store_true", help="the fields that constants are from")
    parser.add_argument("--only", help="structures whose name begins so")
    parser.add_argument("--table", action="store_true", help="print the table of the docs")
    arguments = parser.parse_args()
    fields = 20 if arguments.quick else arguments.fields
    half = FITTING if arguments.fitting else REPORTING
    rows: list[list[Any]] = []
    for structure in structures():
        if arguments.only and not structure.name.startswith(arguments.only):
            continue
        start = time.process_time()
        of_structure = list(coverage(structure, structure.times * fields, half))
        for row in of_structure:
            print(
                f"{row[0]:24s} {row[1]:5d} {row[2]:32s} {row[3]:4d} {row[4]:.3f}", file=sys.stderr
            )
        print(f"{time.process_time() - start:.0f} s of processor", file=sys.stderr, flush=True)
        rows += of_structure
    result = {
        "benchmark": "coverage",
        "fields": fields,
        "seeds": "fitting" if arguments.fitting else "reporting",
        "rows": rows,
        "pooled": pooled(rows),
    }
    for name, (number, share, least, most) in result["pooled"].items():
        print(f"{name:44s} {number:5d} {share:.3f} {least:.3f} {most:.3f}", file=sys.stderr)
    if arguments.table:
        print(table(result["pooled"]), file=sys.stderr)
    text = json.dumps(result)
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)


def coverage(structure: Structure, fields: int, half: int) -> Iterator[list[Any]]:
    """Share of the fields whose interval holds the truth, for each quantity."""
    found: dict[str, list[tuple[float, float, float | None]]] = defaultdict(list)
    everywhere: dict[str, list[float]] = defaultdict(list)
    phase = 2 if structure.target == "phases" else None
    own_truths = False
    for seed in range(fields):
        drawn = structure.draw(np.random.default_rng([half, seed, structure.objects]))
        own_truths |= drawn.truth is not None
        for quantity in (drawn.clean or drawn.found).quantities:
            if quantity.phase == phase or structure.target == "layers":
                everywhere[quantity.name].append(quantity.value)
        for quantity in drawn.found.quantities:
            if quantity.phase != phase and structure.target != "layers":
                continue
            if quantity.ci95 is not None and is_asked(structure, quantity.name):
                own = None if drawn.truth is None else drawn.truth.get(quantity.name)
                found[quantity.name].append((*quantity.ci95, own))
    for name, intervals in found.items():
        if len(intervals) < 0.5 * fields or (own_truths and intervals[0][2] is None):
            continue
        truth = structure.truth.get(name, float(np.mean(everywhere[name])))
        held = [low <= (truth if own is None else own) <= high for low, high, own in intervals]
        yield [structure.name, structure.objects, name, len(held), float(np.mean(held))]


def is_asked(structure: Structure, name: str) -> bool:
    """Whether the interval of a quantity is to hold a truth of the specimen."""
    if structure.name in ONLY:
        return name in ONLY[structure.name]
    return not name.startswith(LEFT_OUT[structure.target])


def pooled(rows: list[list[Any]]) -> dict[str, tuple[int, float, float, float]]:
    """Fields, share that holds, and the least and largest share of a structure, for each quantity.

    Structures of a kind, whose names end alike, are taken together.
    """
    together: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for structure, _, name, number, held in rows:
        kind = structure if structure in ONLY else structure.split()[-1]
        together[f"{kind} {name}"].append((number, held))
    return {
        name: (
            sum(number for number, _ in of_name),
            sum(number * held for number, held in of_name) / sum(number for number, _ in of_name),
            min(held for _, held in of_name),
            max(held for _, held in of_name),
        )
        for name, of_name in together.items()
    }


def table(of_all: dict[str, tuple[int, float, float, float]]) -> str:
    """Return the table of docs/metrology.md."""
    lines = [
        "| specimen | quantity | fields | intervals that hold the truth | lowest and highest of a "
        "structure |",
        "|---|---|---|---|---|",
    ]
    for name, (number, share, least, most) in of_all.items():
        kind, _, quantity = name.rpartition(" ")
        lines.append(
            f"| {kind} | `{quantity}` | {number} | {100 * share:.0f} % | "
            f"{100 * least:.0f} % – {100 * most:.0f} % |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
