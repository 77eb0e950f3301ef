"""The booster's own time beside a pass of SAM ViT-B over the same image.

The pass is that of ``transformers`` with random, seeded weights, which take the time of trained
ones: the encoder, then the decoder for a grid of 16 x 16 points, four times what it takes for 64 of
them, without anything that makes masks of its answers. The booster gets the masks that the compact
model gives for a simulated cross-section of that size: removal, texture, number of materials,
parting. Seconds of the processor; ``share_...`` is the booster over the encoder, or over the whole
pass, in per cent, and ``ratio_...`` the pass over the booster.

    python benchmarks/boost_share.py --quick
    python benchmarks/boost_share.py --json boost_share.json
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

import nital
from nital.automatic.layer_masks import grid_masks
from nital.boost.booster import boost_masks
from nital.models import load_model
from nital.models.tiles import standardise
from nital.simulate.stem_image import simulate_stem

SEED = 82_000
POINTS, BATCH = 256, 64


def main() -> None:
    """Measure and print one JSON object at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="512 pixels only")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    arguments = parser.parse_args()
    result: dict[str, Any] = {"benchmark": "boost_share", "nital": nital.__version__}
    result |= {f"cpu_seconds_{name}": s for name, s in sam_pass().items()}
    for side in (512,) if arguments.quick else (512, 1024):
        own = booster(side)
        encoder, whole = result["cpu_seconds_encoder"], result["cpu_seconds_pass"]
        result[f"cpu_seconds_booster_{side}"] = own
        result[f"share_of_encoder_{side}"] = round(100 * own / encoder, 2)
        result[f"share_of_pass_{side}"] = round(100 * own / whole, 2)
        result[f"ratio_pass_{side}"] = round(whole / own, 2)
    line = json.dumps(result)
    if arguments.json is not None:
        arguments.json.write_text(line + "\n", encoding="utf-8")
    print(line)


def sam_pass() -> dict[str, float]:
    """Seconds of the encoder, and of encoder and decoder together."""
    import torch
    from transformers import SamConfig, SamModel

    torch.set_num_threads(int(os.environ.get("NITAL_THREADS", os.cpu_count() or 1)))
    torch.manual_seed(0)
    model = SamModel(SamConfig()).eval()
    with torch.no_grad():
        start = time.process_time()
        embedded = model.get_image_embeddings(torch.randn(1, 3, 1024, 1024))
        encoder = time.process_time() - start
        model(image_embeddings=embedded, input_points=1024 * torch.rand(1, BATCH, 1, 2))
        decoder = (time.process_time() - start - encoder) * POINTS / BATCH
    whole = encoder + decoder
    return {"encoder": round(encoder, 3), "pass": round(whole, 3)}


def booster(side: int) -> float:
    """Mean seconds over one image of each class."""
    model, total = load_model("compact"), 0.0
    for difficulty in (1, 2, 3):
        shown = simulate_stem(SEED + difficulty, (side, side), difficulty=difficulty, vacuum=False)
        image = standardise(shown.image)
        masks, phase_maps = grid_masks(model, image)
        boost_masks(
            image, masks.take(np.arange(min(2, len(masks)))), phase_maps=phase_maps
        )  # weights are read
        start = time.process_time()
        boost_masks(image, masks, phase_maps=phase_maps)
        total += time.process_time() - start
    return round(total / 3, 3)


if __name__ == "__main__":
    main()
