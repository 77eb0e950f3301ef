"""Open Microscopy: label images as OME-TIFF, and as labels of an OME-Zarr image."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.errors import InputError, MissingExtraError, OutputError
from nital.exchange.field import LabelField
from nital.exchange.json_files import reporting
from nital.io import atomic_write
from nital.micrograph import PixelSize

__all__ = ["read_ome_zarr", "write_ome_tiff", "write_ome_zarr"]

_VERSION = "0.4"
_AXES = [
    {"name": "y", "type": "space"},
    {"name": "x", "type": "space"},
]
_CHUNK = 1024


def write_ome_tiff(path: Path, fields: Sequence[LabelField]) -> None:
    """Write the label image of one field as OME-TIFF, with its pixel size."""
    (field,) = fields
    metadata: dict[str, Any] = {"axes": "YX", "Name": field.name}
    if field.pixel_size is not None:
        for axis in "XY":
            metadata[f"PhysicalSize{axis}"] = field.pixel_size.value
            metadata[f"PhysicalSize{axis}Unit"] = "µm"

    def write(temporary: Path) -> None:
        import tifffile

        tifffile.imwrite(
            temporary,
            field.labels,
            ome=True,
            photometric="minisblack",
            compression="zlib",
            metadata=metadata,
        )

    atomic_write(path, write)


def _zarr() -> Any:
    try:
        import zarr
    except ImportError as error:
        raise MissingExtraError(
            'OME-Zarr needs the extra "scale": pip install "nital[scale]"'
        ) from (error)
    return zarr


def write_ome_zarr(path: Path, fields: Sequence[LabelField]) -> None:
    """Write one field as an image of OME-Zarr 0.4 with its labels.

    The image itself is the phase map, or where labels are, if there is none; under ``labels/`` are
    ``objects`` and, if known, ``phases``.

    Raises
    ------
    MissingExtraError
        zarr is not installed.
    OutputError
        The folder cannot be written; a new one does not appear.
    """
    (field,) = fields
    zarr = _zarr()
    temporary = path.with_name(f".{path.name[:80]}-{secrets.token_hex(4)}.part")
    shown = (field.labels > 0).astype(np.uint8) if field.phases is None else field.phases
    try:
        root = zarr.open_group(str(temporary), mode="w", zarr_format=2)
        _write_image(root, shown, field)
        images: dict[str, NDArray[Any]] = {"objects": field.labels}
        if field.phases is not None:
            images["phases"] = field.phases
        labels = root.create_group("labels")
        labels.attrs["labels"] = list(images)
        for name, image in images.items():
            group = labels.create_group(name)
            _write_image(group, image, field)
            group.attrs["image-label"] = {"version": _VERSION, "source": {"image": "../../"}}
        if path.exists():
            shutil.rmtree(path)
        temporary.rename(path)
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"{path}: cannot be written, {reason}; choose another folder") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_image(group: Any, image: NDArray[Any], field: LabelField) -> None:
    side = 1.0 if field.pixel_size is None else field.pixel_size.value
    unit = {} if field.pixel_size is None else {"unit": "micrometer"}
    chunks = tuple(min(length, _CHUNK) for length in image.shape)
    array = group.create_array(
        "0",
        shape=image.shape,
        dtype=image.dtype,
        chunks=chunks,
        chunk_key_encoding={"name": "v2", "separator": "/"},
    )
    array[:] = image
    group.attrs["multiscales"] = [
        {
            "version": _VERSION,
            "name": field.name,
            "axes": [axis | unit for axis in _AXES],
            "datasets": [
                {
                    "path": "0",
                    "coordinateTransformations": [{"type": "scale", "scale": [side, side]}],
                }
            ],
        }
    ]


def read_ome_zarr(path: Path) -> tuple[LabelField, ...]:
    """Read the labels of an image: those named ``objects``, or the only ones, and ``phases``.

    Raises
    ------
    InputError
        The folder holds no labels, several to choose from, or something else than one plane.
    MissingExtraError
        zarr is not installed.
    """
    zarr = _zarr()
    with reporting(path, "an OME-Zarr image"):
        try:
            root = zarr.open_group(str(path), mode="r")
            found = _metadata(root["labels"])["labels"] if "labels" in root else []
        except (FileNotFoundError, KeyError) as error:
            raise InputError(f"{path}: is not OME-Zarr ({error}); export it again") from error
        names = [name for name in found if name != "phases"]
        if "objects" not in names and len(names) != 1:
            raise InputError(
                f"{path}: holds {len(names)} label images; give one with labels named 'objects'"
            )
        chosen = root[f"labels/{'objects' if 'objects' in names else names[0]}"]
        labels, scale, name = _read_image(chosen, path)
        phases = None
        if "phases" in found:
            phases = _read_image(root["labels/phases"], path)[0].astype(np.uint8)
        return (LabelField(name or path.name.partition(".")[0], labels, phases, scale),)


def _metadata(group: Any) -> dict[str, Any]:
    """Attributes of OME, which version 0.5 keeps under a key of their own."""
    attributes = dict(group.attrs)
    return dict(attributes.get("ome", attributes))


def _read_image(group: Any, path: Path) -> tuple[NDArray[np.int32], PixelSize | None, str]:
    scales = _metadata(group)["multiscales"][0]
    largest = scales["datasets"][0]
    values = np.asarray(group[largest["path"]])
    while values.ndim > 2 and values.shape[0] == 1:
        values = values[0]
    if values.ndim != 2 or values.size == 0 or values.dtype.kind not in "iu":
        raise InputError(
            f"{path}: labels of shape {values.shape} and type {values.dtype} are not one plane of "
            "whole numbers; export a single image"
        )
    if int(values.min()) < 0 or int(values.max()) >= 1 << 31:
        raise InputError(f"{path}: labels must lie between 0 and 2147483647; renumber them")
    unit = scales["axes"][-1].get("unit") if "axes" in scales else None
    steps = next(
        (t["scale"] for t in largest.get("coordinateTransformations", ()) if t["type"] == "scale"),
        None,
    )
    return values.astype(np.int32), _side(steps, unit), str(scales.get("name") or "")


def _side(steps: Sequence[float] | None, unit: str | None) -> PixelSize | None:
    """Side of a pixel, if it is a square of known size."""
    from nital.io.units import to_micrometres

    if steps is None or unit is None or abs(steps[-1] / steps[-2] - 1.0) > 0.01:
        return None
    value = to_micrometres(float(steps[-1]), unit)
    return None if value is None else PixelSize(value, "OME-Zarr scale")
