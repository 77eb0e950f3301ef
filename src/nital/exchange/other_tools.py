"""Label files of other tools: Cellpose, ilastik."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.errors import InputError, MissingExtraError
from nital.exchange.field import LabelField
from nital.exchange.json_files import reporting

__all__ = ["read_cellpose", "read_ilastik"]

_CELLPOSE_ENDING = "_seg"
_DATASETS = ("exported_data", "data")

# What a pickle of arrays and plain values is made of; everything else is refused.
_ADMITTED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.numeric", "_frombuffer"),
    ("numpy.core.numeric", "_frombuffer"),
    ("_codecs", "encode"),
}


class _PlainUnpickler(pickle.Unpickler):
    """Unpickles arrays and plain values, and nothing that could run code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise InputError(f"it asks for {module}.{name}")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def read_cellpose(path: Path) -> tuple[LabelField, ...]:
    """Read the masks of a ``_seg.npy`` of Cellpose, without running what the file may ask for.

    Raises
    ------
    InputError
        The file is damaged, holds no masks of one plane, or something else than arrays, numbers
        and text.
    """
    with reporting(path, "a _seg.npy of Cellpose"):
        content = _unpickled(path)
        masks = content["masks"] if isinstance(content, dict) else None
        if not isinstance(masks, np.ndarray):
            raise InputError(f"{path}: holds no masks of Cellpose; save it again from Cellpose")
        name = path.stem.removesuffix(_CELLPOSE_ENDING)
        return (LabelField(name, _plane(masks, path)),)


def _unpickled(path: Path) -> Any:
    from numpy.lib import format as npy

    try:
        with path.open("rb") as stream:
            version = npy.read_magic(stream)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, kind = read(stream)
            if kind != np.dtype(object) or shape != ():
                raise InputError(f"{path}: holds no masks of Cellpose; save it again from Cellpose")
            wrapped = _PlainUnpickler(stream, encoding="latin1").load()
    except InputError as error:
        if str(error).startswith(str(path)):
            raise
        raise InputError(
            f"{path}: is not read, because more than arrays, numbers and text is in it ({error}): "
            "save the masks from Cellpose as PNG or TIFF"
        ) from error
    except (OSError, EOFError, pickle.UnpicklingError) as error:
        raise InputError(f"{path}: cannot be read ({error}); save it again") from error
    return wrapped.item()


def read_ilastik(path: Path) -> tuple[LabelField, ...]:
    """Read the HDF5 export of ilastik: object identities, or a simple segmentation.

    Raises
    ------
    InputError
        The file holds no such data set, or something else than one plane of whole numbers.
    MissingExtraError
        h5py is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError(
            'HDF5 files need the extra "exchange": pip install "nital[exchange]"'
        ) from error
    with reporting(path, "an HDF5 export of ilastik"):
        try:
            with h5py.File(path, "r") as file:
                names = [name for name in _DATASETS if name in file]
                if not names:
                    raise InputError(
                        f"{path}: has no data set named {' or '.join(_DATASETS)}; export the "
                        "object identities from ilastik"
                    )
                values = file[names[0]][()]
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error}); export it again") from error
        return (LabelField(path.stem, _plane(values, path)),)


def _plane(values: NDArray[Any], path: Path) -> NDArray[np.int32]:
    values = np.squeeze(values) if values.ndim > 2 else values
    if values.ndim != 2 or values.size == 0 or values.dtype.kind not in "iu":
        raise InputError(
            f"{path}: an array of shape {values.shape} and type {values.dtype} is not one plane of "
            "labels; export a single image of whole numbers"
        )
    if int(values.min()) < 0 or int(values.max()) >= 1 << 31:
        raise InputError(f"{path}: labels must lie between 0 and 2147483647; renumber them")
    return np.ascontiguousarray(values, dtype=np.int32)
