"""Points from the image's structure against SAM's grid: how many, and how many objects they hit.

For each labelled set: the number of points, and the share of true objects (of 16 pixels and more)
that hold at least one point. What no point hits, no promptable model can find.

    python benchmarks/structure_points.py ../shared/data --json structure_points.json
    python benchmarks/structure_points.py ../shared/data --quick
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from nital.evaluation.boundaries import regions_between_lines
from nital.evaluation.datasets import Dataset, find_datasets, read_dataset
from nital.generator.crops import grid_points
from nital.io import read
from nital.prompts.structure import structure_rounds

SMALLEST = 16  # pixels of an object that counts
GRID = 32


def main() -> None:
    """Measure, print a table to the standard error stream and one JSON object at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", nargs="+", type=Path, help="data sets, or folders of them")
    parser.add_argument("--quick", action="store_true", help="two images of each set")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    arguments = parser.parse_args()
    rows = []
    for folder in find_datasets(arguments.data):
        dataset = read_dataset(folder)
        if dataset.task != "unlabelled":
            rows.append(measure(dataset, 2 if arguments.quick else 20))
            print(rows[-1], file=sys.stderr)
    result = {
        "benchmark": "structure_points",
        "grid": GRID * GRID,
        "rows": rows,
        "ratio_points": round(GRID * GRID / float(np.mean([row["points"] for row in rows])), 3),
        "recall_grid": round(float(np.mean([row["recall_grid"] for row in rows])), 4),
        "recall_structure": round(float(np.mean([row["recall_structure"] for row in rows])), 4),
        "recall_centres": round(float(np.mean([row["recall_centres"] for row in rows])), 4),
    }
    line = json.dumps(result)
    if arguments.json is not None:
        arguments.json.write_text(line + "\n", encoding="utf-8")
    print(line)


def measure(dataset: Dataset, most: int) -> dict[str, Any]:
    """Means over the first images of one set."""
    table = []
    for sample in dataset.samples[:most]:
        micrograph = read(sample.image)
        truth = objects_of(dataset, dataset.read_truth(sample, micrograph.shape))
        found = structure_rounds(micrograph.content)
        every = np.concatenate(found.rounds)
        table.append(
            {
                "points": len(every),
                "centres": len(found.centres),
                "recall_structure": recall(truth, every),
                "recall_centres": recall(truth, found.centres),
                "recall_grid": recall(truth, grid_points(micrograph.content.shape, GRID)),
                "phases": float(found.kind == "phases"),
            }
        )
    means = {name: round(float(np.mean([row[name] for row in table])), 4) for name in table[0]}
    return {"set": dataset.folder.resolve().name, "images": len(table), **means}


def objects_of(dataset: Dataset, truth: np.ndarray) -> np.ndarray:
    """Label image of the true objects: grains between lines, connected regions of classes."""
    if dataset.task == "boundaries":
        return np.asarray(regions_between_lines(truth > 0))
    if dataset.task == "instances":
        return truth
    labels = np.zeros(truth.shape, dtype=np.int32)
    for value in np.unique(truth):
        pieces, _ = ndimage.label(truth == value)
        labels += np.where(pieces > 0, pieces + labels.max(), 0).astype(np.int32)
    return labels


def recall(truth: np.ndarray, points: np.ndarray) -> float:
    """Share of the objects that hold a point."""
    areas = np.bincount(truth.ravel())
    areas[0] = 0
    wanted = np.flatnonzero(areas >= SMALLEST)
    limit = np.array(truth.shape) - 1
    rows, cols = np.clip(np.rint(points), 0, limit).astype(int).T
    return float(np.isin(wanted, truth[rows, cols]).mean()) if len(wanted) else 1.0


if __name__ == "__main__":
    main()
