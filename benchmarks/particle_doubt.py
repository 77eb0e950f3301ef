"""Does the confidence of particles tell the certain from the uncertain? (Fig. 5 and 6)

Simulated particles, whose truth says of each whether an expert would sign its outline (hardly
visible and mostly hidden ones: uncertain). An object found is of the true particle that it overlaps
best, from an IoU of 0.25, since an uncertain outline is seldom hit; AUROC is the chance that the
object of a certain particle has more confidence than that of an uncertain one, ECE compares the
confidence with the share of certain ones. Beside it the same against being right at IoU 0.5. The
uncertainty head of a detector is also asked about every true particle in its true box. Writes
OUT/METHOD-doubt.svg, the densities of confidence (Rettenberger et al., Fig. 5), and with --picture
OUT/METHOD-doubt.jpg, green and red outlines over truth (their Fig. 6).

    python benchmarks/particle_doubt.py --methods compact --out doubt --picture
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

import nital
from nital.detection.detector import DetectorModel
from nital.detection.scales import is_detector, load_detectors
from nital.evaluation.contingency import contingency
from nital.evaluation.metrics import area_under_roc, expected_calibration_error, match_objects
from nital.micrograph import Micrograph
from nital.models.tiles import standardise
from nital.report.overlay import contour_mask
from nital.segmentation import Segmentation
from nital.simulate import SimulatedMicrograph, simulate
from particle_methods import SIDE, short

SEED = 8_500_000
LEAST_OVERLAP = 0.25
WIDTH, HEIGHT, LEFT, BASE = 460, 260, 40, 215
GREEN, RED = (0, 220, 70), (255, 50, 40)
Floats = NDArray[np.float64]


def main() -> None:
    """Segment, compare, draw, and print one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--methods", default="compact", help="names and folders, with commas")
    parser.add_argument("--images", type=int, default=40, help="simulated images")
    parser.add_argument("--out", type=Path, default=Path("doubt"))
    parser.add_argument("--picture", action="store_true", help="also draw three of them")
    parser.add_argument("--quick", action="store_true", help="3 images")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    count = 3 if arguments.quick else arguments.images
    made = [simulate(SEED + n, "particles", (SIDE, SIDE)) for n in range(count)]
    result: dict[str, object] = {"benchmark": "particle_doubt", "images": count}
    for method in arguments.methods.split(","):
        found = [nital.segment(Micrograph(m.image), "particles", model=method) for m in made]
        judged = [judge(m, f) for m, f in zip(made, found, strict=True)]
        confidence, right, certain = (np.concatenate(part) for part in zip(*judged, strict=True))
        result[short(method)] = figures(confidence, right, certain)
        if is_detector(method):
            asked = [ask(load_detectors(method).low, m) for m in made]
            sure, truth = (np.concatenate(part) for part in zip(*asked, strict=True))
            result[f"{short(method)}_true_boxes"] = figures(sure, truth, truth)
        path = arguments.out / f"{short(method)}-doubt.svg"
        path.write_text(svg(confidence, certain), encoding="utf-8")
        if arguments.picture:
            draw(made, found, arguments.out / f"{short(method)}-doubt.jpg")
    text = json.dumps(result)
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)


def judge(made: SimulatedMicrograph, found: Segmentation) -> tuple[Floats, Floats, Floats]:
    """Of every object: confidence, right at IoU 0.5, and of a certain particle (NaN: of none)."""
    table = contingency(made.scene.objects, found.labels)
    confidence = np.zeros(len(found.objects) + 1)
    confidence[found.labels.ravel()] = found.confidence.ravel() / 255
    right = np.zeros(len(confidence))
    right[match_objects(table).predicted] = 1
    certain = np.full(len(confidence), np.nan)
    pairs = np.flatnonzero(
        (table.truth_labels[table.rows] > 0)
        & (table.predicted_labels[table.columns] > 0)
        & (table.iou >= LEAST_OVERLAP)
    )
    for pair in pairs[np.argsort(table.iou[pairs])]:  # the best overlap has the last word
        number = int(table.truth_labels[table.rows[pair]])
        found_as = int(table.predicted_labels[table.columns[pair]])
        certain[found_as] = number not in made.scene.uncertain
    return confidence[1:], right[1:], certain[1:]


