"""Points from the image against a full grid: seconds, and recall of a peer's masks.

The compact model, trained, answers both sides: Nital's generator, and the authors' own
``SamAutomaticMaskGenerator`` through ``compact_as_sam.py``. What is wanted are the masks that the
peer finds with its grid of 32 x 32 points; recall is the share of them that a mask meets with an
IoU of 0.75. Curves: the peer with coarser grids, Nital with the same grids, and Nital with points
from the image's structure, asked in rounds where no mask lies yet, of several densities, as ``nital
segment`` asks them. ``rest``: the centres of the structure, then what they left of the grid.

``ratio_seconds_adaptive`` is the time of the peer's full grid over that of the points from the
structure, and ``ratio_seconds_adaptive_equal`` that of the peer's grid which reaches the same
recall, interpolated between grids; ``..._rest`` are those of ``rest``. ``true_recall_...`` is the
share of the true objects, where they are known, that a mask meets with an IoU of 0.5: many of the
peer's masks are no objects, and its grid misses small ones. All are medians over the images.
Seconds are those of the processor.

    python benchmarks/adaptive.py ../shared/data --peers peers --json adaptive.json
    python benchmarks/adaptive.py --quick --peers peers

Without data sets the examples of the repository are taken; ``--size 2048`` instead simulates grains
and particles with so many pixels a side. ``generator_peers.py`` says what ``--peers`` holds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from compact_as_sam import CompactAsSam
from generator import SAME
from generator_peers import BATCH, declare_operators, holds
from nital.automatic.prompted import COMPACT_SETTINGS
from nital.evaluation.datasets import find_datasets, read_dataset
from nital.generator import GeneratorOptions, generate
from nital.generator.crops import grid_points
from nital.generator.gaps import GapOptions
from nital.io import read
from nital.models import load_model
from nital.models.tiles import standardise
from nital.prompts.structure import StructureOptions, structure_rounds

FULL = 32  # points a side of the grid whose masks are wanted
GRIDS = (8, 16, FULL)
DENSITIES = (256, 1024)  # most points of the grid and of the centres
SMALLEST = 16  # pixels of a true object that counts
MET = 0.5  # IoU from which a true object is met
OBJECTS = 20  # along a side of a simulated specimen
TARGETS = {"instances": "particles", "boundaries": "grains"}
EXAMPLES = {"ferrite": "grains", "superalloy": "phases", "powder": "particles"}
SETTINGS = GeneratorOptions(
    pred_iou_thresh=COMPACT_SETTINGS.pred_iou_thresh,
    stability_score_thresh=COMPACT_SETTINGS.stability_score_thresh,
)


@dataclass(frozen=True)
class Specimen:
    """An (H, W) uint8 image, what is looked for in it, and its objects from 1 where known."""

    name: str
    pixels: np.ndarray
    target: str
    truth: np.ndarray | None = None


@dataclass(frozen=True)
class Found:
    """Masks of one run: (N, 4) half-open boxes, the masks inside them, and what they took."""

    boxes: np.ndarray
    masks: list[np.ndarray]
    seconds: float
    prompts: int


def main() -> None:
    """Measure, print rows to the standard error stream and one JSON object at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", nargs="*", type=Path, help="data sets, or folders of them")
    parser.add_argument("--quick", action="store_true", help="one example, two grids")
    parser.add_argument("--images", type=int, default=1, help="of each set, at most")
    parser.add_argument("--size", type=int, help="only simulated specimens, of this size")
    parser.add_argument("--peers", type=Path, default=Path("peers"), help="has segment_anything")
    parser.add_argument("--picture", type=Path, help="draw the curves into this PNG")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    arguments = parser.parse_args()
    if not holds(arguments.peers):
        parser.error(f"{arguments.peers} does not hold segment_anything; see generator_peers.py")
    sys.path.append(str(arguments.peers))
    declare_operators()
    specimens = list(examples())[:1] if arguments.quick else list(chosen(arguments))
    grids = GRIDS[1:] if arguments.quick else GRIDS
    rows = []
    for specimen in specimens:
        rows.append(measure(specimen, grids))
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    names = {name: None for row in rows for name in row if isinstance(row[name], float)}
    known = {name: [row[name] for row in rows if name in row] for name in names}
    medians = {name: round(float(np.median(values)), 3) for name, values in known.items()}
    result = {"benchmark": "adaptive", "model": "compact", "images": len(rows), **medians}
    if arguments.picture is not None:
        draw(rows, arguments.picture)
    line = json.dumps(result | {"rows": rows})
    if arguments.json is not None:
        arguments.json.write_text(line + "\n", encoding="utf-8")
    print(line)


