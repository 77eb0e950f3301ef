"""The mask generators that Nital's is compared with, and where their time goes.

``transformers`` is a dependency of ``nital[sam]``. ``segment_anything`` and the ``torchvision``
that it imports are not; put them into a folder of their own, because a torchvision built for CUDA
breaks imports elsewhere, and give that folder to the benchmark with ``--peers``:

    pip install --no-deps --target peers segment-anything torchvision

Where the environment has a torchvision that works, segment_anything alone will do. Peers run where
``NITAL_DEVICE`` says, as Nital does, in float32, which is their default.
"""

from __future__ import annotations

import importlib.util
import json
import os
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

BATCH = 64  # points that a peer decodes at once, its own default
DECLARED: list[Any] = []  # operators live as long as their library


class Stages:
    """Seconds of the processor in each stage, without those of the stages inside it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inner = [0.0]

    def time(self, owner: Any, name: str, stage: str) -> None:
        """Time each call of a function of a module or a method of an object from now on."""
        function: Callable[..., Any] = getattr(owner, name)

        def timed(*positional: Any, **named: Any) -> Any:
            self._inner.append(0.0)
            start = time.process_time()
            try:
                return function(*positional, **named)
            finally:
                whole = time.process_time() - start
                self.seconds[stage] += whole - self._inner.pop()
                self._inner[-1] += whole

        setattr(owner, name, timed)


def load_transformers(model: Path, threads: int) -> tuple[Callable[..., Any], Stages]:
    """The mask generation of transformers, with its PIL image processor and an NMS of its own."""
    import torch
    from PIL import Image
    from transformers import MaskGenerationPipeline, SamModel
    from transformers.models.sam import image_processing_pil_sam as library

    from nital.masks.suppression import suppress_boxes

    class Processor(library.SamImageProcessorPil):
        def post_process_for_mask_generation(
            self, all_masks: Any, all_scores: Any, all_boxes: Any, threshold: float, **_: Any
        ) -> Any:
            kept = suppress_boxes(all_boxes.cpu().numpy(), all_scores.cpu().numpy(), threshold)
            return [library._rle_to_mask(all_masks[i]) for i in kept], all_scores[kept], None, None

    network = SamModel.from_pretrained(model).eval()
    torch.set_num_threads(threads)
    side = network.config.vision_config.image_size
    processor = Processor(
        size={"longest_edge": side},
        pad_size={"height": side, "width": side},
        mask_size={"longest_edge": side // 4},
        mask_pad_size={"height": side // 4, "width": side // 4},
    )
    pipeline = MaskGenerationPipeline(model=network, image_processor=processor, device=device())
    stages = Stages()
    stages.time(network.vision_encoder, "forward", "encoder")
    stages.time(network.mask_decoder.transformer, "forward", "attention")
    stages.time(network.mask_decoder, "forward", "drawing")
    stages.time(processor, "post_process_masks", "enlarging")
    stages.time(processor, "filter_masks", "filtering")
    stages.time(library, "_mask_to_rle", "runs")
    stages.time(library, "_rle_to_mask", "runs")

    def generate(pixels: np.ndarray, points: int, options: dict[str, Any]) -> list[np.ndarray]:
        picture = Image.fromarray(pixels).convert("RGB")
        answer = pipeline(picture, points_per_crop=points, **options)
        return [np.asarray(mask) for mask in answer["masks"]]

    return generate, stages


def load_segment_anything(model: Path, threads: int) -> tuple[Callable[..., Any], Stages]:
    """The generator of the authors, with the same weights under their original names."""
    import torch
    from safetensors.torch import load_file

    from nital.models.sam.convert import converted_name

    declare_operators()
    from segment_anything import SamAutomaticMaskGenerator, automatic_mask_generator

    torch.set_num_threads(threads)
    network = _original_network(json.loads((model / "config.json").read_text())["vision_config"])
    saved = load_file(model / "model.safetensors")
    network.load_state_dict(
        {name: saved[converted_name(name)] for name in network.state_dict()}, strict=True
    )
    network.to(device())
    stages = Stages()
    stages.time(network.image_encoder, "forward", "encoder")
    stages.time(network.mask_decoder.transformer, "forward", "attention")
    stages.time(network.mask_decoder, "forward", "drawing")
    stages.time(network, "postprocess_masks", "enlarging")
    stages.time(SamAutomaticMaskGenerator, "_process_batch", "filtering")
    stages.time(automatic_mask_generator, "mask_to_rle_pytorch", "runs")
    stages.time(automatic_mask_generator, "rle_to_mask", "runs")

    def generate(pixels: np.ndarray, points: int, options: dict[str, Any]) -> list[np.ndarray]:
        generator = SamAutomaticMaskGenerator(network, points_per_side=points, **options)
        found = generator.generate(np.stack([pixels] * 3, axis=2))
        return [each["segmentation"] for each in found]

    return generate, stages


def _original_network(vision: dict[str, Any]) -> Any:
    """A model of the authors' classes, of any size of its encoder."""
    from segment_anything import modeling as parts
    from torch import nn

    side, cells = vision["image_size"], vision["image_size"] // 16
    encoder = parts.ImageEncoderViT(
        img_size=side,
        embed_dim=vision["hidden_size"],
        depth=vision["num_hidden_layers"],
        num_heads=vision["num_attention_heads"],
        mlp_ratio=vision["mlp_dim"] / vision["hidden_size"],
        out_chans=256,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=vision["window_size"],
        global_attn_indexes=vision["global_attn_indexes"],
    )
    prompts = parts.PromptEncoder(256, (cells, cells), (side, side), mask_in_chans=16)
    transformer = parts.TwoWayTransformer(depth=2, embedding_dim=256, num_heads=8, mlp_dim=2048)
    decoder = parts.MaskDecoder(
        transformer_dim=256,
        transformer=transformer,
        num_multimask_outputs=3,
        iou_head_depth=3,
        iou_head_hidden_dim=256,
    )
    return parts.Sam(encoder, prompts, decoder).eval()


def device() -> str:
    """Where peers run: the processor, unless told otherwise."""
    return os.environ.get("NITAL_DEVICE", "cpu")


def declare_operators() -> None:
    """Let torchvision be imported beside a torch for CPUs, with the one operator that is called."""
    import torch

    found = importlib.util.find_spec("torchvision")
    compiled = Path(str(found.origin)).with_name("_C.so") if found else Path()
    try:
        torch.ops.load_library(compiled)
        return  # it works as it is
    except OSError:
        library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    DECLARED.append(library)

    def nms(boxes: Any, scores: Any, threshold: float) -> Any:
        from nital.masks.suppression import suppress_boxes

        return torch.from_numpy(suppress_boxes(boxes.numpy(), scores.numpy(), threshold))

    library.impl("nms", nms, "CPU")
    from torchvision import extension

    extension._has_ops = lambda: True


def holds(folder: Path) -> bool:
    """Whether segment_anything is in a folder, and what it imports there or in the environment."""
    own = (folder / "torchvision").is_dir() or importlib.util.find_spec("torchvision") is not None
    return own and (folder / "segment_anything").is_dir()


PEERS = {"transformers": load_transformers, "segment_anything": load_segment_anything}
