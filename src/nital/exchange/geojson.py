"""GeoJSON as QuPath reads and writes it: one feature for each object."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nital.errors import InputError
from nital.exchange.field import LabelField, compose, object_phases, phase_image
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
from nital.exchange.outlines import Polygon, Ring, fill_rings, trace_outlines

__all__ = ["is_geojson", "read_geojson", "write_geojson"]

_OWN = "nital"
_KINDS = ("FeatureCollection", "Feature")


def write_geojson(path: Path, fields: Sequence[LabelField]) -> None:
    """Write one field: a Polygon, or a MultiPolygon where an object is in pieces, for each object.

    Coordinates are x, y in pixels from the top left corner of the image, as QuPath has them.
    """
    (field,) = fields
    phases = object_phases(field)
    features = [
        {
            "type": "Feature",
            "geometry": _geometry(polygons),
            "properties": {
                "objectType": "annotation",
                "name": str(label),
                **(
                    {"classification": {"name": phase_name(phases[label])}} if phases[label] else {}
                ),
            },
        }
        for label, polygons in trace_outlines(field.labels).items()
    ]
    own: dict[str, Any] = {"name": field.name, "shape": list(field.shape)}
    if field.pixel_size is not None:
        own[PIXEL_SIZE] = field.pixel_size.value
    write_json(path, {"type": "FeatureCollection", _OWN: own, "features": features})


def _geometry(polygons: Sequence[Polygon]) -> dict[str, Any]:
    parts = [[_closed(ring) for ring in (p.outer, *p.holes)] for p in polygons]
    if len(parts) == 1:
        return {"type": "Polygon", "coordinates": parts[0]}
    return {"type": "MultiPolygon", "coordinates": parts}


def _closed(ring: Ring) -> list[list[int]]:
    whole = np.concatenate([ring, ring[:1]]).astype(int)
    return whole.tolist()  # type: ignore[no-any-return]


def is_geojson(content: Any) -> bool:
    """Whether parsed JSON is a feature, a collection, or a plain list of features."""
    if isinstance(content, list):
        return bool(content) and all(is_geojson(entry) for entry in content[:3])
    return isinstance(content, dict) and content.get("type") in _KINDS


def read_geojson(path: Path, shape: tuple[int, int] | None = None) -> tuple[LabelField, ...]:
    """Read polygons as objects; other geometries are left out with a warning.

    Parameters
    ----------
    path
        The file.
    shape
        (H, W) of the image, which GeoJSON does not tell; not needed for what Nital wrote.

    Raises
    ------
    InputError
        The file is not GeoJSON, or nothing tells how large the image is.
    """
    content = load_json(path)
    with reporting(path, "GeoJSON"):
        own = content.get(_OWN, {}) if isinstance(content, dict) else {}
        features = _features(content)
        size = tuple(int(side) for side in own["shape"]) if "shape" in own else shape
        if size is None or len(size) != 2 or min(size) < 1:
            raise InputError(
                f"{path}: does not say how large the image is; give it by --micrograph"
            )
        masks, wanted, phases, left_out = [], [], [], 0
        for feature in features:
            geometry = feature.get("geometry") or {}
            parts = _parts(geometry)
            if parts is None:
                left_out += 1
                continue
            pieces = [fill_rings([ring_of(r) for r in part], (size[0], size[1])) for part in parts]
            masks.append(np.unique(np.concatenate(pieces)))
            properties = feature.get("properties") or {}
            wanted.append(number_in(properties.get("name")))
            kind = properties.get("classification") or {}
            phases.append(phase_in(kind.get("name")))
        labels, numbers, warnings = compose((size[0], size[1]), masks, wanted, str(path))
        if left_out:
            warnings += (f"{path}: {left_out} features are not polygons and were left out",)
        image = phase_image(labels, dict(zip(numbers, phases, strict=True)))
        name = str(own.get("name", path.stem))
        return (LabelField(name, labels, image, stated_pixel_size(own, path), warnings),)


def _features(content: Any) -> list[Any]:
    if isinstance(content, list):
        return [feature for entry in content for feature in _features(entry)]
    if content["type"] == "FeatureCollection":
        return list(content["features"])
    return [content]


def _parts(geometry: dict[str, Any]) -> list[Any] | None:
    if geometry.get("type") == "Polygon":
        return [geometry["coordinates"]]
    if geometry.get("type") == "MultiPolygon":
        return list(geometry["coordinates"])
    return None
