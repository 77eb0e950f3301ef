"""Regions told apart by their texture, and cross-sections of many materials, against thresholds.

Two kinds of simulated specimen whose classes a threshold cannot name. Steels: prior grains with a
network of carbide on their boundaries, bare matrix beside it, fields of spheroidite inside, and
Widmanstaetten plates in some; four classes. Fired contacts: silver with voids, glass, silicon and
a coating on it, resin above, six classes by grey and by place. The number of classes is given.
``iou_mean`` is that of the best naming of the phases; ``otsu`` splits the grey levels into as many.
``--change`` shows the same specimens in uneven light, or at half or twice the magnification.

    python benchmarks/texture_regions.py --quick
    python benchmarks/texture_regions.py --images 6 --json regions.json --picture regions.png
    python benchmarks/texture_regions.py --images 3 --seed 95010 --change light
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

import nital
from nital.evaluation.scores import score_phases
from nital.simulate.cells import cells_of, grid, random_seeds, warped
from nital.simulate.scene import random_field

FIRST_SEED = 86_000
SHAPE = (480, 640)
CHANGES = ("none", "light", "half", "double")
Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def main() -> None:
    """Measure, print progress to the standard error stream and one JSON object at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one image of each kind")
    parser.add_argument("--images", type=int, default=6, metavar="N", help="images of each kind")
    parser.add_argument("--seed", type=int, default=FIRST_SEED, metavar="N", help="first seed")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    parser.add_argument("--picture", type=Path, metavar="PATH", help="image, found and truth")
    parser.add_argument("--change", choices=CHANGES, default=CHANGES[0], help="of every image")
    arguments = parser.parse_args()
    count = 1 if arguments.quick else arguments.images
    scores: dict[str, list[float]] = defaultdict(list)
    panels = []
    for kind, draw, number in (("steel", draw_steel, 4), ("contact", draw_contact, 6)):
        for index in range(count):
            drawn = draw(np.random.default_rng(arguments.seed + index))
            image, truth = changed(*drawn, arguments.change)
            found = judge(kind, image, truth, number)
            for name, (value, _) in found.items():
                scores[f"{kind}, {name}"].append(value)
            panels.append((image, [phases for _, phases in found.values()], truth))
            row = {name: round(value, 3) for name, (value, _) in found.items()}
            print(kind, arguments.seed + index, row, file=sys.stderr, flush=True)
    if arguments.picture is not None:
        picture(arguments.picture, panels)
    result: dict[str, Any] = {
        "benchmark": "texture_regions",
        "nital": nital.__version__,
        "images": count,
        "change": arguments.change,
        "iou_mean": {name: round(float(np.mean(row)), 4) for name, row in scores.items()},
    }
    text = json.dumps(result)
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)


def changed(image: NDArray[np.uint8], truth: NDArray[np.uint8], change: str) -> Pair:
    """The same specimen in uneven light, or at another magnification."""
    from PIL import Image

    if change == "light":
        rows, cols = np.meshgrid(*(np.linspace(-1, 1, n) for n in image.shape), indexing="ij")
        light = 1 + 0.25 * cols + 0.15 * rows - 0.15 * (rows**2 + cols**2)
        return np.clip(image * light, 0, 255).astype(np.uint8), truth
    if change == "none":
        return image, truth
    factor = {"half": 0.5, "double": 2.0}[change]
    size = (round(factor * image.shape[1]), round(factor * image.shape[0]))
    resample = Image.Resampling
    return (
        np.array(Image.fromarray(image).resize(size, resample.BILINEAR)),
        np.array(Image.fromarray(truth).resize(size, resample.NEAREST)),
    )


def judge(
    kind: str, image: NDArray[np.uint8], truth: NDArray[np.uint8], number: int
) -> dict[str, tuple[float, NDArray[np.uint8]]]:
    """Mean IoU and phases by thresholds and by each call that a user may make."""
    from skimage.filters import threshold_multiotsu

    smooth = ndimage.gaussian_filter(image.astype(np.float32), 1)
    levels = np.digitize(smooth, threshold_multiotsu(smooth, number, nbins=64)).astype(np.uint8)
    found = {"otsu": levels + np.uint8(1)}
    for target in ("phases", "layers"):
        began = time.process_time()
        found[target] = nital.segment(nital.Micrograph(image), target, phases=number).phases
        print(f"{kind} {target}: {time.process_time() - began:.1f} s", file=sys.stderr)
    return {
        name: (score_phases(truth, phases, unassigned=None)["iou_mean"], phases)
        for name, phases in found.items()
    }


