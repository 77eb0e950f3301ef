"""SAM's mask decoder for many prompts on one image.

The same sums as the published decoder (Kirillov et al., 2023), in another order:

* The image is the same for all prompts, so in the first layer its keys, values and queries are
  computed once, not once a prompt.
* Afterwards each prompt has its own image of P = h x w positions, but only T tokens, about seven,
  attend to it. A projection of the P positions followed by a product with T vectors is replaced by
  a projection of the T vectors: q (W x) = (q W) x. That is less than half of the multiplications.
* The predicted IoU is known before a mask is drawn, so only wanted masks are upsampled.
* The passes over the image go block by block, small enough for a processor's cache; positions
  come before channels, so the transposed 2 x 2 convolutions are plain products.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["ImageState", "decode_batch", "prepare_image", "transform"]


BLOCK = 512  # positions worked on at once on a processor: half a megabyte of 256 channels


@dataclass(frozen=True)
class ImageState:
    """What all prompts on one image share.

    ``image`` (P, C) embedding plus the dense prompt; ``positions`` (P, C) their encoding; ``keys``
    (heads, c, P), ``values`` (heads, P, c) and ``queries`` (P, D) of the first layer; ``shape``
    (h, w) with h w = P.
    """

    image: Tensor
    positions: Tensor
    keys: Tensor
    values: Tensor
    queries: Tensor
    shape: tuple[int, int]

    def blocks(self, count: int) -> Iterator[tuple[slice, slice]]:
        """Prompts and positions to work on at once: all of them, but on a processor."""
        if self.image.device.type != "cpu":
            yield slice(0, count), slice(0, len(self.image))
            return
        for prompt in range(count):
            for start in range(0, len(self.image), BLOCK):
                yield slice(prompt, prompt + 1), slice(start, start + BLOCK)


def prepare_image(decoder: Any, embedding: Tensor, dense: Tensor, positions: Tensor) -> ImageState:
    """Compute once what depends on the image alone.

    Parameters
    ----------
    decoder
        ``SamModel.mask_decoder`` of transformers.
    embedding, dense, positions
        (1, C, h, w) of the image encoder, of "no mask given", and of the positions.
    """
    image = (embedding + dense)[0].flatten(1).T.contiguous()
    places = positions[0].flatten(1).T.contiguous()
    first = decoder.transformer.layers[0]
    to_image, to_tokens = first.cross_attn_token_to_image, first.cross_attn_image_to_token
    heads = to_image.num_attention_heads
    keys = to_image.k_proj(image + places).unflatten(1, (heads, -1)).permute(1, 2, 0)
    values = to_image.v_proj(image).unflatten(1, (heads, -1)).transpose(0, 1)
    return ImageState(
        image,
        places,
        keys.contiguous(),
        values.contiguous(),
        to_tokens.q_proj(image + places),
        (embedding.shape[2], embedding.shape[3]),
    )


def decode_batch(
    decoder: Any, state: ImageState, sparse: Tensor, lowest_score: float, best: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Decode N prompts into those of their three masks each that are wanted.

    Parameters
    ----------
    sparse
        (N, S, C) embedded points and boxes.
    lowest_score
        Masks with a predicted IoU that is not above this are not drawn.
    best
        Draw no more than the one mask with the highest predicted IoU of each prompt.

    Returns
    -------
    logits
        (M, 4 h, 4 w) of the wanted masks, by prompt.
    scores
        (M,) their predicted IoU.
    prompts
        (M,) index of the prompt of each.
    """
    output = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
    tokens = torch.cat([output.expand(len(sparse), -1, -1), sparse], dim=1)
    tokens, image = transform(decoder.transformer, state, tokens)
    scores = decoder.iou_prediction_head(tokens[:, 0])[:, 1:]
    wanted = scores > lowest_score
    if best:
        only = torch.zeros_like(wanted)
        only.scatter_(1, scores.argmax(1, keepdim=True), 1)
        wanted = wanted & only
    masks = _draw(decoder, state, tokens, image, wanted)
    return masks, scores[wanted], wanted.nonzero()[:, 0]


