"""How near linear imaging comes to multislice on the same simulated cross-sections.

Each slab is imaged by frozen-phonon multislice (abTEM, extra ``stem``) and by the linear
approximation that makes Nital's training images. Reported are the correlation of the two with the
usual exponent and probe, that with those that fit best, the contrast that multislice keeps of the
linear one at its best, and for each pair of materials the ratio of their mean signals.

    python benchmarks/stem_multislice.py --quick
    python benchmarks/stem_multislice.py --thickness 80 --json multislice.json --picture slabs.png
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.pop(0)  # benchmarks/coverage.py would hide a module that numba looks for

import numpy as np
from numpy.typing import NDArray

from nital.simulate.multislice import (
    Layer,
    Microscope,
    Slab,
    build_slab,
    linear_image,
    multislice_image,
)
from nital.simulate.stem_image import Optics

Field = NDArray[np.float32]
PIXEL = 0.25
WIDTH = 15.0
SLABS = (
    (Layer("SrTiO3", 4),),
    (Layer("Ge", 3),),
    (Layer("Si", 3), Layer("Ge", 3)),
    (Layer("SrTiO3", 4), Layer("LaMnO3", 2)),
)
EXPONENTS = np.arange(1.0, 2.21, 0.1)
PROBES = np.arange(0.3, 0.91, 0.05)
EDGE = 0.25  # of a layer beside its interfaces that does not count to its mean


def main() -> None:
    """Image every slab both ways, print a table and one JSON object at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one thin slab of SrTiO3")
    parser.add_argument("--thickness", type=float, default=80.0, metavar="A", help="of the foil")
    parser.add_argument("--configurations", type=int, default=2, metavar="N", help="of phonons")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    parser.add_argument("--picture", type=Path, metavar="PATH", help="both images of every slab")
    arguments = parser.parse_args()
    slabs = SLABS[:1] if arguments.quick else SLABS
    thickness = 15.0 if arguments.quick else arguments.thickness
    count = 1 if arguments.quick else arguments.configurations
    rows, pictures = [], []
    for layers in slabs:
        slab = build_slab(layers, WIDTH, thickness)
        start, busy = time.perf_counter(), time.process_time()
        image = multislice_image(slab, PIXEL, Microscope(configurations=count))
        seconds, cpu = time.perf_counter() - start, time.process_time() - busy
        row, linear = compare(slab, image)
        row |= {"atoms": len(slab.numbers), "seconds": round(seconds, 1), "cpu": round(cpu, 1)}
        rows.append(row)
        pictures.append((image / image.mean(), linear))
        print(row, file=sys.stderr, flush=True)
    result = {
        "benchmark": "stem_multislice",
        "thickness": thickness,
        "configurations": count,
        "pixel": PIXEL,
        "rows": rows,
    }
    if arguments.picture is not None:
        draw(arguments.picture, pictures)
    text = json.dumps(result)
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)


def compare(slab: Slab, image: Field) -> tuple[dict[str, Any], Field]:
    """Figures of one slab, and its linear image of best fit, mean 1."""
    usual = Optics()
    shape = (image.shape[0], image.shape[1])
    plain = linear_image(slab, shape, exponent=usual.exponent, probe=usual.probe)
    fits = {
        (float(n), float(p)): correlation(image, linear_image(slab, shape, exponent=n, probe=p))
        for n in EXPONENTS
        for p in PROBES
    }
    exponent, probe = max(fits, key=lambda key: fits[key])
    best = linear_image(slab, shape, exponent=exponent, probe=probe)
    relative = image / image.mean()
    slope = float(np.polyfit(best.ravel(), relative.ravel(), 1)[0])
    row = {
        "materials": list(slab.materials),
        "correlation": round(correlation(image, plain), 4),
        "best_correlation": round(fits[exponent, probe], 4),
        "best_exponent": round(exponent, 2),
        "best_probe": round(probe, 2),
        "contrast_kept": round(slope, 3),
        "mean_ratios": [],
        "mean_ratios_linear": [],
    }
    for low, high in pairwise(range(len(slab.tops))):
        row["mean_ratios"].append(round(mean_ratio(slab, image, low, high), 3))
        row["mean_ratios_linear"].append(round(mean_ratio(slab, plain, low, high), 3))
    return row, best


def correlation(first: Field, second: Field) -> float:
    """Pearson's, over the pixels."""
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def mean_ratio(slab: Slab, image: Field, low: int, high: int) -> float:
    """Mean signal inside the upper material over that inside the lower one."""
    floors = (0.0, *slab.tops)
    means = []
    for number in (low, high):
        bottom, top = floors[number], slab.tops[number]
        margin = EDGE * (top - bottom)
        scale = image.shape[0] / slab.size[1]
        first = round((slab.size[1] - top + margin) * scale)
        last = round((slab.size[1] - bottom - margin) * scale)
        means.append(float(image[first:last].mean()))
    return means[1] / means[0]


def draw(path: Path, pictures: list[tuple[Field, Field]]) -> None:
    """Multislice above, linear below, each stretched alike."""
    from PIL import Image

    tallest = max(image.shape[0] for image, _ in pictures)
    columns = []
    for pair in pictures:
        high = max(float(np.percentile(each, 99.8)) for each in pair)
        cells = []
        for each in pair:
            grey = np.clip(each / high * 255, 0, 255).astype(np.uint8)
            cells.append(np.pad(grey, ((0, tallest - len(grey) + 4), (0, 4))))
        columns.append(np.concatenate(cells))
    image = Image.fromarray(np.concatenate(columns, axis=1))
    image.resize((image.width * 3, image.height * 3), Image.Resampling.BICUBIC).save(path)


if __name__ == "__main__":
    main()
