"""What the doubts of the model are worth: how often objects are real, missed, and how far off.

Simulated micrographs are segmented and their objects matched with the truth (more than half of
the union shared). From one half of them, the fitting seeds, come the figures by which
`nital.metrology.doubts` turns confidence, the logits of masks and what no mask claims into
intervals. The other half, the reporting seeds, shows how well they hold.

    python benchmarks/confidence.py --json confidence.json          # how well the figures hold
    python benchmarks/confidence.py --write                         # fit them anew, for new weights
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import nital
from nital.evaluation.contingency import contingency
from nital.metrology import Measurements, doubts, measure, measure_labels
from nital.metrology.field import Field
from nital.metrology.planimetric import rectangle_weights
from nital.metrology.shapes import RATIOS
from nital.micrograph import Micrograph
from nital.segmentation import Segmentation
from nital.simulate import simulate
from nital.simulate.specimen import SimulatedMicrograph

Array = NDArray[np.float64]

FITTING, REPORTING = 9, 10
KNOTS = (0.0, 0.3, 0.5, 0.7, 0.85, 1.0)
MATCHED = 0.5
HELD = (
    "object_count",
    "coverage",
    "lineal_intercept_mean",
    "object_area_mean",
    "ecd_mean",
    "ecd_d10",
    "ecd_d50",
    "ecd_d90",
    "ecd_geometric_sd",
    "feret_ratio_median",
    "circularity_median",
)
FEWEST = 4
SEEN = 20  # pixels of a true object that counts: of 5 pixels in diameter, the least that is sized
PRIOR = 4.0  # objects that are real as often as their confidence says, for each knot


def main() -> None:
    """Measure, print figures to the standard error stream and one JSON object at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="four micrographs of each kind")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    parser.add_argument("--count", type=int, default=40, help="micrographs of each kind and half")
    parser.add_argument("--size", type=int, default=384, help="side of each in pixels")
    parser.add_argument("--write", action="store_true", help="fit, and keep what was found")
    arguments = parser.parse_args()
    count = 4 if arguments.quick else arguments.count
    result: dict[str, Any] = {"benchmark": "confidence", "count": count, "size": arguments.size}
    if arguments.write:
        write_figures(result_of_fit(count, arguments.size))
    for target in ("grains", "particles", "phases", "layers"):
        number = count if target in ("grains", "particles") else of_materials(count)
        images = [examined(target, REPORTING, seed, arguments.size) for seed in range(number)]
        result[target] = check(target, images)
        print(f"{target}: {result[target]}", file=sys.stderr)
    text = json.dumps(result)
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)


def result_of_fit(count: int, size: int) -> dict[str, Any]:
    """Figures of the fitting seeds, as `confidence.json` keeps them."""
    model = nital.segment(Micrograph(np.zeros((64, 64), np.uint8)), "grains").model
    figures: dict[str, Any] = {
        "made_by": f"python benchmarks/confidence.py --write --count {count} --size {size}",
        "model": {"name": model.name, "sha256": model.sha256},
    }
    for target in ("grains", "particles"):
        figures[target] = fit_objects(
            [examined(target, FITTING, seed, size) for seed in range(count)]
        )
    for target in ("phases", "layers"):
        figures[target] = fit_materials(
            [examined(target, FITTING, seed, size) for seed in range(of_materials(count))]
        )
    return figures


def of_materials(count: int) -> int:
    """Micrographs of phases and of layers, of which one figure is asked."""
    return max(4, round(0.4 * count))


def write_figures(figures: dict[str, Any]) -> None:
    """Keep the figures where Nital reads them."""
    doubts.FIGURES.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=1), file=sys.stderr)


