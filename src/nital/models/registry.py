"""From the name given with ``--model`` to a loaded model."""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from nital.errors import MissingExtraError, ModelError
from nital.models.compact import CompactModel
from nital.models.protocol import PromptableModel

if TYPE_CHECKING:
    from nital.models.sam import SamSegmenter

__all__ = ["GRID", "is_promptable", "load_model", "need_sam_extra"]

WEIGHTS = Path(__file__).parent / "weights"
GRID = ":grid"
"""Behind a model's name: ask it on SAM's grid of points instead of where objects are likely."""


def is_promptable(name: str) -> bool:
    """Whether the automatic mode of a model is the mask generator, not dense maps."""
    plain = name.removesuffix(GRID)
    return name != plain or not (plain == "compact" or (Path(plain) / "compact.json").is_file())


@lru_cache(maxsize=2)
def load_model(name: str) -> PromptableModel:
    """Load a model by name or from a path; weights are checked against their SHA-256 first.

    Parameters
    ----------
    name
        ``"compact"``, a model of ``nital models list``, a folder with an exported compact model or
        a model saved by transformers, or a checkpoint of ``segment_anything``.

    Raises
    ------
    ModelError
        When the name is unknown or the weights are missing, damaged or of another kind.
    MissingExtraError
        When the model needs ``nital[sam]`` and that is not installed.
    """
    from nital.models.catalogue import CATALOGUE

    plain = name.removesuffix(GRID)
    if plain == "compact":
        return CompactModel.load(WEIGHTS)
    path = Path(plain)
    if (path / "compact.json").is_file():
        return CompactModel.load(path)
    if plain in CATALOGUE and not path.exists():
        return _from_catalogue(plain)
    if path.is_dir() and (path / "config.json").is_file():
        need_sam_extra()
        from nital.models.sam.load import load_folder

        return load_folder(path, path.resolve().name)
    if path.suffix in (".pth", ".pt"):
        if not path.is_file():
            raise ModelError(f"{plain} does not exist; give the path of a checkpoint that does")
        return _from_checkpoint(path)
    if plain and path.is_dir():
        raise ModelError(
            f"{plain} holds no model: neither compact.json, of an exported compact model, nor"
            " config.json, of a model saved by transformers"
        )
    raise ModelError(
        f"model {plain!r} is not known: use 'compact', a name from 'nital models list', a folder"
        " with an exported compact model or one saved by transformers, or a sam_vit_*.pth"
    )


def need_sam_extra() -> None:
    """Say what to install where Segment Anything cannot run."""
    from importlib.util import find_spec

    missing = [each for each in ("torch", "transformers", "safetensors") if find_spec(each) is None]
    if missing:
        raise MissingExtraError(
            f"Segment Anything models need {' and '.join(missing)}: pip install 'nital[sam]'"
        )


def _from_catalogue(name: str) -> SamSegmenter:
    """A model of the cache, fetched at its first use."""
    need_sam_extra()
    from nital.models.sam.convert import convert_checkpoint
    from nital.models.sam.load import load_folder
    from nital.models.store import check, fetch

    folder = fetch(name, convert=convert_checkpoint, progress=_tell)
    check(folder)
    return load_folder(folder, name)


def _tell(file: str, have: int, total: int) -> None:
    """Say on a terminal how far a file is that is fetched at its first use."""
    if sys.stderr.isatty():
        end = "\n" if have >= total else ""
        print(
            f"\rfetching {file}: {have / 1e6:.0f} of {total / 1e6:.0f} MB", end=end, file=sys.stderr
        )


def _from_checkpoint(path: Path) -> SamSegmenter:
    """A checkpoint of the original authors, converted once into the cache."""
    need_sam_extra()
    import shutil

    from nital.models.download import file_sha256
    from nital.models.sam.convert import convert_checkpoint
    from nital.models.sam.load import load_folder
    from nital.models.store import cache_folder, manifest_of, seal, unwritable

    sha256 = file_sha256(path)
    folder = cache_folder() / f"converted-{sha256[:16]}"
    if manifest_of(folder) is None:
        shutil.rmtree(folder, ignore_errors=True)
        try:
            convert_checkpoint(path, folder)
            seal(folder, {"name": path.name, "checkpoint_sha256": sha256})
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise unwritable(folder, error) from error
    return load_folder(folder, path.stem)
