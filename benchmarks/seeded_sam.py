"""A SAM without training: a random, seeded encoder and a decoder whose weights are set by hand.

Wholly random weights answer every point with nearly the same mask, so what a generator has to do
with masks, and how many it finds again, could not be measured. This one knows the objects of one
image by heart, and answers a point with the object under it: of the true size and cost, but right.

* The encoder's table of positions holds a random code of the object that lies at each position,
  and a little of the position itself, so that the points of one object get slightly different
  masks.
* All tokens take the point's positional encoding; the first attention into the image is sharp
  around that position, and brings back the features there, reduced to ``FEATURES`` numbers.
* The upscaling keeps the same numbers of each cell, so the product of the two is the cosine of the
  angle between features. Three thresholds on it give a tight, a middle and a loose mask.
* GELU(x) - GELU(-x) = x: features go through activations in pairs of both signs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

FEATURES = 15
SHARP = 3.0  # of the attention around the point
COSINES = (0.8, 0.85, 0.8, 0.75)  # from which a cell belongs to the mask: single, tight ... loose
STEEP = 0.2
CONSTANT = 5.0
FREQUENCY = 2.0  # cycles across half the image, of the positional encoding
DETAIL = 0.03  # of what the encoder sees of a patch
CODE = 3.0  # of what it knows of the object there
MIDDLE = ((0.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 0.0))  # a convolution of single positions
PLACE = 1.0  # of what it knows of the position of a patch
PREDICTED = (0.9, 0.02)  # mean and spread of the predicted IoU, about


def save_seeded_sam(folder: Path, image: np.ndarray, labels: np.ndarray, small: bool) -> Path:
    """Save a model of the size of ViT-B, or a small one for 512 pixels, as transformers does.

    It knows ``labels``, (H, W) integers from 0, of ``image``, (H, W) uint8, both square.
    """
    import torch
    from transformers import SamConfig, SamModel

    config = SamConfig(vision_config={"initializer_range": 0.02})
    if small:
        config = SamConfig(
            vision_config={"hidden_size": 96, "num_hidden_layers": 4, "num_attention_heads": 3,
                           "image_size": 512, "mlp_dim": 192, "global_attn_indexes": [1, 3],
                           "output_channels": 256, "num_pos_feats": 128, "initializer_range": 0.02},
            prompt_encoder_config={"image_size": 512, "image_embedding_size": 32},
        )  # fmt: skip
    torch.manual_seed(0)
    model = SamModel(config)
    cells = model.vision_encoder.pos_embed.shape[1]
    middles = ((np.arange(cells) + 0.5) / cells * labels.shape[0]).astype(int)
    there = torch.from_numpy(labels[np.ix_(middles, middles)].astype(np.int64))
    with torch.no_grad():
        _set_positions(model, there)
        _centre(model, image, there)
        features = torch.randn(FEATURES, 256) / 16
        _set_attention(model.mask_decoder.transformer, features)
        _set_upscaling(model.mask_decoder, features)
        _set_heads(model.mask_decoder)
    model.save_pretrained(folder)
    return folder


def _set_positions(model: Any, there: Any) -> None:
    """Smooth encodings of position for points; objects in the encoder; faint constant tokens."""
    import torch

    model.vision_encoder.patch_embed.projection.weight.mul_(DETAIL)
    smoothing = model.vision_encoder.neck.conv2.weight
    smoothing.copy_(smoothing * torch.tensor(MIDDLE))

    encoding = model.shared_image_embedding.positional_embedding
    encoding.copy_(FREQUENCY * torch.randn_like(encoding))
    table = model.vision_encoder.pos_embed
    codes = CODE * torch.randn(int(there.max()) + 1, table.shape[3])
    steps = torch.linspace(-1, 1, table.shape[1])
    waves = 0.5 * torch.randn(2, table.shape[3])
    phase = 6.28 * (steps[:, None, None] * waves[0] + steps[None, :, None] * waves[1])
    table.copy_(codes[there] + PLACE * torch.sin(phase + 6.28 * torch.rand(table.shape[3])))
    prompts, decoder = model.prompt_encoder, model.mask_decoder
    constant = [*prompts.point_embed, prompts.not_a_point_embed, prompts.no_mask_embed]
    for embedding in [*constant, decoder.mask_tokens, decoder.iou_token]:
        embedding.weight.mul_(0.01)


def _centre(model: Any, image: np.ndarray, there: Any) -> None:
    """Let the encoder's features be small beside positions, and zero in the mean of the objects."""
    import torch
    from PIL import Image

    side = model.config.vision_config.image_size
    pixels = np.array(Image.fromarray(image).resize((side, side)), dtype=np.float32)
    pixels = (pixels - pixels.mean()) / pixels.std()
    found = model.get_image_embeddings(torch.from_numpy(pixels).expand(1, 3, -1, -1))[0]
    mean = torch.stack([found[:, there == label].mean(1) for label in there.unique()]).mean(0)
    norm = model.vision_encoder.neck.layer_norm2
    norm.weight.fill_(0.1)
    norm.bias.copy_(-0.1 * mean)


