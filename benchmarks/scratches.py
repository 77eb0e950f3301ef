"""How many scratches and stains of a polycrystal become grain boundaries, method by method.

Each simulated polycrystal is imaged once clean and once with the same scratches and stains drawn
over it by this script: straight, one or two pixels wide, dark or bright, and round, soft-edged.
A method is charged for the share of their length (scratch centre lines, stain outlines; pixels
within 4 px of a true boundary left out) that has a boundary within 2 px, and for the ARI of its
grains. Peers: Canny, Otsu and the distance watershed as `nital segment` has them, and masks made
as a Segment Anything model makes them (the same network asked at 32 x 32 grid points, the masks
above a predicted IoU of 0.5 kept, duplicates suppressed, boundaries taken from the masks).
``ratio_...`` is peer / Nital: above 1, fewer scratches became boundaries in Nital's grains.

    python benchmarks/scratches.py --quick
    python benchmarks/scratches.py --images 5 --json scratches.json
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

import nital
from nital.automatic import straight_path
from nital.evaluation.contingency import contingency
from nital.evaluation.metrics import adjusted_rand_index
from nital.micrograph import Micrograph
from nital.polycrystals.refine import without_scratches
from nital.segmentation import SegmentOptions
from nital.simulate import ImagingOptions, simulate

IMAGES, QUICK = 8, 1
SHAPE = (512, 512)
SEED = 7100
NEAR_BOUNDARY, FOUND = 4, 2  # pixels
LEAST_SCORE = 0.5
Grey = NDArray[np.uint8]
Labels = NDArray[np.int32]


def main() -> None:
    """Measure, print a table to the standard error stream and one JSON object at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} images")
    parser.add_argument("--images", type=int, default=IMAGES, help="number of polycrystals")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="also draw every result")
    given = parser.parse_args()
    rows = []
    for number in range(QUICK if given.quick else given.images):
        rows += run_image(number, given.pictures)
        print(f"image {number + 1} done", file=sys.stderr)
    result = summary(rows)
    text = json.dumps(result, indent=1)
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")
    print(text)


def run_image(number: int, pictures: Path | None) -> list[dict[str, float | str]]:
    """Scores of all methods on one polycrystal, clean and with defects."""
    rng = np.random.default_rng((SEED, number))
    options = ImagingOptions(artefacts=False, annotations=False, compression=False, severity=0.5)
    clean = simulate(rng, "grains", SHAPE, scale=float(rng.uniform(40, 90)), options=options)
    image, scratches, stains = with_defects(rng, clean.image)
    truth = clean.scene.objects
    free = ndimage.distance_transform_edt(~walls(truth)) > NEAR_BOUNDARY
    rows: list[dict[str, float | str]] = []
    clean_answers, answers = answers_of(clean.image), answers_of(image)
    for name in METHODS:
        before, after = clean_answers[name], answers[name]
        for kind, line in (("scratch", scratches & free), ("stain", stains & free)):
            rows.append(
                {
                    "method": name,
                    "kind": kind,
                    "length": float(line.sum()),
                    "clean": float(near(before)[line].sum()),
                    "defects": float(near(after)[line].sum()),
                    "ari_clean": adjusted_rand_index(contingency(truth, before)),
                    "ari_defects": adjusted_rand_index(contingency(truth, after)),
                }
            )
        if pictures is not None:
            draw(pictures / f"{number:02d}-{name}.png", image, after, truth)
    return rows


def with_defects(
    rng: np.random.Generator, image: Grey
) -> tuple[Grey, NDArray[np.bool_], NDArray[np.bool_]]:
    """Draw 6 scratches and 3 stains; return the image, their centre lines and their outlines."""
    contrast = max(12.0, 1.5 * float(image.std()))
    rows, columns = np.indices(image.shape)
    grey = image.astype(np.float64)
    scratches = np.zeros(image.shape, dtype=np.bool_)
    for _ in range(6):
        angle, width = rng.uniform(0, np.pi), rng.uniform(0.6, 1.2)
        centre = rng.uniform(0.15, 0.85, 2) * image.shape
        across = (columns - centre[1]) * np.cos(angle) + (rows - centre[0]) * np.sin(angle)
        along = (rows - centre[0]) * np.cos(angle) - (columns - centre[1]) * np.sin(angle)
        inside = np.abs(along) < rng.uniform(60, 220)
        strength = rng.choice([-1, 1]) * rng.uniform(0.5, 1.2) * contrast
        grey += strength * np.exp(-((across / width) ** 2) / 2) * inside
        scratches |= (np.abs(across) <= 0.5) & inside
    outlines = np.zeros(image.shape, dtype=np.bool_)
    for _ in range(3):
        centre, radius = rng.uniform(0.1, 0.9, 2) * image.shape, rng.uniform(15, 45)
        reach = np.hypot(rows - centre[0], columns - centre[1])
        strength = rng.choice([-1, 1]) * rng.uniform(0.4, 0.9) * contrast
        grey += strength / (1 + np.exp((reach - radius) / 2))
        outlines |= np.abs(reach - radius) <= 0.5
    return np.clip(grey, 0, 255).astype(np.uint8), scratches, outlines


