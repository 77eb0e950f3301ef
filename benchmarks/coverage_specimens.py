"""Simulated cells and particles of known truth, and what a model may do to their labels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import ndtri

from nital.metrology import Measurements, measure, measure_labels
from nital.metrology.doubts import Showing, missed_of, reliability
from nital.micrograph import Micrograph, PixelSize
from nital.segmentation import ModelInfo, Segmentation

Labels = NDArray[np.int32]

SCALE = PixelSize(0.25, "simulated")
SCALE_ERROR = 0.02
UNCLAIMED = 0.08
SIZES_ALIKE = 0.2  # of the logarithm
OPEN = 0.1  # of the area of a particle is in doubt


@dataclass(frozen=True)
class Drawn:
    """One field.

    Parameters
    ----------
    found
        What is measured of it.
    clean
        What would be, had nothing been done to its labels; ``None`` where nothing was.
    truth
        Values of its own specimen, or of the field itself, that are not those of all fields.
    """

    found: Measurements
    clean: Measurements | None = None
    truth: dict[str, float] | None = None


@dataclass(frozen=True)
class Structure:
    """One kind of specimen.

    Parameters
    ----------
    name, target, objects
        What it is, and the mean number of objects in a field.
    draw
        From a random generator, a field.
    truth
        Values of the whole specimen; what is missing is the mean over all fields.
    times
        How many times more fields than of others: where a field takes little time.
    own
        Whether each field is of another specimen, so that only its own values are a truth.
    """

    name: str
    target: str
    objects: int
    draw: Callable[[np.random.Generator], Drawn]
    truth: dict[str, float]
    times: int = 1
    own: bool = False


def cells(rng: np.random.Generator, mean: float, side: int, relax: int) -> Labels:
    """Voronoi cells of points thrown at random, then moved to the middle of their cells.

    The margin of four cells keeps the field clear of the border, where moved points are not as
    dense as elsewhere.
    """
    margin = round(4 * side / math.sqrt(mean)) if relax else side // 3
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

    def draw(rng: np.random.Generator) -> Drawn:
        return clean_of(cells(rng, objects, side, relax), "grains")

    truth = {"grains_per_area": density, "grain_area_mean": 1e6 / density}
    return Structure(kind, "grains", objects, draw, truth)


def stretched_structure(objects: int) -> Structure:
    """Cells that are longer along the rows, as after rolling."""
    stretch = 1.5
    side = round(15 * math.sqrt(objects))

    def draw(rng: np.random.Generator) -> Drawn:
        round_cells = cells(rng, objects, side, 1)
        columns = (np.arange(side) / stretch).astype(int)
        return clean_of(renumbered(round_cells[:, columns]), "grains")

    truth = {"anisotropy_index": stretch, "anisotropy_direction": 0.0}
    return Structure("stretched cells", "stretched", objects, draw, truth, times=2)


def doubtful_cells(objects: int) -> Structure:
    """Cells of which some boundaries are missing and others invented, at a wrong scale."""
    side = round(15 * math.sqrt(objects))
    density = objects / (side * SCALE.value) ** 2 * 1e6
    showing = usual("grains", objects, (0.75, 0.98))
    hidden = float(
        np.median(missed_of("grains", showing).drawn(400, np.random.default_rng(0)).number)
    )
    missed = missed_of("grains", replace(showing, found=objects / (1.0 + hidden)))

    def draw(rng: np.random.Generator) -> Drawn:
        true = cells(rng, objects, side, 0)
        like = missed.drawn(1, rng)
        hidden, leaning = float(like.number[0]), float(like.leaning[0])
        number = int(rng.binomial(true.max(), hidden / (1.0 + hidden)))
        labels = merge_cells(rng, true, number, float(like.size[0]))
        count = int(labels.max())
        confidence = rng.uniform(0.75, 0.98, count + 1)
        size = np.log(np.maximum(np.bincount(labels.ravel()), 1))
        size = (size - size[1:].mean()) / size[1:].std()
        real = chance_of(confidence, "grains", leaning + float(like.larger[0]) * size)
        invented = np.flatnonzero(rng.random(count + 1) < (1.0 - real) / real)
        whole = int(labels.max())
        labels = split_cells(rng, labels, invented)
        confidence = calibrated(rng, confidence[: whole + 1], int(labels.max()) - whole, leaning)
        found = measured_as(rng, labels, "grains", confidence, sure=np.ones(labels.shape))
        return Drawn(found, clean_of(true, "grains").found, {"object_count": float(true.max())})

    truth = {"grains_per_area": density, "grain_area_mean": 1e6 / density}
    return Structure("doubtful cells", "grains", objects, draw, truth)


def clean_of(labels: Labels, target: Any, phases: NDArray[np.uint8] | None = None) -> Drawn:
    """Measure labels that are taken for true."""
    return Drawn(
        measure_labels(labels, target=target, pixel_size=SCALE, phases=phases, pixel_size_error=0.0)
    )


def calibrated(
    rng: np.random.Generator, confidence: NDArray[np.float64], invented: int, leaning: float
) -> NDArray[np.float64]:
    """Confidence of real objects and, behind them, of invented ones: low ones are more likely."""
    odds = 1.0 - chance_of(confidence, "grains", leaning)
    return np.append(confidence, rng.choice(confidence, invented, p=odds / odds.sum()))


def usual(target: str, objects: int, confidence: tuple[float, float]) -> Showing:
    """What shows of a field of so many objects, their confidence even between two limits."""
    known = reliability(target)
    even = np.linspace(*confidence, 100)
    return Showing(UNCLAIMED, objects, float(np.interp(even, known.confidence, known.real).mean()))


def chance_of(
    confidence: NDArray[np.float64], target: str, leaning: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Chance that an object is real, as Nital takes it, in an image that leans so."""
    known = reliability(target)
    real = np.interp(confidence, known.confidence, known.real)
    odds = real * np.exp(leaning)
    return np.asarray(odds / (odds + 1.0 - real))


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


