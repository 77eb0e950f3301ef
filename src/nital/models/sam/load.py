"""From a folder of transformers to a model that runs."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import torch

from nital.errors import MissingExtraError, ModelError, UsageError
from nital.models.download import file_sha256
from nital.models.sam.encoder import save_memory
from nital.models.sam.model import Family, SamSegmenter

__all__ = ["load_folder"]

FAMILIES: dict[str, tuple[Family, str]] = {
    "sam": ("sam", "SamModel"),
    "sam_hq": ("sam_hq", "SamHQModel"),
    "sam2": ("sam2", "Sam2Model"),
    "sam2_video": ("sam2", "Sam2Model"),
}
WORTH = 1.2  # times that bfloat16 must be faster to be used


def load_folder(folder: Path, name: str, device: str | None = None) -> SamSegmenter:
    """Load a folder with ``config.json`` and ``model.safetensors``.

    Parameters
    ----------
    device
        ``"cpu"``, ``"cuda"`` or ``"mps"``; ``NITAL_DEVICE``, else the best there is, when ``None``.

    Raises
    ------
    ModelError
        The files are missing, damaged, pickled, or of another architecture.
    MissingExtraError
        transformers is not installed.
    """
    family, kind = _family(folder)
    weights = folder / "model.safetensors"
    _check_weights(folder, weights)
    try:
        import transformers
    except ImportError as error:
        raise MissingExtraError(
            "Segment Anything models need the extra: pip install 'nital[sam]'"
        ) from error
    messages: Any = transformers.utils.logging
    messages.set_verbosity_error()
    messages.disable_progress_bar()
    try:
        network, report = getattr(transformers, kind).from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        first = str(error).strip().splitlines()[0][:200]
        raise ModelError(f"{folder} cannot be loaded as {kind}: {first}") from error
    wrong = sorted(map(str, (*report["missing_keys"], *report["mismatched_keys"])))
    if wrong:
        raise ModelError(
            f"{weights} does not hold the weights that config.json speaks of ({len(wrong)} missing,"
            f" the first {wrong[0]}); copy both files of the same model again"
        )
    if family in ("sam", "sam_hq"):
        save_memory(network.vision_encoder)
    chosen = _device(device)
    threads = int(os.environ.get("NITAL_THREADS", "0"))
    if threads > 0:
        torch.set_num_threads(threads)
    network = network.eval().to(chosen)
    half = chosen.type == "cuda" and _half_pays(chosen)
    return SamSegmenter(name, file_sha256(weights), family, network, half=half)


def _family(folder: Path) -> tuple[Family, str]:
    """The family of a folder, from its configuration."""
    path = folder / "config.json"
    try:
        config: Any = json.loads(path.read_text(encoding="utf-8"))
        kind = config["model_type"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ModelError(
            f"{path} is missing or says no model_type; give a folder saved by transformers"
        ) from error
    if kind not in FAMILIES:
        raise ModelError(
            f"{folder} is a model of type {kind!r}, not one of the Segment Anything family"
            f" ({', '.join(FAMILIES)})"
        )
    return FAMILIES[kind]


def _check_weights(folder: Path, weights: Path) -> None:
    """See that the weights are there, safe and whole before anything reads them."""
    from safetensors import SafetensorError, safe_open

    if not weights.is_file():
        pickled = sorted(folder.glob("*.bin")) + sorted(folder.glob("*.pt*"))
        if pickled:
            raise ModelError(
                f"{pickled[0]} is a pickle, which can hold code, and is not read; save the model as"
                " safetensors"
            )
        raise ModelError(f"{weights} is missing; copy all files of the model")
    try:
        with safe_open(weights, framework="pt") as opened:
            opened.keys()
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{weights} is cut off or damaged; copy or fetch it again") from error


def _device(wanted: str | None) -> torch.device:
    """The device asked for, else CUDA, else MPS, else the processor."""
    wanted = wanted or os.environ.get("NITAL_DEVICE")
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wanted is None:
        return torch.device(next(kind for kind, present in there.items() if present))
    if not there.get(wanted.partition(":")[0], False):
        present = ", ".join(kind for kind, here in there.items() if here)
        raise UsageError(f"NITAL_DEVICE {wanted!r} is not here; there is {present}")
    return torch.device(wanted)


def _half_pays(device: torch.device) -> bool:
    """Whether products of an encoder's size are faster in bfloat16; some 10 ms to find out."""
    seconds = {}
    for kind in (torch.float32, torch.bfloat16):
        one = torch.ones(4096, 1024, device=device, dtype=kind)
        two = torch.ones(1024, 4096, device=device, dtype=kind)
        for _ in range(2):  # the first round warms up
            torch.cuda.synchronize(device)
            start = time.perf_counter()
            for _ in range(5):
                _ = one @ two
            torch.cuda.synchronize(device)
            seconds[kind] = time.perf_counter() - start
    return seconds[torch.float32] > WORTH * seconds[torch.bfloat16]
