"""Methods for particles against each other and against what they should reach, in one command.

Every validation image of EMPS (in none of the trainings) is segmented by every method. Printed as
one JSON object: AP at IoU 0.5 (TP / (TP + FP + FN)) and AJI+ as means over images, the relative
error of the median diameter as median over images, ECE (ten bins) and AUROC of the confidence of
all objects against being right at IoU 0.5, and seconds. For every two methods an SVG with the AJI+
of each image under both (Rettenberger et al., Fig. 4), and a picture of simulated particles with
the outlines of truth and methods side by side (their Fig. 3).

Scores are kept in OUT/rows.json, so that a run that was stopped goes on.

    nital train particles --network unet --data ../shared/data --out runs/unet
    python benchmarks/particle_methods.py --data ../shared/data --out methods \
        --methods compact,runs/unet
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import nital
from nital.evaluation.contingency import contingency
from nital.evaluation.datasets import read_dataset
from nital.evaluation.methods import check_models, parse_methods, run_method, score
from nital.evaluation.metrics import area_under_roc, expected_calibration_error, match_objects
from nital.io import read, read_labels
from nital.metrology.intervals import binomial_interval
from nital.micrograph import Micrograph
from nital.report.overlay import contour_mask
from nital.segmentation import Segmentation
from nital.simulate import simulate
from paired import svg

SEEDS = (9_000_001, 9_000_004, 9_000_006)  # of the simulated images in the picture
SIDE, GAP = 256, 6
TRUTH, FOUND = (0, 200, 90), (255, 80, 0)

Row = dict[str, Any]


def main() -> None:
    """Segment, score, draw, and print one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with emps_train")
    parser.add_argument("--methods", default="compact,watershed", help="as for nital bench")
    parser.add_argument("--out", type=Path, default=Path("methods"))
    parser.add_argument("--images", type=int, default=1000, help="most images")
    parser.add_argument("--every", type=int, default=1, help="take every n-th image only")
    parser.add_argument("--picture", action="store_true", help="also draw simulated particles")
    parser.add_argument("--quick", action="store_true", help="3 images")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    arguments = parser.parse_args()
    methods = parse_methods(arguments.methods)
    check_models(methods)
    arguments.out.mkdir(parents=True, exist_ok=True)
    dataset = read_dataset(arguments.data / "emps_train")
    samples = dataset.split("validation")[:: arguments.every]
    samples = samples[: 3 if arguments.quick else arguments.images]
    kept = arguments.out / "rows.json"
    rows: list[Row] = json.loads(kept.read_text()) if kept.exists() else []
    done = {(row["image"], row["method"]) for row in rows}
    for sample in samples:
        for method in methods:
            if (sample.name, method.name) in done or sample.label is None:
                continue
            micrograph, truth = read(sample.image), read_labels(sample.label)
            began = time.process_time()
            result = run_method(micrograph, method, dataset)
            seconds = time.process_time() - began
            row = {"image": sample.name, "method": method.name, "seconds": round(seconds, 2)}
            rows.append(row | {"metrics": score(truth, result, dataset)} | objects(truth, result))
            kept.write_text(json.dumps(rows), encoding="utf-8")
    names = [method.name for method in methods]
    wanted = {sample.name for sample in samples}
    found = {
        name: [row for row in rows if row["method"] == name and row["image"] in wanted]
        for name in names
    }
    result = {"benchmark": "particle_methods", "images": len(samples)}
    result["methods"] = {short(name): summary(found[name]) for name in names}
    result["pairs"] = [pair(found, two, arguments.out) for two in combinations(names, 2)]
    if arguments.picture:
        draw(names, arguments.out / "methods.jpg")
    text = json.dumps(result)
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)


def objects(truth: NDArray[np.int32], result: Segmentation) -> Row:
    """Confidence of every object found, 0...1, and whether it is right at IoU 0.5."""
    confidence = np.zeros(len(result.objects) + 1)
    confidence[result.labels.ravel()] = result.confidence.ravel() / 255
    matched = match_objects(contingency(truth, result.labels)).predicted
    right = np.isin(result.objects, matched)
    return {"confidence": np.round(confidence[1:], 4).tolist(), "right": right.astype(int).tolist()}


def summary(rows: list[Row]) -> dict[str, float]:
    """The figures of one method over its images."""
    confidence = np.concatenate([row["confidence"] for row in rows])
    right = np.concatenate([row["right"] for row in rows]).astype(bool)
    errors = [abs(row["metrics"].get("ecd_d50_error", 1.0)) for row in rows]
    figures = {
        "ap50": np.mean([row["metrics"]["ap50"] for row in rows]),
        "aji_plus": np.mean([row["metrics"]["aji_plus"] for row in rows]),
        "median_ecd_error": np.median(errors),
        "auroc": area_under_roc(confidence, right),
        "ece": expected_calibration_error(confidence, right),
        "seconds_median": np.median([row["seconds"] for row in rows]),
    }
    return {"objects": len(right)} | {name: round(float(v), 4) for name, v in figures.items()}


def pair(found: dict[str, list[Row]], names: tuple[str, str], out: Path) -> Row:
    """AJI+ of every image under two methods: the picture, and on how many the first is better."""
    by_image = [{row["image"]: row["metrics"]["aji_plus"] for row in found[name]} for name in names]
    both = [(value, by_image[1][image]) for image, value in by_image[0].items()]
    shown = (short(names[0]), short(names[1]))
    path = out / f"{shown[0]}-{shown[1]}.svg"
    path.write_text(svg(both, shown, "AJI+"), encoding="utf-8")
    better = sum(one > two for one, two in both)
    low, high = binomial_interval(better, len(both))
    return {
        "first": shown[0],
        "second": shown[1],
        "first_better": round(better / len(both), 4),
        "first_better_ci95": [round(low, 4), round(high, 4)],
    }


def short(name: str) -> str:
    """The last part of a method that is a folder; ``model`` says less than what holds it."""
    parts = [part for part in Path(name).parts if part != "model"]
    return parts[-1]


def draw(names: list[str], path: Path) -> None:
    """Simulated particles, one row each: truth, then what every method finds."""
    from PIL import Image

    made = [simulate(seed, "particles", (SIDE, SIDE)) for seed in SEEDS]
    height, width = len(made) * (SIDE + GAP) - GAP, (1 + len(names)) * (SIDE + GAP) - GAP
    sheet = np.full((height, width, 3), 255, dtype=np.uint8)
    for down, each in enumerate(made):
        micrograph = Micrograph(each.image)
        found = [(each.scene.objects, TRUTH)]
        for name in names:
            result = nital.segment(micrograph, target="particles", model=name)
            found.append((result.labels, FOUND))
        for across, (labels, colour) in enumerate(found):
            tile = np.repeat(each.image[:, :, None], 3, axis=2)
            tile[contour_mask(labels.astype(np.int32))] = colour
            top, left = down * (SIDE + GAP), across * (SIDE + GAP)
            sheet[top : top + SIDE, left : left + SIDE] = tile
    Image.fromarray(sheet).save(path, quality=85)


if __name__ == "__main__":
    main()
