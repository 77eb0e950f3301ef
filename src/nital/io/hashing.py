"""Hash of an input, be it a file or a folder that is one image."""

from __future__ import annotations

import hashlib
from pathlib import Path

from nital.errors import InputError

__all__ = ["sha256_of"]


def sha256_of(path: Path) -> str:
    """SHA-256 of a file; of a folder, that of the names and hashes of all its files.

    Raises
    ------
    InputError
        It cannot be read.
    """
    try:
        if path.is_dir():
            whole = hashlib.sha256()
            for file in sorted(inside for inside in path.rglob("*") if inside.is_file()):
                whole.update(f"{file.relative_to(path).as_posix()} {sha256_of(file)}\n".encode())
            return whole.hexdigest()
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{path}: cannot be read, {reason}; check its permissions") from error
