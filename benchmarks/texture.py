"""Texture networks compared: how well do their embeddings tell the materials of an image apart?

Groups of crops of held-out images (no training draws their seeds): within each group, the chance
that two crops of one material lie nearer each other than two of different ones (AUROC of the
distance), and how often a crop's nearest neighbour is of its own material. ``grey`` is the mean and
the log standard deviation of a crop, without any network.

    python benchmarks/texture.py runs/compact runs/resnet18 runs/fenet --data ../shared/data
    python benchmarks/texture.py --quick

The folders are those of ``nital train texture``; the network that ships comes first.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import load_file

from nital.boost.texture import STRIDE, TextureModel, load_texture_model
from nital.evaluation.metrics import area_under_roc
from nital.training.texture_loop import EMBEDDING, ContrastiveNetwork
from nital.training.texture_network import make_crop_network
from nital.training.texture_samples import (
    CropGroup,
    TextureOptions,
    TextureStream,
    load_patches_from,
)

FIRST_SEED = 970_000
SIDE = 60
KINDS = {
    "STEM": (1.0, 0.0, 0.0, 0.0),
    "phases and layers": (0.0, 1.0, 0.0, 0.0),
    "drawn textures": (0.0, 0.0, 1.0, 0.0),
    "real patches": (0.0, 0.0, 0.0, 1.0),
}
Field = NDArray[np.float32]
Embed = Callable[[Field], Field]


def main() -> None:
    """Compare, print a table to the standard error stream and one JSON object at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folders", nargs="*", type=Path, help="of nital train texture")
    parser.add_argument("--data", type=Path, metavar="DIR", help="real sets; left out, no patches")
    parser.add_argument("--groups", type=int, default=150, metavar="N", help="groups of a kind")
    parser.add_argument("--quick", action="store_true", help="ten groups of a kind")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    networks: dict[str, Embed] = {"grey": of_grey, "shipped": of_model(load_texture_model())}
    networks |= {folder.name: of_folder(folder) for folder in arguments.folders}
    groups = draw(10 if arguments.quick else arguments.groups, arguments.data)
    rows = [row for name, embed in networks.items() for row in judge(name, embed, groups)]
    result = {"benchmark": "texture", "side": SIDE, "rows": rows}
    text = json.dumps(result)
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)


def draw(count: int, data: Path | None) -> dict[str, list[CropGroup]]:
    """Groups of crops of every kind of image."""
    real = load_patches_from(data) if data is not None else ()
    groups: dict[str, list[CropGroup]] = {}
    for number, (kind, shares) in enumerate(KINDS.items()):
        if kind == "real patches" and not real:
            continue
        options = TextureOptions(shares=shares, pool=max(8, count // 3))
        stream = TextureStream((FIRST_SEED, number), options, real)
        groups[kind] = [stream.group(SIDE) for _ in range(count)]
    return groups


def judge(name: str, embed: Embed, groups: dict[str, list[CropGroup]]) -> list[dict[str, Any]]:
    """Figures of one network on every kind."""
    rows = []
    for kind, members in groups.items():
        rates, nearest = [], []
        start = time.process_time()
        for group in members:
            inner = embed(group.crops)
            distance = ((inner[:, None] - inner[None]) ** 2).sum(-1)
            same = group.materials[:, None] == group.materials[None]
            pairs = np.triu_indices(len(inner), 1)
            if same[pairs].all() or not same[pairs].any():
                continue
            rates.append(area_under_roc(-distance[pairs], same[pairs]))
            np.fill_diagonal(distance, np.inf)
            nearest.append(float((group.materials[distance.argmin(1)] == group.materials).mean()))
        row = {
            "network": name,
            "kind": kind,
            "groups": len(rates),
            "auroc": round(float(np.mean(rates)), 4),
            "nearest": round(float(np.mean(nearest)), 4),
            "cpu_ms_a_crop": round(
                1000 * (time.process_time() - start) / sum(len(g.crops) for g in members), 2
            ),
        }
        rows.append(row)
        print(row, file=sys.stderr, flush=True)
    return rows


def of_grey(crops: Field) -> Field:
    """(N, 2) mean and log standard deviation of crops, without their context."""
    margin = TextureOptions().margin
    inner = crops[:, margin:-margin, margin:-margin]
    return np.stack([inner.mean((1, 2)), np.log(inner.std((1, 2)) + 1e-3)], axis=1)


def of_model(model: TextureModel) -> Embed:
    """The ONNX network as the booster uses it."""
    margin = TextureOptions().margin

    def embed(crops: Field) -> Field:
        found = []
        for crop in crops:
            maps = model.maps(crop)
            low, high = margin // STRIDE, (crop.shape[0] - margin) // STRIDE
            found.append(model.embed_crops(maps, np.array([[low, low, high, high]])))
        return np.concatenate(found)

    return embed


def of_folder(folder: Path) -> Embed:
    """The network of a training, whichever it was."""
    weights = folder / "weights.safetensors"
    with safe_open(weights, "pt") as file:
        options = str(file.metadata()["options"])
    found = re.search(r"'network': '(\w+)'", options)
    assert found is not None, f"{weights} names no network"
    width = re.search(r"'width': ([\d.]+)", options)
    network = make_crop_network(found[1], EMBEDDING, 1.0 if width is None else float(width[1]))
    model = ContrastiveNetwork(network, TextureOptions().margin)
    model.load_state_dict(load_file(weights))
    model.eval()

    def embed(crops: Field) -> Field:
        with torch.inference_mode():
            return np.asarray(model(torch.from_numpy(crops)).numpy(), dtype=np.float32)

    return embed


if __name__ == "__main__":
    main()
