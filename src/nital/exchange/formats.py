"""Which exchange formats there are, and how a file's format is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nital.errors import InputError
from nital.exchange.coco import read_coco, write_coco, write_coco_polygons
from nital.exchange.field import LabelField
from nital.exchange.geojson import is_geojson, read_geojson, write_geojson
from nital.exchange.imagej import read_imagej, write_imagej
from nital.exchange.json_files import load_json
from nital.exchange.label_studio import is_label_studio, read_label_studio, write_label_studio
from nital.exchange.ome import read_ome_zarr, write_ome_tiff, write_ome_zarr
from nital.exchange.other_tools import read_cellpose, read_ilastik
from nital.io import read_labels, read_pixel_size, write_label_tiff

__all__ = ["EXCHANGE_SUFFIXES", "FORMATS", "Format", "is_exchange_file", "read_fields"]

EXCHANGE_SUFFIXES = (".geojson", ".h5", ".hdf5", ".json", ".roi", ".zarr", ".zip")
_CELLPOSE = "_seg.npy"
# Endings that other tools add to the name of the image.
_ENDINGS = (
    "_cp_masks",
    "_masks",
    "_seg",
    "_rois",
    "_Simple Segmentation",
    "-image_Object Identities",
    "_Object Identities",
    "_Object-Identities",
    ".ome",
    ".coco",
    ".label-studio",
)


@dataclass(frozen=True)
class Format:
    """One format that Nital writes.

    Parameters
    ----------
    suffix
        Of its files.
    write
        Writes fields into one file.
    many
        Whether one file holds many fields.
    about
        What it is, in a few words.
    """

    suffix: str
    write: Callable[[Path, Sequence[LabelField]], None]
    many: bool
    about: str


def _write_labels(path: Path, fields: Sequence[LabelField]) -> None:
    (field,) = fields
    write_label_tiff(path, field.labels, field.pixel_size)


FORMATS = {
    "coco": Format(".coco.json", write_coco, True, "COCO, run lengths"),
    "coco-polygons": Format(".coco.json", write_coco_polygons, True, "COCO, polygons"),
    "geojson": Format(".geojson", write_geojson, False, "GeoJSON for QuPath"),
    "imagej": Format("_rois.zip", write_imagej, False, "regions for ImageJ's ROI Manager"),
    "label-studio": Format(".label-studio.json", write_label_studio, True, "Label Studio, brushes"),
    "labels": Format(".tif", _write_labels, False, "label image as TIFF"),
    "ome-tiff": Format(".ome.tif", write_ome_tiff, False, "label image as OME-TIFF"),
    "ome-zarr": Format(".ome.zarr", write_ome_zarr, False, "OME-Zarr 0.4 with labels"),
}


def is_exchange_file(path: Path) -> bool:
    """Whether a file, or an OME-Zarr folder, is read by :func:`read_fields` alone, by its name."""
    return path.suffix.lower() in EXCHANGE_SUFFIXES or path.name.endswith(_CELLPOSE)


def image_name(path: Path) -> str:
    """Name of the image that a label file belongs to, without what other tools add."""
    name = path.stem
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    return name or path.stem


def read_fields(path: str | Path, shape: tuple[int, int] | None = None) -> tuple[LabelField, ...]:
    """Read the labels of one or more fields from a file of any format.

    Parameters
    ----------
    path
        COCO, GeoJSON, Label Studio (``.json``, ``.geojson``), ImageJ (``.zip``, ``.roi``), OME-Zarr
        (a folder), Cellpose (``_seg.npy``), ilastik (``.h5``), or a label image.
    shape
        (H, W) of the image, for formats that do not tell it.

    Raises
    ------
    InputError
        The file cannot be read or is of no known format; one sentence that names it.
    MissingExtraError
        The format needs an extra that is not installed.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if not path.exists():
        raise InputError(f"{path}: there is no such file")
    if path.name.endswith(_CELLPOSE):
        return read_cellpose(path)
    if suffix in (".json", ".geojson"):
        return _read_json(path, shape)
    if suffix in (".zip", ".roi"):
        return read_imagej(path, shape)
    if suffix == ".zarr":
        return read_ome_zarr(path)
    if suffix in (".h5", ".hdf5"):
        return read_ilastik(path)
    labels = read_labels(path)
    pixel_size, warnings = read_pixel_size(path)
    return (LabelField(image_name(path), labels, None, pixel_size, warnings),)


def _read_json(path: Path, shape: tuple[int, int] | None) -> tuple[LabelField, ...]:
    content = load_json(path)
    if isinstance(content, dict) and {"images", "annotations"} <= set(content):
        return read_coco(path)
    if is_geojson(content):
        return read_geojson(path, shape)
    if is_label_studio(content):
        return read_label_studio(path)
    raise InputError(
        f"{path}: is neither COCO nor GeoJSON nor an export of Label Studio; export it "
        "as one of them"
    )
