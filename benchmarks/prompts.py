"""Seconds of the compact model by itself: the encoder, 1 024 prompts, and one click.

The peer is the network of SAM ViT-B as ``transformers`` builds it (seeded random weights: time does
not depend on them), on the same image in the same run; it needs ``pip install "nital[sam]"`` and is
left out, with a word, where that is missing. Its prompts are timed on one batch and multiplied.
``ratio_...`` is peer / Nital: above 1, Nital is faster.

    python benchmarks/prompts.py --quick
    python benchmarks/prompts.py --json prompts.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

SIDE = 1024
PROMPTS = 1024
PEER_BATCH = 64


def main() -> None:
    """Measure, print a table to the standard error stream and one JSON object at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer runs, and no peer")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    arguments = parser.parse_args()
    result = measure(runs=3 if arguments.quick else 7, peer=not arguments.quick)
    for name, value in result.items():
        print(f"{name:32} {value}", file=sys.stderr)
    text = json.dumps(result)
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)


def measure(runs: int, peer: bool) -> dict[str, Any]:
    """Medians over ``runs`` for the compact model, and one pass of the peer."""
    import nital
    from nital.models import load_model
    from nital.models.tiles import standardise
    from nital.prompts import PromptSet, regular_grid
    from nital.simulate import simulate

    image = standardise(simulate(3, "particles", (SIDE, SIDE), scale=40.0).image)
    began = time.perf_counter()
    model = load_model("compact")
    loading = time.perf_counter() - began
    grid = regular_grid((SIDE, SIDE), SIDE / PROMPTS**0.5)
    click = PromptSet.from_points(np.array([[SIDE / 2, SIDE / 2]]))
    embedding = model.embed(image, "particles")
    result: dict[str, Any] = {
        "benchmark": "prompts",
        "nital": nital.__version__,
        "machine": {"cpus": os.cpu_count(), "system": platform.system(), "busy": os.getloadavg()},
        "image": [SIDE, SIDE],
        "prompts": len(grid),
        "seconds_load": round(loading, 4),
        "seconds_encoder": median(runs, lambda: model.embed(image, "particles")),
        "seconds_prompts": median(runs, lambda: model.decode(embedding, grid)),
        "seconds_click": median(5 * runs, lambda: model.decode(embedding, click)),
        "seconds_click_phase": median(5 * runs, lambda: model.decode(embedding, click, "phase")),
    }
    result["seconds_total"] = round(result["seconds_encoder"] + result["seconds_prompts"], 4)
    if peer and (find_spec("torch") is None or find_spec("transformers") is None):
        print('no peer: it needs pip install "nital[sam]"', file=sys.stderr)
    elif peer:
        result |= peer_seconds()
        total = result["peer_seconds_encoder"] + result["peer_seconds_prompts"]
        result["ratio_seconds"] = round(total / result["seconds_total"], 2)
        for part in ("encoder", "prompts", "click"):
            ratio = result[f"peer_seconds_{part}"] / result[f"seconds_{part}"]
            result[f"ratio_seconds_{part}"] = round(ratio, 2)
    return result


def median(runs: int, call: Callable[[], object]) -> float:
    """Median seconds of a call after one that warms up."""
    call()
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return round(statistics.median(seconds), 5)


def peer_seconds() -> dict[str, Any]:
    """Encoder, prompts and one click of SAM ViT-B with random weights on the CPU."""
    import torch
    import transformers

    torch.manual_seed(0)
    network = transformers.SamModel(transformers.SamConfig()).eval()
    pixels = torch.zeros(1, 3, SIDE, SIDE)
    points = torch.rand(1, PEER_BATCH, 1, 2) * SIDE
    with torch.inference_mode():
        began = time.perf_counter()
        embedding = network.get_image_embeddings(pixels)
        encoder = time.perf_counter() - began

        def decode(count: int) -> Callable[[], object]:
            return lambda: network(input_points=points[:, :count], image_embeddings=embedding)

        batch, click = median(1, decode(PEER_BATCH)), median(3, decode(1))
    return {
        "peer": f"SAM ViT-B network of transformers {transformers.__version__}, random weights",
        "peer_seconds_encoder": round(encoder, 4),
        "peer_seconds_prompts": round(batch * PROMPTS / PEER_BATCH, 4),
        "peer_seconds_click": click,
    }


if __name__ == "__main__":
    main()
