"""What the semantic booster gains on simulated STEM images, and what each of its parts does.

A grid of prompts over held-out simulated cross-sections of three difficulty classes gives the
overlapping masks of the compact model at both of its levels; SAM-I-Am's metrics are taken of them
as they are and after the booster, with the number of materials given and estimated, by texture, by
the compact model's phase embedding, and by both; then with other numbers and sizes of crops, rules
of removal left out, and another grid. ``automatic`` is what ``nital segment --target layers`` gives
without any prompt.

    python benchmarks/boosting.py --quick
    python benchmarks/boosting.py --images 6 --json boosting.json --picture boosting.png
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import nital
from nital.automatic.layer_masks import GridOptions, grid_masks
from nital.boost.booster import Boosted, boost_masks
from nital.boost.materials import MaterialOptions
from nital.boost.removal import RemovalOptions
from nital.boost.texture import TextureModel
from nital.evaluation import samiam
from nital.evaluation.boosting import raw_masks
from nital.evaluation.scores import score_phases
from nital.models import load_model
from nital.models.tiles import standardise
from nital.simulate.stem_image import StemMicrograph, simulate_stem

FIRST_SEED = 80_000  # apart from those of training and of all choices
SIDE = 512
REMOVALS = {
    "compound masks kept": RemovalOptions(compound=1.0),
    "tiny children kept": RemovalOptions(tiny_child=0.0),
    "tiny islands kept": RemovalOptions(tiny_island=0.0),
}


@dataclass(frozen=True)
class Asked:
    """Variants to judge: ablations, none but the least, and other texture models."""

    ablations: bool
    short: bool
    model: str = "compact"
    textures: tuple[Path, ...] = ()


def main() -> None:
    """Measure, print progress to the standard error stream and one JSON object at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one image a class, no ablations")
    parser.add_argument("--images", type=int, default=6, metavar="N", help="images a class")
    parser.add_argument("--seed", type=int, default=FIRST_SEED, metavar="N", help="first seed")
    parser.add_argument("--short", action="store_true", help="raw and boosted alone")
    parser.add_argument("--ablations", action="store_true", help="other crops, rules and grids too")
    parser.add_argument(
        "--model", default="compact", metavar="NAME|FOLDER", help="compact model to ask"
    )
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    parser.add_argument("--picture", type=Path, metavar="PATH", help="draw the first of each class")
    parser.add_argument(
        "--texture",
        type=Path,
        nargs="*",
        default=[],
        metavar="FOLDER",
        help="also with the models of these folders of nital train texture, number given",
    )
    arguments = parser.parse_args()
    count = 1 if arguments.quick else arguments.images
    ablations = arguments.ablations and not arguments.quick
    asked = Asked(ablations, arguments.short, arguments.model, tuple(arguments.texture))
    result = measure(count, asked, arguments.picture, arguments.seed)
    text = json.dumps(result)
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)


def measure(count: int, asked: Asked, picture: Path | None, seed: int) -> dict[str, Any]:
    """Means by difficulty class and variant."""
    import sys

    scores: dict[tuple[int, str], list[dict[str, float]]] = defaultdict(list)
    images = []
    panels = []
    for difficulty in (1, 2, 3):
        for number in range(count):
            shown = simulate_stem(
                seed + 100 * difficulty + number,
                (SIDE, SIDE),
                difficulty=difficulty,
                vacuum=False,
            )
            rows, boosted, raw = judge(shown, asked)
            for variant, row in rows.items():
                scores[difficulty, variant].append(row)
            if number == 0:
                panels.append((shown, raw, boosted))
            iou = {name: round(row["samiam_iou"], 4) for name, row in rows.items()}
            materials = list(shown.scene.materials)
            images.append({"class": difficulty, "materials": materials, "iou": iou})
            print(images[-1], file=sys.stderr, flush=True)
    if picture is not None:
        draw(picture, panels)
    table = {
        f"class {difficulty}, {variant}": {
            name: round(float(np.mean([row[name] for row in rows])), 4)
            for name in rows[0]
            if all(name in row for row in rows)  # images differ in their classes
        }
        for (difficulty, variant), rows in scores.items()
    }
    result = {"benchmark": "boosting", "nital": nital.__version__, "images_a_class": count}
    return result | {"scores": table, "images": images}


