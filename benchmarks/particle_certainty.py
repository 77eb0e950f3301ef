"""How certain particles are: fit the probability of an object to be right, and measure it.

Fitted on images of EMPS that the compact model was trained on (without ``--data`` on simulated
ones), measured on its validation images (in none of the trainings) and on other simulated ones: ECE
(ten bins) and AUROC against being right at IoU 0.5, of the fitted probability and of the predicted
IoU alone; on simulated ones also AUROC against the certain/uncertain truth.

    python benchmarks/particle_certainty.py --data ../shared/data --json certainty.json
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from nital.automatic.certainty import FEATURES, object_features
from nital.automatic.objects import Look, ObjectOptions, candidates, clean, with_likely
from nital.automatic.resample import rescale
from nital.automatic.scale import natural_scale
from nital.boost.merging import merge_pieces
from nital.evaluation.contingency import contingency
from nital.evaluation.datasets import is_validation
from nital.evaluation.metrics import area_under_roc, expected_calibration_error, match_objects
from nital.io import read, read_labels
from nital.models import load_model
from nital.models.compact import CompactModel
from nital.models.tiles import standardise
from nital.simulate import simulate

FIT_SEED, TEST_SEED = 7_000_000, 8_000_000
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Found:
    """Objects of some images: features, right at IoU 0.5, certain in the truth or not judged."""

    features: Floats
    right: NDArray[np.bool_]
    certain: Floats


def look(
    image: NDArray[np.uint8],
    truth: NDArray[np.int32],
    uncertain: frozenset[int] = frozenset(),
    doubtful: bool = False,
) -> Found:
    """Segment one image and compare with the truth.

    With ``doubtful`` all candidates are looked at that may ever be taken, which is what the fit
    is for; without, those that a user gets.
    """
    model, grey = cast(CompactModel, load_model("compact")), standardise(image)
    scale = natural_scale(model, grey, "particles").scale
    found, maps = candidates(model, rescale(grey, scale), "particles", again=True)
    options = ObjectOptions()
    lenient = replace(options, lowest_score=options.doubtful_score)
    seen = Look(grey, scale, maps)
    cleaned = clean(found, maps, "particles", lenient if doubtful else options)
    survivors, _ = cleaned if doubtful else with_likely(cleaned, found, seen, options)
    labels, predicted, areas = seen.outlined(survivors).labels, survivors.scores, survivors.areas
    if not doubtful:
        weak = options.weak_boundary_particles
        labels, predicted, areas = merge_pieces(labels, seen.boundary(), weak, predicted, areas)
    features = object_features(labels, predicted, areas, maps)
    matching = match_objects(contingency(truth, labels))
    visible = np.bincount(labels.ravel(), minlength=len(survivors) + 1)[1:] > 0
    right = np.zeros(len(survivors) + 1, dtype=bool)
    right[matching.predicted] = True
    certain = np.full(len(survivors) + 1, np.nan)
    certain[matching.predicted] = [float(n not in uncertain) for n in matching.truth.tolist()]
    return Found(features[visible], right[1:][visible], certain[1:][visible])


def join(parts: list[Found]) -> Found:
    """The objects of several images together."""
    return Found(
        np.concatenate([p.features for p in parts]),
        np.concatenate([p.right for p in parts]),
        np.concatenate([p.certain for p in parts]),
    )


def emps(data: Path, validation: bool, most: int) -> list[Found]:
    """Objects of validation images of EMPS, or candidates of its training images."""
    folder = data / "emps_train"
    paths = [
        path
        for path in sorted((folder / "images").glob("*.png"))
        if is_validation(path.name) is validation
    ]
    found = []
    for index in np.random.default_rng(0).permutation(len(paths))[:most]:
        image = read(paths[index]).pixels.astype(np.uint8)
        truth = read_labels(folder / "labels" / paths[index].name)
        found.append(look(image, truth, doubtful=not validation))
    return found


def simulated(seed: int, most: int, doubtful: bool = False) -> list[Found]:
    """Objects of simulated images."""
    made = [simulate(seed + n, "particles", (256, 256)) for n in range(most)]
    return [look(m.image, m.scene.objects, m.scene.uncertain, doubtful) for m in made]


def fit(features: Floats, right: NDArray[np.bool_]) -> tuple[Floats, Floats, float]:
    """Logistic regression with a little shrinkage: means, weights and bias."""
    from scipy.optimize import minimize

    mean, spread = features.mean(0), np.maximum(features.std(0), 1e-6)
    standard = (features - mean) / spread
    sign = np.where(right, 1.0, -1.0)

    def loss(values: Floats) -> tuple[float, Floats]:
        margin = sign * (standard @ values[:-1] + values[-1])
        value = float(np.logaddexp(0, -margin).sum()) + 0.5 * float((values[:-1] ** 2).sum())
        slope = -sign / (1 + np.exp(margin))
        return value, np.append(standard.T @ slope + values[:-1], slope.sum())

    best = minimize(loss, np.zeros(features.shape[1] + 1), jac=True).x
    return mean, best[:-1] / spread, float(best[-1])


def scores(name: str, probability: Floats, right: NDArray[np.bool_]) -> dict[str, float]:
    """ECE and AUROC under names that begin with ``name``."""
    return {
        f"{name}_ece": round(expected_calibration_error(probability, right), 4),
        f"{name}_auroc": round(area_under_roc(probability, right), 4),
    }


def main() -> None:
    """Fit, measure, print the constants to the standard error stream and one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder with emps_train")
    parser.add_argument("--images", type=int, default=60, help="most images of each source")
    parser.add_argument("--quick", action="store_true", help="3 images of each source")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    arguments = parser.parse_args()
    most = 3 if arguments.quick else arguments.images
    if arguments.data is None:
        known = join(simulated(FIT_SEED, most, doubtful=True))
    else:
        known = join(emps(arguments.data, False, most))
    mean, weights, bias = fit(known.features, known.right)
    for name, value in (("_MEAN", mean), ("_WEIGHT", weights)):
        print(f"{name} = np.array({[round(float(v), 4) for v in value]})", file=sys.stderr)
    print(f"_BIAS = {bias:.4f}", file=sys.stderr)
    held_out = {"simulated": join(simulated(TEST_SEED, most))}
    if arguments.data is not None:
        held_out["emps_validation"] = join(emps(arguments.data, True, most))
    result: dict[str, float | str | int] = {"benchmark": "particle_certainty", "images": most}
    for name, found in held_out.items():
        probability = 1 / (1 + np.exp(-((found.features - mean) @ weights + bias)))
        raw = 1 / (1 + np.exp(-found.features[:, FEATURES.index("score")]))
        result[f"{name}_objects"] = len(found.right)
        result[f"{name}_right"] = round(float(found.right.mean()), 4)
        result |= scores(name, probability, found.right)
        result |= scores(f"{name}_predicted_iou", raw, found.right)
        judged = np.isfinite(found.certain)
        if 0 < found.certain[judged].mean() < 1:
            result[f"{name}_certain_auroc"] = round(
                area_under_roc(probability[judged], found.certain[judged] > 0.5), 4
            )
    text = json.dumps(result)
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
