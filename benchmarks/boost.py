"""Seconds to find and remove superfluous masks, beside a dense comparison of all pairs.

2 000 masks of bodies within bodies on a 2048 x 2048 image, as a grid of prompts gives them: large
regions, grains, small bodies, and repeats of all. The peer draws every mask on a 256 x 256 raster
and gets all pairs by one matrix product, as mask generators do whose masks are full images.
``ratio_...`` is peer / Nital: above 1, Nital needs less.

    python benchmarks/boost.py --quick
    python benchmarks/boost.py --json boost.json
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import nital
from nital.boost.removal import remove_superfluous
from nital.masks.instances import Instances

SIDE = 2048
GRID = 48
RASTER = 256


def main() -> None:
    """Measure and print one JSON object at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="500 masks")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    arguments = parser.parse_args()
    count = 500 if arguments.quick else 2000
    text = json.dumps(measure(count, RASTER))
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)


def measure(count: int, raster: int) -> dict[str, Any]:
    """Time both on the same masks."""
    masks = nested_masks(count)
    seconds, result = best(lambda: remove_superfluous(masks, (SIDE, SIDE)), 5)
    began = time.process_time()
    remove_superfluous(masks, (SIDE, SIDE))
    cpu_seconds = time.process_time() - began  # what a busy machine does not lengthen
    dense_seconds, dense = best(lambda: dense_relations(masks, raster), 1)
    return {
        "benchmark": "boost",
        "nital": nital.__version__,
        "machine": {"cpus": os.cpu_count(), "busy": os.getloadavg()},
        "masks": count,
        "side": SIDE,
        "kept": len(result.kept),
        "reasons": Counter(entry["reason"] for entry in result.log),
        "dense_raster": raster,
        "dense_related_pairs": dense,
        "seconds_removal": round(seconds, 4),
        "cpu_seconds_removal": round(cpu_seconds, 4),
        "seconds_dense": round(dense_seconds, 4),
        "ratio_removal": round(dense_seconds / seconds, 2),
    }


def best(call: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Least wall-clock seconds of some calls, and what the last returned."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - began)
    return min(times), result


def nested_masks(count: int, seed: int = 0) -> Instances:
    """Discs: 1 % large regions, 20 % grains, the rest small bodies, of which a fifth repeats."""
    rng = np.random.default_rng(seed)
    regions, grains = max(1, count // 100), count // 5
    radii = np.exp(rng.uniform(np.log(6), np.log(20), count))
    radii[:grains] = rng.uniform(40, 80, grains)
    radii[:regions] = rng.uniform(250, 450, regions)
    centres = rng.uniform(0, SIDE, (count, 2))
    repeats = rng.permutation(count)[: count // 5]
    sources = rng.permutation(count)[: count // 5]
    radii[repeats] = radii[sources] * rng.uniform(0.98, 1.02, len(repeats))
    centres[repeats] = centres[sources]
    windows = np.concatenate([centres - 1.5 * radii[:, None], centres + 1.5 * radii[:, None]], 1)
    steps = (np.arange(GRID) + 0.5) / GRID * 3 - 1.5
    logits = (10 * (1 - np.hypot(steps[:, None], steps[None]))).astype(np.float16)
    return Instances(
        np.repeat(logits[None], count, axis=0),
        windows.astype(np.float32),
        rng.uniform(0.5, 1, count).astype(np.float32),
        centres.astype(np.float32),
    )


def dense_relations(masks: Instances, raster: int) -> int:
    """Related pairs from a matrix product of all masks with all masks."""
    drawn = np.stack([drawn_mask(masks, index, raster) for index in range(len(masks))])
    flat = drawn.reshape(len(masks), -1).astype(np.float32)
    shared = flat @ flat.T
    areas = np.maximum(np.diag(shared), 1)
    inside = (shared / areas[:, None]) > 0.9
    return int((inside & ~np.eye(len(masks), dtype=bool)).sum())


def drawn_mask(masks: Instances, index: int, raster: int) -> NDArray[np.bool_]:
    """One mask on a raster over the whole image."""
    top, left, bottom, right = masks.windows[index]
    centres = (np.arange(raster) + 0.5) * SIDE / raster
    rows = np.floor((centres - top) / (bottom - top) * GRID).astype(int)
    cols = np.floor((centres - left) / (right - left) * GRID).astype(int)
    inside = ((rows >= 0) & (rows < GRID))[:, None] & ((cols >= 0) & (cols < GRID))[None]
    values = masks.logits[index][rows.clip(0, GRID - 1)[:, None], cols.clip(0, GRID - 1)[None]]
    return np.asarray((values > 0) & inside, dtype=np.bool_)


if __name__ == "__main__":
    main()