def merge_cells(rng: np.random.Generator, labels: Labels, number: int, size: float) -> Labels:
    """Take away the boundary between some pairs of neighbours.

    In half of the fields any pairs; in the others, the rather a neighbour's diameter is ``size``
    times the typical one.
    """
    labels = labels.copy()
    pairs = np.concatenate(
        [
            np.stack([labels[:, :-1].ravel(), labels[:, 1:].ravel()], axis=1),
            np.stack([labels[:-1].ravel(), labels[1:].ravel()], axis=1),
        ]
    )
    pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)
    number = min(number, len(pairs))
    chance = np.ones(len(pairs))
    if rng.random() < 0.5:
        diameter = np.log(np.bincount(labels.ravel())[pairs]) / 2.0
        apart = diameter - np.median(diameter) - math.log(size)
        pairs = np.where((apart[:, :1] < apart[:, 1:]), pairs[:, ::-1], pairs)
        chance = np.exp(-((apart / SIZES_ALIKE) ** 2).min(axis=1) / 2.0) + 1e-9
    chosen = rng.choice(len(pairs), number, replace=False, p=chance / chance.sum())
    for first, second in pairs[chosen].tolist():
        labels[labels == second] = first
    return renumbered(labels)


def measured_as(
    rng: np.random.Generator,
    labels: Labels,
    target: Any,
    confidence: NDArray[np.float64],
    phases: NDArray[np.uint8] | None = None,
    sure: NDArray[np.float64] | None = None,
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
        parameters={} if sure is None else {"found": {"unclaimed": UNCLAIMED}},
        mask_probability=None if sure is None else np.round(255 * sure).astype(np.uint8),
    )
    return measure(segmentation, pixel_size_error=SCALE_ERROR)


MEDIAN, SPREAD = 7.0, 0.3  # of the diameter of particles, in pixels


def particle_structure(objects: int) -> Structure:
    """Discs of log-normal size, some of them cut by the frame; they do not touch."""
    side = round(22 * math.sqrt(objects))

    def draw(rng: np.random.Generator) -> Drawn:
        number = rng.poisson(objects * ((side + 2 * MARGIN) / side) ** 2)
        radii = MEDIAN / 2.0 * np.exp(SPREAD * rng.standard_normal(number))
        return clean_of(pieces_of(powder(rng, side, radii))[0], "particles")

    return Structure("particles", "particles", objects, draw, {}, times=3)


