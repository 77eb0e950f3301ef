"""Writers: whole files or none, and the same bytes for the same data."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import nital
from nital.errors import OutputError
from nital.micrograph import PixelSize

__all__ = ["atomic_write", "write_label_tiff"]

# The first line makes ImageJ, and readers of its files, take the unit from the description.
IMAGEJ_LINE = "ImageJ=1.54f"
PIXEL_SIZE_KEY = "nital_pixel_size_um"


def write_label_tiff(path: Path, labels: NDArray[Any], pixel_size: PixelSize | None) -> None:
    """Write a label image as zlib-compressed TIFF that ImageJ opens with its scale.

    Parameters
    ----------
    path
        Replaced as a whole, or left as it was.
    labels
        (H, W) int32 or uint8.
    pixel_size
        Goes into the resolution tags and the ImageJ description; ``None`` for no scale.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    assert labels.ndim == 2
    assert labels.dtype in (np.int32, np.uint8)
    lines = [IMAGEJ_LINE]
    density = 1.0
    if pixel_size is not None:
        lines += ["unit=um", f"{PIXEL_SIZE_KEY}={pixel_size.value!r}"]
        density = 1.0 / pixel_size.value

    def write(temporary: Path) -> None:
        import tifffile

        tifffile.imwrite(
            temporary,
            labels,
            photometric="minisblack",
            compression="zlib",
            resolution=(density, density),
            resolutionunit=1,
            description="\n".join(lines) + "\n",
            software=f"Nital {nital.__version__}",
            metadata=None,
        )

    atomic_write(path, write)


def atomic_write(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under a temporary name in its folder, then move it into place.

    Parameters
    ----------
    path
        The final name; its folder must exist.
    write
        Called once with the temporary path, which has the same suffix; writes and closes it.

    Raises
    ------
    OutputError
        The disk is full, or the folder is missing or not writable. The temporary file is removed
        on this and every other failure, and ``path`` is as before.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem[:80]}-{secrets.token_hex(4)}.part{path.suffix}")
    try:
        write(temporary)
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written, {_remedy(error)}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _remedy(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "the disk is full or a size limit is reached; free space or choose another folder"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "the folder or file is write-protected; choose another folder"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return "its folder does not exist; create it first"
    return f"{error.strerror or error}; choose another folder"
