"""How often 95 % intervals hold the truth, on specimens whose truth is known.

Fields are cut at random from simulated specimens and measured. To their labels may be done what a
model does to them: objects are missed and invented, outlines are shifted and the pixel size is
wrong, as often and as far as the confidence and the stated uncertainty say. An interval holds the
truth if the value of the whole specimen lies in it.

    python benchmarks/coverage.py --json coverage.json

Rows are `[structure, objects, quantity, fields with an interval, share that holds the truth]`.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from nital.metrology import Measurements, measure, measure_labels
from nital.metrology.doubts import CONFIDENCES, MATERIAL_SHIFT, REAL, SHIFTS
from nital.micrograph import Micrograph, PixelSize
from nital.segmentation import ModelInfo, Segmentation

Labels = NDArray[np.int32]
Sizes = dict[str, list[tuple[float, float, float]]]

SCALE = PixelSize(0.25, "simulated")
SCALE_ERROR = 0.02
QUANTITIES = {
    "grains": (
        "astm_g_planimetric",
        "astm_g_jeffries",
        "astm_g_intercept",
        "astm_g_hilliard",
        "astm_g_abrams",
        "astm_g_difference",
        "grains_per_area",
        "grain_area_mean",
        "lineal_intercept_mean",
        "boundary_length_per_area",
        "object_area_mean",
        "ecd_mean",
        "ecd_d10",
        "ecd_d50",
        "ecd_d90",
        "ecd_d50_area",
        "ecd_geometric_sd",
    ),
    "stretched": ("anisotropy_index", "anisotropy_direction"),
    "phases": (
        "phase_fraction",
        "phase_fraction_points",
        "surface_per_volume",
        "lineal_intercept_mean",
        "mean_free_path",
    ),
    "particles": (
        "objects_per_area",
        "coverage",
        "object_area_mean",
        "ecd_mean",
        "ecd_d10",
        "ecd_d50",
        "ecd_d90",
        "ecd_d50_volume",
        "ecd_geometric_sd",
        "feret_max_median",
        "circularity_median",
    ),
    "layers": (
        "layer_thickness_mean",
        "layer_thickness_sd",
        "layer_tilt",
        "interface_roughness_upper",
    ),
}


def main() -> None:
    """Simulate, print a table to the standard error stream and one JSON object at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="20 fields of each structure")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    parser.add_argument("--fields", type=int, default=150, help="fields of each structure")
    parser.add_argument("--only", help="structures whose name begins so")
    arguments = parser.parse_args()
    fields = 20 if arguments.quick else arguments.fields
    rows: list[list[Any]] = []
    for structure in structures():
        if arguments.only and not structure.name.startswith(arguments.only):
            continue
        start = time.perf_counter()
        of_structure = list(coverage(structure, fields))
        for row in of_structure:
            print(
                f"{row[0]:24s} {row[1]:5d} {row[2]:26s} {row[3]:4d} {row[4]:.3f}", file=sys.stderr
            )
        print(f"{time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
        rows += of_structure
    result = {"benchmark": "coverage", "fields": fields, "rows": rows, "pooled": pooled(rows)}
    text = json.dumps(result)
    for name, (number, share) in result["pooled"].items():
        print(f"{name:36s} {number:5d} {share:.3f}", file=sys.stderr)
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)


@dataclass(frozen=True)
class Structure:
    """One kind of specimen.

    Parameters
    ----------
    name, target, objects
        What it is, and the mean number of objects in a field.
    draw
        From a random generator, a measured field.
    truth
        Values of the whole specimen; what is missing is the mean over all fields.
    """

    name: str
    target: str
    objects: int
    draw: Callable[[np.random.Generator], Measurements]
    truth: dict[str, float]


def structures() -> Iterator[Structure]:
    """All kinds of specimens, of few and of many objects."""
    for objects in (25, 60, 200):
        for kind, relax in (("poisson cells", 0), ("even cells", 2)):
            yield cell_structure(kind, objects, relax)
        yield doubtful_cells(objects)
    for objects in (60, 200):
        yield stretched_structure(objects)
    for objects in (40, 150):
        yield particle_structure("particles", objects, doubtful=False)
        yield particle_structure("doubtful particles", objects, doubtful=True)
    for fraction in (0.15, 0.4):
        yield phase_structure(fraction, doubtful=False)
        yield phase_structure(fraction, doubtful=True)
    yield layer_structure("layers", doubtful=False)
    yield layer_structure("doubtful layers", doubtful=True)


