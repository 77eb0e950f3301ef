"""ROI sets of ImageJ and Fiji: one region for each object in a ZIP file."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nital.errors import InputError, MissingExtraError
from nital.exchange.field import LabelField, compose, object_phases, phase_image
from nital.exchange.json_files import PIXEL_SIZE, number_in, reporting, stated_pixel_size
from nital.exchange.outlines import Polygon, Ring, fill_rings, trace_outlines
from nital.io import atomic_write

if TYPE_CHECKING:
    from roifile import ImagejRoi

__all__ = ["read_imagej", "write_imagej"]

_OWN = "nital"
_FIRST_OF_ZIP = (1980, 1, 1, 0, 0, 0)
# Path segments of a composite region.
_MOVE, _LINE, _CLOSE = 0.0, 1.0, 4.0
_LARGEST_ENTRY = 1 << 28


def write_imagej(path: Path, fields: Sequence[LabelField]) -> None:
    """Write one field for the ROI Manager: names are labels, groups are phases.

    An object in one piece without holes is a traced region, any other a composite one. How large
    the image is goes into the comment of the archive, which ImageJ passes over.

    Raises
    ------
    MissingExtraError
        The library for these files is not installed.
    """
    (field,) = fields
    _library()
    phases = object_phases(field)
    own: dict[str, Any] = {"name": field.name, "shape": list(field.shape)}
    if field.pixel_size is not None:
        own[PIXEL_SIZE] = field.pixel_size.value

    def write(temporary: Path) -> None:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            for label, polygons in trace_outlines(field.labels).items():
                roi = _region(polygons, str(label), phases[label])
                entry = zipfile.ZipInfo(f"{label}.roi", _FIRST_OF_ZIP)
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, roi.tobytes())
            archive.comment = json.dumps({_OWN: own}).encode()

    atomic_write(path, write)


def _library() -> Any:
    try:
        import roifile
    except ImportError as error:
        raise MissingExtraError(
            'ROI files of ImageJ need the extra "exchange": pip install "nital[exchange]"'
        ) from error
    return roifile


def _region(polygons: Sequence[Polygon], name: str, phase: int) -> ImagejRoi:
    roifile = _library()
    rings = [ring for polygon in polygons for ring in (polygon.outer, *polygon.holes)]
    corners = np.concatenate(rings).astype(np.int64)
    roi: ImagejRoi
    if len(rings) == 1 and corners.max() < 1 << 15:
        roi = roifile.ImagejRoi.frompoints(corners, name=name)
        roi.roitype = roifile.ROI_TYPE.TRACED
        # What frompoints adds for points in the middle of pixels; these are their corners.
        roi.bottom, roi.right = int(corners[:, 1].max()), int(corners[:, 0].max())
    else:
        roi = roifile.ImagejRoi()
        roi.roitype, roi.name = roifile.ROI_TYPE.RECT, name
        (roi.left, roi.top), (roi.right, roi.bottom) = corners.min(axis=0), corners.max(axis=0)
        roi.left, roi.top, roi.right, roi.bottom = map(
            int, (roi.left, roi.top, roi.right, roi.bottom)
        )
        roi.multi_coordinates = np.concatenate([_segments(ring) for ring in rings])
        roi.shape_roi_size = len(roi.multi_coordinates)
    roi.group = phase
    return roi


def _segments(ring: Ring) -> NDArray[np.float32]:
    kinds = np.full((len(ring), 1), _LINE)
    kinds[0] = _MOVE
    return np.append(np.hstack([kinds, ring]).ravel(), _CLOSE).astype(np.float32)


def read_imagej(path: Path, shape: tuple[int, int] | None = None) -> tuple[LabelField, ...]:
    """Read areas as objects: polygons, freehand, traced, rectangles, ovals and composites.

    Lines and points are left out with a warning.

    Parameters
    ----------
    path
        A ZIP file of the ROI Manager, or a single ``.roi``.
    shape
        (H, W) of the image, which ROI files do not tell; not needed for what Nital wrote.

    Raises
    ------
    InputError
        The file is damaged, or nothing tells how large the image is.
    MissingExtraError
        The library for these files is not installed.
    """
    with reporting(path, "a set of ImageJ regions"):
        entries, own = _entries(path)
        size = tuple(int(side) for side in own["shape"]) if "shape" in own else shape
        if size is None:
            raise InputError(
                f"{path}: does not say how large the image is; give it by --micrograph"
            )
        height, width = size
        regions = [(name, _parse(data)) for name, data in entries]
        kept = [(name, roi) for name, roi in regions if _is_area(roi)]
        masks = [fill_rings(_rings(roi), (height, width)) for _, roi in kept]
        wanted = [number_in(roi.name or name) for name, roi in kept]
        labels, numbers, warnings = compose((height, width), masks, wanted, str(path))
        if len(kept) < len(regions):
            warnings += (
                f"{path}: {len(regions) - len(kept)} lines or points, which have no area, were "
                "left out",
            )
        groups = (int(roi.group) for _, roi in kept)
        phases = phase_image(labels, dict(zip(numbers, groups, strict=True)))
        name = str(own.get("name", path.stem))
        return (LabelField(name, labels, phases, stated_pixel_size(own, path), warnings),)


def _entries(path: Path) -> tuple[list[tuple[str, bytes]], dict[str, Any]]:
    """Name and bytes of each region, and what Nital noted of the image."""
    if path.suffix.lower() == ".roi":
        return [(path.stem, path.read_bytes())], {}
    try:
        with zipfile.ZipFile(path) as archive:
            if any(entry.file_size > _LARGEST_ENTRY for entry in archive.infolist()):
                raise InputError(f"{path}: an entry is too large for a region; export it again")
            names = archive.namelist()
            regions = [(Path(n).stem, archive.read(n)) for n in names if n.endswith(".roi")]
            own = _comment(archive.comment)
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: cannot be read ({error}); save the set again") from error
    if not regions and not own:
        raise InputError(f"{path}: holds no region of ImageJ (.roi); save the set again")
    return regions, own


def _comment(comment: bytes) -> dict[str, Any]:
    """Return what Nital noted in the comment of an archive; nothing in those of others."""
    try:
        return dict(json.loads(comment)[_OWN])
    except (ValueError, LookupError, TypeError):
        return {}


def _parse(data: bytes) -> ImagejRoi:
    import struct

    try:
        roi: ImagejRoi = _library().ImagejRoi.frombytes(data)
    except (struct.error, io.UnsupportedOperation, AssertionError) as error:
        raise ValueError(f"a damaged region: {error}") from error
    return roi


def _is_area(roi: ImagejRoi) -> bool:
    types = _library().ROI_TYPE
    areas = (types.POLYGON, types.RECT, types.OVAL, types.FREEHAND, types.TRACED)
    return bool(roi.roitype in areas)


def _rings(roi: ImagejRoi) -> list[Ring]:
    if roi.composite:
        return _composite_rings(roi)
    if roi.roitype == _library().ROI_TYPE.OVAL:
        return [_oval(roi)]
    return [np.asarray(roi.coordinates(), dtype=np.float64)]


def _composite_rings(roi: ImagejRoi) -> list[Ring]:
    return [np.asarray(ring, dtype=np.float64) for ring in roi.coordinates(multi=True)]


def _oval(roi: ImagejRoi) -> Ring:
    """An ellipse in its box, with many corners."""
    angle = np.linspace(0.0, 2.0 * np.pi, 720, endpoint=False)
    return np.stack(
        [
            (roi.left + roi.right + (roi.right - roi.left) * np.cos(angle)) / 2.0,
            (roi.top + roi.bottom + (roi.bottom - roi.top) * np.sin(angle)) / 2.0,
        ],
        axis=1,
    )
