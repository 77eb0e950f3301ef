"""How long it takes to measure 10,000 objects, and to write the report of 200 images.

The objects are measured in full: the table, all quantities with their intervals, and the doubts on
objects and outlines. scikit-image's `regionprops_table` measures the columns of the table alone, of
the same labels in the same run.

    python benchmarks/metrology.py --json metrology.json
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.metrology import measure
from nital.micrograph import Micrograph, PixelSize
from nital.report import write_result
from nital.report.overlay import draw_overlay
from nital.report.page import picture_side, write_fragment, write_report
from nital.segmentation import ModelInfo, Segmentation, Target

COLUMNS = (
    "label",
    "area",
    "centroid",
    "equivalent_diameter_area",
    "feret_diameter_max",
    "perimeter_crofton",
    "axis_major_length",
    "axis_minor_length",
    "orientation",
    "intensity_mean",
    "solidity",
)


def main() -> None:
    """Time both, print to the standard error stream and one JSON object at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="1024 x 1024, 625 objects, 10 images")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    arguments = parser.parse_args()
    side, count, images = (1024, 625, 10) if arguments.quick else (4096, 10_000, 200)
    measure(wrapped(tiles(64, 9), "grains"))  # so that no import is timed
    result: dict[str, Any] = {"benchmark": "metrology", "side": side, "objects": count}
    targets: tuple[Target, ...] = ("particles", "grains")
    for target in targets:
        labels = discs(side, count) if target == "particles" else tiles(side, count)
        segmentation = wrapped(labels, target)
        seconds, processor = timed(lambda s=segmentation: measure(s))
        result |= {f"{target}_seconds": seconds, f"{target}_processor_seconds": processor}
        print(f"{target}: {seconds:.2f} s, processor {processor:.2f} s", file=sys.stderr)
        if target == "particles":
            seconds, peer = timed(lambda s=segmentation: peer_table(s))
            result |= {
                "regionprops_seconds": seconds,
                "ratio_regionprops_table": peer / processor,
            }
            print(f"regionprops_table: {seconds:.2f} s, processor {peer:.2f} s", file=sys.stderr)
    seconds, processor = report_seconds(images)
    result |= {"images": images, "report_seconds": seconds, "report_processor_seconds": processor}
    print(f"report of {images}: {seconds:.1f} s, processor {processor:.1f} s", file=sys.stderr)
    text = json.dumps(result)
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall-clock and processor seconds."""
    start, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - processor


def discs(side: int, count: int) -> NDArray[np.int32]:
    """Discs of different size, one in each cell of a square grid."""
    rng = np.random.default_rng(0)
    across = round(math.sqrt(count))
    cell = side / across
    labels = np.zeros((side, side), dtype=np.int32)
    for number in range(count):
        row, col = ((np.array(divmod(number, across)) + 0.5) * cell).tolist()
        radius = cell * rng.uniform(0.15, 0.45)
        top, left = int(row - radius), int(col - radius)
        window = labels[top : int(row + radius) + 2, left : int(col + radius) + 2]
        rows, cols = np.indices(window.shape)
        window[(rows + top - row) ** 2 + (cols + left - col) ** 2 <= radius**2] = number + 1
    return labels


def tiles(side: int, count: int) -> NDArray[np.int32]:
    """Cells of points thrown at random."""
    from scipy import ndimage

    rng = np.random.default_rng(0)
    seeds = np.zeros((side, side), dtype=np.int32)
    seeds.flat[rng.choice(seeds.size, count, replace=False)] = np.arange(1, count + 1)
    nearest = ndimage.distance_transform_edt(
        seeds == 0, return_distances=False, return_indices=True
    )
    return np.asarray(seeds[tuple(nearest)])


def wrapped(labels: NDArray[np.int32], target: Target) -> Segmentation:
    """Labels as those of a model."""
    grey = np.random.default_rng(1).integers(0, 255, labels.shape, dtype=np.uint8)
    inside = 2 if target == "particles" else 1
    return Segmentation(
        micrograph=Micrograph(grey, pixel_size=PixelSize(0.1, "simulated")),
        labels=labels,
        phases=np.where(labels > 0, inside, 1).astype(np.uint8),
        confidence=np.full(labels.shape, 220, dtype=np.uint8),
        target=target,
        target_reason="simulated",
        model=ModelInfo("simulated", "0"),
    )


def peer_table(segmentation: Segmentation) -> object:
    """Return the same columns as `objects.csv` has, by scikit-image."""
    from skimage.measure import regionprops_table

    return regionprops_table(segmentation.labels, segmentation.micrograph.pixels, COLUMNS)


def report_seconds(images: int) -> tuple[float, float]:
    """Wall-clock and processor seconds for the report of images of 512 x 512 with pictures."""
    labels = tiles(512, 200)
    segmentation = wrapped(labels, "grains")
    measurements = measure(segmentation)
    overlay = draw_overlay(segmentation)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        for number in range(images):
            write_result(segmentation, measurements, overlay, out / f"image{number}", {})
        parts = [(out / f"image{n}", out / ".report" / f"image{n}.html") for n in range(images)]
        side = picture_side(images)

        def work() -> None:
            for folder_of_image, part in parts:
                write_fragment(part, folder_of_image.name, measurements, segmentation, side)
            write_report(out / "report.html", parts, ["nital"], [])

        return timed(work)


if __name__ == "__main__":
    main()
