"""Checkpoints of the original ``segment_anything`` as folders of safetensors.

Everything that the configuration needs follows from the shapes of the weights, so any size works.
"""

from __future__ import annotations

import errno
import json
import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nital.errors import ModelError

__all__ = ["convert_checkpoint", "converted_name"]

PATCH = re.compile(r"image_encoder\.blocks\.(\d+)\.")

# Part of a name there, and what it is called by transformers; in order, the first that matches.
NAMES = (
    (r"^image_encoder\.patch_embed\.proj\.", "vision_encoder.patch_embed.projection."),
    (r"^image_encoder\.blocks\.(\d+)\.norm(\d)\.", r"vision_encoder.layers.\1.layer_norm\2."),
    (r"^image_encoder\.blocks\.", "vision_encoder.layers."),
    (r"^image_encoder\.neck\.0\.", "vision_encoder.neck.conv1."),
    (r"^image_encoder\.neck\.1\.", "vision_encoder.neck.layer_norm1."),
    (r"^image_encoder\.neck\.2\.", "vision_encoder.neck.conv2."),
    (r"^image_encoder\.neck\.3\.", "vision_encoder.neck.layer_norm2."),
    (r"^image_encoder\.", "vision_encoder."),
    (
        r"^prompt_encoder\.pe_layer\.positional_encoding_gaussian_matrix$",
        "shared_image_embedding.positional_embedding",
    ),
    (r"^prompt_encoder\.point_embeddings\.", "prompt_encoder.point_embed."),
    (r"^prompt_encoder\.mask_downscaling\.0\.", "prompt_encoder.mask_embed.conv1."),
    (r"^prompt_encoder\.mask_downscaling\.1\.", "prompt_encoder.mask_embed.layer_norm1."),
    (r"^prompt_encoder\.mask_downscaling\.3\.", "prompt_encoder.mask_embed.conv2."),
    (r"^prompt_encoder\.mask_downscaling\.4\.", "prompt_encoder.mask_embed.layer_norm2."),
    (r"^prompt_encoder\.mask_downscaling\.6\.", "prompt_encoder.mask_embed.conv3."),
    (r"^mask_decoder\.output_upscaling\.0\.", "mask_decoder.upscale_conv1."),
    (r"^mask_decoder\.output_upscaling\.1\.", "mask_decoder.upscale_layer_norm."),
    (r"^mask_decoder\.output_upscaling\.3\.", "mask_decoder.upscale_conv2."),
    (
        r"^(mask_decoder\.transformer)\.norm_final_attn\.",
        r"\1.layer_norm_final_attn.",
    ),
    (r"^(mask_decoder\.transformer\.layers\.\d+)\.norm(\d)\.", r"\1.layer_norm\2."),
    (r"^(mask_decoder\.(?:output_hypernetworks_mlps\.\d+|iou_prediction_head))\.layers\.0\.",
     r"\1.proj_in."),
    (r"^(mask_decoder\.(?:output_hypernetworks_mlps\.\d+|iou_prediction_head))\.layers\.1\.",
     r"\1.layers.0."),
    (r"^(mask_decoder\.(?:output_hypernetworks_mlps\.\d+|iou_prediction_head))\.layers\.2\.",
     r"\1.proj_out."),
)  # fmt: skip


def converted_name(name: str) -> str:
    """What transformers calls a weight of ``segment_anything``."""
    for pattern, replacement in NAMES:
        renamed, count = re.subn(pattern, replacement, name)
        if count:
            return renamed
    return name


