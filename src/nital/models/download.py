"""One file from the network: resumed, checked, moved into place when it is whole."""

from __future__ import annotations

import errno
import hashlib
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any

from nital.errors import ModelError
from nital.models.catalogue import Source

__all__ = ["download", "file_sha256"]

CHUNK = 1 << 20
PATIENCE = 60.0  # seconds without a byte
SPARE = 50_000_000  # bytes that stay free on the disk

Progress = Callable[[str, int, int], None]


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def download(source: Source, folder: Path, progress: Progress | None = None) -> str:
    """Fetch one file into a folder; return its SHA-256.

    A connection that breaks leaves ``.NAME.part``, which the next call goes on with; everything
    else that goes wrong leaves nothing.

    Parameters
    ----------
    progress
        Called with the file's name, bytes there and bytes in all.

    Raises
    ------
    ModelError
        The server cannot be reached, the disk is full, or the file is not what it should be.
    """
    part, whole = folder / f".{source.name}.part", folder / source.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stated = _receive(source, part, progress)
    except OSError as error:
        raise _explained(error, source, part, folder) from error
    except HTTPException as error:
        raise ModelError(
            f"{source.url}: the connection broke ({error!r}); the same command goes on with it"
        ) from error
    found = file_sha256(part)
    expected = source.sha256 or stated
    if expected is not None and found != expected:
        part.unlink()
        raise ModelError(
            f"{source.url}: what came has SHA-256 {found[:12]}... instead of {expected[:12]}...; it"
            " was thrown away, fetch it again or ask your network's owner what changes downloads"
        )
    part.replace(whole)
    return found


def _receive(source: Source, part: Path, progress: Progress | None) -> str | None:
    """Append what is missing to the part; return the SHA-256 that the hub states, if any."""
    have = part.stat().st_size if part.exists() else 0
    remember = _Remember()
    opener = urllib.request.build_opener(remember)
    request = urllib.request.Request(source.url, headers={"User-Agent": "nital"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        answer = opener.open(request, timeout=PATIENCE)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        error.close()
        part.unlink()
        return _receive(source, part, progress)
    with answer:
        resumed = answer.status == 206
        have = have if resumed else 0
        total = have + int(answer.headers.get("Content-Length") or 0)
        free = shutil.disk_usage(part.parent).free
        if total - have + SPARE > free:
            raise OSError(errno.ENOSPC, f"{total - have} bytes needed, {free} free")
        with part.open("ab" if resumed else "wb") as stream:
            _copy(answer, stream, source.name, have, total, progress)
    if total and part.stat().st_size < total:
        raise HTTPException(f"{part.stat().st_size} of {total} bytes")
    return remember.sha256 or _digest_of(answer.headers)


def _copy(
    answer: Any, stream: IO[bytes], name: str, have: int, total: int, progress: Progress | None
) -> None:
    while chunk := answer.read(CHUNK):
        stream.write(chunk)
        have += len(chunk)
        if progress is not None:
            progress(name, have, total)


class _Remember(urllib.request.HTTPRedirectHandler):
    """Follow redirects, and keep the SHA-256 that the hub states as it redirects."""

    sha256: str | None = None

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """See the base class."""
        self.sha256 = _digest_of(headers) or self.sha256
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _digest_of(headers: Message) -> str | None:
    """The SHA-256 that the hub gives for large files as their tag."""
    for name in ("X-Linked-Etag", "ETag"):
        tag = (headers.get(name) or "").removeprefix("W/").strip('"')
        if re.fullmatch("[0-9a-f]{64}", tag):
            return tag
    return None


def _explained(error: OSError, source: Source, part: Path, folder: Path) -> ModelError:
    """One sentence for what went wrong; parts that are of no use are removed."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        part.unlink(missing_ok=True)
        return ModelError(
            f"{folder}: there is no room for {source.name} ({error.strerror}); free some space, or"
            " set NITAL_CACHE to a folder on another disk"
        )
    if isinstance(error, urllib.error.HTTPError):
        return ModelError(
            f"{source.url}: the server answers {error.code} {error.reason}; look for the file with"
            " a browser, and give its path to --model"
        )
    if isinstance(error, urllib.error.URLError | TimeoutError | ConnectionError):
        reason = getattr(error, "reason", error)
        return ModelError(
            f"{source.url}: cannot be reached ({reason}); the same command goes on later, or fetch"
            " it elsewhere with 'nital models bundle' and bring the file"
        )
    part.unlink(missing_ok=True)
    return ModelError(
        f"{folder}: cannot be written ({error.strerror or error}); set NITAL_CACHE to a folder that"
        " can"
    )