def coverage(structure: Structure, fields: int) -> Iterator[list[Any]]:
    """Share of the fields whose interval holds the truth, for each quantity."""
    found: Sizes = defaultdict(list)
    everywhere: dict[str, list[float]] = defaultdict(list)
    phase = 2 if structure.target == "phases" else None
    for seed in range(fields):
        measured = structure.draw(np.random.default_rng([seed, structure.objects]))
        for quantity in measured.quantities:
            if quantity.name not in QUANTITIES[structure.target]:
                continue
            if quantity.phase != phase and structure.target != "layers":
                continue
            everywhere[quantity.name].append(quantity.value)
            if quantity.ci95 is not None:
                found[quantity.name].append((quantity.value, *quantity.ci95))
    for name in QUANTITIES[structure.target]:
        if len(found[name]) < 0.5 * fields:
            continue
        _, low, high = np.array(found[name]).T
        truth = structure.truth.get(name, float(np.mean(everywhere[name])))
        held = float(np.mean((low <= truth) & (truth <= high)))
        yield [structure.name, structure.objects, name, len(low), held]


def pooled(rows: list[list[Any]]) -> dict[str, tuple[int, float]]:
    """Number of fields and share that holds, of each quantity over all structures of its kind."""
    together: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for structure, _, name, number, held in rows:
        together[f"{structure.split()[-1]} {name}"].append((number, held))
    return {
        name: (
            sum(number for number, _ in of_name),
            sum(number * held for number, held in of_name) / sum(number for number, _ in of_name),
        )
        for name, of_name in together.items()
    }


def cells(rng: np.random.Generator, mean: float, side: int, relax: int) -> Labels:
    """Voronoi cells of points thrown at random, then moved to the middle of their cells."""
    margin = side // 3
    whole = side + 2 * margin
    density = mean / side**2
    number = rng.poisson(density * whole**2) if relax == 0 else round(density * whole**2)
    points = rng.random((number, 2)) * whole
    pixels = np.stack(np.mgrid[:whole, :whole], axis=-1).reshape(-1, 2)
    for _ in range(relax):
        some = pixels[::7]
        owner = cKDTree(points).query(some)[1]
        held = np.maximum(np.bincount(owner, minlength=number), 1)
        points = np.stack([np.bincount(owner, axis, number) / held for axis in some.T], axis=-1)
    owner = cKDTree(points).query(pixels)[1].reshape(whole, whole)
    return renumbered(owner[margin:-margin, margin:-margin] + 1)


def renumbered(labels: NDArray[np.integer[Any]]) -> Labels:
    """Labels 1...n without gaps, 0 kept."""
    names, inverse = np.unique(labels, return_inverse=True)
    first = 0 if names[0] == 0 else 1
    return (inverse.reshape(labels.shape) + first).astype(np.int32)


def cell_structure(kind: str, objects: int, relax: int) -> Structure:
    side = round(15 * math.sqrt(objects))
    density = objects / (side * SCALE.value) ** 2 * 1e6

    def draw(rng: np.random.Generator) -> Measurements:
        labels = cells(rng, objects, side, relax)
        return measure_labels(labels, target="grains", pixel_size=SCALE, pixel_size_error=0.0)

    truth = {"grains_per_area": density, "grain_area_mean": 1e6 / density}
    return Structure(kind, "grains", objects, draw, truth)


def stretched_structure(objects: int) -> Structure:
    """Cells that are longer along the rows, as after rolling."""
    stretch = 1.5
    side = round(15 * math.sqrt(objects))

    def draw(rng: np.random.Generator) -> Measurements:
        round_cells = cells(rng, objects, side, 1)
        columns = (np.arange(side) / stretch).astype(int)
        labels = renumbered(round_cells[:, columns])
        return measure_labels(labels, target="grains", pixel_size=SCALE, pixel_size_error=0.0)

    truth = {"anisotropy_index": stretch, "anisotropy_direction": 0.0}
    return Structure("stretched cells", "stretched", objects, draw, truth)


