"""HQ-SAM's mask decoder (Ke et al., Segment Anything in High Quality, NeurIPS 2023, section 3.2).

One more token, the HQ output token, attends to the image with SAM's own; its vector is multiplied
with finer features: those of the decoder, of the encoder's output and of an early layer of it, and
the mask that results is added to SAM's.

transformers (5.23) takes the image for both products from before the two-way attention, with rows
and columns exchanged, as its decoder lets go of the attention's second output. So Nital decodes by
itself here; the first passes are those of :mod:`nital.models.sam.decoder`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nital.models.sam.decoder import ImageState, transform

__all__ = ["decode_high_quality", "fine_features"]

AT_ONCE = 16  # prompts drawn together where there is no processor's cache to mind


def fine_features(decoder: Any, embedding: Tensor, intermediate: list[Tensor]) -> Tensor:
    """What all prompts share: (1, C / 8, 4 h, 4 w) of the encoder's output and its early layer.

    Parameters
    ----------
    decoder
        ``SamHQModel.mask_decoder`` of transformers.
    embedding
        (1, C, h, w) of the encoder.
    intermediate
        (1, h, w, D) outputs of its layers of global attention; the first is taken.
    """
    late = decoder.encoder_conv1(embedding)
    late = decoder.encoder_conv2(decoder.activation(decoder.encoder_norm(late)))
    early = decoder.compress_vit_conv1(intermediate[0].permute(0, 3, 1, 2))
    early = decoder.compress_vit_conv2(decoder.activation(decoder.compress_vit_norm(early)))
    result: Tensor = late + early
    return result


def decode_high_quality(
    decoder: Any, state: ImageState, features: Tensor, sparse: Tensor, lowest: float, best: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Decode N prompts; parameters and results are those of ``decode_batch``.

    The published decoder answers with SAM's best mask and the HQ mask added; here each of SAM's
    three masks gets it, and ``best`` is as published.
    """
    own = (decoder.iou_token.weight, decoder.mask_tokens.weight, decoder.hq_token.weight)
    output = torch.cat(own)
    tokens = torch.cat([output.expand(len(sparse), -1, -1), sparse], dim=1)
    tokens, image = transform(decoder.transformer, state, tokens)
    scores = decoder.iou_prediction_head(tokens[:, 0])[:, 1:]
    wanted = scores > lowest
    if best:
        only = torch.zeros_like(wanted)
        only.scatter_(1, scores.argmax(1, keepdim=True), 1)
        wanted = wanted & only
    step = 1 if tokens.device.type == "cpu" else AT_ONCE
    prompts = wanted.any(1).nonzero()[:, 0]
    height, width = features.shape[2:]
    drawn = [tokens.new_zeros(0, height, width)]
    for some in prompts.split(step):
        masks = _draw(decoder, state, features, tokens[some], image[some])
        drawn.append(masks[wanted[some]])
    return torch.cat(drawn), scores[wanted], wanted.nonzero()[:, 0]


def _draw(
    decoder: Any, state: ImageState, features: Tensor, tokens: Tensor, image: Tensor
) -> Tensor:
    """(n, 3, 4 h, 4 w) masks of some prompts."""
    seen = image.transpose(1, 2).unflatten(2, state.shape)
    finer = decoder.activation(decoder.upscale_layer_norm(decoder.upscale_conv1(seen)))
    finest = decoder.activation(decoder.upscale_conv2(finer))
    more = decoder.activation(decoder.mask_norm(decoder.mask_conv1(finest)))
    more = decoder.mask_conv2(more) + features
    networks = decoder.output_hypernetworks_mlps
    vectors = [network(tokens[:, 1 + index]) for index, network in enumerate(networks)]
    plain = torch.einsum("nkc,nchw->nkhw", torch.stack(vectors[1:], dim=1), finest)
    added = decoder.hq_mask_mlp(tokens[:, 1 + len(networks)])
    return plain + torch.einsum("nc,nchw->nhw", added, more)[:, None]
