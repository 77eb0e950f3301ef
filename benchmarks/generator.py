"""Nital's mask generator against that of transformers: the same weights, image, prompts, machine.

Each figure is a fresh process that loads the model, then generates masks: seconds on the clock and
of the processor (to trust on a busy machine), and the peak of resident memory above the loaded
model. ``ratio_...`` is peer / Nital: above 1, Nital needs less. ``ratio_seconds`` and
``ratio_memory`` ask the same grid of points; ``ratio_seconds_adaptive`` lets Nital choose its own
points and stop when the image is covered; the recall beside it is the share of the peer's masks
that one of ours then meets with an IoU of at least 0.9.

    python benchmarks/generator.py --quick
    python benchmarks/generator.py --sizes 1024 2048 4096 --json generator.json
    python benchmarks/generator.py --model path/to/sam-folder --sizes 2048

Without --model the weights are random, of the size of ViT-B and with a fixed seed; thresholds are
then set to the middle of what they predict, so that half of the masks pass the first filter.
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
from pathlib import Path
from typing import Any

import numpy as np

METHODS = ("peer", "nital", "adaptive")
SAME = 0.9  # IoU from which two masks show the same
POINTS = 32


def main() -> None:
    """Measure, print a table to the standard error stream and one JSON object at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a small model, 512 pixels, 8 x 8")
    parser.add_argument("--sizes", nargs="+", type=int, default=[1024, 2048, 4096])
    parser.add_argument("--points", type=int, default=POINTS, help="points a side")
    parser.add_argument("--model", type=Path, help="folder saved by transformers")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    parser.add_argument("--one", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        run_one(*arguments.one)
        return
    sizes, points = ([512], 8) if arguments.quick else (arguments.sizes, arguments.points)
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        model = arguments.model or make_model(folder / "model", small=arguments.quick)
        result = measure(folder, model, sizes, points, arguments.model is None)
    line = json.dumps(result)
    if arguments.json is not None:
        arguments.json.write_text(line + "\n", encoding="utf-8")
    print(line)


def measure(
    folder: Path, model: Path, sizes: list[int], points: int, random: bool
) -> dict[str, Any]:
    """Run all methods on one image of each size."""
    result: dict[str, Any] = {
        "benchmark": "generator",
        "peer": "transformers mask generation",
        "weights": "random, seeded" if random else model.name,
        "points": points * points,
        "machine": {"cpus": os.cpu_count(), "threads": threads(), "busy": os.getloadavg()},
    }
    for size in sizes:
        image = folder / f"{size}.npy"
        np.save(image, micrograph(size))
        thresholds = folder / f"{size}.json"
        choose_thresholds(model, image, thresholds, random)
        rows = {}
        for method in METHODS:
            out = folder / f"{size}-{method}.npz"
            settings = json.dumps({"points": points, **json.loads(thresholds.read_text())})
            command = [sys.executable, __file__, "--one", method, model, image, settings, out]
            subprocess.run([str(part) for part in command], check=True)
            with np.load(out) as found:
                rows[method] = {
                    name: float(found[name])
                    for name in ("seconds", "cpu_seconds", "memory_mb", "masks", "prompts")
                }
            print(f"{size:>6} {method:>9}: {rows[method]}", file=sys.stderr)
        last = f"_{size}" if len(sizes) > 1 else ""
        for method, row in rows.items():
            result |= {f"{name}_{method}{last}": round(v, 3) for name, v in row.items()}
        peer, ours, adaptive = (rows[method] for method in METHODS)
        recall = recall_of(folder / f"{size}-peer.npz", folder / f"{size}-adaptive.npz")
        result[f"recall_adaptive{last}"] = recall
        ratios = {
            "ratio_seconds": peer["seconds"] / ours["seconds"],
            "ratio_cpu_seconds": peer["cpu_seconds"] / ours["cpu_seconds"],
            "ratio_seconds_adaptive": peer["seconds"] / adaptive["seconds"],
            "ratio_cpu_seconds_adaptive": peer["cpu_seconds"] / adaptive["cpu_seconds"],
            "ratio_memory": peer["memory_mb"] / ours["memory_mb"],
        }
        result |= {f"{name}{last}": round(value, 3) for name, value in ratios.items()}
    return result


def threads() -> int:
    """Threads that each process may use."""
    return int(os.environ.get("NITAL_THREADS", os.cpu_count() or 1))


def make_model(folder: Path, small: bool) -> Path:
    """A SAM with random weights, seeded, saved as transformers does."""
    import torch
    from transformers import SamConfig, SamModel

    config = SamConfig()
    if small:
        config = SamConfig(
            vision_config={"hidden_size": 96, "num_hidden_layers": 4, "num_attention_heads": 3,
                           "image_size": 512, "mlp_dim": 192, "global_attn_indexes": [1, 3],
                           "output_channels": 256, "num_pos_feats": 128},
            prompt_encoder_config={"image_size": 512, "image_embedding_size": 32},
        )  # fmt: skip
    torch.manual_seed(0)
    model = SamModel(config)
    with torch.no_grad():
        for name, parameter in model.mask_decoder.named_parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
            if "cross" in name and ("q_proj.weight" in name or "k_proj.weight" in name):
                parameter.mul_(5)  # so that masks differ from point to point
        for embedding in (model.mask_decoder.mask_tokens, model.mask_decoder.iou_token):
            embedding.weight.mul_(0.05)
    model.save_pretrained(folder)
    return folder


def micrograph(size: int) -> np.ndarray:
    """(size, size) uint8: bright discs of many sizes with noise."""
    rng = np.random.default_rng(0)
    image = rng.normal(70, 8, (size, size)).astype(np.float32)
    rows, cols = np.ogrid[:size, :size]
    for _ in range(150):
        row, col, radius = (
            rng.uniform(0, size),
            rng.uniform(0, size),
            size * rng.uniform(0.01, 0.05),
        )
        image[(rows - row) ** 2 + (cols - col) ** 2 < radius**2] += rng.uniform(60, 110)
    return image.clip(0, 255).astype(np.uint8)


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


def run_one(method: str, model: str, image: str, settings: str, out: str) -> None:
    """One method in this process: time it, and write its masks, packed, beside the figures."""
    pixels, options = np.load(image), json.loads(settings)
    run = {"peer": run_peer}.get(method, run_nital)
    seconds, busy, memory, masks, prompts = run(method, Path(model), pixels, options)
    small = [
        mask[:: max(1, mask.shape[0] // 512), :: max(1, mask.shape[1] // 512)] for mask in masks
    ]
    np.savez(
        out,
        seconds=seconds,
        cpu_seconds=busy,
        memory_mb=memory,
        masks=len(masks),
        prompts=prompts,
        drawn=np.packbits([mask.ravel() for mask in small] or [[False]], axis=1),
    )


def resident_mb() -> float:
    """Resident memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def peak_mb() -> float:
    """Peak of resident memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_nital(
    method: str, model: Path, pixels: np.ndarray, options: dict[str, Any]
) -> tuple[float, float, float, list[np.ndarray], int]:
    """Nital's generator on the grid, or on points from the image's structure."""
    from nital.generator import GeneratorOptions, generate
    from nital.models.sam.load import load_folder
    from nital.prompts.structure import StructureOptions, structure_rounds

    segmenter = load_folder(model, "bench")
    points = options.pop("points")
    wanted = GeneratorOptions(points, **options)
    limit = StructureOptions(most_points=max(1, points * points // 4))
    source = (lambda image: structure_rounds(image, limit).rounds) if method == "adaptive" else None
    before = resident_mb()
    start, busy = time.perf_counter(), time.process_time()
    found = generate(segmenter, pixels, wanted, source=source)
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    memory = peak_mb() - before
    masks = []
    for index in range(len(found.masks)):
        whole = np.zeros(pixels.shape, dtype=bool)
        whole[found.masks.place(index)] = found.masks.mask(index)
        masks.append(whole)
    return seconds, busy, memory, masks, found.facts["prompts"]


def run_peer(
    method: str, model: Path, pixels: np.ndarray, options: dict[str, Any]
) -> tuple[float, float, float, list[np.ndarray], int]:
    """The pipeline of transformers, with its PIL image processor and an NMS of its own."""
    import torch
    from PIL import Image
    from transformers import MaskGenerationPipeline, SamModel
    from transformers.models.sam import image_processing_pil_sam as library

    from nital.masks.suppression import suppress_boxes

    class Processor(library.SamImageProcessorPil):
        def post_process_for_mask_generation(
            self, all_masks: Any, all_scores: Any, all_boxes: Any, threshold: float, **_: Any
        ) -> Any:
            kept = suppress_boxes(all_boxes.numpy(), all_scores.numpy(), threshold)
            return [library._rle_to_mask(all_masks[i]) for i in kept], all_scores[kept], None, None

    network = SamModel.from_pretrained(model).eval()
    torch.set_num_threads(threads())
    side = network.config.vision_config.image_size
    processor = Processor(
        size={"longest_edge": side},
        pad_size={"height": side, "width": side},
        mask_size={"longest_edge": side // 4},
        mask_pad_size={"height": side // 4, "width": side // 4},
    )
    pipeline = MaskGenerationPipeline(model=network, image_processor=processor, device="cpu")
    points = options.pop("points")
    picture = Image.fromarray(pixels).convert("RGB")
    before = resident_mb()
    start, busy = time.perf_counter(), time.process_time()
    answer = pipeline(picture, points_per_crop=points, points_per_batch=64, **options)
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    return (
        seconds,
        busy,
        peak_mb() - before,
        [np.asarray(m) for m in answer["masks"]],
        points * points,
    )


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
