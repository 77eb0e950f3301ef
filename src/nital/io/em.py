"""Formats of electron microscopes by rosettasciio, from the extra ``[em]``."""

from __future__ import annotations

import importlib
import importlib.util
import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.errors import InputError, MissingExtraError
from nital.io.decoded import Decoded, Facts, Page, choose_page, reporting_damage
from nital.io.hdf5 import HYPERSPY, ODEMIS, USID, read_hdf5
from nital.io.scale import ScaleCandidate
from nital.io.units import to_micrometres

__all__ = ["EM_SUFFIXES", "read_em"]

_READERS = {
    ".ali": "rsciio.mrc",
    ".bcf": "rsciio.bruker",
    ".blo": "rsciio.blockfile",
    ".de5": "rsciio.emd",
    ".dm3": "rsciio.digitalmicrograph",
    ".dm4": "rsciio.digitalmicrograph",
    ".emd": "rsciio.emd",
    ".emi": "rsciio.tia",
    ".hspy": "rsciio.hspy",
    ".img": "rsciio.jeol",
    ".mrc": "rsciio.mrc",
    ".nxs": "rsciio.nexus",
    ".prz": "rsciio.pantarhei",
    ".rpl": "rsciio.ripple",
    ".ser": "rsciio.tia",
    ".sur": "rsciio.digitalsurf",
    ".tvips": "rsciio.tvips",
    ".unf": "rsciio.semper",
    ".zspy": "rsciio.zspy",
}
_HDF5 = (".h5", ".hdf5")  # of whom, only the content says
# Spectra of a map, and patterns of a scan, are left where they are. The pickle in a prz file may
# name arrays and plain values alone.
_OPTIONS: dict[str, dict[str, Any]] = {
    ".bcf": {"select_type": "image"},
    ".blo": {"lazy": True},
    ".prz": {"allow_restricted_pickle": True},
}
_OF_ANY_MICROSCOPE = (".bcf", ".hspy", ".nxs", ".rpl", ".sur", ".unf", ".zspy")
_MODALITY = {ODEMIS: "SEM", HYPERSPY: None, USID: None}
_NONE = {
    ".emi": "its images are in .ser files beside it, and there is none",
    ".img": "is no image of JEOL's Analysis Station; export it as TIFF",
}
_NEEDED = {
    ".mrcz": "mrcz",
    ".zspy": "zarr",
    **dict.fromkeys((".de5", ".emd", ".hspy", ".nxs", *_HDF5), "h5py"),
}
EM_SUFFIXES = tuple(sorted((*_READERS, ".mrcz", *_HDF5)))
# A ser file has no unit: a diffraction pattern in 1/m looks like pixels of many kilometres.
LARGEST_SIDE_UM = 1e4


def read_em(path: Path, page: int | None) -> Decoded:
    """Read one image of an electron microscope's file.

    Parameters
    ----------
    page
        Counted from 0 over all images and frames; ``None`` takes the first of the largest.

    Raises
    ------
    MissingExtraError
        rosettasciio, or what it needs for this format, is not installed.
    InputError
        The file is damaged or holds no image.
    """
    suffix = path.suffix.lower()
    needed = ["rsciio", _NEEDED.get(suffix, "rsciio")]
    if any(importlib.util.find_spec(name) is None for name in needed):
        raise MissingExtraError(
            f'{path}: reading {suffix} files needs an extra: pip install "nital[em]"'
        )
    logger = logging.getLogger("rsciio")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with reporting_damage(path, suffix):
            kind, signals = _signals(path, suffix)
            frames = [
                (signal, frame)
                for signal in signals
                for frame in _frames(_plain(np.asarray(signal["data"])), signal["axes"])
            ]
            if not frames:
                none = _NONE.get(suffix, "holds spectra or diffraction stacks but no image")
                raise InputError(f"{path}: {none}")
            pages = [Page(frame.shape[:2], is_colour=frame.ndim == 3) for _, frame in frames]
            chosen, warnings = choose_page(path, pages, page)
            signal, pixels = frames[chosen]
            facts = _facts(signal, kind)
    finally:
        logger.setLevel(level)
    metadata: dict[str, str | int | float] = {"format": suffix[1:]}
    if len(frames) > 1:
        metadata |= {"pages": len(frames), "page": chosen}
    return Decoded(pixels, (facts,), warnings, metadata)


