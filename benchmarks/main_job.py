"""Seconds and peak memory of ``nital segment`` by image size, and where the time goes.

Each figure is a fresh process that starts Python, reads one TIFF, segments, measures and writes
all files. The peer does the same job as far as it can, in a fresh process on the same image:
scikit-image's Otsu threshold, distance transform, watershed and regionprops, labels and a table
written. ``ratio_...`` is peer / Nital: above 1, Nital needs less.

    python benchmarks/main_job.py --quick
    python benchmarks/main_job.py --sizes 1024 4800x7680 --json main_job.json
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import platform
import pstats
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SIZES = ("512", "1024", "2048", "4096", "4800x7680", "8192")
QUICK = ("512", "1024")
TILE = 1024
SCALE = 40.0  # diameter of the objects in pixels
REPEATED = 1024 * 1024  # pixels up to which the best of three runs counts
NITAL = "from nital.cli import main; main()"
MODULE = "<module>"
LEAST_SHARE = 0.02  # of the time: modules below are summed up as "other"


@dataclass(frozen=True)
class Cost:
    """Wall-clock seconds and peak resident memory (MiB) of a process and its exit status."""

    seconds: float
    peak_mb: float
    status: int


def main() -> None:
    """Measure, print a table to the standard error stream and one JSON object at the end."""
    if sys.argv[1:2] == ["--stages"]:
        run_stages(sys.argv[2], *sys.argv[3:])
        return
    if sys.argv[1:2] == ["--peer"]:
        run_peer(sys.argv[2], sys.argv[3])
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"only {' and '.join(QUICK)} pixels")
    parser.add_argument("--sizes", nargs="+", metavar="ROWS[xCOLS]", help="image sizes")
    parser.add_argument("--target", default="particles", help="what the images show")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    arguments = parser.parse_args()
    sizes = arguments.sizes or (QUICK if arguments.quick else SIZES)
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), sizes, arguments.target)
    text = json.dumps(result)
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)


def measure(folder: Path, sizes: Sequence[str], target: str) -> dict[str, Any]:
    """Run Nital and the peer on one image of each size.

    Parameters
    ----------
    folder
        For images and results.
    sizes
        ``"1024"`` or ``"4800x7680"``: rows and columns.
    target
        What is simulated and asked for.

    Raises
    ------
    RuntimeError
        A run failed.
    """
    import nital

    rows: list[dict[str, Any]] = []
    result: dict[str, Any] = {
        "benchmark": "main_job",
        "nital": nital.__version__,
        "target": target,
        "peer": "scikit-image: Otsu, distance transform, watershed, regionprops",
        "machine": {"cpus": os.cpu_count(), "system": platform.system(), "busy": os.getloadavg()},
        "help_seconds": best([sys.executable, "-c", NITAL, "--help"], 3).seconds,
        "rows": rows,
    }
    for size in sizes:
        height, _, width = size.partition("x")
        row = measure_size(folder, int(height), int(width or height), target)
        rows.append(row)
        for name in ("seconds", "peak_mb"):
            result[f"{name}_{size}"] = row[name]
            result[f"ratio_{name}_{size}"] = round(row[f"peer_{name}"] / row[name], 3)
        print_row(size, row)
    return result


def measure_size(folder: Path, height: int, width: int, target: str) -> dict[str, Any]:
    """Measure one size: Nital as a user runs it, again under the profiler, and the peer."""
    image, out = folder / f"{height}x{width}.tif", folder / f"out-{height}x{width}"
    write_image(image, height, width, target)
    repeats = 3 if height * width <= REPEATED else 1
    options = ["segment", str(image), "--target", target, "--out", str(out), "--overwrite"]
    ours = best([sys.executable, "-c", NITAL, *options], repeats)
    summary = json.loads((out / image.stem / "summary.json").read_text(encoding="utf-8"))
    found = next(row["n"] for row in summary["quantities"] if row["name"] == "object_count")
    report = folder / "stages.json"
    best([sys.executable, __file__, "--stages", str(report), *options], 1)
    peer = best([sys.executable, __file__, "--peer", str(image), str(folder / "peer")], repeats)
    return {
        "rows": height,
        "columns": width,
        "seconds": round(ours.seconds, 3),
        "peak_mb": round(ours.peak_mb, 1),
        "peer_seconds": round(peer.seconds, 3),
        "peer_peak_mb": round(peer.peak_mb, 1),
        "objects": found,
        "stages": json.loads(report.read_text(encoding="utf-8")),
    }


def write_image(path: Path, height: int, width: int, target: str) -> None:
    """Write a simulated micrograph; large ones are one tile mirrored at its edges."""
    import numpy as np
    import tifffile

    from nital.simulate import simulate

    tile = simulate(3, target, (TILE, TILE), scale=None if target == "layers" else SCALE).image
    below, beside = max(0, height - TILE), max(0, width - TILE)
    pixels = np.pad(tile, ((0, below), (0, beside)), mode="symmetric")[:height, :width]
    tifffile.imwrite(path, pixels, photometric="minisblack")


def best(command: Sequence[str], repeats: int) -> Cost:
    """Fastest of some runs: other processes can only make a run slower."""
    costs = [run(command) for _ in range(repeats)]
    return min(costs, key=lambda cost: cost.seconds)


def run(command: Sequence[str]) -> Cost:
    """Run a process to its end, its own words discarded unless it fails."""
    with tempfile.TemporaryFile() as words:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=words, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            words.seek(0)
            raise RuntimeError(f"{command} failed:\n{words.read().decode(errors='replace')}")
    per_mb = 1024**2 if sys.platform == "darwin" else 1024
    return Cost(seconds, usage.ru_maxrss / per_mb, process.returncode)


def run_stages(report: str, *options: str) -> None:
    """Run ``nital`` under the profiler; write the seconds spent by each of its modules."""
    profiler = cProfile.Profile()
    start = time.perf_counter()
    profiler.enable()
    from nital.cli import app

    try:
        app(list(options))
    except SystemExit as end:
        if end.code:
            raise
    profiler.disable()
    seconds = stage_seconds(pstats.Stats(profiler), time.perf_counter() - start)
    Path(report).write_text(json.dumps(seconds), encoding="utf-8")


def stage_seconds(stats: pstats.Stats, total: float) -> dict[str, float]:
    """Seconds by module of Nital, libraries counting to the module that calls them.

    Imports are summed up as ``imports``, those that a module makes while it is imported counting
    once; ``other`` is the rest of the total.
    """
    table: dict[Any, Any] = vars(stats)["stats"]
    spent: dict[str, float] = {}
    for (file, _, name), (_, _, own, _, callers) in table.items():
        stage = stage_of(file)
        if stage is not None:
            spent[stage] = spent.get(stage, 0.0) + (own if name != MODULE else 0.0)
            continue
        is_import = "importlib" in file or name.endswith("builtins.__import__>")
        for (caller_file, _, caller), (_, _, _, cumulative) in callers.items():
            of = "imports" if is_import else stage_of(caller_file)
            counts = stage_of(caller_file) is not None or caller == run_stages.__name__
            if of is not None and counts and caller != MODULE:
                spent[of] = spent.get(of, 0.0) + cumulative
    large = {k: round(v, 3) for k, v in spent.items() if v >= LEAST_SHARE * total}
    large["other"] = round(max(0.0, total - sum(large.values())), 3)
    return dict(sorted(large.items(), key=lambda item: -item[1]))


def stage_of(file: str) -> str | None:
    """``"models.compact"`` for a file of Nital, ``None`` for others."""
    _, found, inside = Path(file).as_posix().rpartition("/nital/")
    return inside.removesuffix(".py").removesuffix("/__init__").replace("/", ".") if found else None


def run_peer(image: str, out: str) -> None:
    """Threshold, part and measure with scikit-image; write labels and a table."""
    import numpy as np
    import pandas as pd
    import tifffile
    from scipy import ndimage
    from skimage.feature import peak_local_max
    from skimage.filters import gaussian, threshold_otsu
    from skimage.measure import regionprops_table
    from skimage.segmentation import watershed

    pixels = tifffile.imread(image)
    smooth = gaussian(pixels, 1.0)
    mask = smooth > threshold_otsu(smooth)
    distance = ndimage.distance_transform_edt(mask)
    peaks = peak_local_max(distance, min_distance=5, labels=mask.astype(np.int32))
    markers = np.zeros(mask.shape, dtype=np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    labels = watershed(-distance, markers, mask=mask)
    columns = ("label", "area", "centroid", "equivalent_diameter_area", "orientation")
    table = pd.DataFrame(regionprops_table(labels, pixels, properties=columns))
    folder = Path(out)
    folder.mkdir(exist_ok=True)
    tifffile.imwrite(folder / "labels.tif", labels.astype(np.int32), compression="zlib")
    table.to_csv(folder / "objects.csv", index=False)


def print_row(size: str, row: dict[str, Any]) -> None:
    """One line of the table for people."""
    stages = ", ".join(f"{name} {seconds:.2f}" for name, seconds in row["stages"].items())
    print(
        f"{size:>10}: {row['seconds']:7.2f} s {row['peak_mb']:7.0f} MiB, {row['objects']} objects; "
        f"peer {row['peer_seconds']:.2f} s {row['peer_peak_mb']:.0f} MiB\n"
        f"            profiled: {stages}",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
