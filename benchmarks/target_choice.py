"""How often `--target auto` chooses what an image shows, and the fit of its figures.

`--write` fits the regression of `nital.automatic.target` to simulated micrographs, every third
training image of `emps_train` (particles) and the coatings of `nasa_ebc3` (layers), and writes
`src/nital/automatic/target.json`. Without it, the figures there are judged on new simulated
micrographs and on the images of all sets that `--data` holds, but for those fitted to.
`ratio_...` is the share of images chosen right by the figures over that by the network's own guess.

    python benchmarks/target_choice.py --quick
    python benchmarks/target_choice.py --data ../shared/data --json choice.json
    python benchmarks/target_choice.py --data ../shared/data --write
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from nital.automatic.resample import rescale
from nital.automatic.target import FIGURES, LOOK, TargetFigures, choose_target, evidence
from nital.evaluation.datasets import read_dataset
from nital.io import read
from nital.models import load_model
from nital.models.compact import TARGETS, CompactModel
from nital.models.tiles import middle, standardise
from nital.simulate import simulate

SHOWN = {
    "grain316l": "grains",
    "nist_grains": "grains",
    "nbs2": "phases",
    "nbs3": "phases",
    "aza": "phases",
    "uhcs": "phases",
    "emps_train": "particles",
    "rock_grains": "particles",
    "nasa_ebc3": "layers",
    "pnnl_stem": "layers",
}
FIT_FIRST, FIRST = 990_000, 60_000  # seeds of what is fitted to, and of what judges
FITTED, JUDGED, QUICK = 480, 120, 4  # simulated micrographs
SIDES, ASPECTS = (256, 384, 512, 768, 1024), (1.0, 1.33, 0.75)
EVERY = 3  # training image of EMPS is fitted to
RIDGE = 50.0  # of squared weights, against the sum of losses
Image = NDArray[np.float32]


def main() -> None:
    """Fit or judge, print a table to the standard error stream and one JSON object at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder with labelled sets")
    parser.add_argument("--write", action="store_true", help="fit, and write target.json")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} simulated micrographs")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    given = parser.parse_args()
    model = load_model("compact")
    assert isinstance(model, CompactModel)
    if given.write:
        fit(model, given.data)
        return
    result = {"benchmark": "target_choice"} | judge(model, given.data, given.quick)
    text = json.dumps(result, indent=1)
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")
    print(text)


def simulated(first: int, count: int) -> Iterator[tuple[str, str, Image]]:
    """Micrographs of all four targets by turns, of many sizes."""
    for number in range(first, first + count):
        rng = np.random.default_rng(number)
        side, target = int(rng.choice(SIDES)), TARGETS[number % len(TARGETS)]
        shape = (side, int(side * rng.choice(ASPECTS)))
        yield f"simulated {target}", target, standardise(simulate(rng, target, shape).image)


def real(data: Path, fitted: bool) -> Iterator[tuple[str, str, Image]]:
    """Images that are fitted to, or all the others."""
    for name, target in SHOWN.items():
        folder = data / name
        if not folder.is_dir():
            continue
        paths = sorted((folder / "images").glob("*.*"))
        if name == "emps_train":
            part = "train" if fitted else "validation"
            chosen = read_dataset(folder).split(part)[:: EVERY if fitted else 1]
            paths = [sample.image for sample in chosen]
        elif (name == "nasa_ebc3") != fitted:
            continue
        for path in paths:
            yield name, target, standardise(read(path).content)


def fit(model: CompactModel, data: Path | None) -> None:
    """Write the figures of the regression that fits best, each target weighing the same."""
    rows, answers = [], []
    sources = [simulated(FIT_FIRST, FITTED)] + ([real(data, True)] if data else [])
    for source in sources:
        for _, target, image in source:
            views = [rescale(image, min(1.0, LOOK / max(image.shape))), middle(image, LOOK)]
            for view in views:
                rows.append(evidence(model, view)[0])
                answers.append(TARGETS.index(target))
            print(f"\r{len(answers) // 2} images", end="", file=sys.stderr)
    figures = regression(np.stack(rows), np.array(answers))
    facts: dict[str, Any] = {
        "model": model.sha256,
        "fitted_to": f"{len(answers) // 2} images, see benchmarks/target_choice.py",
    }
    parts = {
        name: np.round(getattr(figures, name), 5).tolist()
        for name in ("mean", "spread", "weights", "offsets")
    }
    FIGURES.write_text(json.dumps(facts | parts) + "\n", encoding="utf-8")
    digest = hashlib.sha256(FIGURES.read_bytes()).hexdigest()
    print(f"\n{FIGURES} written, SHA-256 {digest}", file=sys.stderr)


def regression(values: NDArray[np.float64], answers: NDArray[np.intp]) -> TargetFigures:
    """Multinomial logistic regression with a ridge, targets balanced."""
    count, (n, features) = len(TARGETS), values.shape
    mean, spread = values.mean(0), np.maximum(values.std(0), 1e-6)
    scaled = (values - mean) / spread
    balance = n / (count * np.bincount(answers, minlength=count)[answers])
    truth = np.eye(count)[answers]

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights, offsets = flat[:-count].reshape(count, features), flat[-count:]
        own = TargetFigures(np.zeros(features), np.ones(features), weights, offsets)
        logs = own.log_probability(scaled)
        slope = balance[:, None] * (np.exp(logs) - truth)
        value = -(balance * logs[np.arange(n), answers]).sum() + RIDGE * (weights**2).sum()
        gradient = slope.T @ scaled + 2 * RIDGE * weights
        return float(value), np.concatenate([gradient.ravel(), slope.sum(0)])

    found = minimize(loss, np.zeros(count * (features + 1)), jac=True, method="L-BFGS-B").x
    return TargetFigures(mean, spread, found[:-count].reshape(count, features), found[-count:])


def judge(model: CompactModel, data: Path | None, quick: bool) -> dict[str, Any]:
    """What was chosen for each kind of image, and how often that is what it shows."""
    table: dict[str, dict[str, int]] = {}
    right: dict[str, list[tuple[bool, bool]]] = {}
    sources = [simulated(FIRST, QUICK if quick else JUDGED)]
    if data and not quick:
        sources.append(real(data, False))
    for source in sources:
        for name, target, image in source:
            chosen, _ = choose_target(model, image)
            view = rescale(image, min(1.0, LOOK / max(image.shape)))
            guessed = TARGETS[int(np.argmax(evidence(model, view)[1]))]
            row = table.setdefault(name, dict.fromkeys(TARGETS, 0))
            row[chosen] += 1
            right.setdefault(name, []).append((chosen == target, guessed == target))
    shares = {name: np.mean(pairs, axis=0) for name, pairs in right.items()}
    for name, row in table.items():
        print(f"{name:22} {row} right {shares[name][0]:.2f}", file=sys.stderr)
    mean, guess = np.mean(list(shares.values()), axis=0)
    return {
        "chosen": table,
        "right": {name: round(float(share[0]), 3) for name, share in shares.items()},
        "right_by_own_guess": {name: round(float(s[1]), 3) for name, s in shares.items()},
        "ratio_right": round(float(mean / max(guess, 1e-9)), 2),
    }


if __name__ == "__main__":
    main()
