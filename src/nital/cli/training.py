"""What all ``nital train`` commands share: what they need, and what they say when they fail."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["check_installed", "exit_status"]

ALL_DONE, SOME_FAILED, BAD_USAGE, INTERRUPTED = 0, 1, 2, 130
NEEDED = ("torch", "safetensors", "onnx", "onnxscript", "matplotlib")


def exit_status(console: Console, out: Path, work: Callable[[], bool | None]) -> int:
    """Do the work of a training command; say in one sentence what went wrong, if anything did.

    Work returns true where something had to be left out.
    """
    from nital.errors import NitalError, UsageError

    try:
        left_out = work()
    except NitalError as error:
        console.print(f"error: {error}", style="red", markup=False)
        return BAD_USAGE if isinstance(error, UsageError) else SOME_FAILED
    except OSError as error:
        console.print(
            f"error: {error.filename or out} cannot be used ({error.strerror or error}); "
            "choose another --out or make room",
            style="red",
            markup=False,
        )
        return SOME_FAILED
    except KeyboardInterrupt:
        console.print("stopped; the same command goes on from the last checkpoint")
        return INTERRUPTED
    return SOME_FAILED if left_out else ALL_DONE


def check_installed() -> None:
    """Raise :class:`MissingExtraError` unless the extra ``nital[train]`` is there."""
    from nital.errors import MissingExtraError

    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f'training needs {", ".join(missing)}; run: pip install "nital[train]"'
        )