def transform(network: Any, state: ImageState, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """The two-way transformer: (N, T, C) tokens and (N, P, C) images after it.

    The tokens of a layer are known before its image: so one pass over the image adds the tokens of
    the layer before and takes the sums by which the next tokens attend to it.
    """
    queries, image = _first_tokens(network.layers[0], state, tokens), state.image
    for index, layer in enumerate(network.layers):
        following = network.layers[index + 1] if index + 1 < len(network.layers) else None
        if following is None:
            placed, attention = queries + tokens, network.final_attn_token_to_image
            norm = network.layer_norm_final_attn
        else:
            placed = (queries + tokens)[None]
            before = queries + following.self_attn(placed, placed, queries[None])[0][0]
            before = following.layer_norm1(before)
            placed, attention = before + tokens, following.cross_attn_token_to_image
            norm = following.layer_norm2
        asked = _into_image(attention, placed)
        image, sums = _pass(layer, state, image, queries, queries + tokens, asked)
        attended = _out_of_image(attention, sums, image, placed.shape[1])
        queries = norm((queries if following is None else before) + attended)
        if following is not None:
            queries = following.layer_norm3(queries + following.mlp(queries))
    return queries, image


def _first_tokens(layer: Any, state: ImageState, tokens: Tensor) -> Tensor:
    """The tokens of the first layer, which attend to the image that all prompts share."""
    queries = layer.self_attn(tokens[None], tokens[None], tokens[None])[0][0]
    queries = layer.layer_norm1(queries)
    attention = layer.cross_attn_token_to_image
    asked = _heads(attention, attention.q_proj(queries + tokens)) * attention.scaling
    count, heads, number, width = asked.shape
    together = asked.transpose(0, 1).reshape(heads, count * number, width)
    weights = torch.softmax(together @ state.keys, dim=-1)
    attended = (weights @ state.values).unflatten(1, (count, number))
    attended = attention.out_proj(attended.permute(1, 2, 0, 3).flatten(2))
    queries = layer.layer_norm2(queries + attended)
    result: Tensor = layer.layer_norm3(queries + layer.mlp(queries))
    return result


def _pass(
    layer: Any, state: ImageState, image: Tensor, queries: Tensor, placed: Tensor, asked: Tensor
) -> tuple[Tensor, Tensor]:
    """Let the image attend to its tokens, then sum up what the next tokens ask of it.

    ``image`` is (P, C), the same for all, before the first layer and (N, P, C) after it; ``asked``
    (N, heads T, C). Returns the new image and the sums (N, heads T, P).
    """
    attention, norm = layer.cross_attn_image_to_token, layer.layer_norm4
    shared = image.dim() == 2
    count, number = queries.shape[:2]
    blocks, offset = _shared_blocks(attention, placed) if shared else _own_blocks(attention, placed)
    taken = _taken(attention, queries)
    out = image.new_empty(count, *state.image.shape)
    sums = image.new_empty(count, asked.shape[1], len(state.image))
    for some, part in state.blocks(count):
        places = state.positions[part]
        before = image[part].expand(len(blocks[some]), -1, -1) if shared else image[some, part]
        seen = state.queries[part].expand(len(before), -1, -1) if shared else before + places
        weights = torch.baddbmm(offset[some], blocks[some], seen.transpose(1, 2))
        weights = torch.softmax(weights.unflatten(1, (number, -1)), dim=1).flatten(1, 2)
        after = torch.baddbmm(before, weights.transpose(1, 2), taken[some])
        after = functional.layer_norm(
            after.add_(attention.out_proj.bias),
            norm.normalized_shape,
            norm.weight,
            norm.bias,
            norm.eps,
        )
        out[some, part] = after
        sums[some, :, part] = torch.bmm(asked[some], after.add_(places).transpose(1, 2))
    return out, sums


def _heads(attention: Any, projected: Tensor) -> Tensor:
    """(N, T, D) to (N, heads, T, c)."""
    split: Tensor = projected.unflatten(2, (attention.num_attention_heads, -1))
    return split.transpose(1, 2)


def _into_image(attention: Any, placed: Tensor) -> Tensor:
    """Queries of the tokens in the channels of the image: (N, heads T, C).

    The bias of the keys adds the same to all positions, which softmax does not see.
    """
    queries = _heads(attention, attention.q_proj(placed)) * attention.scaling
    into = attention.k_proj.weight.unflatten(0, (queries.shape[1], -1))
    return torch.einsum("nhtc,hcd->nhtd", queries, into).flatten(1, 2)


def _out_of_image(attention: Any, sums: Tensor, image: Tensor, number: int) -> Tensor:
    """What the tokens take from their images: (N, T, C).

    The weights sum up to one, so the bias of the values is added once.
    """
    seen = torch.bmm(torch.softmax(sums, dim=-1), image).unflatten(1, (-1, number))
    out = attention.v_proj.weight.unflatten(0, (seen.shape[1], -1))
    values = torch.einsum("nhtd,hcd->nthc", seen, out).flatten(2) + attention.v_proj.bias
    result: Tensor = attention.out_proj(values)
    return result


def _shared_blocks(attention: Any, placed: Tensor) -> tuple[Tensor, Tensor]:
    """Keys of the tokens as (N, T heads, D), each head in its own channels; and no offset."""
    keys = _heads(attention, attention.k_proj(placed)) * attention.scaling
    count, heads, number, width = keys.shape
    blocks = keys.new_zeros(count, number, heads, heads, width)
    index = torch.arange(heads, device=keys.device)
    blocks[:, :, index, index] = keys.transpose(1, 2)
    blocks = blocks.reshape(count, number * heads, heads * width)
    return blocks, keys.new_zeros(count, 1, 1)


def _own_blocks(attention: Any, placed: Tensor) -> tuple[Tensor, Tensor]:
    """Keys of the tokens in the channels of the image, (N, T heads, C), and their offsets."""
    keys = _heads(attention, attention.k_proj(placed)) * attention.scaling
    asked = attention.q_proj.weight.unflatten(0, (keys.shape[1], -1))
    blocks = torch.einsum("nhtc,hcd->nthd", keys, asked).flatten(1, 2)
    bias = attention.q_proj.bias.unflatten(0, (keys.shape[1], -1))
    return blocks, torch.einsum("nhtc,hc->nth", keys, bias).flatten(1)[..., None]


def _taken(attention: Any, queries: Tensor) -> Tensor:
    """What a position takes from each token by each head: (N, T heads, C)."""
    values = _heads(attention, attention.v_proj(queries))
    out = attention.out_proj.weight.unflatten(1, (values.shape[1], -1))
    return torch.einsum("nhtc,dhc->nthd", values, out).flatten(1, 2)


def _draw(decoder: Any, state: ImageState, tokens: Tensor, image: Tensor, wanted: Tensor) -> Tensor:
    """Upsample the images of those prompts that have wanted masks fourfold, and draw them."""
    prompts, masks = wanted.nonzero(as_tuple=True)
    vectors = tokens.new_zeros(len(prompts), decoder.upscale_conv2.weight.shape[1])
    for index, network in enumerate(decoder.output_hypernetworks_mlps[1:]):
        mine = masks == index
        vectors[mine] = network(tokens[prompts[mine], 2 + index])
    norm = decoder.upscale_layer_norm
    height, width = state.shape
    drawn = tokens.new_empty(len(prompts), height * width, 16)
    coarse, fine = (_as_product(decoder.upscale_conv1), _as_product(decoder.upscale_conv2))
    places = {int(prompt): prompts == prompt for prompt in prompts.unique()}
    for some, part in state.blocks(len(image)):
        for prompt in range(some.start, some.stop):
            if prompt not in places:
                continue
            finer = torch.addmm(coarse[1], image[prompt, part], coarse[0]).unflatten(1, (4, -1))
            finer = functional.layer_norm(
                finer, norm.normalized_shape, norm.weight, norm.bias, norm.eps
            )
            finer = functional.gelu(finer).flatten(0, 1)
            finest = functional.gelu(torch.addmm(fine[1], finer, fine[0])).unflatten(1, (4, -1))
            drawn[places[prompt], part] = (
                vectors[places[prompt]] @ finest.flatten(0, 1).T
            ).unflatten(1, (-1, 16))
    drawn = drawn.view(-1, height, width, 2, 2, 2, 2).permute(0, 1, 3, 5, 2, 4, 6)
    return drawn.reshape(-1, 4 * height, 4 * width)


def _as_product(convolution: Any) -> tuple[Tensor, Tensor]:
    """A transposed 2 x 2 convolution of stride 2 as a (C, 4 D) matrix and its (4 D,) bias."""
    return convolution.weight.permute(0, 2, 3, 1).flatten(1), convolution.bias.repeat(4)
