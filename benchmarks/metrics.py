"""Processor seconds that metrics take for label images of some 3 000 objects, 4096 x 4096 pixels.

Truth and answer are two tilings of squares that do not line up, so that every object overlaps
several. All metrics of objects follow from one sparse table of overlaps. The peer is scikit-image
on the same arrays in the same run: its contingency table against ours, and its variation of
information against ours with the table. ``ratio_...`` is peer / Nital: above 1, Nital is faster.

    python benchmarks/metrics.py --quick
    python benchmarks/metrics.py --json metrics.json
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skimage import metrics as peer

from nital.evaluation import metrics
from nital.evaluation.contingency import contingency

SIDE, QUICK = 4096, 1024
OBJECT = 75  # pixels a side
LIMIT = 3.0  # seconds


def main() -> None:
    """Measure, print a table to the standard error stream and one JSON object at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} pixels a side")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    given = parser.parse_args()
    side = QUICK if given.quick else SIDE
    repeats = 1 if given.quick else 2
    truth, found = tiling(side, 0, OBJECT), tiling(side, 20, OBJECT + 1)
    table = contingency(truth, found)
    seconds = {name: best(work, repeats) for name, work in jobs(truth, found).items()}
    whole = seconds["table"] + sum(v for k, v in seconds.items() if k.startswith("metric_"))
    for name, value in seconds.items():
        print(f"{name:24} {value:8.3f} s", file=sys.stderr)
    result = {
        "benchmark": "metrics",
        "side": side,
        "objects": [
            int((labels > 0).sum()) for labels in (table.truth_labels, table.predicted_labels)
        ],
        "seconds": {name: round(value, 4) for name, value in seconds.items()},
        "seconds_all_metrics": round(whole, 3),
        "limit_s": LIMIT,
        "ratio_table": round(seconds["peer_table"] / seconds["table"], 2),
        "ratio_variation_of_information": round(
            seconds["peer_variation_of_information"]
            / (seconds["table"] + seconds["metric_variation_of_information"]),
            2,
        ),
    }
    text = json.dumps(result, indent=1)
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")
    print(text)


def tiling(side: int, shift: int, size: int) -> NDArray[np.int32]:
    """Squares of one size on a background of one pixel between them, numbered 1...n."""
    row, column = (np.indices((side, side), dtype=np.int32) + shift) // size
    inside = ((np.indices((side, side)) + shift) % size > 0).all(axis=0)
    return np.where(inside, row * (side // size + 2) + column + 1, 0).astype(np.int32)


def jobs(truth: NDArray[np.int32], found: NDArray[np.int32]) -> dict[str, Callable[[], object]]:
    """What is timed, by name."""
    table = contingency(truth, found)
    return {
        "table": lambda: contingency(truth, found),
        "metric_adjusted_rand_index": lambda: metrics.adjusted_rand_index(table),
        "metric_variation_of_information": lambda: metrics.variation_of_information(table),
        "metric_average_precision": lambda: metrics.average_precision(table),
        "metric_panoptic_quality": lambda: metrics.panoptic_quality(metrics.match_objects(table)),
        "metric_aji_plus": lambda: metrics.aggregated_jaccard(table),
        "metric_aji": lambda: metrics.aggregated_jaccard(table, one_to_one=False),
        "peer_table": lambda: peer.contingency_table(truth, found),
        "peer_variation_of_information": lambda: peer.variation_of_information(truth, found),
    }


def best(work: Callable[[], object], repeats: int) -> float:
    """Processor seconds of the fastest of some runs; all of it runs in one thread."""
    durations = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        durations.append(time.process_time() - began)
    return min(durations)


if __name__ == "__main__":
    main()