def chosen(arguments: argparse.Namespace) -> Iterator[Specimen]:
    """The first images of each labelled set, the examples, and simulated specimens."""
    if arguments.size is not None:
        yield from simulated(arguments.size)
        return
    yield from examples()
    for folder in find_datasets(arguments.data):
        dataset = read_dataset(folder)
        target = TARGETS.get(dataset.task, "phases")
        for sample in dataset.samples[: arguments.images]:
            if dataset.task not in ("unlabelled", "semantic"):
                name = f"{dataset.folder.resolve().name}/{sample.image.stem}"
                shown, truth = read(sample.image), None
                if dataset.task == "instances":
                    rows, cols = shown.content.shape
                    truth = dataset.read_truth(sample, shown.pixels.shape)[:rows, :cols]
                yield Specimen(name, grey(shown.content), target, truth)


def examples() -> Iterator[Specimen]:
    """The examples of this repository that show grains, phases and particles."""
    folder = Path(__file__).parent.parent / "examples"
    for name, target in EXAMPLES.items():
        yield Specimen(name, grey(read(folder / f"{name}.tif").content), target)


def simulated(size: int) -> Iterator[Specimen]:
    """Grains and particles, with ``size`` pixels a side."""
    from nital.simulate import simulate

    for target in ("grains", "particles"):
        shown = simulate(5, target, (size, size), scale=size / OBJECTS)
        yield Specimen(f"simulated {target}", grey(shown.image), target, shown.scene.objects)


def grey(pixels: np.ndarray) -> np.ndarray:
    """(H, W) of any type as uint8, which is what the peer takes."""
    if pixels.dtype == np.uint8:
        return pixels
    low, high = float(pixels.min()), float(pixels.max())
    return np.round((pixels.astype(np.float64) - low) / max(high - low, 1e-9) * 255).astype("uint8")


def measure(specimen: Specimen, grids: tuple[int, ...]) -> dict[str, Any]:
    """Curves of one image: [seconds, recall, prompts, masks] of each run."""
    wanted = peer(specimen, FULL)
    runs: dict[str, list[Found]] = {
        "peer": [*(peer(specimen, points) for points in grids[:-1]), wanted],
        "grid": [ours(specimen, points) for points in grids],
        "adaptive": [ours(specimen, None, most) for most in DENSITIES],
        "rest": [ours(specimen, FULL, most, rest=True) for most in DENSITIES],
    }
    curves = {
        name: [
            [round(f.seconds, 3), round(recall_of(wanted, f), 4), f.prompts, len(f.masks)]
            for f in found
        ]
        for name, found in runs.items()
    }
    seconds, recall = np.array(curves["peer"])[:, :2].T
    row: dict[str, Any] = {"image": specimen.name, "shape": list(specimen.pixels.shape)}
    row["ratio_seconds"] = wanted.seconds / curves["grid"][-1][0]
    for name, end in (("adaptive", ""), ("rest", "_rest")):
        took, met = curves[name][-1][:2]
        equal = float(np.interp(met, np.maximum.accumulate(recall), seconds))
        row[f"ratio_seconds_adaptive{end}"] = wanted.seconds / took
        row[f"ratio_seconds_adaptive_equal{end}"] = equal / took
        row[f"recall_adaptive{end}"] = met
    if specimen.truth is not None:
        row["true_recall_peer"] = true_recall(specimen.truth, wanted)
        row["true_recall_adaptive"] = true_recall(specimen.truth, runs["adaptive"][-1])
    return row | {"curves": curves}


def peer(specimen: Specimen, points: int) -> Found:
    """Masks of the authors' generator on a grid."""
    from segment_anything import SamAutomaticMaskGenerator

    model = CompactAsSam(load_model("compact"), specimen.target, max(specimen.pixels.shape))
    generator = SamAutomaticMaskGenerator(
        model,
        points_per_side=points,
        points_per_batch=BATCH,
        pred_iou_thresh=SETTINGS.pred_iou_thresh,
        stability_score_thresh=SETTINGS.stability_score_thresh,
    )
    coloured = np.stack([specimen.pixels] * 3, axis=2)
    found, seconds = timed(lambda: generator.generate(coloured))
    boxes = np.array([each["bbox"] for each in found], dtype=int).reshape(-1, 4)[:, [1, 0, 3, 2]]
    boxes[:, 2:] += boxes[:, :2] + 1
    return Found(
        boxes,
        [each["segmentation"][_place(box)] for each, box in zip(found, boxes, strict=True)],
        seconds,
        points * points,
    )


