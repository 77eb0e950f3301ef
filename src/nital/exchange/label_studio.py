"""Label Studio: brushes, and polygons, of the tasks of a JSON export."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.errors import InputError
from nital.exchange.field import LabelField, compose, flat_runs, object_phases, phase_image
from nital.exchange.json_files import (
    PIXEL_SIZE,
    load_json,
    number_in,
    phase_in,
    phase_name,
    reporting,
    ring_of,
    stated_pixel_size,
    write_json,
)
from nital.exchange.outlines import fill_rings
from nital.exchange.rle import brush_from_runs, mask_from_brush

__all__ = ["is_label_studio", "read_label_studio", "write_label_studio"]

_PREFIX = "object-"


def write_label_studio(path: Path, fields: Sequence[LabelField]) -> None:
    """Write one task for each field, its objects as brushes of a prediction to be reviewed."""
    write_json(path, [_task(number, field) for number, field in enumerate(fields, start=1)])


def _task(number: int, field: LabelField) -> dict[str, Any]:
    height, width = field.shape
    phases = object_phases(field)
    results = [
        {
            "id": f"{_PREFIX}{runs.label}",
            "type": "brushlabels",
            "from_name": "label",
            "to_name": "image",
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": {
                "format": "rle",
                "rle": brush_from_runs(runs, field.labels.size),
                "brushlabels": [phase_name(phases[runs.label])],
            },
        }
        for runs in flat_runs(field.labels, "C")
    ]
    meta: dict[str, Any] = {"name": field.name, "shape": [height, width]}
    if field.pixel_size is not None:
        meta[PIXEL_SIZE] = field.pixel_size.value
    prediction = {"model_version": "nital", "result": results}
    return {
        "id": number,
        "data": {"image": field.name},
        "meta": meta,
        "annotations": [],
        "predictions": [prediction],
    }


def is_label_studio(content: Any) -> bool:
    """Whether parsed JSON is a task, or a list of them."""
    first = content[0] if isinstance(content, list) and content else content
    return (
        isinstance(first, dict)
        and bool({"annotations", "predictions"} & set(first))
        and ("data" in first)
    )


def read_label_studio(path: Path) -> tuple[LabelField, ...]:
    """Read brushes and polygons: the newest annotation of each task, else its prediction.

    Raises
    ------
    InputError
        The file is no export of Label Studio, or a task without a size.
    """
    content = load_json(path)
    with reporting(path, "an export of Label Studio"):
        tasks = content if isinstance(content, list) else [content]
        return tuple(_read_task(path, task) for task in tasks)


def _read_task(path: Path, task: dict[str, Any]) -> LabelField:
    meta = task.get("meta") or {}
    answers = [a for a in task.get("annotations") or () if not a.get("was_cancelled")]
    answers = answers or list(task.get("predictions") or ())
    results = [r for r in (answers[-1]["result"] if answers else ()) if _kind(r)]
    image = str(next((v for v in task["data"].values() if isinstance(v, str)), path.stem))
    name = str(meta.get("name") or Path(image.partition("?")[0]).stem)
    if "shape" in meta:
        shape = int(meta["shape"][0]), int(meta["shape"][1])
    elif results:
        shape = int(results[0]["original_height"]), int(results[0]["original_width"])
    else:
        raise InputError(f"{path}: the task of {name} has no object, so its size is not known")
    masks = [_mask(result, shape) for result in results]
    wanted = [number_in(result.get("id"), _PREFIX) for result in results]
    labels, numbers, warnings = compose(shape, masks, wanted, str(path))
    kinds = [_phase(result) for result in results]
    phases = phase_image(labels, dict(zip(numbers, kinds, strict=True)))
    return LabelField(name, labels, phases, stated_pixel_size(meta, path), warnings)


def _kind(result: dict[str, Any]) -> str:
    kind = str(result.get("type", ""))
    value = result.get("value") or {}
    return kind if "rle" in value or "points" in value else ""


def _mask(result: dict[str, Any], shape: tuple[int, int]) -> NDArray[np.int64]:
    value = result["value"]
    if "rle" in value:
        return mask_from_brush(value["rle"], shape)
    share = ring_of(value["points"]) / 100.0
    return fill_rings([share * (shape[1], shape[0])], shape)


def _phase(result: dict[str, Any]) -> int:
    names = result["value"].get(_kind(result)) or ("",)
    return phase_in(names[0])