def _set_attention(transformer: Any, features: Any) -> None:
    """Tokens take the point's position, then the features there; all else adds nothing."""
    import torch

    for layer in transformer.layers:
        silent = (layer.self_attn, layer.cross_attn_token_to_image, layer.cross_attn_image_to_token)
        for each in (*(attention.out_proj for attention in silent), layer.mlp.lin2):
            each.weight.zero_()
            each.bias.zero_()
    transformer.final_attn_token_to_image.out_proj.weight.zero_()
    transformer.final_attn_token_to_image.out_proj.bias.zero_()
    first = transformer.layers[0]
    everywhere, there = first.self_attn, first.cross_attn_token_to_image
    for projection in (everywhere.q_proj, everywhere.k_proj):
        projection.weight.zero_()
    everywhere.v_proj.weight.copy_(torch.eye(256))
    everywhere.out_proj.weight.copy_(7 * torch.eye(256))
    first.layer_norm1.weight[:FEATURES] = 0
    pick = torch.zeros(128, 256)
    for head in range(8):
        waves = 32 + 8 * head + torch.arange(8)
        pick[16 * head + torch.arange(8), waves] = SHARP
        pick[16 * head + 8 + torch.arange(8), 128 + waves] = SHARP
    for projection in (there.q_proj, there.k_proj):
        projection.weight.copy_(pick)
        projection.bias.zero_()
    there.v_proj.weight.zero_()
    there.v_proj.bias.zero_()
    there.v_proj.weight[:FEATURES] = features
    there.out_proj.weight[range(FEATURES), range(FEATURES)] = 1000.0
    first.layer_norm2.weight[FEATURES:] = 0


def _set_upscaling(decoder: Any, features: Any) -> None:
    """The same features of every cell, in pairs of both signs, and one constant channel."""
    for convolution in (decoder.upscale_conv1, decoder.upscale_conv2):
        convolution.weight.zero_()
        convolution.bias.zero_()
    for feature in range(FEATURES):
        for sign in (1, -1):
            channel = 2 * feature + (sign < 0)
            decoder.upscale_conv1.weight[:, channel] = sign * features[feature][:, None, None]
            decoder.upscale_conv2.weight[2 * feature, channel] = sign
            decoder.upscale_conv2.weight[2 * feature + 1, channel] = -sign
    decoder.upscale_conv2.bias[2 * FEATURES] = CONSTANT


def _set_heads(decoder: Any) -> None:
    """Masks by the cosine between features; the predicted IoU at random."""
    largest = STEEP * (32 * 256) ** 0.5  # logit where features are the same
    for network, cosine in zip(decoder.output_hypernetworks_mlps, COSINES, strict=True):
        for layer in (network.proj_in, *network.layers, network.proj_out):
            layer.weight.zero_()
            layer.bias.zero_()
        for feature in range(FEATURES):
            for sign in (1, -1):
                unit = 2 * feature + (sign < 0)
                network.proj_in.weight[unit, feature] = sign
                network.layers[0].weight[unit, unit] = 1
                network.proj_out.weight[2 * feature, unit] = STEEP * sign
                network.proj_out.weight[2 * feature + 1, unit] = -STEEP * sign
        network.proj_out.bias[2 * FEATURES] = -cosine * largest / CONSTANT
    head = decoder.iou_prediction_head
    mean, spread = PREDICTED
    head.proj_out.weight.mul_(spread / float(head.proj_out.weight.std()))
    head.proj_out.bias.fill_(mean)