def ours(
    specimen: Specimen, points: int | None, most: int | None = None, rest: bool = False
) -> Found:
    """Masks of Nital's generator on a grid, on the image's structure, or on what that leaves."""
    options = GeneratorOptions(
        points or FULL,
        pred_iou_thresh=SETTINGS.pred_iou_thresh,
        stability_score_thresh=SETTINGS.stability_score_thresh,
    )
    kind = StructureOptions("grains" if specimen.target == "grains" else "auto", most or 1)
    grid = grid_points(specimen.pixels.shape, points or FULL)

    def rounds(image: np.ndarray) -> list[np.ndarray]:
        found = structure_rounds(image, kind)
        return [found.centres, grid] if rest else found.rounds

    source = None if most is None else rounds
    gaps = GapOptions(radii=()) if rest else GapOptions(most_points=most or 1)
    model = load_model("compact")
    found, seconds = timed(
        lambda: generate(
            model,
            standardise(specimen.pixels),
            options,
            source=source,
            gaps=gaps,
            target=specimen.target,
        )
    )
    masks = [found.masks.mask(index) for index in range(len(found.masks))]
    return Found(found.masks.boxes, masks, seconds, found.facts["prompts"])


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    """What it gives, and seconds of the processor."""
    start = time.process_time()
    return run(), time.process_time() - start


def recall_of(wanted: Found, found: Found) -> float:
    """Share of the wanted masks that a mask meets."""
    met = [
        any(
            iou(mask, box, found.masks[other], found.boxes[other]) >= SAME
            for other in touching(box, found.boxes)
        )
        for mask, box in zip(wanted.masks, wanted.boxes, strict=True)
    ]
    return float(np.mean(met)) if met else 1.0


def true_recall(truth: np.ndarray, found: Found) -> float:
    """Share of the objects of an (H, W) label image that a mask meets."""
    areas = np.bincount(truth.ravel()).astype(float)
    best = np.zeros(len(areas))
    for mask, box in zip(found.masks, found.boxes, strict=True):
        shared = np.bincount(truth[_place(box)][mask], minlength=len(areas))
        best = np.maximum(best, shared / (areas + np.count_nonzero(mask) - shared))
    wanted = areas >= SMALLEST
    wanted[0] = False
    return float((best[wanted] >= MET).mean()) if wanted.any() else 1.0


def touching(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Which boxes are alike enough that their masks may be."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = np.maximum(high - low, 0).prod(1)
    return np.flatnonzero(shared > 0)


def iou(one: np.ndarray, here: np.ndarray, two: np.ndarray, there: np.ndarray) -> float:
    """IoU of two masks, each inside its box."""
    top, left = np.maximum(here[:2], there[:2])
    bottom, right = np.minimum(here[2:], there[2:])
    a = one[top - here[0] : bottom - here[0], left - here[1] : right - here[1]]
    b = two[top - there[0] : bottom - there[0], left - there[1] : right - there[1]]
    shared = np.count_nonzero(a & b)
    return shared / max(1, np.count_nonzero(one) + np.count_nonzero(two) - shared)


def _place(box: np.ndarray) -> tuple[slice, slice]:
    return slice(box[0], box[2]), slice(box[1], box[3])


def draw(rows: list[dict[str, Any]], out: Path) -> None:
    """Recall over seconds, a panel an image."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = min(3, len(rows))
    down = -(-len(rows) // columns)
    figure, panels = pyplot.subplots(
        down, columns, figsize=(3.2 * columns, 2.6 * down), squeeze=False, layout="constrained"
    )
    for panel in panels.flat[len(rows) :]:
        panel.set_axis_off()
    styles = {
        "peer": ("s--", "segment_anything, grids"),
        "grid": ("o:", "Nital, the same grids"),
        "adaptive": ("o-", "Nital, the image's structure"),
        "rest": ("^-", "Nital, centres and the rest of the grid"),
    }
    for row, panel in zip(rows, panels.flat, strict=False):
        for name, (style, label) in styles.items():
            seconds, recall = np.array(row["curves"][name])[:, :2].T
            panel.semilogx(seconds, recall, style, label=label, markersize=4)
        panel.set_title(f"{row['image']}, {row['shape'][0]} x {row['shape'][1]}", fontsize=8)
        panel.set_ylim(0, 1.03)
        panel.tick_params(labelsize=7)
    figure.supxlabel("processor seconds", fontsize=9)
    figure.supylabel("recall of the peer's masks", fontsize=9)
    panels.flat[0].legend(fontsize=7, loc="lower right")
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    main()
