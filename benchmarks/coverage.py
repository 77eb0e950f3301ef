"""How often 95 % intervals hold the truth, on specimens whose truth is known.

Fields are cut at random from simulated specimens and measured. To their labels may be done what a
model does to them: objects are missed and invented, outlines are shifted and the pixel size is
wrong, as often and as far as the model's doubts and the stated uncertainty say. An interval holds
the truth if the value of the whole specimen lies in it. Fields without doubts are also joined to
specimens of five, as ``--specimens`` does.

    python benchmarks/coverage.py --json coverage.json

The few constants of the intervals were found with `--fitting`; without it the fields are others,
that nothing was fitted to. Structures whose fields take little time have several times as many.
Rows are `[structure, objects, quantity, intervals, share that holds the truth]`; in `pooled` a
kind of structure and a quantity have `[intervals, share, least and largest of a structure]`.
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

from coverage_materials import layer_structure, phase_structure
from coverage_rough import rough_structure
from coverage_specimens import (
    Structure,
    cell_structure,
    doubtful_cells,
    doubtful_particles,
    particle_structure,
    stretched_structure,
)
from nital.metrology import Measurements
from nital.metrology.pooled import FieldSizes, field_sizes
from nital.metrology.quantity import Quantity
from nital.metrology.specimens import specimen_of

FITTING, REPORTING = 1, 2
# Facts of a field rather than estimates, and what has no truth in that structure.
LEFT_OUT = {
    "grains": ("anisotropy_", "coverage", "phase_fraction", "object_count"),
    "particles": ("object_count", "phase_fraction", "circularity_", "solidity_", "convexity_"),
    "phases": ("object_count",),
    "layers": ("object_count", "coverage", "phase_fraction"),
}
SHAPES = ("feret_", "inscribed_", "circumscribed_", "circularity_", "solidity_")
ONLY = {
    "stretched cells": ("anisotropy_index", "anisotropy_direction"),
    "rough particles": SHAPES,
    "long layers": ("interface_correlation_length_",),
}
FIELDS_OF_A_SPECIMEN = 5
OF_SEVERAL = f"{FIELDS_OF_A_SPECIMEN} fields of"
GOAL = (0.93, 0.97)
# Why more intervals of some quantities hold the truth than 95 %.
WIDER = {
    "_diameter_median": "allows for half a pixel",
    "feret_max_median": "allows for half a pixel",
    "feret_min_median": "allows for half a pixel",
    "object_count": "whole numbers",
}
Rows = list[list[Any]]


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
    rows: Rows = []
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
    if arguments.table:
        print("\n".join(table(result["pooled"])), file=sys.stderr)
    print(in_short(result["pooled"]), file=sys.stderr)
    text = json.dumps(result)
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)


def structures() -> Iterator[Structure]:
    """All kinds of specimens, of few and of many objects."""
    for objects in (25, 60, 200):
        for kind, relax in (("poisson cells", 0), ("even cells", 2)):
            yield cell_structure(kind, objects, relax)
        yield doubtful_cells(objects)
    for objects in (60, 200):
        yield stretched_structure(objects)
    for objects in (40, 150):
        yield particle_structure(objects)
        yield doubtful_particles(objects)
    for fraction in (0.15, 0.4):
        yield phase_structure(fraction, doubtful=False)
        yield phase_structure(fraction, doubtful=True)
    yield layer_structure("layers", doubtful=False)
    yield layer_structure("doubtful layers", doubtful=True)
    yield rough_structure(7)
    yield layer_structure("long layers", doubtful=False, side=1600, times=2)


def coverage(structure: Structure, fields: int, half: int) -> Iterator[list[Any]]:
    """Share of the fields whose interval holds the truth, for each quantity."""
    found: dict[str, list[tuple[float, float, float | None]]] = defaultdict(list)
    everywhere: dict[str, list[float]] = defaultdict(list)
    several = Several(structure)
    for seed in range(fields):
        drawn = structure.draw(np.random.default_rng([half, seed, structure.objects]))
        own = drawn.truth or {}
        for quantity in of_structure(structure, drawn.clean or drawn.found):
            everywhere[quantity.name].append(quantity.value)
        for quantity in of_structure(structure, drawn.found):
            name = quantity.name
            is_known = name in own or (is_asked(structure, name) and not structure.own)
            if quantity.ci95 is not None and is_known:
                found[name].append((*quantity.ci95, own.get(name)))
        if not own and drawn.clean is None:
            several.add(drawn.found)
    yield from several.rows()
    for name, intervals in found.items():
        if len(intervals) >= 0.5 * fields:
            truth = structure.truth.get(name, float(np.mean(everywhere[name])))
            held = [low <= (truth if own is None else own) <= high for low, high, own in intervals]
            yield [structure.name, structure.objects, name, len(held), float(np.mean(held))]


def of_structure(structure: Structure, measured: Measurements) -> Iterator[Quantity]:
    """Quantities of all objects; of phases, those of the one that is not the matrix."""
    for found in measured.quantities:
        of_phase = found.phase == (2 if structure.target == "phases" else None)
        if of_phase or structure.target == "layers":
            yield found


class Several:
    """Fields joined to specimens."""

    def __init__(self, structure: Structure) -> None:
        self._structure = structure
        self._fields: list[tuple[str, dict[str, Any]]] = []
        self._sizes: dict[str, FieldSizes] = {}
        self._found: dict[str, list[tuple[float, float, float]]] = defaultdict(list)

    def add(self, measured: Measurements) -> None:
        """Take one more field; the specimen is measured when it has enough."""
        if self._structure.name in ONLY or self._structure.target == "layers":
            return
        name = str(len(self._fields))
        self._fields.append((name, measured.summary))
        self._sizes[name] = field_sizes(measured.objects, measured.summary)
        if len(self._fields) < FIELDS_OF_A_SPECIMEN:
            return
        specimen = specimen_of("specimen", None, self._fields, self._sizes)
        phase = 2 if self._structure.target == "phases" else None
        for found in specimen.quantities:
            if found.phase == phase and found.ci95 and is_asked(self._structure, found.name):
                self._found[found.name].append((*found.ci95, found.value))
        self._fields, self._sizes = [], {}

    def rows(self) -> Iterator[list[Any]]:
        """Share of the specimens whose interval holds the truth, for each quantity."""
        name, objects = f"{OF_SEVERAL} {self._structure.name}", self._structure.objects
        for quantity, found in self._found.items():
            truth = self._structure.truth.get(quantity, float(np.mean([v for *_, v in found])))
            held = [low <= truth <= high for low, high, _ in found]
            yield [name, objects, quantity, len(held), float(np.mean(held))]


def is_asked(structure: Structure, name: str) -> bool:
    """Whether the interval of a quantity is to hold a truth of the specimen."""
    if structure.name in ONLY:
        return name.startswith(ONLY[structure.name])
    return not name.startswith(LEFT_OUT[structure.target])


def kind_of(structure: str) -> str:
    """Kind of a structure: its name ends with it."""
    if structure in ONLY:
        return structure
    of_several = f"{OF_SEVERAL} " if structure.startswith(OF_SEVERAL) else ""
    return of_several + structure.split()[-1]


def pooled(rows: Rows) -> dict[str, tuple[int, float, float, float]]:
    """Intervals, share that holds, and the least and largest share of a structure.

    For each kind of structure and quantity.
    """
    together: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for structure, _, name, number, held in rows:
        together[f"{kind_of(structure)} {name}"].append((number, held))
    return {
        name: (
            sum(number for number, _ in of_name),
            sum(number * held for number, held in of_name) / sum(number for number, _ in of_name),
            min(held for _, held in of_name),
            max(held for _, held in of_name),
        )
        for name, of_name in together.items()
    }


def chance_band(number: int) -> tuple[float, float]:
    """Shares between which 95 % of draws of so many lie, if each holds with a chance of 95 %."""
    from scipy.stats import binom

    low, high = binom.ppf([0.025, 0.975], number, 0.95) / number
    return float(low), float(high)


def table(of_all: dict[str, tuple[int, float, float, float]]) -> Iterator[str]:
    """Yield the lines of the table of docs/metrology.md."""
    yield (
        "| specimen | quantity | intervals | hold the truth | by chance, if 95 % do | least and "
        "most of a structure | |"
    )
    yield "|---|---|---|---|---|---|---|"
    for name, (number, share, least, most) in of_all.items():
        kind, _, quantity = name.rpartition(" ")
        low, high = chance_band(number)
        yield (
            f"| {kind} | `{quantity}` | {number} | {100 * share:.1f} % | "
            f"{100 * low:.1f} – {100 * high:.1f} % | {100 * least:.0f} – {100 * most:.0f} % | "
            f"{remark(quantity, number, share)} |"
        )


def remark(quantity: str, number: int, share: float) -> str:
    """Say where a share is not 93 to 97 %, and whether chance may have done that."""
    if GOAL[0] <= share <= GOAL[1]:
        return ""
    low, high = chance_band(number)
    word = "less" if share < GOAL[0] else "more"
    if low <= share <= high:
        return f"{word}, by chance"
    why = [text for end, text in WIDER.items() if quantity.endswith(end) and share > GOAL[1]]
    return f"{word}: {why[0]}" if why else word


def in_short(of_all: dict[str, tuple[int, float, float, float]]) -> str:
    """Count the quantities whose share is 93 to 97 %, and say how many intervals hold in all."""
    shares = [share for _, share, _, _ in of_all.values()]
    number = sum(number for number, *_ in of_all.values())
    all_held = sum(number * share for number, share, *_ in of_all.values()) / number
    within = sum(GOAL[0] <= share <= GOAL[1] for share in shares)
    above = sum(share > GOAL[1] for share in shares)
    return (
        f"{100 * all_held:.1f} % of {number} intervals hold the truth; of {len(shares)} rows "
        f"{within} lie within 93 to 97 %, {above} above, {len(shares) - within - above} below"
    )


if __name__ == "__main__":
    main()
