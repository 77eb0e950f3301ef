"""Label images: from Nital or any other tool."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nital.errors import InputError
from nital.io.reader import check_image_path, decode

__all__ = ["read_labels"]

HIGHEST_LABEL = 2**31 - 1


def read_labels(path: str | Path) -> NDArray[np.int32]:
    """Read a label image: (H, W) int32, 0 = background.

    Parameters
    ----------
    path
        TIFF, PNG, BMP, ``.npy`` or ``.npz``; integers, or floats with integral values. A
        binary image gives 0 and 1, a palette image its indices.

    Raises
    ------
    InputError
        The file cannot be read, or its values are not labels from 0 to 2 147 483 647.
    """
    path = Path(path)
    check_image_path(path)
    if path.suffix.lower() in (".jpg", ".jpeg"):
        raise InputError(f"{path}: JPEG does not keep labels; save them as TIFF or PNG")
    decoded = decode(path, None, as_stored=True)
    values = decoded.pixels
    if int(decoded.metadata.get("pages", 1)) > 1:
        raise InputError(f"{path}: holds several images; save the label image alone")
    if values.ndim == 3 and all(
        np.array_equal(values[:, :, 0], values[:, :, channel])
        for channel in range(1, min(values.shape[2], 3))
    ):
        values = values[:, :, 0]
    if values.ndim != 2 or values.size == 0 or values.dtype.kind not in "buif":
        raise InputError(
            f"{path}: an array of shape {values.shape} and type {values.dtype} is not a label "
            "image; save one 2-D integer image"
        )
    if values.dtype.kind == "f" and not bool(np.all(np.isfinite(values) & (values % 1 == 0))):
        raise InputError(
            f"{path}: holds fractions or NaN, so it is not a label image; save integer labels"
        )
    if values.min() < 0 or values.max() > HIGHEST_LABEL:
        raise InputError(
            f"{path}: labels must lie between 0 and {HIGHEST_LABEL}, not "
            f"{values.min():g} to {values.max():g}; renumber them"
        )
    return np.ascontiguousarray(values, dtype=np.int32)
