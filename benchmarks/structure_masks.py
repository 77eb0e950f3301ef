"""What points from the image's structure buy: true objects found as masks, against a 32 x 32 grid.

The compact model answers as any promptable model does, by points alone; its dense maps are not
used. For each labelled set and each source of points (the last: all points of the structure, rounds
that find little ended, then gaps): the points asked (those that lie in a mask already are skipped,
except on the grid), and the share of true objects of 16 pixels and more that
some mask meets with an IoU of at least 0.5, before any mask is screened.

    python benchmarks/structure_masks.py ../shared/data --json structure_masks.json
    python benchmarks/structure_masks.py ../shared/data --quick
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from nital.automatic.prompted import COMPACT_SETTINGS
from nital.evaluation.datasets import Dataset, find_datasets, read_dataset
from nital.generator import generate
from nital.generator.gaps import GapOptions
from nital.io import read
from nital.masks.packed import PackedMasks
from nital.models import load_model
from nital.models.tiles import standardise
from nital.prompts.structure import structure_rounds
from structure_points import GRID, SMALLEST, objects_of

SAME = 0.5  # IoU from which a mask shows an object
SOURCES = ("grid", "centres", "structure", "gaps")
TARGETS = {"instances": "particles", "boundaries": "grains"}


def main() -> None:
    """Measure, print rows to the standard error stream and one JSON object at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", nargs="+", type=Path, help="data sets, or folders of them")
    parser.add_argument("--quick", action="store_true", help="one image of each set")
    parser.add_argument("--images", type=int, default=6, help="of each set, at most")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for folder in find_datasets(arguments.data):
        dataset = read_dataset(folder)
        if dataset.task != "unlabelled":
            rows.append(measure(dataset, 1 if arguments.quick else arguments.images))
            print(rows[-1], file=sys.stderr, flush=True)
    names = [f"{what}_{source}" for source in SOURCES for what in ("prompts", "recall")]
    means = {name: round(float(np.mean([row[name] for row in rows])), 4) for name in names}
    ratio = round(means["prompts_grid"] / means["prompts_gaps"], 3)
    result = {"benchmark": "structure_masks", "model": "compact", "rows": rows, **means}
    line = json.dumps(result | {"ratio_prompts": ratio})
    if arguments.json is not None:
        arguments.json.write_text(line + "\n", encoding="utf-8")
    print(line)


def measure(dataset: Dataset, most: int) -> dict[str, Any]:
    """Means over the first images of one set."""
    table = []
    target = TARGETS.get(dataset.task, "phases")
    model = load_model("compact")
    for sample in dataset.samples[:most]:
        micrograph = read(sample.image)
        truth = objects_of(dataset, dataset.read_truth(sample, micrograph.shape))
        image = standardise(micrograph.content)
        rounds = structure_rounds(image).rounds
        row = {}
        for source, points in zip(SOURCES, (None, rounds[:1], rounds, rounds), strict=True):
            given = None if points is None else lambda part, points=points: points
            gaps = GapOptions() if source == "gaps" else None
            found = generate(model, image, COMPACT_SETTINGS, source=given, gaps=gaps, target=target)
            row[f"prompts_{source}"] = float(found.facts["prompts"])
            row[f"recall_{source}"] = recall(truth[: micrograph.content_rows], found.masks)
        table.append(row)
    means = {name: round(float(np.mean([row[name] for row in table])), 4) for name in table[0]}
    name = dataset.folder.resolve().name
    return {"set": name, "images": len(table), "points_of_the_grid": GRID * GRID, **means}


def recall(truth: np.ndarray, masks: PackedMasks) -> float:
    """Share of the true objects that a mask meets."""
    areas = np.bincount(truth.ravel()).astype(float)
    best = np.zeros(len(areas))
    for index in range(len(masks)):
        mask = masks.mask(index)
        shared = np.bincount(truth[masks.place(index)][mask], minlength=len(areas))
        best = np.maximum(best, shared / (areas + mask.sum() - shared))
    wanted = np.flatnonzero(areas >= SMALLEST)
    wanted = wanted[wanted > 0]
    return float((best[wanted] >= SAME).mean()) if len(wanted) else 1.0


if __name__ == "__main__":
    main()
