"""Memory of the generator where there is much to keep: 5 000 masks on 4096 x 4096 pixels.

A model without a network answers a point with the disc around it, the disc a little larger, and
the whole crop, each on a grid of 256 x 256 cells as SAM's masks are. Points are the middles of
discs, in the whole image and in its 2 x 2 crops; masks are judged, suppressed by boxes and by
pixels, screened and laid on each other into labels, as ``nital segment`` does. The peak is that of
resident memory, Python and libraries included.

    python benchmarks/many_masks.py --json many.json
    python benchmarks/many_masks.py --quick
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from generator import peak_mb, resident_mb
from nital.generator import GeneratorOptions, generate
from nital.generator.screening import describe, screen_automatically
from nital.masks.stack import stack_labels
from nital.models import Decoded, Embedding
from nital.prompts import PromptSet

GRID = 256
PITCH, RADIUS = 57, 22  # pixels


class DiscModel:
    """Answers a point with a disc around it."""

    name, sha256 = "discs", None

    def embed(self, image: np.ndarray, target: str) -> Embedding:
        """Nothing to prepare."""
        return Embedding((image.shape[0], image.shape[1]), {})

    def decode(self, embedding: Embedding, prompts: PromptSet, level: str) -> Decoded:
        """Signed distances to three outlines, on a grid over the whole crop."""
        rows, cols = ((np.arange(GRID) + 0.5) * side / GRID for side in embedding.shape)
        cell = max(embedding.shape) / GRID
        logits = np.empty((len(prompts), 3, GRID, GRID), np.float32)
        for index, (row, col) in enumerate(prompts.points[:, 0]):
            away = np.hypot(rows[:, None] - row, cols - col)
            for mask, radius in enumerate((RADIUS, RADIUS + cell / 4, 2 * max(embedding.shape))):
                logits[index, mask] = 10 * (radius - away)
        window = np.tile(np.array([0, 0, *embedding.shape], np.float32), (len(prompts), 3, 1))
        scores = np.tile(np.array([0.95, 0.91, 0.5], np.float32), (len(prompts), 1))
        return Decoded(logits, scores, window)


def discs(side: int) -> np.ndarray:
    """(side, side) uint8: bright discs in rows and columns."""
    away = (np.arange(side) % PITCH) - PITCH // 2
    inside = (away[:, None] ** 2 + away**2) <= RADIUS**2
    whole = side // PITCH * PITCH
    inside[whole:], inside[:, whole:] = False, False
    return np.where(inside, 180, 60).astype(np.uint8)


def centres(image: np.ndarray) -> list[np.ndarray]:
    """Middles of the discs, whole or cut, of an image or crop."""
    from scipy import ndimage

    labels, count = ndimage.label(image > 100)
    found = ndimage.center_of_mass(labels > 0, labels, np.arange(1, count + 1))
    return [np.array(found, dtype=np.float32).reshape(-1, 2)]


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="1024 pixels")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    arguments = parser.parse_args()
    side = 1024 if arguments.quick else 4096
    line = json.dumps(measure(side))
    if arguments.json is not None:
        arguments.json.write_text(line + "\n", encoding="utf-8")
    print(line)


def measure(side: int) -> dict[str, Any]:
    """Generate, screen and lay on each other."""
    image = discs(side)
    options = GeneratorOptions(crop_n_layers=1, mask_nms_thresh=0.6, min_mask_region_area=16)
    before, start = resident_mb(), time.process_time()
    found = generate(DiscModel(), image, options, source=centres)
    generated = peak_mb()
    keep, _ = screen_automatically(
        found.masks, describe(found.masks, image), "particles", float(image.std())
    )
    labels = stack_labels(found.masks.take(keep))
    masks = len(found.masks)
    return {
        "benchmark": "many_masks",
        "side": side,
        "discs": (side // PITCH) ** 2,
        "prompts": found.facts["prompts"],
        "masks": masks,
        "labels": int(labels.max()),
        "packed_mb": round(found.masks.bits.nbytes / 2**20, 1),
        "memory_before_mb": round(before),
        "peak_mb_generated": round(generated),
        "peak_mb": round(peak_mb()),
        "cpu_seconds": round(time.process_time() - start, 1),
    }


if __name__ == "__main__":
    main()