def judge(
    shown: StemMicrograph, asked: Asked
) -> tuple[dict[str, dict[str, float]], Boosted, NDArray[np.bool_]]:
    """Scores of every variant on one image, the boosted result and the raw masks."""
    truth, image = shown.scene.phases, standardise(shown.image)
    true_masks = samiam.masks_of(truth)
    number = len(true_masks)
    model = load_model(asked.model)
    began = time.process_time()
    masks, phase_maps = grid_masks(model, image)
    asking = time.process_time() - began
    raw = np.stack(raw_masks(masks, truth.shape)) if len(masks) else np.zeros((0, *truth.shape))
    rows = {"raw": _scores(true_masks, list(raw)) | {"seconds": asking}}
    base = MaterialOptions(number=number)
    variants = {
        "boosted": base,
        "boosted, number estimated": replace(base, number=None),
        "masks joined, not parted": replace(base, part=False),
        "joined, number estimated": replace(base, part=False, number=None),
        "texture alone": replace(base, phase_weight=0.0),
        "phase embedding alone": replace(base, texture_weight=0.0),
    }
    if asked.short:
        variants = {name: variants[name] for name in ("boosted", "boosted, number estimated")}
    if asked.ablations:
        variants |= {f"K = {k}": replace(base, crops=k) for k in (3, 30)}
        variants |= {f"crops of {m} px": replace(base, side=float(m)) for m in (32, 96)}
    removals = REMOVALS if asked.ablations else {}
    results = {}
    for name in (*variants, *removals):
        began = time.process_time()
        results[name] = boost_masks(
            image,
            masks,
            removal=removals.get(name),
            options=variants.get(name, base),
            phase_maps=phase_maps,
        )
        seconds = time.process_time() - began
        rows[name] = _scores(true_masks, samiam.masks_of(results[name].phases))
        rows[name] |= {"seconds": seconds, "number_error": results[name].materials.number - number}
    for folder in asked.textures:
        texture = TextureModel.load(folder / "model")
        found = boost_masks(image, masks, options=base, texture=texture, phase_maps=phase_maps)
        rows[folder.name] = _scores(true_masks, samiam.masks_of(found.phases))
    if asked.ablations:
        coarse, maps = grid_masks(model, image, GridOptions(points=8))
        found = boost_masks(image, coarse, options=base, phase_maps=maps)
        rows["grid of 8 x 8"] = _scores(true_masks, samiam.masks_of(found.phases))
    if asked.short:
        return rows, results["boosted"], raw
    for name, boost in (("automatic", True), ("automatic, --no-boost", False)):
        found = nital.segment(
            nital.Micrograph(shown.image), "layers", phases=number, boost=boost, model=asked.model
        )
        rows[name] = _scores(true_masks, samiam.masks_of(found.phases))
        rows[name] |= score_phases(truth, found.phases, unassigned=None)
    return rows, results["boosted"], raw


def _scores(truth: list[NDArray[np.bool_]], masks: list[NDArray[np.bool_]]) -> dict[str, float]:
    return {"masks": float(len(masks)), **samiam.score_material_masks(truth, masks)}


def draw(path: Path, panels: list[tuple[StemMicrograph, NDArray[np.bool_], Boosted]]) -> None:
    """One row a class: image, raw masks on each other, boosted materials, truth."""
    from PIL import Image

    palette = "1e1e1e 56b4e9 e69f00 009e73 cc79a7 f0e442"
    colours = np.array([tuple(bytes.fromhex(c)) for c in palette.split()], dtype=np.uint8)
    rows = []
    for shown, raw, boosted in panels:
        grey = np.repeat(shown.image[..., None], 3, axis=2)
        pile = grey.astype(np.float32)
        rng = np.random.default_rng(0)
        for mask in sorted(raw, key=lambda m: -int(m.sum())):
            pile[mask] = 0.55 * pile[mask] + 0.45 * rng.uniform(60, 255, 3)
        found = [colours[np.minimum(p, 5)] for p in (boosted.phases, shown.scene.phases)]
        rows.append(np.concatenate([grey, pile.astype(np.uint8), *found], axis=1))
    whole = Image.fromarray(np.concatenate(rows))
    whole.resize((whole.width // 2, whole.height // 2), Image.Resampling.LANCZOS).save(path)


if __name__ == "__main__":
    main()