def _signals(path: Path, suffix: str) -> tuple[str, list[dict[str, Any]]]:
    """Name of the format, and what the file holds."""
    if suffix in _HDF5:
        return read_hdf5(path)
    if suffix == ".mrcz":
        return suffix[1:], [_compressed_mrc(path)]
    reader = importlib.import_module(_READERS[suffix]).file_reader
    signals = reader(str(path), **_OPTIONS.get(suffix, {"lazy": False}))
    if suffix == ".blo":
        signals = [_bright_field(path, signals[0])]
    if suffix == ".prz":
        signals = [_with_inherited_calibration(signal) for signal in signals]
    return suffix[1:], signals


def _compressed_mrc(path: Path) -> dict[str, Any]:
    """An image or a stack of mrcz, which rosettasciio reads as a stack alone."""
    import mrcz

    data, header = mrcz.readMRC(str(path), pixelunits="nm")
    stacked = data.ndim == 3
    scales = header["pixelsize"][-data.ndim :]
    axes = [
        {"scale": float(scale), "units": "nm", "navigate": stacked and index == 0}
        for index, scale in enumerate(scales)
    ]
    return {"data": data, "axes": axes}


def _with_inherited_calibration(signal: dict[str, Any]) -> dict[str, Any]:
    """PantaRhei keeps what another program calibrated apart from its own devices' calibration."""
    inherited = signal["original_metadata"].get("inherited.calib") or [None] * len(signal["axes"])
    axes = [
        axis
        if "scale" in axis or known is None
        else axis | {"scale": known["value"], "units": known.get("unit")}
        for axis, known in zip(signal["axes"], inherited, strict=True)
    ]
    return signal | {"axes": axes}


def _bright_field(path: Path, patterns: dict[str, Any]) -> dict[str, Any]:
    """The virtual bright field that a blockfile holds before its diffraction patterns."""
    header = patterns["original_metadata"]["blockfile_header"]
    shape = int(header["NY"]), int(header["NX"])
    values = np.fromfile(
        path, dtype=np.uint8, count=shape[0] * shape[1], offset=int(header["Data_offset_1"])
    )
    places = [axis | {"navigate": False} for axis in patterns["axes"][:2]]
    return patterns | {"data": values.reshape(shape), "axes": places}


def _plain(data: NDArray[Any]) -> NDArray[Any]:
    """RGB comes as a structured type, in whatever order; return channels last."""
    if data.dtype.names is None:
        return data
    return np.stack([data[name] for name in "RGB"], axis=-1)


def _frames(data: NDArray[Any], axes: list[dict[str, Any]]) -> list[NDArray[Any]]:
    """The 2-D images of a signal: itself, or each frame of a stack."""
    signal_axes = [axis for axis in axes if not axis["navigate"]]
    if len(signal_axes) != 2:
        return []
    if len(axes) == 2:
        return [data]
    return list(data) if len(axes) == 3 else []


def _facts(signal: dict[str, Any], kind: str) -> Facts:
    height, width = (axis for axis in signal["axes"] if not axis["navigate"])
    sides = [_micrometres(axis) for axis in (width, height)]
    microscope = signal.get("metadata", {}).get("Acquisition_instrument", {})
    default = _MODALITY.get(kind, None if f".{kind}" in _OF_ANY_MICROSCOPE else "TEM")
    modality = next((name for name in ("SEM", "TEM") if name in microscope), default)
    if modality == "TEM" and microscope.get("TEM", {}).get("acquisition_mode") == "STEM":
        modality = "STEM"
    if sides[0] is None or sides[1] is None:
        units = str(width.get("units"))
        warning = f"the calibration is in {units}, not a length, so it is not used"
        known = units.lower() not in ("", "none", "<undefined>", "px", "pixel", "a. u.")
        return Facts(warnings=(warning,) if known else (), modality=modality)
    if max(sides[0], sides[1]) > LARGEST_SIDE_UM:
        warning = "the calibration is that of a diffraction pattern, so it is not used"
        return Facts(warnings=(warning,), modality=modality)
    source = f"{kind} calibration"
    return Facts((ScaleCandidate(sides[0], sides[1], source),), modality=modality)


def _micrometres(axis: dict[str, Any]) -> float | None:
    """Step along an axis; ``None`` where it has none, or in another unit than a length."""
    scale = axis.get("scale")
    return None if scale is None else to_micrometres(float(scale), str(axis.get("units")))