def ask(model: DetectorModel, made: SimulatedMicrograph) -> tuple[Floats, Floats]:
    """Of every true particle: what the uncertainty head says in its box, and whether certain."""
    grey = standardise(made.image)
    *maps, _, _ = model.regions.run(None, {"image": grey[None, None]})
    slices = ndimage.find_objects(made.scene.objects)
    found = [(n, s) for n, s in enumerate(slices, start=1) if s is not None]
    corners = [[r.start, c.start, r.stop, c.stop] for _, (r, c) in found]
    boxes = np.array(corners, dtype=np.float32).reshape(-1, 4)
    _, _, logits = model._heads(model.boxes, maps, boxes, ((), (4,), ()))
    certain = np.array([float(n not in made.scene.uncertain) for n, _ in found])
    return 1 / (1 + np.exp(-logits.astype(float))), certain


def figures(confidence: Floats, right: Floats, certain: Floats) -> dict[str, float]:
    """AUROC and ECE against both truths."""
    known = np.isfinite(certain)
    truths = {"right": (confidence, right > 0.5)}
    truths["certain"] = (confidence[known], certain[known] > 0.5)
    found: dict[str, float] = {"objects": len(right), "of_a_particle": int(known.sum())}
    for name, (values, truth) in truths.items():
        found[f"{name}_share"] = round(float(truth.mean()), 4)
        found[f"{name}_ece"] = round(expected_calibration_error(values, truth), 4)
        if 0 < truth.mean() < 1:
            found[f"{name}_auroc"] = round(area_under_roc(values, truth), 4)
    return found


def svg(confidence: Floats, certain: Floats) -> str:
    """Histograms of the confidence of objects of certain, of uncertain and of no particles."""
    groups = (
        ("certain particles", confidence[certain == 1], "#1b8f4b"),
        ("uncertain particles", confidence[certain == 0], "#c22f22"),
        ("no particle", confidence[np.isnan(certain)], "#6b7580"),
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-size="13" '
        'font-family="system-ui, Segoe UI, Arial, sans-serif" fill="#1b1f24">'
    ]
    span = WIDTH - LEFT - 20
    for value in np.linspace(0, 1, 6):
        x = LEFT + value * span
        parts.append(
            f'<line x1="{x:.0f}" x2="{x:.0f}" y1="20" y2="{BASE}" stroke="#e3e7eb"/>'
            f'<text x="{x:.0f}" y="{BASE + 18}" text-anchor="middle">{value:.1f}</text>'
        )
    for number, (name, values, colour) in enumerate(groups):
        share = np.histogram(values, bins=20, range=(0, 1))[0] / max(1, values.size)
        points = []
        for step, height in enumerate(share):
            y = BASE - height * (BASE - 30)
            points += [(LEFT + step / 20 * span, y), (LEFT + (step + 1) / 20 * span, y)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
            f'<text x="{LEFT + 10}" y="{34 + 18 * number}" fill="{colour}">{name} '
            f"({values.size})</text>"
        )
    parts.append(
        f'<text x="{LEFT + span / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">confidence</text>'
        f'<text transform="translate(20 {BASE / 2:.0f}) rotate(-90)" text-anchor="middle">share of '
        "objects</text></svg>"
    )
    return "\n".join(parts)


def draw(made: list[SimulatedMicrograph], found: list[Segmentation], path: Path) -> None:
    """The three images with most uncertain particles: truth above, what was found below."""
    from PIL import Image

    most = sorted(range(len(made)), key=lambda n: -len(made[n].scene.uncertain))[:3]
    columns = []
    for number in most:
        each, result = made[number], found[number]
        sure = ~np.isin(each.scene.objects, list(each.scene.uncertain))
        above = outlined(each.image, each.scene.objects, sure)
        below = outlined(each.image, result.labels, result.confidence >= 127.5)
        columns.append(np.concatenate([above, np.full((6, SIDE, 3), 255, np.uint8), below]))
    gap = np.full((columns[0].shape[0], 6, 3), 255, np.uint8)
    sheet = np.concatenate([part for column in columns for part in (column, gap)][:-1], axis=1)
    Image.fromarray(sheet).save(path, quality=85)


def outlined(
    image: NDArray[np.uint8], labels: NDArray[np.int32], sure: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Outlines over an image, green where sure and red where not."""
    tile = np.repeat(image[:, :, None], 3, axis=2)
    lines = contour_mask(labels.astype(np.int32))
    tile[lines & sure], tile[lines & ~sure] = GREEN, RED
    return tile


if __name__ == "__main__":
    main()
