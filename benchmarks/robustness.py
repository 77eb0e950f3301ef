"""How much of a score is left when the same micrographs are taken otherwise.

Every image of the given labelled sets is segmented as it is and under changes that a microscopist
makes without a thought: another magnification, a turned or mirrored specimen, the other contrast,
another brightness, more noise, less focus, light that falls off, strong JPEG, 16 bits, a smaller
field. The truth goes through the same change. ``kept_...`` is the mean score under the change over
that of the images as they are: 1, nothing is lost; what is worse than that is where the frozen
configuration hangs on the settings of a microscope.

    python benchmarks/robustness.py path/to/sets/nbs2 --quick
    python benchmarks/robustness.py path/to/sets/* --split validation --images 8 --json found.json
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from nital.errors import NitalError
from nital.evaluation.datasets import Dataset, read_dataset
from nital.evaluation.methods import parse_methods, run_method, score
from nital.io import read
from nital.micrograph import Micrograph

KEYS = {"boundaries": "ari", "instances": "ap50", "layers": "iou_mean", "phases": "iou_mean"}
IMAGES = 8
LEAST_SIDE = 96  # pixels; changes that leave less are left out
QUICK = ("as it is", "half", "turned")
SEED = 11
Grey = NDArray[np.float32]
Labels = NDArray[np.int32]


@dataclass(frozen=True)
class Taken:
    """One image with its truth, grey levels 0...1, and the pixels of the first image per pixel."""

    grey: Grey
    truth: Labels
    boundaries: bool
    factor: float = 1.0


def resized(taken: Taken, factor: float) -> Taken:
    """At another magnification: means of the pixels covered, or a cubic spline between them."""
    size = (round(taken.grey.shape[1] * factor), round(taken.grey.shape[0] * factor))
    way = Image.Resampling.BOX if factor < 1 else Image.Resampling.BICUBIC
    grey = np.clip(np.asarray(Image.fromarray(taken.grey).resize(size, way)), 0, 1)
    if taken.boundaries and factor < 1:  # thin lines would be lost between nearest pixels
        lines = Image.fromarray((taken.truth > 0).astype(np.float32))
        truth = (np.asarray(lines.resize(size, Image.Resampling.BOX)) > 0.25).astype(np.int32)
    else:
        truth = np.asarray(Image.fromarray(taken.truth).resize(size, Image.Resampling.NEAREST))
    return replace(taken, grey=grey, truth=truth, factor=taken.factor * factor)


def turned(taken: Taken) -> Taken:
    """By a quarter, and mirrored."""
    each = (np.ascontiguousarray(np.rot90(a)[::-1]) for a in (taken.grey, taken.truth))
    grey, truth = each
    return replace(taken, grey=grey, truth=truth)


def middle(taken: Taken) -> Taken:
    """The middle half of the rows and columns."""
    rows, columns = (slice(n // 4, n - n // 4) for n in taken.grey.shape)
    return replace(taken, grey=taken.grey[rows, columns], truth=taken.truth[rows, columns])


def with_grey(change: Callable[[Grey], Grey]) -> Callable[[Taken], Taken]:
    """Of the grey levels alone."""
    return lambda taken: replace(taken, grey=np.clip(change(taken.grey), 0, 1).astype(np.float32))


def noisy(grey: Grey) -> Grey:
    """Gaussian noise of 8 % of the full scale."""
    return grey + np.random.default_rng(SEED).normal(0, 0.08, grey.shape).astype(np.float32)


def uneven(grey: Grey) -> Grey:
    """Light that falls off from one corner to the other by half."""
    rows, columns = np.meshgrid(*(np.linspace(0, 0.5, n) for n in grey.shape), indexing="ij")
    return grey * (1 - (rows + columns) / 2).astype(np.float32)


def compressed(grey: Grey) -> Grey:
    """As JPEG of quality 30."""
    stored = io.BytesIO()
    Image.fromarray(np.round(grey * 255).astype(np.uint8)).save(stored, "JPEG", quality=30)
    return np.asarray(Image.open(stored), dtype=np.float32) / 255


CHANGES: dict[str, Callable[[Taken], Taken]] = {
    "as it is": lambda taken: taken,
    "third": lambda taken: resized(taken, 1 / 3),
    "half": lambda taken: resized(taken, 0.5),
    "0.7x": lambda taken: resized(taken, 0.7),
    "1.5x": lambda taken: resized(taken, 1.5),
    "double": lambda taken: resized(taken, 2.0),
    "turned": turned,
    "middle": middle,
    "inverted": with_grey(lambda grey: 1 - grey),
    "dark": with_grey(lambda grey: grey**2),
    "light": with_grey(lambda grey: grey**0.5),
    "flat": with_grey(lambda grey: 0.4 + 0.2 * grey),
    "noise": with_grey(noisy),
    "blurred": with_grey(lambda grey: ndimage.gaussian_filter(grey, 1.5)),
    "uneven": with_grey(uneven),
    "jpeg": with_grey(compressed),
}


def main() -> None:
    """Measure, print a table to the standard error stream and one JSON object at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sets", nargs="+", type=Path, help="folders with labelled micrographs")
    parser.add_argument("--split", default="all", help="part of each set (all)")
    parser.add_argument("--images", type=int, default=IMAGES, help="images a set, evenly drawn")
    parser.add_argument("--method", default="compact", help="what segments (compact)")
    parser.add_argument("--changes", help=f"names with commas between, of {', '.join(CHANGES)}")
    parser.add_argument("--quick", action="store_true", help=f"{', '.join(QUICK)}; one image")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="also draw every result")
    given = parser.parse_args()
    asked = QUICK if given.quick else tuple((given.changes or ",".join(CHANGES)).split(","))
    names = tuple(dict.fromkeys(("as it is", *asked)))
    table = {}
    for folder in given.sets:
        dataset = read_dataset(folder)
        if dataset.task not in KEYS:
            continue
        rows = run_set(dataset, given, names)
        table[folder.name] = {
            name: round(float(np.mean([row[name] for row in rows if name in row])), 4)
            for name in names
            if any(name in row for row in rows)
        }
        print(f"== {folder.name} {table[folder.name]}", file=sys.stderr)
    result = {"benchmark": "robustness", "method": given.method, "scores": table} | kept(table)
    text = json.dumps(result, indent=1)
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")
    print(text)