def convert_checkpoint(path: Path, folder: Path) -> None:
    """Write ``config.json`` and ``model.safetensors`` for an original checkpoint.

    Nothing in the file is executed: only plain tensors are read.

    Raises
    ------
    ModelError
        When the file is cut off, holds code, or is no checkpoint of ``segment_anything``.
    OSError
        When the folder cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    weights = _read(path)
    if not any(name.startswith("image_encoder.blocks.") for name in weights):
        raise ModelError(
            f"{path} is no checkpoint of segment_anything (there is no image_encoder in it); give a"
            " sam_vit_*.pth, or a folder of transformers for other models"
        )
    try:
        config = _configuration(weights)
    except (KeyError, IndexError, ZeroDivisionError) as error:
        raise ModelError(
            f"{path} is a checkpoint of another architecture (no {error}); SAM ViT-B, L and H can"
            " be read"
        ) from error
    renamed = {converted_name(name): tensor.contiguous() for name, tensor in weights.items()}
    folder.mkdir(parents=True, exist_ok=True)
    try:
        save_file(renamed, folder / "model.safetensors", metadata={"format": "pt"})
    except SafetensorError as error:
        raise OSError(errno.EIO, str(error).rpartition("I/O error: ")[2]) from error
    text = json.dumps(config, indent=2) + "\n"
    (folder / "config.json").write_text(text, encoding="utf-8")


def _read(path: Path) -> dict[str, Tensor]:
    """Plain tensors of a checkpoint."""
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}); check the path") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "weights_only" in str(error).lower() or "unsupported" in str(error).lower():
            raise ModelError(
                f"{path} holds code, not only weights, and is refused; get the checkpoint from its"
                " authors"
            ) from error
        raise ModelError(f"{path} is no checkpoint, or is cut off; copy it again") from error
    except (RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise ModelError(f"{path} is cut off or damaged; copy or fetch it again") from error
    if isinstance(found, dict) and isinstance(found.get("model"), dict):
        found = found["model"]
    if not isinstance(found, dict) or not all(isinstance(v, Tensor) for v in found.values()):
        raise ModelError(f"{path} holds no weights by name; give a checkpoint of segment_anything")
    return found


def _configuration(weights: dict[str, Tensor]) -> dict[str, Any]:
    """What transformers needs to know, read off the shapes."""
    patch = weights["image_encoder.patch_embed.proj.weight"]
    hidden, channels, patch_size = patch.shape[0], patch.shape[1], patch.shape[2]
    cells = weights["image_encoder.pos_embed"].shape[1]
    blocks = 1 + max(int(m[1]) for m in map(PATCH.match, weights) if m)
    tables = [weights[f"image_encoder.blocks.{i}.attn.rel_pos_h"] for i in range(blocks)]
    everywhere = [i for i, table in enumerate(tables) if len(table) == 2 * cells - 1]
    windows = [(len(table) + 1) // 2 for i, table in enumerate(tables) if i not in everywhere]
    output = weights["image_encoder.neck.0.weight"].shape[0]
    decoder = weights["mask_decoder.iou_token.weight"].shape[1]
    return {
        "model_type": "sam",
        "architectures": ["SamModel"],
        "vision_config": {
            "hidden_size": hidden,
            "output_channels": output,
            "num_hidden_layers": blocks,
            "num_attention_heads": hidden // tables[0].shape[1],
            "num_channels": channels,
            "image_size": cells * patch_size,
            "patch_size": patch_size,
            "mlp_dim": weights["image_encoder.blocks.0.mlp.lin1.weight"].shape[0],
            "window_size": windows[0] if windows else 14,
            "global_attn_indexes": everywhere,
            "num_pos_feats": weights[
                "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
            ].shape[1],
        },
        "prompt_encoder_config": {
            "hidden_size": output,
            "image_size": cells * patch_size,
            "patch_size": patch_size,
            "image_embedding_size": cells,
            "mask_input_channels": weights["prompt_encoder.mask_downscaling.3.weight"].shape[0],
        },
        "mask_decoder_config": {
            "hidden_size": decoder,
            "mlp_dim": weights["mask_decoder.transformer.layers.0.mlp.lin1.weight"].shape[0],
            "num_attention_heads": 8 if decoder % 128 == 0 else max(1, decoder // 16),
            "iou_head_hidden_dim": weights[
                "mask_decoder.iou_prediction_head.layers.0.weight"
            ].shape[0],
        },
    }
