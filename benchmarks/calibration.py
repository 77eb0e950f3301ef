"""How true the predicted IoU of the compact model is, for each level of its masks.

Prompts of all kinds (points, boxes, negatives) on simulated crops with seeds that training never
draws, and on the validation images of the real training sets where their folder is given. For each
level: the expected calibration error of the predicted IoU (ten bins of equal width, |mean predicted
- mean true| weighted by size), and the mean true IoU. The model is measured against the constant
that predicts the mean IoU: ``ratio_error_...`` is that constant's mean absolute error over the
model's, above 1 the model knows more than the mean.

    python benchmarks/calibration.py --data path/to/sets
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SEED = (20_000_001,)
BINS = 10


def main() -> None:
    """Measure, print a table to the standard error stream and one JSON object at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of the licensed real sets")
    parser.add_argument("--model", default="compact", help="compact, or a model folder")
    parser.add_argument("--crops", type=int, default=300, help="crops of each source")
    parser.add_argument("--quick", action="store_true", help="30 crops of each source")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    arguments = parser.parse_args()
    crops = 30 if arguments.quick else arguments.crops
    result = measure(arguments.model, arguments.data, crops)
    for name, value in result.items():
        print(f"{name:36} {value}", file=sys.stderr)
    text = json.dumps(result)
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)


def measure(name: str, data: Path | None, crops: int) -> dict[str, Any]:
    """Calibration by source (simulated, real) and level (object, phase)."""
    import nital
    from nital.models import load_model
    from nital.training.samples import SampleStream, StreamOptions, load_real_images

    model = load_model(name)
    result: dict[str, Any] = {
        "benchmark": "calibration",
        "nital": nital.__version__,
        "model_sha256": model.sha256,
        "crops": crops,
    }
    sources = {"simulated": SampleStream(SEED)}
    if data is not None:
        real = load_real_images(data, validation=True)
        sources["real"] = SampleStream(SEED, StreamOptions(real_share=1.0), real)
    for source, stream in sources.items():
        pairs: dict[str, list[NDArray[np.float64]]] = {"object": [], "phase": []}
        rng = np.random.default_rng(SEED)
        for sample in islice(stream, crops):
            for level, predicted, true in iou_pairs(model, rng, sample):
                pairs[level].append(np.stack([predicted, true]))
        for level, found in pairs.items():
            if found:
                result |= figures(f"{source}_{level}", np.concatenate(found, axis=1))
    return result


def iou_pairs(
    model: Any, rng: np.random.Generator, sample: Any
) -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
    """Level, predicted IoU and true IoU of the prompts that training would draw on a crop."""
    from nital.masks.flatten import paint
    from nital.masks.instances import Instances
    from nital.models.compact import TARGETS
    from nital.prompts import PromptSet
    from nital.training.targets import make_example

    example = make_example(rng, sample)
    labels, boxes = example["point_labels"], example["boxes"]
    points = example["points"].clip(0, np.array(sample.image.shape, dtype=np.float32) - 1)
    boxed = (boxes[:, 2:] > boxes[:, :2]).all(1)
    boxes = np.where(boxed[:, None], boxes, 0)
    asked = ((labels == 1).any(1) | boxed) & (example["has_object"] > 0)
    embedding = model.embed(example["image"][0], TARGETS[sample.target])
    if asked.any():
        prompts = PromptSet(points[asked], labels[asked], boxes[asked])
        decoded = model.decode(embedding, prompts)
        wanted = sample.labels[tuple(points[asked][:, 0].astype(int).T)]
        true = []
        for index, label in enumerate(wanted):
            one = Instances(
                decoded.logits[index].astype(np.float16),
                decoded.windows[index],
                decoded.scores[index],
                prompts.points[index][:1],
            )
            mask = paint(one, sample.image.shape).labels > 0
            true.append(iou(mask, sample.labels == label, sample.valid))
        yield "object", decoded.scores[:, 0].astype(float), np.array(true)
    first = tuple(points[:, 0].astype(int).T)
    asked = (labels[:, 0] == 1) & (example["prompt_phase"] > 0)
    if asked.any() and len(np.unique(sample.phases[sample.valid])) > 1:
        decoded = model.decode(embedding, PromptSet.from_points(points[asked][:, 0]), "phase")
        rows, cols = decoded.logits.shape[2:]
        truth = sample.phases[:: sample.image.shape[0] // rows, :: sample.image.shape[1] // cols]
        valid = sample.valid[:: sample.image.shape[0] // rows, :: sample.image.shape[1] // cols]
        wanted = sample.phases[first][asked]
        masks = decoded.logits[:, 0] > 0
        true = [iou(m, truth == p, valid) for m, p in zip(masks, wanted, strict=True)]
        yield "phase", decoded.scores[:, 0].astype(float), np.array(true)


def iou(one: NDArray[np.bool_], other: NDArray[np.bool_], valid: NDArray[np.bool_]) -> float:
    """Intersection over union on the valid pixels; 1 when both are empty."""
    either = ((one | other) & valid).sum()
    return float((one & other & valid).sum() / either) if either else 1.0


def figures(name: str, pairs: NDArray[np.float64]) -> dict[str, Any]:
    """Calibration error, errors and means of (2, N) predicted and true IoU."""
    predicted, true = pairs
    index = np.minimum((predicted * BINS).astype(int), BINS - 1)
    counts = np.bincount(index, minlength=BINS)
    gaps = np.abs(np.bincount(index, predicted, BINS) - np.bincount(index, true, BINS))
    error = float(np.abs(predicted - true).mean())
    constant = float(np.abs(true - true.mean()).mean())
    return {
        f"n_{name}": int(counts.sum()),
        f"iou_{name}": round(float(true.mean()), 4),
        f"ece_{name}": round(float(gaps.sum() / counts.sum()), 4),
        f"error_{name}": round(error, 4),
        f"ratio_error_{name}": round(constant / max(error, 1e-9), 3),
    }


if __name__ == "__main__":
    main()
