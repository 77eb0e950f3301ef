"""COCO: objects as run lengths or polygons in one JSON file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.exchange.field import LabelField, compose, flat_runs, object_phases, phase_image
from nital.exchange.json_files import (
    PIXEL_SIZE,
    load_json,
    phase_in,
    phase_name,
    reporting,
    ring_of,
    stated_pixel_size,
    write_json,
)
from nital.exchange.outlines import fill_rings, join_holes, trace_outlines
from nital.exchange.rle import coco_counts, coco_text, counts_from_text, mask_from_counts

__all__ = ["read_coco", "write_coco", "write_coco_polygons"]

UNNAMED = 1


def write_coco(path: Path, fields: Sequence[LabelField]) -> None:
    """Write objects as compressed run lengths, which keep every pixel."""
    write_json(path, _content(fields, polygons=False))


def write_coco_polygons(path: Path, fields: Sequence[LabelField]) -> None:
    """Write objects as polygons along the pixel sides; holes are reached by cuts of no width."""
    write_json(path, _content(fields, polygons=True))


def _content(fields: Sequence[LabelField], polygons: bool) -> dict[str, Any]:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    categories: set[tuple[int, str]] = set()
    for number, field in enumerate(fields, start=1):
        height, width = field.shape
        image = {"id": number, "file_name": field.name, "height": height, "width": width}
        if field.pixel_size is not None:
            image[PIXEL_SIZE] = field.pixel_size.value
        images.append(image)
        phases = object_phases(field)
        segments = _polygons(field) if polygons else _runs(field)
        boxes, areas = _boxes(field.labels)
        for label, segment in segments.items():
            category = phases[label] or UNNAMED
            categories.add((category, phase_name(phases[label])))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "label": label,
                    "image_id": number,
                    "category_id": category,
                    "segmentation": segment,
                    "area": areas[label],
                    "bbox": boxes[label],
                    "iscrowd": 0,
                }
            )
    kinds = [{"id": key, "name": name, "supercategory": ""} for key, name in sorted(categories)]
    return {"images": images, "annotations": annotations, "categories": kinds}


def _runs(field: LabelField) -> dict[int, Any]:
    size = field.labels.size
    return {
        runs.label: {"size": list(field.shape), "counts": coco_text(coco_counts(runs, size))}
        for runs in flat_runs(field.labels, "F")
    }


def _polygons(field: LabelField) -> dict[int, Any]:
    return {
        label: [join_holes(polygon).ravel().tolist() for polygon in polygons]
        for label, polygons in trace_outlines(field.labels).items()
    }


def _boxes(labels: NDArray[np.int32]) -> tuple[dict[int, list[int]], dict[int, int]]:
    """x, y, width and height of the box of each object, and its area."""
    boxes, areas = {}, {}
    width = labels.shape[1]
    for runs in flat_runs(labels, "C"):
        rows, cols = np.divmod(runs.start, width)
        last = np.divmod(runs.start + runs.length - 1, width)
        wraps = bool((last[0] > rows).any())
        left = 0 if wraps else int(cols.min())
        right = width if wraps else int(last[1].max()) + 1
        top, bottom = int(rows.min()), int(last[0].max()) + 1
        boxes[runs.label] = [left, top, right - left, bottom - top]
        areas[runs.label] = int(runs.length.sum())
    return boxes, areas


def read_coco(path: Path) -> tuple[LabelField, ...]:
    """Read the objects of every image of a COCO file; crowds are objects like others.

    Raises
    ------
    InputError
        The file is not COCO with masks.
    """
    content = load_json(path)
    with reporting(path, "a COCO file"):
        by_image: dict[Any, list[Any]] = {image["id"]: [] for image in content["images"]}
        for annotation in content["annotations"]:
            by_image[annotation["image_id"]].append(annotation)
        names = {kind["id"]: str(kind["name"]) for kind in content.get("categories", ())}
        return tuple(_read_image(path, i, by_image[i["id"]], names) for i in content["images"])


def _read_image(
    path: Path, image: dict[str, Any], annotations: list[Any], names: dict[Any, str]
) -> LabelField:
    shape = int(image["height"]), int(image["width"])
    if min(shape) < 1:
        raise ValueError(f"an image of {shape} pixels")
    masks = [_mask(entry["segmentation"], shape) for entry in annotations]
    wanted = [entry.get("label", entry.get("id")) for entry in annotations]
    labels, numbers, warnings = compose(shape, masks, wanted, str(path))
    kinds = [names.get(entry["category_id"], "") for entry in annotations]
    phases = phase_image(labels, dict(zip(numbers, map(phase_in, kinds), strict=True)))
    size = stated_pixel_size(image, path)
    name = Path(str(image.get("file_name") or path.stem)).stem
    return LabelField(name, labels, phases, size, warnings)


def _mask(segment: Any, shape: tuple[int, int]) -> NDArray[np.int64]:
    if isinstance(segment, dict):
        counts = segment["counts"]
        if tuple(segment["size"]) != shape:
            raise ValueError("run lengths of another size than their image")
        return mask_from_counts(
            counts_from_text(counts) if isinstance(counts, str) else counts, shape
        )
    parts = [fill_rings([ring_of(points)], shape) for points in segment]
    return np.unique(np.concatenate(parts)) if parts else np.zeros(0, dtype=np.int64)