def doubtful_cells(objects: int) -> Structure:
    """Cells of which some boundaries are missing and others invented, at a wrong scale."""
    side = round(15 * math.sqrt(objects))
    density = objects / (side * SCALE.value) ** 2 * 1e6

    def draw(rng: np.random.Generator) -> Measurements:
        labels = cells(rng, objects, side, 1)
        count = int(labels.max())
        confidence = rng.uniform(0.75, 0.98, count + 1)
        doubt = 1.0 - chance_of(confidence)
        labels = split_cells(rng, labels, np.flatnonzero(rng.random(count + 1) < doubt))
        labels = merge_cells(rng, labels, int(rng.binomial(count, doubt.mean())))
        confidence = np.resize(confidence, int(labels.max()) + 1)
        return measured_as(rng, labels, "grains", confidence)

    truth = {"grains_per_area": density, "grain_area_mean": 1e6 / density}
    return Structure("doubtful cells", "grains", objects, draw, truth)


def chance_of(confidence: NDArray[np.float64]) -> NDArray[np.float64]:
    """Chance that an object is real, as Nital takes it."""
    return np.interp(confidence, CONFIDENCES, REAL)


def split_cells(rng: np.random.Generator, labels: Labels, chosen: NDArray[np.integer]) -> Labels:
    """Cut some cells in two by a straight line through their middle."""
    labels = labels.copy()
    free = int(labels.max()) + 1
    for label in chosen[chosen > 0].tolist():
        rows, cols = np.nonzero(labels == label)
        angle = rng.uniform(0.0, math.pi)
        away = (rows - rows.mean()) * math.cos(angle) + (cols - cols.mean()) * math.sin(angle)
        labels[rows[away > 0], cols[away > 0]] = free
        free += 1
    return renumbered(labels)


def merge_cells(rng: np.random.Generator, labels: Labels, number: int) -> Labels:
    """Take away the boundary between some pairs of neighbours."""
    labels = labels.copy()
    pairs = np.concatenate(
        [
            np.stack([labels[:, :-1].ravel(), labels[:, 1:].ravel()], axis=1),
            np.stack([labels[:-1].ravel(), labels[1:].ravel()], axis=1),
        ]
    )
    pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)
    for first, second in pairs[rng.permutation(len(pairs))[:number]].tolist():
        labels[labels == second] = first
    return renumbered(labels)


def measured_as(
    rng: np.random.Generator,
    labels: Labels,
    target: Any,
    confidence: NDArray[np.float64],
    phases: NDArray[np.uint8] | None = None,
) -> Measurements:
    """Measure labels as those of a model, at a pixel size that is off as its error says."""
    size = replace(SCALE, value=SCALE.value * math.exp(SCALE_ERROR * rng.standard_normal()))
    map_of = confidence if confidence.shape == labels.shape else confidence[labels]
    if phases is None:
        inside, outside = (2, 1) if target == "particles" else (1, 0)
        phases = np.where(labels > 0, inside, outside).astype(np.uint8)
    segmentation = Segmentation(
        micrograph=Micrograph(np.zeros(labels.shape, dtype=np.uint8), pixel_size=size),
        labels=labels,
        phases=phases,
        confidence=np.round(255 * map_of).astype(np.uint8),
        target=target,
        target_reason="simulated",
        model=ModelInfo("simulated", "0"),
    )
    return measure(segmentation, pixel_size_error=SCALE_ERROR)


def particle_structure(name: str, objects: int, doubtful: bool) -> Structure:
    """Discs of log-normal size, some of them cut by the frame; they do not touch."""
    side = round(22 * math.sqrt(objects))
    median, spread = 7.0, 0.3

    def draw(rng: np.random.Generator) -> Measurements:
        labels = np.zeros((side, side), dtype=np.int32)
        margin = 20
        area = (side + 2 * margin) ** 2
        number = rng.poisson(objects * area / side**2)
        confidence = rng.uniform(0.8, 0.98, number + 1)
        real = chance_of(confidence)
        shared, alone = SHIFTS["particles"]
        common = rng.standard_normal()
        taken = np.zeros(labels.shape, dtype=bool)
        for label in range(1, number + 1):
            times = int(rng.random() < real[label]) + int(rng.poisson(1.0 - real[label]))
            times = times if doubtful else 1
            radius = median / 2.0 * math.exp(spread * rng.standard_normal())
            expected = (1.0 - confidence[label]) * radius / 2.0
            if doubtful:
                radius += expected * (shared * common + alone * rng.standard_normal())
            for _ in range(times):
                place_disc(rng, labels, taken, margin, radius, label)
        pieces = ndimage.label(labels > 0)[0]
        confidence = np.append(confidence, 0.9)[np.where(labels > 0, labels, number + 1)]
        if doubtful:
            return measured_as(rng, pieces.astype(np.int32), "particles", confidence)
        return measure_labels(
            pieces.astype(np.int32), target="particles", pixel_size=SCALE, pixel_size_error=0.0
        )

    return Structure(name, "particles", objects, draw, {})