@dataclass(frozen=True)
class Examined:
    """What was found in one simulated micrograph, and what is true of it.

    Parameters
    ----------
    confidence, real, shift, width, whole
        (n,) of each object, layer or phase found: its confidence, whether it is real, how far its
        outline lies outside the true one, the width that the model leaves open, in pixels, and
        whether it is matched and off the edge.
    true_sizes, missed_sizes
        Diameter in pixels of the true objects, and of those that were not found.
    missed_number, found_number
        How many were missed and found, those at the edge counting 1/2 as in a density.
    unclaimed
        What no mask claims over what masks claim; ``None`` where the model does not say.
    found
        The measurements, with their intervals.
    true
        Values measured of the true labels.
    """

    confidence: Array
    real: NDArray[np.bool_]
    shift: Array
    width: Array
    whole: NDArray[np.bool_]
    true_sizes: Array
    missed_sizes: Array
    missed_number: float
    found_number: float
    unclaimed: float | None
    found: Measurements
    true: dict[str, float]


def examined(target: str, half: int, seed: int, size: int) -> Examined:
    """Simulate, segment and compare one micrograph."""
    made = simulate(np.random.default_rng([half, seed]), target, (size, size))
    found = nital.segment(Micrograph(made.image), target)
    return compare(target, made, found)


def compare(target: str, made: SimulatedMicrograph, found: Segmentation) -> Examined:
    """Match what was found with the truth."""
    measured = measure(found, pixel_size_error=0.0)
    of_objects = target in ("grains", "particles")
    truth, labels = made.scene.objects.astype(np.int32), found.labels
    sure = found.mask_probability if of_objects else found.confidence
    if target == "grains":
        truth = np.where(made.scene.phases == 1, truth, 0)
    elif target == "phases":
        truth, labels = made.scene.phases.astype(np.int32), found.phases.astype(np.int32)
    overlaps = contingency(truth, labels)
    names = np.unique(labels[labels > 0]).astype(np.int32)
    field = Field(
        np.where(labels > 0, np.searchsorted(names, labels) + 1, 0).astype(np.int32),
        names,
        found.phases,
        None,
        found.confidence,
    )
    areas = dict(zip(overlaps.truth_labels.tolist(), overlaps.truth_areas.tolist(), strict=True))
    true = overlaps.truth_labels[overlaps.rows]
    own = overlaps.predicted_labels[overlaps.columns]
    pair = (overlaps.iou > MATCHED) & (true > 0) & (own > 0)
    partner = dict(zip(own[pair].tolist(), true[pair].tolist(), strict=True))
    real = np.array([name in partner for name in names.tolist()], dtype=bool)
    true_area = np.array([areas[partner[n]] if n in partner else math.nan for n in names.tolist()])
    table = measured.objects
    empty = not len(names)
    perimeter = np.ones(0) if empty else field.boundaries.perimeter[1:]
    area = np.zeros(0) if empty else field.objects.area()
    if of_objects:
        whole = real & ~table["touches_edge"].to_numpy()
    elif target == "layers":
        # One that holds others as well is not off by its interfaces.
        held = own[(true > 0) & (overlaps.counts > 0.5 * overlaps.truth_areas[overlaps.rows])]
        whole = real & (np.bincount(held, minlength=int(labels.max()) + 1)[names] == 1)
    else:
        # Where a material is missed, others are not off by their outlines.
        whole = np.full(len(names), bool(real.all()) and len(names) == int(truth.max()))
    width = np.zeros(len(names)) if sure is None or empty else doubts.open_width(field, sure)
    seen = {n: a for n, a in areas.items() if n > 0 and a >= SEEN}
    missed = [a for n, a in seen.items() if n not in set(partner.values())]
    unclaimed = found.parameters.get("found", {}).get("unclaimed")
    return Examined(
        table["confidence"].to_numpy() if of_objects else np.ones(len(names)),
        real,
        outward(area, true_area, perimeter, of_objects),
        width,
        whole,
        diameters(list(seen.values())),
        diameters(missed),
        counted(truth, set(partner.values())),
        0.0 if empty else float(rectangle_weights(field.labels, field.count).sum()),
        unclaimed if of_objects else None,
        measured,
        true_values(target, truth, made.scene.phases) if of_objects else {},
    )


def true_values(
    target: Any, truth: NDArray[np.int32], phases: NDArray[np.uint8]
) -> dict[str, float]:
    """What is to be found, without objects that nobody could see."""
    seen = np.where(np.bincount(truth.ravel())[truth] >= SEEN, truth, 0).astype(np.int32)
    true = measure_labels(seen, target=target, phases=phases if target == "grains" else None)
    values = {q.name: float(q.value) for q in true.quantities if q.phase is None}
    return values | {"object_count": float(len(np.unique(seen[seen > 0])))}


