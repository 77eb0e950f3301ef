"""Nital's mask generator against those of transformers and of segment_anything.

The same weights, image, prompts and machine. Each figure is a fresh process that loads the model,
then generates masks: seconds on the clock and of the processor (to trust on a busy machine), and
the peak of resident memory above the loaded model. ``ratio_...`` is peer / Nital, the better peer
where there are two: above 1, Nital needs less. ``ratio_seconds`` and ``ratio_memory`` ask the same
grid of points; ``ratio_seconds_adaptive`` lets Nital choose its own points and stop when the image
is covered; ``--methods transformers adaptive coarser`` says what a grid with three quarters of the
points a side would find. Recall is the share of a peer's masks that one of ours meets with an IoU
of 0.75. ``share_...`` is the part of the processor's time of a peer that a stage takes.

    python benchmarks/generator.py --quick
    python benchmarks/generator.py --sizes 1024 2048 4096 --json generator.json
    python benchmarks/generator.py --model path/to/sam-folder --sizes 2048
    python benchmarks/generator.py --device cuda

On an accelerator memory is what PyTorch allocates there, no shares are given, and a run of 16
points goes before the one that is timed. Without --model the weights are those of
``seeded_sam.py``, of the size of ViT-B. segment_anything takes part where ``--peers`` names a
folder that holds it (see ``generator_peers.py``).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from generator_peers import BATCH, PEERS, device, holds
from seeded_sam import save_seeded_sam

OURS = ("nital", "adaptive")
COARSER = "coarser"  # Nital on a grid of three quarters as many points a side
SAME = 0.75  # IoU from which two masks show the same
POINTS = 32
WARMING = 4  # points a side of the run that warms an accelerator up


def main() -> None:
    """Measure, print a table to the standard error stream and one JSON object at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a small model, 512 pixels, 16 x 16")
    parser.add_argument("--sizes", nargs="+", type=int, default=[1024, 2048, 4096])
    parser.add_argument("--points", type=int, default=POINTS, help="points a side")
    parser.add_argument("--batch", type=int, default=BATCH, help="points a peer decodes at once")
    parser.add_argument("--device", default="cpu", help="where all models run: cpu, cuda or mps")
    parser.add_argument("--model", type=Path, help="folder saved by transformers")
    parser.add_argument("--peers", type=Path, default=Path("peers"), help="has segment_anything")
    parser.add_argument(
        "--methods",
        nargs="+",
        help="of transformers segment_anything nital adaptive coarser; all but the last",
    )
    parser.add_argument("--work", type=Path, help="keep what is measured here, and go on from it")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    parser.add_argument("--one", nargs=6, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        run_one(*arguments.one)
        return
    os.environ["NITAL_DEVICE"] = arguments.device
    if arguments.quick:
        arguments.sizes, arguments.points = [512], 16
    with tempfile.TemporaryDirectory() as text:
        folder = arguments.work or Path(text)
        folder.mkdir(exist_ok=True)
        model = arguments.model or folder / "model"
        if not model.exists():
            shown = micrograph(1024, arguments.points)
            save_seeded_sam(model, *shown, small=arguments.quick)
        result = measure(folder, model, arguments)
    line = json.dumps(result)
    if arguments.json is not None:
        arguments.json.write_text(line + "\n", encoding="utf-8")
    print(line)


def measure(folder: Path, model: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run all methods on one image of each size."""
    there = {"transformers": True, "segment_anything": holds(arguments.peers)}
    peers = [name for name in PEERS if there[name]]
    methods = arguments.methods or [*peers, *OURS]
    result: dict[str, Any] = {
        "benchmark": "generator",
        "peers": [name for name in methods if name in PEERS],
        "weights": arguments.model.name if arguments.model else "seeded, decoder set by hand",
        "points": arguments.points**2,
        "device": arguments.device,
        "machine": {"cpus": os.cpu_count(), "threads": threads(), "busy": os.getloadavg()},
    }
    for size in arguments.sizes:
        image, thresholds = folder / f"{size}.npy", folder / f"{size}.json"
        if not thresholds.exists():
            np.save(image, micrograph(size, arguments.points)[0])
            choose_thresholds(model, image, thresholds, arguments.model is None)
        rows = {}
        given = {"points": arguments.points, "points_per_batch": arguments.batch}
        settings = json.dumps(given | json.loads(thresholds.read_text()))
        for method in methods:
            out = folder / f"{size}-{method}.npz"
            if not out.exists():
                job = (method, model, image, settings, arguments.peers, out)
                command = [sys.executable, __file__, "--one", *map(str, job)]
                subprocess.run(command, check=True)
            with np.load(out) as found:
                rows[method] = {name: float(found[name]) for name in found if name != "drawn"}
            print(f"{size:>6} {method:>16}: {rows[method]}", file=sys.stderr)
        last = f"_{size}" if len(arguments.sizes) > 1 else ""
        for method, row in rows.items():
            result |= {f"{name}_{method}{last}": round(v, 3) for name, v in row.items()}
        found = compare(folder, size, rows)
        result |= {f"{name}{last}": round(value, 3) for name, value in found.items()}
    return result


def compare(folder: Path, size: int, rows: dict[str, dict[str, float]]) -> dict[str, float]:
    """Ratios against each peer and the better of them, and recall of the peers' masks."""
    found: dict[str, list[float]] = {}
    result = {}
    for peer in (name for name in PEERS if name in rows):
        for ours in (name for name in (*OURS, COARSER) if name in rows):
            end = "" if ours == "nital" else f"_{ours}"
            for quantity in ("seconds", "cpu_seconds", "memory_mb"):
                name = f"ratio_{quantity.removesuffix('_mb')}{end}"
                ratio = rows[peer][quantity] / rows[ours][quantity]
                found.setdefault(name, []).append(ratio)
                result[f"{name}_{peer}"] = ratio
            files = [folder / f"{size}-{method}.npz" for method in (peer, ours)]
            result[f"recall_{ours}_{peer}"] = recall_of(*files)
    return {name: min(ratios) for name, ratios in found.items()} | result


def threads() -> int:
    """Threads that each process may use."""
    return int(os.environ.get("NITAL_THREADS", os.cpu_count() or 1))


def micrograph(size: int, points: int) -> tuple[np.ndarray, np.ndarray]:
    """(size, size) uint8, and its objects: discs of many sizes and levels, none touching, noise.

    The same discs at every size, with diameters of 1.6 to 3.8 times the distance between points
    and a contrast of 2 to 14 times the noise.
    """
    rng = np.random.default_rng(0)
    labels = np.zeros((size, size), dtype=np.uint16)
    rows, cols = np.ogrid[:size, :size]
    placed = np.zeros((0, 3))
    for _ in range(2000):
        disc = rng.uniform([0, 0, 0.8 / points], [1, 1, 1.9 / points])
        if (np.hypot(*(placed[:, :2] - disc[:2]).T) < placed[:, 2] + disc[2] + 0.25 / points).any():
            continue
        placed = np.vstack([placed, disc])
        row, col, radius = disc * size
        labels[(rows - row) ** 2 + (cols - col) ** 2 < radius**2] = len(placed)
    levels = np.concatenate([[70], 70 + rng.uniform(16, 110, len(placed))]).astype(np.float32)
    image = levels[labels] + rng.normal(0, 8, labels.shape).astype(np.float32)
    return image.clip(0, 255).astype(np.uint8), labels


def choose_thresholds(model: Path, image: Path, out: Path, random: bool) -> None:
    """SAM's own thresholds, or the medians of some points for random weights."""
    found = {"pred_iou_thresh": 0.88, "stability_score_thresh": 0.95, "stability_score_offset": 1.0}
    if random:
        from nital.generator.crops import grid_points
        from nital.models.sam.load import load_folder
        from nital.prompts import PromptSet

        pixels = np.load(image)
        segmenter = load_folder(model, "bench")
        prompts = PromptSet.from_points(grid_points(pixels.shape, 4))
        decoded = segmenter.decode(segmenter.embed(pixels), prompts)
        offset = 0.02 * float(decoded.logits.std())
        certain = (decoded.logits > offset).sum((2, 3))
        stability = certain / np.maximum((decoded.logits > -offset).sum((2, 3)), 1)
        bar = max(1e-6, float(np.median(decoded.scores)))
        there = stability[(decoded.scores > bar) & (certain > 0)]
        lowest = float(np.percentile(there, 25)) - 1e-3 if there.size else 0.0
        found = {
            "pred_iou_thresh": bar,
            "stability_score_thresh": max(1e-6, lowest),
            "stability_score_offset": offset,
        }
    out.write_text(json.dumps(found))


def run_one(method: str, model: str, image: str, settings: str, peers: str, out: str) -> None:
    """One method in this process: time it, and write its masks, packed, beside the figures."""
    pixels, options = np.load(image), json.loads(settings)
    if method == "segment_anything":
        sys.path.append(peers)
    run = run_peer if method in PEERS else run_nital
    figures, masks = run(method, Path(model), pixels, options)
    small = [
        mask[:: max(1, mask.shape[0] // 512), :: max(1, mask.shape[1] // 512)] for mask in masks
    ]
    np.savez(
        out,
        **figures,
        masks=len(masks),
        drawn=np.packbits([mask.ravel() for mask in small] or [[False]], axis=1),
    )


def resident_mb() -> float:
    """Resident memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def peak_mb() -> float:
    """Peak of resident memory of this program so far, without that of the one that started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def run_nital(
    method: str, model: Path, pixels: np.ndarray, options: dict[str, Any]
) -> tuple[dict[str, float], list[np.ndarray]]:
    """Nital's generator on the grid, or on points from the image's structure."""
    from nital.generator import GeneratorOptions, generate
    from nital.generator.gaps import GapOptions
    from nital.models.sam.load import load_folder
    from nital.prompts.structure import StructureOptions, structure_rounds

    segmenter = load_folder(model, "bench")
    points, _ = options.pop("points"), options.pop("points_per_batch")
    wanted = GeneratorOptions(points * 3 // 4 if method == COARSER else points, **options)
    limit = StructureOptions(most_points=points * points)
    gaps = GapOptions(most_points=points * points)
    source = (lambda image: structure_rounds(image, limit).rounds) if method == "adaptive" else None
    if device() != "cpu":
        generate(segmenter, pixels, replace(wanted, points_per_side=WARMING))
    measured = Measured()
    found = generate(segmenter, pixels, wanted, source=source, gaps=gaps)
    figures = measured.figures() | {"prompts": found.facts["prompts"]}
    masks = []
    for index in range(len(found.masks)):
        whole = np.zeros(pixels.shape, dtype=bool)
        whole[found.masks.place(index)] = found.masks.mask(index)
        masks.append(whole)
    return figures, masks


def run_peer(
    method: str, model: Path, pixels: np.ndarray, options: dict[str, Any]
) -> tuple[dict[str, float], list[np.ndarray]]:
    """A generator of others, and the share of each of its stages."""
    generate, stages = PEERS[method](model, threads())
    points = options.pop("points")
    if device() != "cpu":
        generate(pixels, WARMING, options)
    measured = Measured()
    masks = generate(pixels, points, options)
    figures = measured.figures() | {"prompts": points * points}
    if device() != "cpu":
        return figures, masks
    shares = {f"share_{name}": s / figures["cpu_seconds"] for name, s in stages.seconds.items()}
    return figures | shares | {"share_rest": 1 - sum(shares.values())}, masks


class Measured:
    """Seconds and peak memory since it was made."""

    def __init__(self) -> None:
        self.memory = self._accelerator_mb(reset=True) or resident_mb()
        self.start, self.busy = time.perf_counter(), time.process_time()

    def figures(self) -> dict[str, float]:
        """What has been used so far."""
        return {
            "seconds": time.perf_counter() - self.start,
            "cpu_seconds": time.process_time() - self.busy,
            "memory_mb": (self._accelerator_mb() or peak_mb()) - self.memory,
        }

    @staticmethod
    def _accelerator_mb(reset: bool = False) -> float:
        """Peak of what is allocated by CUDA, or, after a reset, what is now; 0 elsewhere."""
        if device() != "cuda":
            return 0.0
        import torch

        torch.cuda.synchronize()
        if reset:
            torch.cuda.reset_peak_memory_stats()
        return torch.cuda.max_memory_allocated() / 2**20


def recall_of(peer: Path, ours: Path) -> float:
    """Share of the peer's masks that one of ours meets."""
    with np.load(peer) as one, np.load(ours) as two:
        theirs, found = (
            np.unpackbits(each["drawn"], axis=1).astype(np.float32) for each in (one, two)
        )
    shared = theirs @ found.T
    iou = shared / np.maximum(theirs.sum(1)[:, None] + found.sum(1) - shared, 1)
    return round(float((iou.max(1) >= SAME).mean()), 4)


if __name__ == "__main__":
    main()
