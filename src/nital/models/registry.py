"""From the name given with ``--model`` to a loaded model."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from nital.errors import ModelError
from nital.models.compact import CompactModel

__all__ = ["load_model"]

WEIGHTS = Path(__file__).parent / "weights"


@lru_cache(maxsize=2)
def load_model(name: str) -> CompactModel:
    """Load a model by name or from a folder; weights are checked against their SHA-256 first.

    Raises
    ------
    ModelError
        When the name is unknown or the weights are missing or damaged.
    """
    if name == "compact":
        return CompactModel.load(WEIGHTS)
    folder = Path(name)
    if (folder / "compact.json").is_file():
        return CompactModel.load(folder)
    raise ModelError(
        f"model {name!r} is not known: use 'compact', or a folder with the files of an exported"
        " compact model (compact.json beside its .onnx files)"
    )
