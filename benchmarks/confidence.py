"""What the confidence of an object is worth: how often it is real, and how far its outline is off.

Simulated micrographs are segmented and their objects matched with the truth (more than half of
the union shared). From the objects come the figures by which `nital.metrology.doubts` turns the
confidence into the chance that an object is real and into the uncertainty of its outline.

    python benchmarks/confidence.py --json confidence.json
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import nital
from nital.evaluation.contingency import contingency
from nital.micrograph import Micrograph
from nital.simulate import simulate

BINS = (0.0, 0.5, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0)
MATCHED = 0.5
FEWEST = 4


def main() -> None:
    """Measure, print a table to the standard error stream and one JSON object at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="four micrographs of each kind")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    parser.add_argument("--count", type=int, default=24, help="micrographs of each kind")
    parser.add_argument("--size", type=int, default=384, help="side of each in pixels")
    arguments = parser.parse_args()
    count = 4 if arguments.quick else arguments.count
    result: dict[str, Any] = {"benchmark": "confidence", "count": count, "size": arguments.size}
    for target in ("grains", "particles"):
        images = [examine(target, seed, arguments.size) for seed in range(count)]
        result[target] = summarise([image for image in images if len(image["confidence"])])
        show(target, result[target])
    for target in ("phases", "layers"):
        found = [examine_materials(target, seed, arguments.size) for seed in range(count)]
        shifts = np.concatenate(found)
        result[target] = {"materials": len(shifts), "shift_sd": robust_deviation(shifts)}
        print(f"{target}: {result[target]}", file=sys.stderr)
    text = json.dumps(result)
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)


def examine(target: str, seed: int, size: int) -> dict[str, NDArray[np.float64]]:
    """Objects found in one simulated micrograph, and what is true of them."""
    made = simulate([9, seed], target, (size, size))  # type: ignore[arg-type]
    truth = made.scene.objects.copy()
    if target == "grains":
        truth[made.scene.phases != 1] = 0
    found = nital.segment(Micrograph(made.image), target)
    table = found.measure().objects
    overlaps = contingency(truth, found.labels)
    true_label = overlaps.truth_labels[overlaps.rows]
    found_label = overlaps.predicted_labels[overlaps.columns]
    pair = (overlaps.iou > MATCHED) & (true_label > 0) & (found_label > 0)
    areas = dict(zip(overlaps.truth_labels.tolist(), overlaps.truth_areas.tolist(), strict=True))
    partner = dict(zip(found_label[pair].tolist(), true_label[pair].tolist(), strict=True))
    match = dict(zip(found_label[pair].tolist(), overlaps.iou[pair].tolist(), strict=True))
    area = table["area_px"].to_numpy().astype(float)
    perimeter = np.sqrt(4 * math.pi * area / table["circularity"].to_numpy())
    true_area = np.array([areas[partner[n]] if n in partner else math.nan for n in table["label"]])
    true_count = int((overlaps.truth_labels > 0).sum())
    return {
        "confidence": table["confidence"].to_numpy(),
        "iou": np.array([match.get(name, 0.0) for name in table["label"]]),
        "shift": (area - true_area) / perimeter,
        "side": area / perimeter,
        "missed": np.array([true_count - int(pair.sum())], dtype=float),
        "edge": table["touches_edge"].to_numpy().astype(float),
    }


def examine_materials(target: str, seed: int, size: int) -> NDArray[np.float64]:
    """Shift of the outlines of each material, in units of its summed doubt over its perimeter."""
    made = simulate([9, seed], target, (size, size))  # type: ignore[arg-type]
    found = nital.segment(Micrograph(made.image), target)
    overlaps = contingency(made.scene.phases, found.phases)
    doubt = 1.0 - found.confidence / 255.0
    shifts = []
    if len(np.unique(found.phases)) < 2:
        return np.zeros(0)
    for row, column, iou in zip(overlaps.rows, overlaps.columns, overlaps.iou, strict=True):
        phase = int(overlaps.predicted_labels[column])
        if iou > MATCHED and phase > 0:
            excess = overlaps.predicted_areas[column] - overlaps.truth_areas[row]
            shifts.append(excess / max(doubt[found.phases == phase].sum(), 1.0))
    return np.array(shifts)


def robust_deviation(values: NDArray[np.float64]) -> float:
    """Half the width of the middle 68 %."""
    return float(np.subtract(*np.percentile(values, (84.13, 15.87))) / 2.0)


def summarise(images: list[dict[str, NDArray[np.float64]]]) -> dict[str, Any]:
    """Reliability of the confidence, missed objects, and the shift of outlines."""
    confidence = np.concatenate([image["confidence"] for image in images])
    iou = np.concatenate([image["iou"] for image in images])
    bins = []
    for low, high in itertools.pairwise(BINS):
        chosen = (confidence > low) & (confidence <= high)
        if chosen.any():
            real = iou[chosen] > MATCHED
            mean = float(iou[chosen][real].mean()) if real.any() else None
            bins.append([low, high, int(chosen.sum()), float(real.mean()), mean])
    relative, by_image = [], []
    for image in images:
        expected = (1.0 - image["confidence"]) * image["side"]
        used = (image["iou"] > MATCHED) & (image["edge"] == 0) & (expected > 0)
        values = (image["shift"] / expected)[used]
        if len(values) >= FEWEST:
            by_image.append(float(np.median(values)))
            relative.append(values - np.median(values))
    own = np.concatenate(relative)
    return {
        "objects": len(confidence),
        "real": float((iou > MATCHED).mean()),
        "mean_confidence": float(confidence.mean()),
        "missed": int(sum(image["missed"][0] for image in images)),
        "extra": int((iou <= MATCHED).sum()),
        "bins": bins,
        # Shift of outlines, in units of (1 - confidence) area / perimeter.
        "shift_of_images": {
            "mean": float(np.mean(by_image)),
            "sd": float(np.std(by_image, ddof=1)),
        },
        "shift_of_objects_sd": robust_deviation(own),
    }


def show(target: str, found: dict[str, Any]) -> None:
    """Print the figures of one kind."""
    print(
        f"{target}: {found['objects']} objects, {found['extra']} extra, {found['missed']} missed; "
        f"shift of images {found['shift_of_images']}, "
        f"of objects {found['shift_of_objects_sd']:.2f}",
        file=sys.stderr,
    )
    for low, high, number, real, mean in found["bins"]:
        print(f"  {low:.2f}-{high:.2f} {number:6d} real {real:.3f} iou {mean}", file=sys.stderr)


if __name__ == "__main__":
    main()
