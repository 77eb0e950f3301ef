"""What estimating the number of materials costs, by the booster's rule and by three known ones.

The booster's places of held-out simulated cross-sections are clustered into one to six materials.
``nital`` adds one until they are even enough or the next would part what is alike; ``silhouette``
takes the number of largest (simplified) mean silhouette; ``gap`` is the gap statistic (Tibshirani,
Walther and Hastie, 2001) against samples spread evenly along the principal axes; ``stability``
takes the largest number at which clusterings of two halves agree on 95 % of places beyond chance.
Reported: SAM-I-Am's mean IoU with the number given, less that with the number estimated, and the
share of images whose number is right.

    python benchmarks/material_number.py --quick
    python benchmarks/material_number.py --images 8 --json number.json
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

import nital
from nital.automatic.layer_masks import grid_masks
from nital.boost.booster import boost_masks
from nital.boost.materials import MaterialOptions, clearness, look_at_texture
from nital.boost.parting import SHARES, embed_places, evenness
from nital.boost.phases import find_phases
from nital.evaluation import samiam
from nital.models import load_model
from nital.models.tiles import standardise
from nital.simulate.stem_image import simulate_stem

FIRST_SEED = 84_000
SIDE = 512
MOST = 6
SAMPLES = 500
REPEATS = 4
AGREE = 0.95
Field = NDArray[np.float32]


def main() -> None:
    """Measure, print progress to the standard error stream and one JSON object at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one image a class")
    parser.add_argument("--images", type=int, default=8, metavar="N", help="images a class")
    parser.add_argument("--seed", type=int, default=FIRST_SEED, metavar="N", help="first seed")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    arguments = parser.parse_args()
    count = 1 if arguments.quick else arguments.images
    costs: dict[str, list[float]] = defaultdict(list)
    errors: dict[str, list[int]] = defaultdict(list)
    for difficulty in (1, 2, 3):
        for index in range(count):
            true, iou, found = judge(arguments.seed + 100 * difficulty + index, difficulty)
            print(difficulty, index, true, iou, found, file=sys.stderr, flush=True)
            for rule, number in found.items():
                costs[rule].append(iou[true] - iou[number])
                errors[rule].append(number - true)
    result: dict[str, Any] = {
        "benchmark": "material_number",
        "nital": nital.__version__,
        "images": 3 * count,
        "rules": {
            rule: {
                "cost": round(float(np.mean(values)), 4),
                "right": round(float(np.mean(np.array(errors[rule]) == 0)), 3),
                "error": round(float(np.mean(errors[rule])), 3),
            }
            for rule, values in costs.items()
        },
    }
    text = json.dumps(result)
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)


def judge(seed: int, difficulty: int) -> tuple[int, dict[int, float], dict[str, int]]:
    """True number of materials, mean IoU with each number, and the number by each rule."""
    shown = simulate_stem(seed, (SIDE, SIDE), difficulty=difficulty, vacuum=False)
    image, truth = standardise(shown.image), samiam.masks_of(shown.scene.phases)
    masks, phase_maps = grid_masks(load_model("compact"), image)
    iou = {}
    for number in range(1, MOST + 1):
        options = MaterialOptions(number=number)
        boosted = boost_masks(image, masks, options=options, phase_maps=phase_maps)
        iou[number] = samiam.score_masks(truth, samiam.masks_of(boosted.phases)).iou
    own = boost_masks(image, masks, phase_maps=phase_maps).materials.number
    options = MaterialOptions()
    seen = look_at_texture(image, options)
    places, finer = (
        embed_places((SIDE, SIDE), seen, options, phase_maps, share) for share in SHARES
    )
    flat, weights = places.reshape(len(places), -1).T, evenness(finer, options).ravel()
    picked = np.random.default_rng(0).permutation(len(flat))[:SAMPLES]
    samples, weights = np.ascontiguousarray(flat[picked]), weights[picked]
    found = {"nital": min(own, MOST), "silhouette": by_silhouette(samples, weights)}
    found |= {"gap": by_gap(samples, weights), "stability": by_stability(samples, weights)}
    return len(truth), {number: round(value, 4) for number, value in iou.items()}, found


def clustered(samples: Field, weights: Field, number: int, seed: int = 0) -> tuple[Field, float]:
    """Centres and mean squared distance to them."""
    model = find_phases(samples, weights, scale=1.0, threshold=1.0, number=number, seed=seed)
    return model.centres, max(model.curve[-1][1], 1e-6)


def by_silhouette(samples: Field, weights: Field) -> int:
    """The number of largest mean silhouette."""
    heights = [
        np.average(clearness(samples, clustered(samples, weights, number)[0]), weights=weights)
        for number in range(2, MOST + 1)
    ]
    return 2 + int(np.argmax(heights))


def by_gap(samples: Field, weights: Field) -> int:
    """The first number whose gap is within a standard error of the next one's."""
    rng = np.random.default_rng(0)
    centred = samples - np.average(samples, axis=0, weights=weights)
    axes = np.linalg.svd(centred * np.sqrt(weights)[:, None], full_matrices=False)[2]
    along = centred @ axes.T
    even = np.ones(len(samples), dtype=np.float32)
    gaps, errors = [], []
    for number in range(1, MOST + 1):
        own = np.log(clustered(samples, weights, number)[1])
        spread = [rng.uniform(along.min(0), along.max(0), along.shape) for _ in range(REPEATS)]
        others = [np.log(clustered(each.astype(np.float32), even, number)[1]) for each in spread]
        gaps.append(np.mean(others) - own)
        errors.append(np.std(others) * np.sqrt(1 + 1 / REPEATS))
    for number in range(1, MOST):
        if gaps[number - 1] >= gaps[number] - errors[number]:
            return number
    return MOST


def by_stability(samples: Field, weights: Field) -> int:
    """The largest number at which two halves cluster alike."""
    rng = np.random.default_rng(0)
    best = 1
    for number in range(2, MOST + 1):
        shares = []
        for repeat in range(REPEATS):
            order = rng.permutation(len(samples))
            named = []
            for half in (order[: len(order) // 2], order[len(order) // 2 :]):
                centres, _ = clustered(samples[half], weights[half], number, repeat)
                named.append(((samples[:, None] - centres[None]) ** 2).sum(-1).argmin(1))
            table = np.zeros((number, number))
            np.add.at(table, tuple(named), weights)
            agree = table[linear_sum_assignment(-table)].sum() / table.sum()
            shares.append((agree - 1 / number) / (1 - 1 / number))
        if np.mean(shares) >= AGREE:
            best = number
    return best


if __name__ == "__main__":
    main()
