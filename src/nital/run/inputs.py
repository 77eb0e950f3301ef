"""From what the user typed to a list of images, each with the name of its result folder."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nital.errors import UsageError
from nital.exchange import EXCHANGE_SUFFIXES
from nital.io import FOLDER_SUFFIXES, IMAGE_SUFFIXES

__all__ = ["Inputs", "Item", "find_inputs", "plan"]

# Names in the output folder that no result folder may take.
_TAKEN = (
    "objects.parquet",
    "report.html",
    "run.json",
    "specimens",
    "specimens.csv",
    "specimens.json",
    "summary.csv",
)
_IMAGE_FOLDERS = (".zarr", *FOLDER_SUFFIXES)
# An emi file names the images of the ser files beside it, which a folder holds too; HDF5 and img
# files may hold anything. They are read when named.
_NOT_OF_A_FOLDER = (".emi", ".h5", ".hdf5", ".img")


@dataclass(frozen=True)
class Item:
    """One input image and the name of its result folder."""

    path: Path
    folder: str


@dataclass(frozen=True)
class Inputs:
    """What the arguments stand for.

    Parameters
    ----------
    paths
        Existing files, each once, in the order of the arguments.
    problems
        ``(argument, sentence)`` for each argument that gave nothing.
    """

    paths: tuple[Path, ...]
    problems: tuple[tuple[str, str], ...]


def find_inputs(arguments: Sequence[str]) -> Inputs:
    """Expand files, folders and patterns into image files.

    Parameters
    ----------
    arguments
        A file is taken as it is. A folder stands for the images directly in it, not in its
        subfolders. Anything else with ``*``, ``?`` or ``[`` is a pattern of images, in which
        ``**`` reaches into subfolders. Folders and patterns are sorted by path. An OME-Zarr
        folder is one file, and so is a zspy folder; other exchange files are found by patterns
        that end as they do.

    Raises
    ------
    UsageError
        No argument stands for any file.
    """
    found: dict[Path, Path] = {}
    problems = []
    for argument in arguments:
        paths, problem = _expand(argument)
        if problem:
            problems.append((argument, problem))
        for path in paths:
            found.setdefault(path.resolve(), path)
    if not found:
        raise UsageError(
            "; ".join(problem for _, problem in problems) or "name an image, a folder or a pattern"
        )
    return Inputs(tuple(found.values()), tuple(problems))


def plan(paths: Iterable[Path]) -> tuple[Item, ...]:
    """Give each image a result folder: its stem, with -2, -3 ... where stems collide.

    An image keeps its plain stem when it is the first to have it, upper and lower case being the
    same; a number never takes the plain stem of another image.
    """
    paths = tuple(paths)
    stems = [path.stem for path in paths]
    plain = {stem.casefold() for stem in stems}
    used = {name.casefold() for name in _TAKEN}
    items = []
    for path, stem in zip(paths, stems, strict=True):
        folder, number = stem, 1
        while folder.casefold() in used or (number > 1 and folder.casefold() in plain):
            number += 1
            folder = f"{stem}-{number}"
        used.add(folder.casefold())
        items.append(Item(path, folder))
    return tuple(items)


def _expand(argument: str) -> tuple[list[Path], str | None]:
    """Files of one argument, and what is wrong with it if there are none."""
    path = Path(argument)
    try:
        if path.is_dir() and path.suffix.lower() not in _IMAGE_FOLDERS:
            images = [path / entry.name for entry in os.scandir(path) if _is_image(entry.path)]
            images = [image for image in images if image.suffix.lower() not in _NOT_OF_A_FOLDER]
            problem = f"{argument}: the folder holds no image ({' '.join(IMAGE_SUFFIXES)}) itself"
            return sorted(images), None if images else f"{problem}; name its subfolders, if any"
        if path.exists():
            return [path], None
    except OSError as error:
        reason = error.strerror or error
        return [], f"{argument}: cannot be read, {reason}; check its permissions"
    if glob.has_magic(argument):
        images = [Path(match) for match in glob.iglob(argument, recursive=True)]
        exchanged = path.suffix in EXCHANGE_SUFFIXES
        images = sorted(match for match in images if exchanged or _is_image(match))
        return images, None if images else f"{argument}: no image matches this pattern"
    return [], f"{argument}: there is no such file or folder"


def _is_image(path: str | Path) -> bool:
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in IMAGE_SUFFIXES or path.name.startswith("."):
        return False
    return path.is_file() or (suffix in FOLDER_SUFFIXES and path.is_dir())
