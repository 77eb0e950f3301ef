"""Sets of label images of the same micrographs: annotators, methods, or runs of Nital."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nital.errors import InputError, UsageError
from nital.io import IMAGE_SUFFIXES, read_labels, read_pixel_size
from nital.micrograph import PixelSize

__all__ = ["LabelSet", "common_images", "find_sets", "read_image"]

SECONDS_FILE = "seconds.csv"


@dataclass(frozen=True)
class LabelSet:
    """Label images of one annotator or method.

    Parameters
    ----------
    name
        How tables and plots call it.
    files
        Label image of each micrograph, by the micrograph's stem.
    seconds
        Seconds that each image took, where known.
    """

    name: str
    files: dict[str, Path]
    seconds: dict[str, float]


def find_sets(paths: Sequence[Path], names: Sequence[str] | None = None) -> tuple[LabelSet, ...]:
    """Find the label images of each set.

    Parameters
    ----------
    paths
        For each set the folder of a ``nital segment`` run, a folder of label images, or one label
        image. Seconds are read from ``run.json`` of a run, or from ``seconds.csv`` with the
        columns ``image`` and ``seconds``.
    names
        Names of the sets; those of the folders when left out.

    Raises
    ------
    UsageError
        Fewer than two sets, or names that are too few or not all different.
    InputError
        A path does not exist or holds no label image.
    """
    if len(paths) < 2:
        raise UsageError("name at least two label sets to compare")
    if names is None:
        names = _different_names(paths)
    if len(names) != len(paths) or len(set(names)) != len(names):
        raise UsageError(
            f"--names needs {len(paths)} different names, one for each set, not {', '.join(names)}"
        )
    return tuple(_find_set(path, name) for path, name in zip(paths, names, strict=True))


def _different_names(paths: Sequence[Path]) -> list[str]:
    """Names of the folders or files, with as many parents as it takes to tell them apart."""
    parts = [path.absolute().with_suffix("").parts for path in paths]
    for depth in range(1, max(len(p) for p in parts) + 1):
        names = ["/".join(p[-depth:]) for p in parts]
        if len(set(names)) == len(names):
            return names
    raise UsageError(f"{paths[0]} is named twice; name label sets that differ")


def _find_set(path: Path, name: str) -> LabelSet:
    if path.is_file():
        return LabelSet(name, {path.stem: path}, {})
    if not path.is_dir():
        raise InputError(f"{path}: there is no such file or folder; name label images")
    of_run = {p.parent.name: p for p in sorted(path.glob("*/labels.tif"))}
    files = of_run or {
        p.stem: p
        for p in sorted(path.iterdir())
        if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")
    }
    if not files:
        raise InputError(
            f"{path}: holds neither label images nor results of nital segment; name their folder"
        )
    return LabelSet(name, files, _seconds(path))


def _seconds(folder: Path) -> dict[str, float]:
    """Seconds of each image, from the record of a run or a table beside the labels."""
    record, table = folder / "run.json", folder / SECONDS_FILE
    try:
        if record.exists():
            inputs = json.loads(record.read_text(encoding="utf-8"))["inputs"]
            return {i["folder"]: float(i["seconds"]) for i in inputs if i["folder"]}
        if table.exists():
            with table.open(encoding="utf-8", newline="") as lines:
                return {Path(r["image"]).stem: float(r["seconds"]) for r in csv.DictReader(lines)}
    except (OSError, ValueError, KeyError, TypeError) as error:
        broken = record if record.exists() else table
        raise InputError(
            f"{broken}: seconds cannot be read from it ({error}); correct or remove it"
        ) from error
    return {}


def common_images(sets: Sequence[LabelSet]) -> tuple[str, ...]:
    """Stems of the images that at least two sets have, sorted.

    Single files are taken for the same image, whatever their names.

    Raises
    ------
    InputError
        No image is in two sets.
    """
    counts: dict[str, int] = {}
    for each in sets:
        for stem in each.files:
            counts[stem] = counts.get(stem, 0) + 1
    common = tuple(sorted(stem for stem, count in counts.items() if count > 1))
    if not common:
        examples = ", ".join(f"{each.name}: {next(iter(each.files))}" for each in sets)
        raise InputError(
            f"no image is in two of the sets ({examples}); label images of one micrograph must"
            " have the same name"
        )
    return common


def read_image(
    sets: Sequence[LabelSet], stem: str
) -> tuple[dict[str, NDArray[np.int32]], PixelSize | None, tuple[str, ...]]:
    """Labels of one image by set, their pixel size if any file has it, and warnings.

    Raises
    ------
    InputError
        A file cannot be read, or sizes differ.
    """
    labels: dict[str, NDArray[np.int32]] = {}
    scale: PixelSize | None = None
    warnings: list[str] = []
    for each in sets:
        if stem not in each.files:
            warnings.append(f"{stem}: {each.name} has no labels of it")
            continue
        path = each.files[stem]
        labels[each.name] = read_labels(path)
        first = next(iter(labels.values()))
        if labels[each.name].shape != first.shape:
            raise InputError(
                f"{path} has {labels[each.name].shape} pixels and the labels of"
                f" {next(iter(labels))} {first.shape}; compare labels of the same image"
            )
        found, _ = read_pixel_size(path)
        if found and scale and abs(found.value / scale.value - 1) > 1e-3:
            warnings.append(
                f"{stem}: pixel sizes differ, {scale.value:g} um and {found.value:g} um in"
                f" {each.name}; the first is used"
            )
        scale = scale or found
    return labels, scale, tuple(warnings)