def outward(area: Array, true_area: Array, perimeter: Array, of_objects: bool) -> Array:
    """How far outlines lie outside the true ones, in pixels.

    That of objects such that the areas differ by the factor exp(shift * perimeter / area).
    """
    if of_objects:
        return np.asarray(np.log(area / true_area) * area / perimeter)
    return np.asarray((area - true_area) / perimeter)


def counted(truth: NDArray[np.int32], without: set[int]) -> float:
    """Objects that could be seen, but for some, those at the edge counting 1/2."""
    names, compact, areas = np.unique(truth, return_inverse=True, return_counts=True)
    first = int(names[0] != 0)
    labels = compact.reshape(truth.shape).astype(np.int32) + first
    weights = rectangle_weights(labels, int(labels.max()))[first:]
    chosen = (areas >= SEEN) & (names > 0) & ~np.isin(names, list(without))
    return float(weights[chosen].sum())


def diameters(areas: list[float]) -> Array:
    """Equivalent circle diameters."""
    return np.sqrt(np.array(areas, dtype=float) * (4.0 / math.pi))


def fit_objects(images: list[Examined]) -> dict[str, Any]:
    """Figures of grains or particles."""
    confidence = np.concatenate([image.confidence for image in images])
    real = chances(confidence, np.concatenate([image.real for image in images]))
    judged = [
        image for image in images if image.unclaimed is not None and len(image.confidence) >= FEWEST
    ]
    sizes = np.array([missed_size(image) for image in judged])
    sizes = np.where(np.isnan(sizes), np.nanmedian(sizes), sizes)
    missed = {
        "unclaimed": [rounded(image.unclaimed or 0.0) for image in judged],
        "found": [float(len(image.confidence)) for image in judged],
        "real": [rounded(float(np.interp(i.confidence, KNOTS, real).mean())) for i in judged],
        "number": [rounded(max(image.missed_number, 0.5) / image.found_number) for image in judged],
        "size": [rounded(size) for size in sizes.tolist()],
        "leaning": [leaning(image, real) for image in judged],
        "larger": [rounded(larger(image)) for image in judged],
    }
    return {
        "objects": len(confidence),
        "images": len(images),
        "confidence": list(KNOTS),
        "real": real,
        "shift": list(shifts(images)),
        "missed": missed,
        "shape": {name: off(judged, f"{name}_median") for name in RATIOS},
    }


def off(images: list[Examined], name: str) -> list[float]:
    """Median and robust deviation of the logarithm of what is found over what is true."""
    found = [
        math.log(quantity.value / image.true[name])
        for image in images
        for quantity in image.found.quantities
        if (quantity.name, quantity.phase) == (name, None) and name in image.true
    ]
    if len(found) < FEWEST:
        return [0.0, 0.0]
    return [rounded(float(np.median(found))), rounded(robust_deviation(np.array(found)))]


def missed_size(image: Examined) -> float:
    """Diameter of the objects missed over that of those found; not a number for few missed."""
    if len(image.missed_sizes) < FEWEST:
        return math.nan
    return float(np.median(image.missed_sizes) / np.median(found_sizes(image)))


def leaning(image: Examined, real: list[float]) -> float:
    """What to add to the logit of each object's chance so that as many are real as truly are."""
    chance = np.interp(image.confidence, KNOTS, real)
    number = len(chance)
    share = (image.real.sum() + PRIOR * chance.mean()) / (number + PRIOR)
    low, high = -10.0, 10.0
    for _ in range(40):
        middle = (low + high) / 2.0
        odds = chance * math.exp(middle)
        if float((odds / (odds + 1.0 - chance)).mean()) < share:
            low = middle
        else:
            high = middle
    return rounded(low)


def larger(image: Examined) -> float:
    """How far the objects that are real lie above the invented ones, as `Missed.larger` has it."""
    size = np.log(found_sizes(image))
    if min(image.real.sum(), (~image.real).sum()) < FEWEST or size.std() <= 0.0:
        return 0.0
    return float((np.median(size[image.real]) - np.median(size[~image.real])) / size.std())