def doubtful_particles(objects: int) -> Structure:
    """The same, with some missed, some invented, and outlines and scale that are off."""
    side = round(22 * math.sqrt(objects))
    known = reliability("particles")
    missed = missed_of("particles", usual("particles", objects, (0.8, 0.98)))

    def draw(rng: np.random.Generator) -> Drawn:
        number = rng.poisson(objects * ((side + 2 * MARGIN) / side) ** 2)
        confidence = rng.uniform(0.8, 0.98, number)
        like = missed.drawn(1, rng)
        real = chance_of(confidence, "particles", float(like.leaning[0]))
        confidence = np.append(confidence, confidence[rng.random(number) < (1.0 - real) / real])
        radii = MEDIAN / 2.0 * np.exp(SPREAD * rng.standard_normal(len(confidence)))
        shift = known.shift[0] * rng.standard_normal()
        shift = shift + known.shift[1] * rng.standard_normal(len(confidence))
        radii *= np.exp(OPEN / 2.0 * shift)
        labels = powder(rng, side, radii)
        pieces, owner = pieces_of(labels)
        by_piece = np.append(0.9, confidence)[owner]
        sure = np.full(labels.shape, 1.0 - OPEN)
        found = measured_as(rng, pieces, "particles", by_piece, sure=sure)
        return Drawn(
            found, truth=powder_truth(objects / side**2, float(like.number[0]), float(like.size[0]))
        )

    return Structure("doubtful particles", "particles", objects, draw, {}, own=True)


MARGIN = 20


def powder(rng: np.random.Generator, side: int, radii: NDArray[np.float64]) -> Labels:
    """Discs at random places, 1...n, apart from each other."""
    labels = np.zeros((side, side), dtype=np.int32)
    taken = np.zeros(labels.shape, dtype=bool)
    for label, radius in enumerate(radii.tolist(), start=1):
        place_disc(rng, labels, taken, MARGIN, radius, label)
    return labels


def pieces_of(labels: Labels) -> tuple[Labels, NDArray[np.int32]]:
    """Objects 1...n that are there, and the label each had; entry 0 is the background."""
    names = np.unique(np.append(labels, 0))
    return np.searchsorted(names, labels).astype(np.int32), names


def powder_truth(density: float, hidden: float, size: float) -> dict[str, float]:
    """Quantities of discs of log-normal size and, for each, so many that are hard to see.

    Parameters
    ----------
    density
        Of those that are easily seen, for each pixel.
    hidden, size
        The others: how many for each, and their diameter over that of the first.
    """
    steps = (np.arange(4000) + 0.5) / 4000
    easy = MEDIAN * np.exp(SPREAD * ndtri(steps)) * SCALE.value
    diameter = np.concatenate([easy, size * easy])
    weight = np.repeat([1.0, hidden], len(easy)) / len(easy)
    order = np.argsort(diameter)
    diameter, weight = diameter[order], weight[order]
    area = math.pi / 4.0 * diameter**2
    total = 1.0 + hidden
    deviation = np.average(
        (np.log(diameter) - np.average(np.log(diameter), weights=weight)) ** 2, weights=weight
    )

    def percentile(share: float, weights: NDArray[np.float64]) -> float:
        return float(np.interp(share, np.cumsum(weights) / weights.sum(), diameter))

    return {
        "objects_per_area": density * total / SCALE.value**2 * 1e6,
        "coverage": density * float((weight * area).sum()) / SCALE.value**2,
        "object_area_mean": float(np.average(area, weights=weight)),
        "ecd_mean": float(np.average(diameter, weights=weight)),
        "ecd_geometric_sd": math.exp(math.sqrt(deviation)),
        "ecd_d50_volume": percentile(0.5, weight * diameter**3),
        "ecd_d50_area": percentile(0.5, weight * diameter**2),
        **{f"ecd_d{p}": percentile(p / 100, weight) for p in (10, 50, 90)},
    }


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
