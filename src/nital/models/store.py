"""The cache of models: one folder each, with a manifest of what every file must be."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tarfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from nital.errors import ModelError, OutputError, UsageError
from nital.models.catalogue import CATALOGUE, Entry
from nital.models.download import Progress, download, file_sha256

__all__ = [
    "bundle",
    "cache_folder",
    "check",
    "damaged_files",
    "fetch",
    "forbid_network",
    "is_offline",
    "manifest_of",
    "seal",
    "unbundle",
    "unwritable",
]

MANIFEST = "manifest.json"
Convert = Callable[[Path, Path], None]


def cache_folder() -> Path:
    """Where models are kept: ``NITAL_CACHE``, else the system's place for caches."""
    given = os.environ.get("NITAL_CACHE")
    if given:
        return Path(given) / "models"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "nital" / "models"


def is_offline() -> bool:
    """Whether ``NITAL_OFFLINE`` forbids the network."""
    return os.environ.get("NITAL_OFFLINE", "0") not in ("", "0")


def forbid_network() -> None:
    """Set ``NITAL_OFFLINE`` for this process and those that it starts."""
    os.environ["NITAL_OFFLINE"] = "1"


def manifest_of(folder: Path) -> dict[str, Any] | None:
    """What is known of a model in the cache; ``None`` when it is not there or not whole."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        whole = all((folder / name).is_file() for name in manifest["files"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return manifest if whole else None


def damaged_files(folder: Path) -> list[str]:
    """Files of a model in the cache whose SHA-256 is not that of its manifest."""
    manifest = manifest_of(folder)
    if manifest is None:
        return [MANIFEST]
    return [
        name for name, sha256 in manifest["files"].items() if file_sha256(folder / name) != sha256
    ]


def check(folder: Path) -> None:
    """Raise :class:`ModelError` when a file of a model in the cache is damaged."""
    damaged = damaged_files(folder)
    if damaged:
        raise ModelError(
            f"{folder / damaged[0]} is damaged (its SHA-256 is not that of its manifest); remove"
            f" the folder and type: nital models fetch {folder.name}"
        )


def seal(folder: Path, facts: dict[str, Any]) -> None:
    """Write the manifest of a folder whose files are final."""
    files = {
        path.name: file_sha256(path)
        for path in sorted(folder.iterdir())
        if path.name != MANIFEST and not path.name.startswith(".")
    }
    text = json.dumps({**facts, "files": files}, indent=2) + "\n"
    partial = folder / f".{MANIFEST}.part"
    partial.write_text(text, encoding="utf-8")
    partial.replace(folder / MANIFEST)


def fetch(
    name: str,
    *,
    convert: Convert,
    offline: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Folder of a model of the catalogue, fetched when it is not in the cache.

    Parameters
    ----------
    convert
        Turns a checkpoint of the original authors into a folder of safetensors.
    offline
        Never open a connection.

    Raises
    ------
    ModelError
        The name is unknown, the network forbidden or broken, or the file not what it should be.
    """
    entry = _entry(name)
    folder = cache_folder() / name
    if manifest_of(folder) is not None:
        return folder
    if offline or is_offline():
        raise ModelError(
            f"the weights of {name} are not in {cache_folder()} and the network is forbidden; where"
            f" there is one type: nital models fetch {name}, then: nital models bundle {name} --out"
            f" {name}.tar, and here: nital models fetch {name} --from {name}.tar"
        )
    received = cache_folder() / f".{name}.fetched"
    final = {source.name: download(source, received, progress) for source in entry.sources}
    facts = {"name": name, "licence": entry.licence, "fetched": _fetched(entry, final)}
    try:
        if entry.sources[0].name.endswith(".pth"):
            convert(received / entry.sources[0].name, received)
            (received / entry.sources[0].name).unlink()
        seal(received, facts)
        shutil.rmtree(folder, ignore_errors=True)
        received.replace(folder)
    except OSError as error:
        shutil.rmtree(received, ignore_errors=True)
        raise unwritable(folder, error) from error
    except ModelError:
        shutil.rmtree(received, ignore_errors=True)
        raise
    return folder


def _fetched(entry: Entry, final: dict[str, str]) -> dict[str, dict[str, str]]:
    """Address and SHA-256 of each file as it came."""
    return {
        source.name: {"url": source.url, "sha256": final[source.name]} for source in entry.sources
    }


def _entry(name: str) -> Entry:
    if name not in CATALOGUE:
        raise UsageError(f"model {name!r} is not known; 'nital models list' names those that are")
    return CATALOGUE[name]


def bundle(names: Sequence[str], out: Path) -> None:
    """Put models of the cache into one file, for a computer without a network.

    Raises
    ------
    ModelError
        A model is not in the cache, or damaged.
    OutputError
        The file cannot be written.
    """
    for name in names:
        _entry(name)
        if manifest_of(cache_folder() / name) is None:
            raise ModelError(f"{name} is not in the cache; type: nital models fetch {name}")
        check(cache_folder() / name)
    partial = out.with_name(f".{out.name}.part")
    try:
        with tarfile.open(partial, "w") as archive:
            for name in names:
                archive.add(cache_folder() / name, arcname=name)
        partial.replace(out)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OutputError(
            f"{out}: cannot be written ({error.strerror or error}); choose another --out"
        ) from error


def unbundle(path: Path, names: Sequence[str]) -> None:
    """Take models out of a bundle into the cache, each checked against its manifest.

    Raises
    ------
    ModelError
        The file is no bundle, lacks a model, a file in it is damaged, or the cache cannot be
        written.
    """
    for name in names:
        _entry(name)
        received = cache_folder() / f".{name}.bundled"
        shutil.rmtree(received, ignore_errors=True)
        try:
            there = _unpack(path, name, received)
            if not there or damaged_files(received):
                what = "damaged" if there else "missing"
                raise ModelError(f"{path}: {name} is {what} in it; make the bundle again")
            shutil.rmtree(cache_folder() / name, ignore_errors=True)
            received.replace(cache_folder() / name)
        except OSError as error:
            raise unwritable(cache_folder() / name, error) from error
        finally:
            shutil.rmtree(received, ignore_errors=True)


def _unpack(path: Path, name: str, out: Path) -> bool:
    """Take the files of one model out of a bundle; whether there are any."""
    with ExitStack() as opened:
        try:
            archive = opened.enter_context(tarfile.open(path, "r:"))
        except (OSError, tarfile.TarError) as error:
            raise _no_bundle(path, error) from error
        try:
            inside = [m for m in archive if m.isfile() and m.name.startswith(f"{name}/")]
            for member in inside:
                member.name = Path(member.name).name
                archive.extract(member, out, filter="data")
        except tarfile.TarError as error:
            raise _no_bundle(path, error) from error
    return bool(inside)


def _no_bundle(path: Path, error: Exception) -> ModelError:
    return ModelError(
        f"{path}: cannot be read as a bundle ({error}); make it with 'nital models bundle'"
    )


def unwritable(folder: Path, error: OSError) -> ModelError:
    """What to say when a model cannot be put into the cache."""
    return ModelError(
        f"{folder} cannot be written ({error.strerror or error}); free some space, or set"
        " NITAL_CACHE to a folder on another disk"
    )
