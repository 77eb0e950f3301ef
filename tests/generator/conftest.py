"""A small SAM with random weights, and the mask generation of transformers to compare with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from nital.models import Decoded, Embedding
from nital.prompts import PromptSet

GRID = 64


class LabelModel:
    """A deterministic model: the image is its own truth, its pixels are the labels.

    A point is answered by its object, by the object grown by a cell, with a lower score, and by
    the whole image, with the lowest; on the ground by an unstable mask.
    """

    name = "labels"
    sha256 = None

    def embed(self, image: np.ndarray, target: str) -> Embedding:
        self.embedded = getattr(self, "embedded", 0) + 1
        return Embedding(image.shape, {"image": image})

    def decode(self, embedding: Embedding, prompts: PromptSet, level: str) -> Decoded:
        prompts.check_inside(embedding.shape)
        image = embedding.maps["image"]
        rows, cols = (
            ((np.arange(GRID) + 0.5) * side / GRID).astype(int) for side in embedding.shape
        )
        logits, scores = [], []
        drawn = embedding.maps
        for row, col in np.rint(prompts.points[:, 0]).astype(int):
            label = image[min(row, image.shape[0] - 1), min(col, image.shape[1] - 1)]
            if label not in drawn:
                body = image == label
                inside = ndimage.distance_transform_edt(body)[np.ix_(rows, cols)]
                outside = ndimage.distance_transform_edt(~body)[np.ix_(rows, cols)]
                signed = np.where(inside > 0, inside - 0.5, 0.5 - outside)
                steep = 10.0 if label > 0 else 0.1
                drawn[label] = steep * np.stack([signed, signed + 4, np.full_like(signed, 99)])
            logits.append(drawn[label])
            scores.append([0.95, 0.91, 0.5])
        window = np.array([0, 0, *embedding.shape], np.float32)
        count = len(prompts)
        return Decoded(
            np.array(logits, dtype=np.float32).reshape(count, 3, GRID, GRID),
            np.array(scores, dtype=np.float32).reshape(count, 3),
            np.tile(window, (count, 3, 1)),
        )


def discs(shape: tuple[int, int], pitch: int, radius: int) -> np.ndarray:
    """Label image of discs in rows and columns."""
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    number = (rows // pitch) * (shape[1] // pitch + 1) + cols // pitch + 1
    away = np.hypot(rows % pitch - pitch / 2 + 0.5, cols % pitch - pitch / 2 + 0.5)
    return np.where(away < radius, number, 0).astype(np.float32)


FEW = 6.0
BLEND = 1.0


def small_sam(seed: int = 0, side: int = 256) -> Any:
    """A ``SamModel`` of 60 000 parameters whose masks differ from point to point."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from transformers import SamConfig, SamModel

    config = SamConfig(
        vision_config={
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": side,
            "mlp_dim": 64,
            "output_channels": 32,
            "num_pos_feats": 16,
            "window_size": 6,
            "global_attn_indexes": [1],
        },
        prompt_encoder_config={
            "hidden_size": 32,
            "image_size": side,
            "image_embedding_size": side // 16,
        },
        mask_decoder_config={
            "hidden_size": 32,
            "mlp_dim": 64,
            "num_attention_heads": 2,
            "iou_head_hidden_dim": 32,
        },
    )
    torch.manual_seed(seed)
    model = SamModel(config).eval()
    decoder, prompts = model.mask_decoder, model.prompt_encoder
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        for name, parameter in decoder.named_parameters():
            if "proj.weight" in name:
                parameter.mul_(5 if "cross" in name and name[-13] in "qk" else 1.7)
            if "hypernetworks" in name and "weight" in name:
                parameter.mul_(1.5)
        constant = [*prompts.point_embed, prompts.not_a_point_embed]
        for embedding in [decoder.mask_tokens, decoder.iou_token, *constant]:
            embedding.weight.mul_(0.05)
        model.shared_image_embedding.positional_embedding.mul_(0.2)
        for upscale in (decoder.upscale_conv1, decoder.upscale_conv2):  # fewer checkerboards
            mean = upscale.weight.mean((2, 3), keepdim=True)
            upscale.weight.copy_(mean + BLEND * (upscale.weight - mean))
        decoder.upscale_conv2.bias[0] = 5  # a constant channel, against which masks are few
        for network in decoder.output_hypernetworks_mlps:
            network.proj_out.weight[0] = 0
            network.proj_out.bias[0] = -FEW / 5
    return model


def specimen(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Smooth random grey levels, uint8."""
    noise = np.random.default_rng(seed).random(shape)
    smooth = ndimage.gaussian_filter(noise, 4)
    return np.uint8(255 * (smooth - smooth.min()) / np.ptp(smooth))


@pytest.fixture(scope="session")
def sam() -> Any:
    return small_sam()


def greedy_nms(boxes: Any, scores: Any, threshold: float) -> Any:
    """What torchvision's ``nms`` is defined to do."""
    import torch

    order = list(torch.argsort(scores, descending=True, stable=True))
    kept = []
    while order:
        best = order.pop(0)
        kept.append(best)
        rest = []
        for other in order:
            low = torch.maximum(boxes[best, :2], boxes[other, :2])
            high = torch.minimum(boxes[best, 2:], boxes[other, 2:])
            shared = (high - low).clamp(min=0).prod()
            areas = [(boxes[i, 2:] - boxes[i, :2]).prod() for i in (best, other)]
            if shared / (areas[0] + areas[1] - shared) <= threshold:
                rest.append(other)
        order = rest
    return torch.stack(kept)


def reference_masks(
    model: Any, image: np.ndarray, crops_nms_thresh: float = 0.7, **settings: Any
) -> tuple[np.ndarray, np.ndarray]:
    """(N, H, W) masks and (N,) scores of transformers' mask generation, without torchvision."""
    from PIL import Image
    from transformers import MaskGenerationPipeline
    from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

    class Processor(SamImageProcessorPil):
        def post_process_for_mask_generation(
            self, all_masks: Any, all_scores: Any, all_boxes: Any, crops_nms_thresh: float, **_: Any
        ) -> Any:
            from transformers.models.sam import image_processing_pil_sam

            kept = greedy_nms(all_boxes.float(), all_scores, crops_nms_thresh)
            masks = [image_processing_pil_sam._rle_to_mask(all_masks[i]) for i in kept]
            return masks, all_scores[kept], None, all_boxes[kept]

    side = model.config.vision_config.image_size
    processor = Processor(
        size={"longest_edge": side},
        pad_size={"height": side, "width": side},
        mask_size={"longest_edge": side // 4},
        mask_pad_size={"height": side // 4, "width": side // 4},
    )
    pipeline = MaskGenerationPipeline(model=model, image_processor=processor, device="cpu")
    answer = pipeline(
        Image.fromarray(image).convert("RGB"), crops_nms_thresh=crops_nms_thresh, **settings
    )
    masks = np.array([np.asarray(mask) for mask in answer["masks"]])
    return masks, answer["scores"].numpy()
