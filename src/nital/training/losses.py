"""The joint loss of the compact network, part by part."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from nital.training.network import CompactNetwork

__all__ = ["compute_losses"]

WEIGHTS = {
    "foreground": 1.0,
    "boundary": 2.0,
    "distance": 2.0,
    "sizes": 0.3,
    "phases": 1.0,
    "object": 1.5,
    "phase_prompt": 0.7,
    "object_score": 0.3,
    "phase_score": 0.3,
    "target": 0.2,
}
MAX_PHASES = 10


def compute_losses(network: CompactNetwork, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """All loss terms of one batch; ``total`` is their weighted sum.

    ``batch`` holds the stacked arrays of :func:`nital.training.targets.make_example`.
    """
    dense, embedding, mask_features, query, target_logits = (
        t.float() for t in network.encoder(batch["image"], batch["target"])
    )
    losses = _dense_losses(dense, batch["dense"], batch["dense_weight"])
    losses["phases"] = _prototype_loss(network, embedding, batch["phases"])
    losses["target"] = F.cross_entropy(target_logits, batch["target"].argmax(1))
    with torch.autocast("cpu", enabled=False):
        losses |= _prompt_losses(network, embedding, mask_features, query, batch)
    losses["total"] = torch.stack([WEIGHTS[k] * v for k, v in losses.items()]).sum()
    return losses


def _dense_losses(dense: Tensor, truth: Tensor, weight: Tensor) -> dict[str, Tensor]:
    total = weight.sum((2, 3)).clamp(min=1.0)

    def mean(values: Tensor, channel: int) -> Tensor:
        return ((values * weight[:, channel]).sum((1, 2)) / total[:, channel]).mean()

    foreground = F.binary_cross_entropy_with_logits(dense[:, 0], truth[:, 0], reduction="none")
    boundary = F.binary_cross_entropy_with_logits(dense[:, 1], truth[:, 1], reduction="none")
    emphasis = 1.0 + 2.0 * truth[:, 1]
    distance = (dense[:, 2].sigmoid() - truth[:, 2]).abs()
    sizes = F.smooth_l1_loss(dense[:, 3:], truth[:, 3:], reduction="none").mean(1)
    return {
        "foreground": mean(foreground, 0) + _dice(dense[:, 0], truth[:, 0], weight[:, 0]),
        "boundary": mean(boundary * emphasis, 1) + _dice(dense[:, 1], truth[:, 1], weight[:, 1]),
        "distance": mean(distance, 2),
        "sizes": mean(sizes, 3),
    }


def _dice(logits: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Soft Dice over the last two axes, for those samples that have something to find."""
    probability = logits.sigmoid() * weight
    truth = truth * weight
    both = (probability * truth).sum((-2, -1))
    total = (probability + truth).sum((-2, -1))
    loss = 1 - (2 * both + 1.0) / (total + 1.0)
    present = (truth.sum((-2, -1)) > 0).float()
    return (loss * present).sum() / present.sum().clamp(min=1.0)


def _prototype_loss(network: CompactNetwork, embedding: Tensor, phases: Tensor) -> Tensor:
    """Cross-entropy of every pixel against the mean embeddings of the image's own phases."""
    known = torch.where(phases > MAX_PHASES, 0, phases).long()
    one_hot = F.one_hot(known, MAX_PHASES + 1)[..., 1:].float()  # B, h, w, P
    counts = one_hot.sum((1, 2))
    sums = torch.einsum("behw,bhwp->bpe", embedding, one_hot)
    means = sums / counts[..., None].clamp(min=1.0)
    scale = network.phase_decoder.log_scale.exp()
    squares = (embedding**2).sum(1)[..., None] + (means**2).sum(-1)[:, None, None]
    distance = squares - 2 * torch.einsum("behw,bpe->bhwp", embedding, means)
    enough = counts > 20
    logits = (-scale * distance).masked_fill(~enough[:, None, None], -1e4)
    log_probability = logits.log_softmax(-1)
    per_phase = -(log_probability * one_hot).sum((1, 2)) / counts.clamp(min=1.0)
    share = (counts / counts.sum(1, keepdim=True).clamp(min=1.0)).sqrt() * enough
    share = share / share.sum(1, keepdim=True).clamp(min=1e-6)
    several = (enough.sum(1) >= 2).float()
    return ((per_phase * share).sum(1) * several).sum() / several.sum().clamp(min=1.0)


def _prompt_losses(
    network: CompactNetwork,
    embedding: Tensor,
    mask_features: Tensor,
    query: Tensor,
    batch: dict[str, Tensor],
) -> dict[str, Tensor]:
    """Masks and scores of the prompted objects and phases, image by image."""
    grid_side = batch["masks"].shape[-1]
    unit = (torch.arange(grid_side) + 0.5) / grid_side * 2 - 1
    size = torch.tensor([float(n) for n in batch["image"].shape[2:]])
    parts: dict[str, list[Tensor]] = {
        k: [] for k in ("object", "object_score", "phase_prompt", "phase_score")
    }
    coarse = embedding[:, :, ::2, ::2]
    for b in range(len(embedding)):
        image = slice(b, b + 1)
        points, kinds = batch["points"][b], batch["point_labels"][b]
        here = batch["has_object"][b] > 0
        if here.any():
            logits, score = network.object_decoder(
                mask_features[image],
                query[image],
                points[here],
                kinds[here],
                batch["boxes"][b][here],
                batch["windows"][b][here],
                size,
                unit,
            )
            truth = batch["masks"][b][here]
            loss, iou = _mask_loss(logits, truth)
            parts["object"].append(loss)
            parts["object_score"].append(F.binary_cross_entropy_with_logits(score, iou))
        asked = batch["prompt_phase"][b].long()
        usable = (asked > 0) & (kinds == 1).any(1)
        if usable.any() and (batch["phases"][b] > 0).any():
            logits, score = network.phase_decoder(
                coarse[image],
                query[image],
                points[usable][:, :1],
                kinds[usable][:, :1],
                size,
            )
            known = (batch["phases"][b, ::2, ::2] > 0).float()
            truth = (batch["phases"][b, ::2, ::2][None] == asked[usable][:, None, None]).float()
            loss, iou = _mask_loss(logits, truth, known)
            parts["phase_prompt"].append(loss)
            parts["phase_score"].append(F.binary_cross_entropy_with_logits(score, iou))
    zero = embedding.sum() * 0
    return {k: torch.stack(v).mean() if v else zero for k, v in parts.items()}


def _mask_loss(logits: Tensor, truth: Tensor, known: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """BCE + Dice of (N, h, w) logits, and the IoU that each reaches (no gradient)."""
    weight = torch.ones_like(truth) if known is None else known.expand_as(truth)
    bce = F.binary_cross_entropy_with_logits(logits, truth, weight=weight, reduction="none")
    loss = bce.mean() + _dice(logits, truth, weight)
    with torch.no_grad():
        predicted = (logits > 0).float() * weight
        both = (predicted * truth).sum((1, 2))
        either = ((predicted + truth * weight) > 0).float().sum((1, 2))
        iou = both / either.clamp(min=1.0)
    return loss, iou