def run_set(
    dataset: Dataset, given: argparse.Namespace, names: tuple[str, ...]
) -> list[dict[str, float]]:
    """The score of every image under every change."""
    samples = dataset.split(given.split)
    wanted = min(1 if given.quick else given.images, len(samples))
    rows = []
    for index in np.linspace(0, len(samples) - 1, wanted).round().astype(int):
        sample = samples[index]
        pixels = read(sample.image).pixels.astype(np.float32)
        grey = pixels if pixels.ndim == 2 else pixels.mean(axis=-1)
        truth = dataset.read_truth(sample, grey.shape)
        first = Taken(grey / max(255.0, float(grey.max())), truth, dataset.task == "boundaries")
        rows.append({})
        for name in names:
            value = run_one(CHANGES[name](first), dataset, given, f"{sample.name}-{name}")
            if value is not None:
                rows[-1][name] = value
        print(sample.name, {k: round(v, 3) for k, v in rows[-1].items()}, file=sys.stderr)
    return rows


def run_one(taken: Taken, dataset: Dataset, given: argparse.Namespace, name: str) -> float | None:
    """One score; ``None`` where the image has become too small, 0 where it is refused."""
    if min(taken.grey.shape) < LEAST_SIDE:
        return None
    micrograph = Micrograph(np.round(taken.grey * 255).astype(np.uint8), name=name)
    own = replace(dataset, tolerance=max(1.0, dataset.tolerance * taken.factor))
    try:
        result = run_method(micrograph, parse_methods(given.method)[0], own)
    except NitalError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 0.0
    if given.pictures is not None:
        draw(given.pictures, name, micrograph.pixels, result, taken.truth)
    return score(taken.truth, result, own)[KEYS[dataset.task]]


def draw(folder: Path, name: str, grey: NDArray[np.uint8], result: object, truth: Labels) -> None:
    """Micrograph, result and truth side by side."""
    phases = getattr(result, "phases", None)
    labels = result.labels if phases is None else phases
    picture = [np.stack([grey] * 3, axis=-1) for _ in range(3)]
    for part, drawn, colour in ((1, labels, (255, 40, 40)), (2, truth, (40, 220, 40))):
        edges = (ndimage.grey_dilation(drawn, 3) != drawn) | (
            drawn != ndimage.grey_erosion(drawn, 3)
        )
        picture[part][edges] = colour
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(picture, axis=1)).save(folder / f"{name}.png")


def kept(table: dict[str, dict[str, float]]) -> dict[str, float]:
    """Score under each change over that as it is: mean over the sets."""
    names = sorted({name for row in table.values() for name in row} - {"as it is"})
    found = {}
    for name in names:
        shares = [row[name] / max(row["as it is"], 1e-3) for row in table.values() if name in row]
        found["kept_" + name.replace(" ", "_")] = round(float(np.mean(shares)), 3)
    return found


if __name__ == "__main__":
    main()