def walls(labels: Labels) -> NDArray[np.bool_]:
    """Pixels whose lower or right neighbour has another label."""
    found = np.zeros(labels.shape, dtype=np.bool_)
    found[:-1] |= labels[1:] != labels[:-1]
    found[:, :-1] |= labels[:, 1:] != labels[:, :-1]
    return found


def near(labels: Labels) -> NDArray[np.bool_]:
    """Pixels with a boundary within 2 px."""
    found = walls(labels)
    if not found.any():
        return found
    return np.asarray(ndimage.distance_transform_edt(~found) <= FOUND)


def answers_of(image: Grey) -> dict[str, Labels]:
    """Grains by every method."""
    micrograph = Micrograph(image, name="simulated")
    kept = straight_path.run(micrograph, SegmentOptions("grains"), lambda stage, share: None)
    found = {
        "compact": without_scratches(kept).labels,
        "compact, scratches kept": kept.labels,
        "masks": of_masks(image),
    }
    for method in ("canny", "otsu", "watershed"):
        found[method] = nital.segment(micrograph, "grains", model=method).labels
    return found


def of_masks(image: Grey) -> Labels:
    """Grains between the boundaries of masks that a grid of points has asked for."""
    from nital.masks.flatten import paint
    from nital.masks.instances import Instances
    from nital.masks.overlap import suppress
    from nital.models import load_model
    from nital.models.tiles import standardise
    from nital.polycrystals import boundaries_from_masks, grains_between
    from nital.prompts import regular_grid

    model = load_model("compact")
    prompts = regular_grid(image.shape, image.shape[0] / 32)
    decoded = model.decode(model.embed(standardise(image), "grains"), prompts)
    masks = Instances(
        decoded.logits[:, 0].astype(np.float16),
        decoded.windows[:, 0],
        decoded.scores[:, 0],
        prompts.points[:, 0],
    )
    masks = masks.take(masks.scores >= LEAST_SCORE)
    painted = paint(masks.take(suppress(masks)), image.shape).labels
    each = (painted == number for number in np.unique(painted) if number > 0)
    return grains_between(boundaries_from_masks(each, image.shape))


METHODS = ("compact", "compact, scratches kept", "masks", "canny", "otsu", "watershed")


def summary(rows: list[dict[str, float | str]]) -> dict[str, object]:
    """Shares over all images, ARI as means over images, and the ratios."""
    table: dict[str, dict[str, float]] = {}
    for name in METHODS:
        own = [row for row in rows if row["method"] == name]
        table[name] = {
            f"ari_{when}": round(float(np.mean([row[f"ari_{when}"] for row in own])), 4)
            for when in ("clean", "defects")
        }
        for kind in ("scratch", "stain"):
            of_kind = [row for row in own if row["kind"] == kind]
            length = sum(float(row["length"]) for row in of_kind)
            for when in ("clean", "defects"):
                share = sum(float(row[when]) for row in of_kind) / max(length, 1)
                table[name][f"{kind}_{when}"] = round(share, 4)
        print(f"{name:24} {table[name]}", file=sys.stderr)
    ratios = {
        f"ratio_{kind}_{peer.replace(', ', '_').replace(' ', '_')}": round(
            table[peer][f"{kind}_defects"] / max(table["compact"][f"{kind}_defects"], 1e-3), 2
        )
        for kind in ("scratch", "stain")
        for peer in METHODS
        if peer != "compact"
    }
    return {"benchmark": "scratches", "images": len(rows) // (2 * len(METHODS))} | table | ratios


def draw(path: Path, image: Grey, labels: Labels, truth: Labels) -> None:
    """Found boundaries in red, true ones in green, both in yellow."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.repeat(image[:, :, None], 3, axis=2) // 2 + 60
    for channel, found in enumerate((walls(labels), walls(truth))):
        picture[:, :, channel][found] = 255
    Image.fromarray(picture.astype(np.uint8)).save(path)


if __name__ == "__main__":
    main()
