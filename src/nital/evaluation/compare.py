"""``nital compare`` without the command line: label sets in, tables and a page out."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

import nital
from nital.errors import OutputError
from nital.evaluation.agreement import (
    Agreement,
    ImagePair,
    Sizes,
    SizeSummary,
    bland_altman,
    compare_image,
    image_sizes,
    summarise_sizes,
)
from nital.evaluation.compare_plots import differences_svg, sizes_svg
from nital.evaluation.label_sets import LabelSet, common_images, read_image
from nital.micrograph import PixelSize

__all__ = ["Comparison", "compare_sets", "write_comparison"]


@dataclass(frozen=True)
class Comparison:
    """Everything that ``nital compare`` reports.

    Parameters
    ----------
    sets
        What was compared.
    unit
        ``"um"``, or ``"px"`` where not every image has a pixel size.
    sizes
        Sizes by set and image.
    agreements
        Every two sets that have an image in common.
    warnings
        What is missing or contradicts itself.
    """

    sets: tuple[LabelSet, ...]
    unit: str
    sizes: dict[str, dict[str, Sizes]]
    agreements: tuple[Agreement, ...]
    warnings: tuple[str, ...]

    def summary_of(self, name: str) -> SizeSummary:
        """Sizes of one set over its images."""
        return summarise_sizes(list(self.sizes[name].values()))

    def seconds_of(self, each: LabelSet) -> float | None:
        """Mean seconds per image of one set over the images compared, where known."""
        known = [each.seconds[s] for s in self.sizes[each.name] if s in each.seconds]
        return float(np.mean(known)) if known else None


def compare_sets(
    sets: Sequence[LabelSet],
    pixel_size: PixelSize | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Comparison:
    """Compare label sets on the images that at least two of them have.

    Parameters
    ----------
    sets
        Two or more.
    pixel_size
        Of all images; what the files say when left out.
    progress
        Called with the images done and their number.

    Raises
    ------
    InputError
        No image is in two sets, a file cannot be read, or sizes in pixels differ.
    """
    stems = common_images(sets)
    sizes: dict[str, dict[str, Sizes]] = {each.name: {} for each in sets}
    pairs: dict[tuple[str, str], dict[str, ImagePair]] = {}
    scales: list[PixelSize | None] = []
    warnings: list[str] = []
    for done, stem in enumerate(stems):
        labels, scale, notes = read_image(sets, stem)
        warnings += notes
        scale = pixel_size or scale
        scales.append(scale)
        for name, image in labels.items():
            sizes[name][stem] = image_sizes(image)
            if sizes[name][stem].count == 0:
                warnings.append(f"{stem}: {name} holds no object")
        for first, second in combinations(labels, 2):
            found = compare_image(labels[first], labels[second])
            pairs.setdefault((first, second), {})[stem] = found
        if progress is not None:
            progress(done + 1, len(stems))
    known = [scale for scale in scales if scale is not None]
    unit = "um" if len(known) == len(stems) else "px"
    if known and unit == "px":
        warnings.append(
            f"{len(stems) - len(known)} of {len(stems)} images have no pixel size, so lengths are"
            " in pixels: give --pixel-size"
        )
    factor = dict(zip(stems, (s.value if s and unit == "um" else 1.0 for s in scales), strict=True))
    return Comparison(
        tuple(sets),
        unit,
        {n: {s: v.scaled(factor[s]) for s, v in of.items()} for n, of in sizes.items()},
        tuple(
            Agreement(*names, tuple(of), tuple(p.scaled(factor[s]) for s, p in of.items()))
            for names, of in pairs.items()
        ),
        tuple(warnings),
    )


def as_dict(comparison: Comparison) -> dict[str, Any]:
    """``compare.json``."""

    def figure(value: tuple[float, tuple[float, float] | None] | None) -> dict[str, Any] | None:
        return None if value is None else {"value": value[0], "ci95": value[1]}

    def set_row(each: LabelSet) -> dict[str, Any]:
        of = comparison.summary_of(each.name)
        return {
            "name": each.name,
            "images": of.images,
            "objects": of.objects,
            "measured": of.measured,
            "ecd_mean": figure(of.mean),
            "ecd_d10": figure(of.d10),
            "ecd_d50": figure(of.d50),
            "ecd_d90": figure(of.d90),
            "seconds_per_image": comparison.seconds_of(each),
        }

    def pair_row(pair: Agreement) -> dict[str, Any]:
        altman = bland_altman(*pair.diameters)
        median = pair.median_difference
        return {
            "first": pair.first,
            "second": pair.second,
            "images": len(pair.images),
            "aji_plus": {"value": pair.aji_plus.value, "ci95": pair.aji_plus.interval},
            "f1": {"value": pair.f1.value, "ci95": pair.f1.interval},
            "median_ecd_difference": None if math.isnan(median) else median,
            "matched": len(pair.diameters[0]),
            "bland_altman": altman
            and {
                "bias": altman.bias,
                "bias_ci95": altman.bias_interval,
                "limits": altman.limits,
                "limits_ci95": altman.limits_interval,
            },
        }

    return {
        "nital": nital.__version__,
        "unit": comparison.unit,
        "sets": [set_row(each) for each in comparison.sets],
        "agreement": [pair_row(pair) for pair in comparison.agreements],
        "warnings": list(comparison.warnings),
    }


def image_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """``compare.csv``: one row per image and pair of sets."""
    return [
        {
            "image": stem,
            "first": pair.first,
            "second": pair.second,
            "aji_plus": found.aji_plus,
            "f1": found.f1,
            "objects_first": comparison.sizes[pair.first][stem].count,
            "objects_second": comparison.sizes[pair.second][stem].count,
            "matched": len(found.first),
            "median_ecd_difference": found.median_difference,
        }
        for pair in comparison.agreements
        for stem, found in zip(pair.images, pair.pairs, strict=True)
    ]


def matched_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """``matched.csv``: one row per matched pair of objects."""
    return [
        {
            "image": stem,
            "first": pair.first,
            "second": pair.second,
            f"ecd_first_{comparison.unit}": one,
            f"ecd_second_{comparison.unit}": two,
        }
        for pair in comparison.agreements
        for stem, found in zip(pair.images, pair.pairs, strict=True)
        for one, two in zip(found.first.tolist(), found.second.tolist(), strict=True)
    ]


def write_comparison(out: Path, comparison: Comparison, command: str) -> None:
    """Write compare.json, compare.csv, matched.csv and compare.html, each whole or not at all.

    Raises
    ------
    OutputError
        The folder or a file cannot be written.
    """
    import pandas as pd

    from nital.io import atomic_write

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{out}: cannot be made ({error.strerror}); choose another folder with --out"
        ) from error
    facts = as_dict(comparison)
    texts = {
        "compare.json": json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        "compare.csv": pd.DataFrame(image_rows(comparison)).to_csv(
            index=False, float_format="%.6g", lineterminator="\n"
        ),
        "matched.csv": pd.DataFrame(matched_rows(comparison)).to_csv(
            index=False, float_format="%.8g", lineterminator="\n"
        ),
        "compare.html": _page(comparison, facts, command),
    }
    for name, text in texts.items():
        atomic_write(out / name, _writer(text))


def _writer(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text, encoding="utf-8")


def _page(comparison: Comparison, facts: dict[str, Any], command: str) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("nital.evaluation"), autoescape=True, undefined=StrictUndefined
    )
    pooled = {
        name: np.sort(np.concatenate([s.diameter for s in of.values()]))
        for name, of in comparison.sizes.items()
        if of
    }
    plots = [
        {
            "first": pair.first,
            "second": pair.second,
            "svg": differences_svg(*pair.diameters, comparison.unit),
        }
        for pair in comparison.agreements
        if len(pair.diameters[0])
    ]
    return environment.get_template("compare.html.j2").render(
        facts=facts,
        unit="µm" if comparison.unit == "um" else "px",
        command=command,
        sizes=sizes_svg(pooled, comparison.unit),
        plots=plots,
        images=image_rows(comparison),
    )