def draw_steel(rng: np.random.Generator) -> Pair:
    """Matrix 1, network 2, field of spheroidite 3, Widmanstaetten plates 4."""
    coarse = float(rng.uniform(130, 260))
    coordinates = warped(rng, grid(SHAPE), coarse / 4, coarse / 14)
    cells = cells_of(coordinates, random_seeds(rng, coordinates, coarse), neighbours=2)
    depth = cells.inside()
    width = float(rng.uniform(4, 9)) * (1 + 0.4 * random_field(rng, SHAPE, 20))
    bare = float(rng.uniform(10, 35)) * (1 + 0.3 * random_field(rng, SHAPE, 30))
    truth = np.full(SHAPE, 3, dtype=np.uint8)
    plates = rng.random(int(cells.owner.max()) + 1) < 0.35
    truth[plates[cells.owner]] = 4
    truth[depth < width + bare] = 1
    truth[depth < width] = 2
    bright = depth < width
    pitch = float(rng.uniform(7, 13))
    seeds = random_seeds(rng, grid(SHAPE), pitch)
    radii = (pitch * rng.uniform(0.18, 0.36, len(seeds))).astype(np.float32)
    spots = cells_of(grid(SHAPE), type(seeds)(seeds.centres, radii), metric="grown").depth < 0
    bright |= spots & (truth == 3)
    angle = rng.uniform(0, np.pi, len(plates)).astype(np.float32)[cells.owner]
    row, column = warped(rng, grid(SHAPE), 30, 2.0)
    across = (row * np.cos(angle) + column * np.sin(angle)) / float(rng.uniform(9, 16))
    broken = 0.5 * random_field(rng, SHAPE, 6)
    bright |= (np.sin(2 * np.pi * across) + broken > 0.75) & (truth == 4)
    grey = 70 + 18 * random_field(rng, SHAPE, 60) + 8 * random_field(rng, SHAPE, 2)
    body = ndimage.gaussian_filter(bright.astype(np.float32), 0.9)
    rim = body - ndimage.gaussian_filter(body, 2.5)
    grey = grey + 95 * body + 60 * rim + rng.normal(0, 9, SHAPE)
    return np.clip(grey, 0, 255).astype(np.uint8), truth


def draw_contact(rng: np.random.Generator) -> Pair:
    """Silver 1, silicon 2, glass 3, voids 4, resin 5, coating 6: a finger of a solar cell."""
    rows, cols = np.indices(SHAPE, dtype=np.float32)
    rough = random_field(rng, SHAPE, (1e-3, 30))[0]
    base = SHAPE[0] * rng.uniform(0.6, 0.75) + 8 * rough + 12 * np.sin(cols[0] / 40)
    top = SHAPE[0] * rng.uniform(0.12, 0.3) + 14 * random_field(rng, SHAPE, (1e-3, 40))[0]
    truth = np.where(rows < top, 5, np.where(rows < base, 1, 2)).astype(np.uint8)
    film = np.abs(rows - base) < rng.uniform(4, 8)
    truth[film] = 6
    thick = np.maximum(0, 12 + 14 * random_field(rng, SHAPE, (1e-3, 25))[0])
    truth[(rows < base - 4) & (rows > base - 4 - thick) & ~film] = 3
    holes = random_field(rng, SHAPE, rng.uniform(5, 9))
    inner = truth == 1
    truth[inner & (holes > 1.1)] = 4
    truth[inner & (holes < -1.5) & (rows > base - 90)] = 3
    levels = np.array([0, 215, 105, 140, 25, 55, 165], dtype=np.float32)
    levels[1:] += rng.normal(0, 10, 6)
    grains = cells_of(grid(SHAPE), random_seeds(rng, grid(SHAPE), 25), neighbours=2).owner
    shade = rng.normal(0, 12, int(grains.max()) + 1)[grains] * (truth == 1)
    grey = ndimage.gaussian_filter(levels[truth] + shade, 1.0)
    grey = grey + 5 * random_field(rng, SHAPE, 80) + rng.normal(0, 10, SHAPE)
    return np.clip(grey, 0, 255).astype(np.uint8), truth


def picture(
    path: Path, panels: list[tuple[NDArray[np.uint8], list[NDArray[np.uint8]], NDArray[np.uint8]]]
) -> None:
    """A row for each image: as taken, by each way, truth."""
    from PIL import Image

    palette = "1e1e1e 56b4e9 e69f00 009e73 cc79a7 f0e442 d55e00 0072b2 ffffff"
    colours = np.array([tuple(bytes.fromhex(c)) for c in palette.split()], dtype=np.uint8)
    rows = []
    for image, found, truth in panels:
        named = [colours[np.minimum(phases, 8)] for phases in (*found, truth)]
        rows.append(np.concatenate([np.repeat(image[..., None], 3, axis=2), *named], axis=1))
    whole = Image.fromarray(np.concatenate(rows))
    whole.resize((whole.width // 2, whole.height // 2), Image.Resampling.LANCZOS).save(path)


if __name__ == "__main__":
    main()
