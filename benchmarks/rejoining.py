"""Grains as the model finds them, rejoined across scratches, and divided along led-on boundaries.

`nital segment --target grains` joins grains that a scratch alone parts, `--complete-boundaries`
leads boundaries that end on to the next one. Both are judged by ARI and boundary F1, as `nital
bench` computes them, on labelled sets of boundaries, on the traced steel of NIST, and on simulated
polycrystals: as imaged, with scratches and stains drawn over them, and with 15 % of the true
boundaries taken out of the true labels, so that there is something to complete (no model there).

    python benchmarks/rejoining.py ../shared/data/grain316l ../shared/data/nist_grains
    python benchmarks/rejoining.py ../shared/data/grain316l --quick
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nital.automatic import straight_path
from nital.evaluation.boundaries import boundary_f1, label_boundaries
from nital.evaluation.contingency import contingency
from nital.evaluation.datasets import find_datasets, read_dataset
from nital.evaluation.metrics import adjusted_rand_index
from nital.evaluation.scores import score_boundaries
from nital.io import read, read_labels
from nital.micrograph import Micrograph
from nital.polycrystals.grains import split_by_completed_boundaries
from nital.polycrystals.refine import complete_grains, without_scratches
from nital.segmentation import SegmentOptions
from nital.simulate import ImagingOptions, simulate
from scratches import SEED, SHAPE, with_defects

VARIANTS = ("found", "rejoined", "completed")
TRACED = {"nist_grains": ("steel", 4.0)}
"""Sets whose task says unlabelled, with the image whose boundaries were traced, and a tolerance."""
MISSED = 0.15  # share of the boundaries between two grains that are taken out
NEAR = 3.0  # pixels within which simulated boundaries agree
Scores = dict[str, float]


def main() -> None:
    """Measure, print a table to the standard error stream and one JSON object at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", nargs="*", type=Path, help="data sets, or folders of them")
    parser.add_argument("--quick", action="store_true", help="two images of each kind")
    parser.add_argument("--images", type=int, default=6, help="of each set and kind, at most")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    given = parser.parse_args()
    most = 2 if given.quick else given.images
    rows: dict[str, list[Scores]] = defaultdict(list)
    for name, scores in (*labelled(given.data, most), *simulated(most)):
        rows[name].append(scores)
        print(name, {key: round(value, 3) for key, value in scores.items()}, file=sys.stderr)
    table = {
        name: {"images": len(each)}
        | {key: round(float(np.mean([row[key] for row in each])), 4) for key in each[0]}
        for name, each in rows.items()
    }
    line = json.dumps({"benchmark": "rejoining"} | table)
    if given.json is not None:
        given.json.write_text(line + "\n", encoding="utf-8")
    print(line)


def labelled(folders: list[Path], most: int) -> Iterator[tuple[str, Scores]]:
    """Scores on labelled sets of boundaries, and on the images that were traced."""
    for folder in find_datasets(folders) if folders else ():
        dataset = read_dataset(folder)
        name = folder.resolve().name
        if name in TRACED:
            stem, tolerance = TRACED[name]
            lines = read_labels(folder / "labels" / f"{stem}.png") > 0
            micrograph = read(folder / "images" / f"{stem}.png")
            yield f"{name} {stem}", scores_of(micrograph, lines, tolerance)
        elif dataset.task == "boundaries":
            for sample in dataset.samples[:most]:
                micrograph = read(sample.image)
                lines = dataset.read_truth(sample, micrograph.shape) > 0
                yield name, scores_of(micrograph, lines, dataset.tolerance)


def simulated(most: int) -> Iterator[tuple[str, Scores]]:
    """Scores on simulated polycrystals, clean and with defects, and on true labels with gaps."""
    options = ImagingOptions(artefacts=False, annotations=False, compression=False, severity=0.5)
    for number in range(most):
        rng = np.random.default_rng((SEED, number))
        made = simulate(rng, "grains", SHAPE, scale=float(rng.uniform(40, 90)), options=options)
        truth = made.scene.objects
        spoilt, _, _ = with_defects(rng, made.image)
        lines = label_boundaries(truth)
        yield "simulated", scores_of(Micrograph(made.image), lines, NEAR)
        yield "simulated, scratched", scores_of(Micrograph(spoilt), lines, NEAR)
        broken = with_missed_boundaries(truth, rng)
        completed = split_by_completed_boundaries(broken, made.image)
        answers = dict(zip(("found", "completed"), (broken, completed), strict=True))
        yield "simulated, boundaries taken out", against_labels(truth, answers)


def scores_of(micrograph: Micrograph, lines: np.ndarray, tolerance: float) -> Scores:
    """ARI, boundary F1 and number of grains of the three variants."""
    found = straight_path.run(micrograph, SegmentOptions("grains"), lambda stage, share: None)
    rejoined = without_scratches(found)
    answers: dict[str, Any] = dict(
        zip(VARIANTS, (found, rejoined, complete_grains(rejoined)), strict=True)
    )
    scores = {}
    for name, answer in answers.items():
        every = score_boundaries(lines, answer.labels, tolerance)
        scores |= {f"{key}_{name}": every[key] for key in ("ari", "boundary_f1")}
        scores[f"grains_{name}"] = float(answer.labels.max())
    return scores


def against_labels(truth: np.ndarray, answers: dict[str, np.ndarray]) -> Scores:
    """The same of label images."""
    scores = {}
    for name, labels in answers.items():
        scores[f"ari_{name}"] = adjusted_rand_index(contingency(truth, labels))
        lines = [label_boundaries(each) for each in (truth, labels)]
        scores[f"boundary_f1_{name}"] = boundary_f1(lines[0], lines[1], NEAR)[0]
        scores[f"grains_{name}"] = float(len(np.unique(labels)))
    return scores


def with_missed_boundaries(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same grains, those on both sides of some boundaries joined."""
    pairs = np.concatenate(
        [
            np.stack([truth[1:].ravel(), truth[:-1].ravel()], axis=1),
            np.stack([truth[:, 1:].ravel(), truth[:, :-1].ravel()], axis=1),
        ]
    )
    pairs = np.unique(np.sort(pairs[(pairs[:, 0] != pairs[:, 1]) & (pairs > 0).all(1)], 1), axis=0)
    name = np.arange(truth.max() + 1)
    for one, two in pairs[rng.random(len(pairs)) < MISSED]:
        name[name == name[two]] = name[one]
    return np.asarray(np.unique(name, return_inverse=True)[1][truth], dtype=np.int32)


if __name__ == "__main__":
    main()
