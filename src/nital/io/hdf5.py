"""Images in ``.h5`` and ``.hdf5`` files: HyperSpy, Odemis, and the USID model.

USID (Somnath et al., Adv. Struct. Chem. Imaging 5, 2019, 3) keeps any measurement as a matrix of
positions by spectroscopic values; four tables beside it say where each row and column belongs.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.errors import InputError

__all__ = ["read_hdf5"]

HYPERSPY = "HyperSpy"
ODEMIS = "Odemis"
USID = "USID"
# Names of the tables of one side of a main dataset: which step of each dimension, and its value.
ROWS = ("Position_Indices", "Position_Values")
COLUMNS = ("Spectroscopic_Indices", "Spectroscopic_Values")
EVEN = 1e-3  # steps of a dimension that differ by less than this share are the same


def read_hdf5(path: Path) -> tuple[str, list[dict[str, Any]]]:
    """Read the signals of a file, whoever wrote it.

    Returns
    -------
    name of the format, signals
        As rosettasciio returns them: ``data`` and ``axes``.

    Raises
    ------
    InputError
        The file is of none of the three kinds, or its scan was not finished.
    """
    import h5py

    with h5py.File(path, "r") as file:
        if file.attrs.get("file_format") == HYPERSPY:
            return HYPERSPY, list(_reader("hspy")(str(path), lazy=False))
        if any(name.startswith("Acquisition") and "SVIData" in file[name] for name in file):
            return ODEMIS, list(_odemis(path))
        mains: list[Any] = []
        file.visititems(lambda _, item: mains.append(item) if _is_main(item) else None)
        if mains:
            return USID, [signal for main in mains for signal in _signals(path, main)]
    raise InputError(
        f"{path}: is neither a HyperSpy, nor an Odemis, nor a USID file; "
        "export its image as TIFF, or name labels of ilastik with nital measure"
    )


def _reader(module: str) -> Any:
    return importlib.import_module(f"rsciio.{module}").file_reader


def _odemis(path: Path) -> Iterator[dict[str, Any]]:
    """Secondary electron images: of the whole field of view, and beside a spectral image."""
    for wanted in ("survey", "se"):
        try:
            found = _reader("delmic")(str(path), signal=wanted)
        except OSError:  # none of this kind in the file
            continue
        for signal in found:
            axes = [
                axis | {"navigate": False, "scale": abs(axis["scale"])} for axis in signal["axes"]
            ]
            yield signal | {"axes": axes}


def _is_main(item: Any) -> bool:
    """Whether it is a main dataset of USID: a matrix that refers to its four tables."""
    return len(getattr(item, "shape", ())) == 2 and all(
        name in item.attrs for name in (*ROWS, *COLUMNS)
    )


def _signals(path: Path, main: Any) -> Iterator[dict[str, Any]]:
    """One signal of a main dataset, or one for each quantity of a compound one."""
    rows, row_axes = _side(main, ROWS)
    columns, column_axes = _side(main, COLUMNS)
    shape = [int(axis["size"]) for axis in (*row_axes, *column_axes)]
    if int(np.prod(shape)) != main.size:
        raise InputError(
            f"{path}: the scan of {main.name} holds {main.size} of {int(np.prod(shape))} values; "
            "it was stopped before its end: export what there is as TIFF"
        )
    stored = main[()][np.argsort(rows)][:, np.argsort(columns)].reshape(shape)
    on_columns = any(axis["size"] > 1 for axis in column_axes)
    axes = [axis | {"navigate": on_columns} for axis in row_axes]
    axes += [axis | {"navigate": False} for axis in column_axes]
    kept = [index for index, axis in enumerate(axes) if axis["size"] > 1]
    data = stored.reshape([shape[index] for index in kept])
    for name in data.dtype.names or (None,):
        yield {"data": data if name is None else data[name], "axes": [axes[i] for i in kept]}


def _side(main: Any, names: tuple[str, str]) -> tuple[NDArray[np.int64], list[dict[str, Any]]]:
    """Place of each row (or column) of the matrix, and the axes along it, the slowest first."""
    tables = [np.atleast_2d(main.file[main.attrs[name]]) for name in names]
    # (dimensions, n): step and value of each dimension
    indices, values = (table.T for table in tables) if names is ROWS else tables
    changes = [int(np.count_nonzero(np.diff(line))) for line in indices]
    order = sorted(range(len(indices)), key=lambda dimension: changes[dimension])
    stated = main.file[main.attrs[names[0]]].attrs.get("units", "")
    units = [_text(unit) for unit in np.atleast_1d(stated)] + [""] * len(indices)
    sizes = [int(line.max()) + 1 for line in indices]
    steps = indices[order].astype(np.int64)
    places = np.ravel_multi_index(tuple(steps), [sizes[dimension] for dimension in order])
    axes = [
        {
            "size": sizes[dimension],
            "scale": _step(indices[dimension], values[dimension]),
            "units": units[dimension],
        }
        for dimension in order
    ]
    return places, axes


def _step(indices: NDArray[Any], values: NDArray[Any]) -> float | None:
    """Distance between the values of neighbouring steps; ``None`` where it is not the same."""
    _, first = np.unique(indices, return_index=True)
    steps = np.diff(np.asarray(values, dtype=np.float64)[first])
    if not steps.size or np.ptp(steps) > EVEN * abs(steps.mean()):
        return None
    return float(abs(steps.mean()))


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
