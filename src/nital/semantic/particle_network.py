"""The U-Net for particles: foreground and border, taught at every level of its climb."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from nital.semantic.networks import UNet

__all__ = ["MAPS", "ParticleUNet", "particle_loss", "particle_losses"]

MAPS = ("foreground", "border")
"""Probability of a particle and of its border."""

WEIGHTS = {"foreground": 1.0, "border": 2.0}
BORDER_EMPHASIS = 3.0  # of a border pixel over another: they are few


class ParticleUNet(nn.Module):
    """A U-Net at half resolution whose levels all answer; the answers are enlarged and added.

    Every level is thus taught directly (deep supervision): a plain U-Net of a few thousand steps
    learns edges from its fine levels before its coarse ones tell particles from the ground.

    Parameters
    ----------
    width
        Channels at half resolution; they double with every pooling.
    """

    stride = 32

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, width, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        )
        self.levels = UNet(width, len(MAPS), width)
        self.heads = nn.ModuleList(
            nn.Conv2d(width * 2**level, len(MAPS), 1) for level in (4, 3, 2, 1)
        )

    def forward(self, image: Tensor) -> Tensor:
        """Logits (N, 2, H, W) of :data:`MAPS` for an image (N, 1, H, W) of zero mean."""
        *coarse, finest = self.levels.climbed(self.stem(image))
        answers = [head(x) for head, x in zip(self.heads, coarse, strict=True)]
        total = answers[0]
        for answer in (*answers[1:], self.levels.head(finest)):
            total = answer + functional.interpolate(total, scale_factor=2.0, mode="bilinear")
        return functional.interpolate(total, scale_factor=2.0, mode="bilinear")


def particle_losses(logits: Tensor, truth: Tensor, valid: Tensor) -> dict[str, Tensor]:
    """Cross-entropy and Dice of foreground and border.

    Parameters
    ----------
    logits, truth
        (N, 2, H, W), in the order of :data:`MAPS`; truth 0 or 1.
    valid
        (N, H, W); 0 where the truth is not known.
    """
    known = valid.sum().clamp(min=1.0)
    losses = {}
    for index, (name, emphasis) in enumerate((("foreground", 1.0), ("border", BORDER_EMPHASIS))):
        answer, wanted = logits[:, index], truth[:, index]
        entropy = functional.binary_cross_entropy_with_logits(answer, wanted, reduction="none")
        weight = valid * (1 + (emphasis - 1) * wanted)
        losses[name] = (entropy * weight).sum() / known + _dice(answer, wanted, valid)
    return losses


def particle_loss(losses: dict[str, Tensor]) -> Tensor:
    """The weighted sum that is made small."""
    return torch.stack([WEIGHTS[name] * value for name, value in losses.items()]).sum()


def _dice(logits: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """One minus soft Dice, crop by crop, as a mean over those that have something to find."""
    probability, truth = logits.sigmoid() * valid, truth * valid
    both = (probability * truth).sum((1, 2))
    loss = 1 - (2 * both + 1) / ((probability + truth).sum((1, 2)) + 1)
    present = (truth.sum((1, 2)) > 0).float()
    return (loss * present).sum() / present.sum().clamp(min=1.0)
