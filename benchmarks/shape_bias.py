"""How far the pixel grid takes sizes and shapes of small discs from the truth.

Discs of one diameter lie at random on the grid; a pixel is in a disc where its middle is. For each
diameter, the medians that Nital gives, less the diameter in pixels, or as they are for ratios,
which are 1 for a disc.

    python benchmarks/shape_bias.py --json shape_bias.json
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nital.metrology import measure_labels

DIAMETERS = (5, 7, 10, 20, 40)
DISCS = 400
LENGTHS = (
    "ecd_d50",
    "feret_max_median",
    "feret_min_median",
    "inscribed_diameter_median",
    "circumscribed_diameter_median",
)
RATIOS = (
    "circularity_median",
    "feret_ratio_median",
    "solidity_median",
    "convexity_median",
    "inscribed_ratio_median",
)


def main() -> None:
    """Print a table to the standard error stream and one JSON object at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="100 discs of each diameter")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    arguments = parser.parse_args()
    number = 100 if arguments.quick else DISCS
    found = {diameter: medians(diameter, number) for diameter in DIAMETERS}
    print("| | " + " | ".join(f"{diameter} px" for diameter in DIAMETERS) + " |", file=sys.stderr)
    print("|---" * (len(DIAMETERS) + 1) + "|", file=sys.stderr)
    for name in LENGTHS:
        errors = [f"{found[diameter][name] - diameter:+.2f} px" for diameter in DIAMETERS]
        print(f"| `{name}` | " + " | ".join(errors) + " |", file=sys.stderr)
    for name in RATIOS:
        ratios = [f"{found[diameter][name]:.3f}" for diameter in DIAMETERS]
        print(f"| `{name}` | " + " | ".join(ratios) + " |", file=sys.stderr)
    text = json.dumps({"benchmark": "shape_bias", "discs": number, "medians": found})
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)


def medians(diameter: int, number: int) -> dict[str, float]:
    """Medians in pixels of so many discs, each in a cell of its own."""
    measured = measure_labels(discs(diameter, number), target="particles")
    return {
        found.name: float(found.value)
        for found in measured.quantities
        if found.name in LENGTHS + RATIOS and found.phase is None
    }


def discs(diameter: int, number: int) -> NDArray[np.int32]:
    """Discs at random on the grid, 1...n, clear of the edge and of each other."""
    rng = np.random.default_rng(diameter)
    across, cell = math.ceil(math.sqrt(number)), diameter + 4
    labels = np.zeros((across * cell, across * cell), dtype=np.int32)
    rows, cols = np.indices((cell, cell))
    for index in range(number):
        top, left = (cell * place for place in divmod(index, across))
        row, col = (cell - 1) / 2.0 + rng.uniform(-0.5, 0.5, 2)
        inside = np.hypot(rows - row, cols - col) <= diameter / 2.0
        labels[top : top + cell, left : left + cell][inside] = index + 1
    return labels


if __name__ == "__main__":
    main()
