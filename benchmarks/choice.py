"""Whether Otsu's threshold is as good as the model where `--target auto` lets it answer.

Simulated micrographs of two phases, mean IoU under the best naming. The rule
(`nital.classical.choice`) lets the threshold answer where it agrees with the model on 98 % of the
pixels and separates the grey levels well. ``ratio_...`` is Otsu / model: 1 and above, as good.

    python benchmarks/choice.py --quick
    python benchmarks/choice.py --first 50000 --images 36 --json choice.json
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import nital
from nital.classical.choice import agreement_of
from nital.classical.grey import smoothed
from nital.evaluation.scores import score_phases
from nital.micrograph import Micrograph
from nital.simulate import simulate

IMAGES, QUICK, FIRST = 36, 4, 40000
SHAPE = (256, 256)


def main() -> None:
    """Measure, print a table to the standard error stream and one JSON object at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} images")
    parser.add_argument("--images", type=int, default=IMAGES, help="number of micrographs")
    parser.add_argument("--first", type=int, default=FIRST, help="first seed")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []
    seed = given.first
    while len(rows) < (QUICK if given.quick else given.images):
        row = run_image(seed)
        seed += 1
        if row is not None:
            rows.append(row)
            print(row, file=sys.stderr)
    result = {"benchmark": "choice", "first_seed": given.first} | summary(rows)
    text = json.dumps(result, indent=1)
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")
    print(text)


def run_image(seed: int) -> dict[str, Any] | None:
    """Both answers to one micrograph; ``None`` where it has not two phases."""
    simulated = simulate(seed, "phases", SHAPE)
    truth = simulated.scene.phases
    if len(np.unique(truth)) != 2:
        return None
    micrograph = Micrograph(simulated.image, name="simulated")
    otsu, model = (
        nital.segment(micrograph, "phases", model=name, phases=2).phases
        for name in ("otsu", "compact")
    )
    agreement = agreement_of(otsu, model, smoothed(simulated.image))
    return {
        "seed": seed,
        "otsu": round(score_phases(truth, otsu)["iou_mean"], 4),
        "model": round(score_phases(truth, model)["iou_mean"], 4),
        "same": round(agreement.same, 4),
        "separability": round(agreement.separability, 4),
        "threshold": agreement.threshold_is_as_good,
    }


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over all images and over those that the threshold answers."""
    table: dict[str, Any] = {"images": len(rows)}
    for name, part in (("all", rows), ("answered", [row for row in rows if row["threshold"]])):
        table[name] = {"images": len(part)}
        if part:
            means = {key: float(np.mean([row[key] for row in part])) for key in ("otsu", "model")}
            table[name] |= {key: round(value, 4) for key, value in means.items()}
            table[f"ratio_otsu_{name}"] = round(means["otsu"] / means["model"], 3)
    return table


if __name__ == "__main__":
    main()