def place_disc(
    rng: np.random.Generator,
    labels: Labels,
    taken: NDArray[np.bool_],
    margin: int,
    radius: float,
    label: int,
) -> None:
    """Put a disc where it leaves a gap to the others; the frame may cut it."""
    side = labels.shape[0]
    for _ in range(50):
        row, col = rng.uniform(-margin, side + margin, 2)
        top, left = max(int(row - radius) - 2, 0), max(int(col - radius) - 2, 0)
        window = (
            slice(top, max(int(row + radius) + 4, 0)),
            slice(left, max(int(col + radius) + 4, 0)),
        )
        if labels[window].size == 0:
            return
        rows, cols = np.indices(labels[window].shape)
        distance = np.hypot(rows + top - row, cols + left - col)
        if not (taken[window] & (distance <= radius + 1.5)).any():
            labels[window][distance <= radius] = label
            taken[window] |= distance <= radius
            return


def phase_structure(fraction: float, doubtful: bool) -> Structure:
    """A phase where a smooth random field is low; outlines shifted as the confidence says."""
    side, scale = 260, 5.0
    margin = int(4 * scale) + 1
    truth = {"phase_fraction": fraction, "phase_fraction_points": fraction}

    def draw(rng: np.random.Generator) -> Measurements:
        from scipy.stats import norm

        noise = rng.standard_normal((side + 2 * margin,) * 2)
        smooth = ndimage.gaussian_filter(noise, scale)[margin:-margin, margin:-margin]
        mask = smooth * (2 * math.sqrt(math.pi) * scale) < norm.ppf(fraction)
        confidence = np.ones(mask.shape)
        if doubtful:
            width = 0.8
            distance = ndimage.distance_transform_edt(mask) - ndimage.distance_transform_edt(~mask)
            shift = shift_of_width(width) * rng.standard_normal()
            mask = distance > -shift
            moved = np.abs(distance + shift)
            confidence = 1.0 / (1.0 + np.exp(-moved / width))
        labels = ndimage.label(mask)[0].astype(np.int32)
        phases = np.where(mask, 2, 1).astype(np.uint8)
        if doubtful:
            return measured_as(rng, labels, "phases", confidence, phases)
        return measure_labels(
            labels, target="phases", pixel_size=SCALE, phases=phases, pixel_size_error=0.0
        )

    name = f"{'doubtful ' if doubtful else ''}{round(100 * fraction)} % phases"
    return Structure(name, "phases", 0, draw, truth)


def shift_of_width(width: float) -> float:
    """Shift of an outline across which the confidence rises as a logistic curve of this width."""
    return MATERIAL_SHIFT * width * math.log(2.0)


def layer_structure(name: str, doubtful: bool) -> Structure:
    """One layer with two rough interfaces."""
    side, thickness, rough, length = 400, 60.0, 2.5, 12.0

    def draw(rng: np.random.Generator) -> Measurements:
        upper, lower = (
            rough * math.sqrt(2 * math.sqrt(math.pi) * length)
            * ndimage.gaussian_filter1d(rng.standard_normal(side + 200), length)[100:-100]
            for _ in range(2)
        )  # fmt: skip
        width = 1.2
        shift = shift_of_width(width) * rng.standard_normal() if doubtful else 0.0
        rows = np.arange(160.0)[:, None]
        distance = np.minimum(rows - (50 + upper), 50 + thickness + lower - rows) + shift
        mask = distance > 0
        labels = mask.astype(np.int32)
        if doubtful:
            confidence = 1.0 / (1.0 + np.exp(-np.abs(distance) / width))
            return measured_as(rng, labels, "layers", confidence)
        return measure_labels(labels, target="layers", pixel_size=SCALE, pixel_size_error=0.0)

    return Structure(name, "layers", 1, draw, {"layer_thickness_mean": thickness * SCALE.value})


if __name__ == "__main__":
    main()