def found_sizes(image: Examined) -> Array:
    """Diameters of the objects found, in pixels."""
    return diameters(image.found.objects["area_px"].to_list())


def chances(confidence: Array, real: NDArray[np.bool_]) -> list[float]:
    """Chance to be real at the knots: shares around each, never falling, with a weak prior."""
    nearest = np.abs(confidence[:, None] - np.array(KNOTS)).argmin(axis=1)
    number = np.bincount(nearest, minlength=len(KNOTS)) + PRIOR
    hits = np.bincount(nearest, real, len(KNOTS)) + PRIOR * np.clip(KNOTS, 0.02, 0.99)
    blocks: list[list[float]] = []
    for hit, of in zip(hits.tolist(), number.tolist(), strict=True):
        blocks.append([hit, of, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    return [rounded(hit / of) for hit, of, width in blocks for _ in range(int(width))]


def shifts(images: list[Examined]) -> tuple[float, float]:
    """Shift of outlines in units of the open width: what an image shares, and the rest."""
    together, alone = [], []
    for image in images:
        used = image.whole & (image.width > 0)
        if used.sum() >= FEWEST:
            relative = (image.shift / np.maximum(image.width, 0.05))[used]
            together.append(float(np.median(relative)))
            alone.append(robust_deviation(relative))
    shared = robust_deviation(np.concatenate([together, -np.array(together)]))
    return rounded(shared), rounded(float(np.median(alone)))


def fit_materials(images: list[Examined]) -> dict[str, Any]:
    """Figure of phases, or of layers, that are not taken for others."""
    relative = np.concatenate(
        [(image.shift / np.maximum(image.width, 0.05))[image.whole] for image in images]
    )
    return {
        "outlines": len(relative),
        "images": len(images),
        "shift": rounded(robust_deviation(np.concatenate([relative, -relative]))),
    }


def check(target: str, images: list[Examined]) -> dict[str, Any]:
    """How well the figures in use hold, on micrographs that they were not fitted to."""
    if target in ("phases", "layers"):
        relative = np.concatenate([(i.shift / np.maximum(i.width, 0.05))[i.whole] for i in images])
        expected = np.full(len(relative), doubts.material_shift(target))
    else:
        known = doubts.reliability(target)
        expected = np.array([math.hypot(*known.shift)])
        relative = np.concatenate(
            [(i.shift / np.maximum(i.width, 0.05))[i.whole & (i.width > 0)] for i in images]
        )
    found: dict[str, Any] = {
        "objects": sum(len(image.confidence) for image in images),
        "outlines": len(relative),
        "shift_over_expected": rounded(
            robust_deviation(np.concatenate([relative, -relative])) / float(expected[0])
        ),
    }
    if target in ("grains", "particles"):
        confidence = np.concatenate([image.confidence for image in images])
        real = np.concatenate([image.real for image in images])
        predicted = np.interp(confidence, known.confidence, known.real)
        found |= {
            "real": rounded(float(real.mean())),
            "real_expected": rounded(float(predicted.mean())),
            "missed": sum(len(image.missed_sizes) for image in images),
            "true": sum(len(image.true_sizes) for image in images),
            "intervals_that_hold": {name: held(images, name) for name in HELD},
        }
    return found


def held(images: list[Examined], name: str) -> list[int]:
    """Of how many micrographs the interval of a quantity holds what is true of the true labels."""
    number = of = 0
    for image in images:
        for found in image.found.quantities:
            if (found.name, found.phase) == (name, None) and found.ci95 and name in image.true:
                of += 1
                number += found.ci95[0] <= image.true[name] <= found.ci95[1]
    return [number, of]


def robust_deviation(values: Array) -> float:
    """Half the width of the middle 68 %."""
    return float(np.subtract(*np.percentile(values, (84.13, 15.87))) / 2.0)


def rounded(value: float) -> float:
    """Three significant digits."""
    return float(f"{value:.3g}")


if __name__ == "__main__":
    main()
