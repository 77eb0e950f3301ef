"""``nital.read``: one micrograph from one file of any supported format."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from nital.errors import InputError
from nital.io.databar import find_data_bar
from nital.io.decoded import Decoded, Facts, reporting_damage
from nital.io.em import EM_SUFFIXES
from nital.io.hashing import sha256_of
from nital.io.magnification import contradiction
from nital.io.pixels import to_grey, to_supported
from nital.io.scale import resolve_scale
from nital.io.sidecars import read_own_sidecar, read_vendor_sidecars
from nital.io.units import parse_pixel_size
from nital.micrograph import Micrograph, PixelSize

__all__ = [
    "FOLDER_SUFFIXES",
    "IMAGE_SUFFIXES",
    "check_image_path",
    "decode",
    "read",
    "read_pixel_size",
]

TIFF_SUFFIXES = (".tif", ".tiff")
RASTER_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png")
ARRAY_SUFFIXES = (".npy", ".npz")
FOLDER_SUFFIXES = (".zspy",)  # of images that are a folder of files
IMAGE_SUFFIXES = (*TIFF_SUFFIXES, *RASTER_SUFFIXES, *ARRAY_SUFFIXES, *EM_SUFFIXES)


def read(
    path: str | Path, *, pixel_size: str | PixelSize | None = None, page: int | None = None
) -> Micrograph:
    """Read one micrograph.

    Parameters
    ----------
    path
        TIFF, PNG, JPEG, BMP, ``.npy``, ``.npz`` with one array; dm3, dm4, emd, hspy, mrc, ser and
        others (``nital.io.em.EM_SUFFIXES``) with the extra ``[em]``. A ``.zspy`` may be a folder.
    pixel_size
        Side of a pixel, such as ``"12.5nm"``; overrides what the file says.
    page
        Page of a file with several images, counted from 0; by default the first of the
        largest, with a warning.

    Raises
    ------
    InputError
        The file is missing, unreadable, damaged, of an unknown format or holds no grey levels.
    UsageError
        ``pixel_size`` is not a positive number with its unit.
    MissingExtraError
        The format needs an extra that is not installed.
    """
    path = Path(path)
    given = parse_pixel_size(pixel_size) if isinstance(pixel_size, str) else pixel_size
    check_image_path(path)
    decoded = decode(path, page)
    grey, colour_warnings = to_grey(decoded.pixels, str(path))
    pixels, pixel_warnings = to_supported(grey, str(path))
    facts = _gather_facts(path, decoded)
    scale, scale_warnings = _resolve(facts, given)
    scale_warnings += _magnification_warnings(facts, scale, pixels.shape[1])
    stated = {
        "microscope": next((source.microscope for source in facts if source.microscope), None),
        "magnification": next((s.magnification for s in facts if s.magnification), None),
    }
    return Micrograph(
        pixels,
        pixel_size=scale,
        name=path.stem,
        path=path,
        sha256=sha256_of(path),
        modality=next((source.modality for source in facts if source.modality), None),
        data_bar_row=_stated_data_bar(facts, pixels.shape[0]) or find_data_bar(pixels),
        warnings=(*decoded.warnings, *colour_warnings, *pixel_warnings, *scale_warnings),
        metadata=decoded.metadata | {key: value for key, value in stated.items() if value},
    )


def read_pixel_size(path: str | Path) -> tuple[PixelSize | None, tuple[str, ...]]:
    """Read only what a file, and the files beside it, say about the pixel size.

    For label images, whose values :func:`nital.io.read_labels` returns.

    Returns
    -------
    pixel size or ``None``, warnings

    Raises
    ------
    InputError
        As :func:`read` does.
    """
    path = Path(path)
    check_image_path(path)
    decoded = decode(path, None, as_stored=True)
    if decoded.pixels.ndim < 2:
        raise InputError(f"{path}: an array of shape {decoded.pixels.shape} is not an image")
    scale, warnings = _resolve(_gather_facts(path, decoded), None)
    return scale, tuple(warnings)


def _gather_facts(path: Path, decoded: Decoded) -> tuple[Facts, ...]:
    """All sources in falling order of authority: one's own sidecar, the file, makers' sidecars."""
    height, width = decoded.pixels.shape[:2]
    return (
        read_own_sidecar(path),
        *decoded.facts,
        *read_vendor_sidecars(path, (height, width)),
    )


def _resolve(facts: Iterable[Facts], given: PixelSize | None) -> tuple[PixelSize | None, list[str]]:
    """Pixel size and warnings; a size that the user gave settles all doubts about the others."""
    sources = tuple(facts)
    candidates = [candidate for source in sources for candidate in source.candidates]
    scale, warnings = resolve_scale(candidates, given)
    stated = [warning for source in sources for warning in source.warnings]
    return scale, warnings if given is not None else stated + warnings


def _magnification_warnings(
    facts: Iterable[Facts], scale: PixelSize | None, columns: int
) -> list[str]:
    """What is wrong between the pixel size and the magnifications stated, if anything."""
    if scale is None:
        return []
    stated = (source.magnification for source in facts if source.magnification)
    found = (contradiction(scale.value, columns, value) for value in stated)
    return [warning for warning in found if warning]


def _stated_data_bar(facts: Iterable[Facts], height: int) -> int | None:
    rows = (source.content_rows for source in facts if source.content_rows is not None)
    return next((row for row in rows if 0 < row < height), None)


def check_image_path(path: Path) -> None:
    """Refuse what is not a non-empty file with a suffix that Nital reads.

    Raises
    ------
    InputError
        One sentence that names the file and what to do.
    """
    with reporting_damage(path, "a file"):
        is_folder = path.is_dir()
        if is_folder and path.suffix.lower() not in FOLDER_SUFFIXES:
            raise InputError(f"{path}: is a folder; name an image file")
        if not path.exists():
            raise InputError(f"{path}: there is no such file")
        size = path.stat().st_size
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise InputError(
            f"{path}: files of type {path.suffix or '(none)'!r} are not supported; "
            f"use one of {' '.join(IMAGE_SUFFIXES)}"
        )
    if size == 0 and not is_folder:
        raise InputError(f"{path}: the file is empty; copy or export it again")


def decode(path: Path, page: int | None, as_stored: bool = False) -> Decoded:
    """Read the pixels as stored with the reader of the file's suffix."""
    suffix = path.suffix.lower()
    if suffix in TIFF_SUFFIXES:
        from nital.io.tiff import read_tiff

        return read_tiff(path, page, as_stored)
    if suffix in EM_SUFFIXES:
        from nital.io.em import read_em

        return read_em(path, page)
    if suffix in ARRAY_SUFFIXES:
        from nital.io.raster import read_array_file

        return read_array_file(path, page)
    from nital.io.raster import read_raster

    return read_raster(path, as_stored)
