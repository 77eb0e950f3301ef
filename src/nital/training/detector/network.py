"""Mask R-CNN with an uncertainty head (Fig. 2 of Rettenberger et al.; He et al., ICCV 2017)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nital.errors import UsageError
from nital.training.detector.backbones import CompactPyramid, ResNetPyramid
from nital.training.detector.operators import nms, roi_align
from nital.training.detector.regions import anchors_of, decode_boxes
from nital.training.network import NetworkConfig

__all__ = ["BACKBONES", "Detector", "DetectorConfig", "level_of"]

BACKBONES = ("compact", "resnet50")
BOX_BINS, MASK_BINS = 7, 14


@dataclass(frozen=True)
class DetectorConfig:
    """Shape of the detector; stored with its weights.

    Parameters
    ----------
    backbone
        ``"compact"`` or ``"resnet50"``.
    hidden
        Width of the box head.
    mask_depth
        3x3 convolutions of the mask head.
    anchor_sizes
        Sides of the anchors in strides of their level.
    anchor_ratios
        Height over width of the anchors.
    proposals
        Regions that go to the heads, for every 65 536 pixels.
    level_side
        Side in pixels of the boxes that a map of stride 1 would serve; 14 in Lin et al., CVPR 2017,
        eq. 1 (224 pixels at stride 16). Twice that reads small particles off the finest map.
    """

    backbone: str = "compact"
    hidden: int = 256
    mask_depth: int = 2
    anchor_sizes: tuple[float, ...] = (2.2, 3.4)
    anchor_ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    proposals: int = 300
    level_side: float = 28.0

    def __post_init__(self) -> None:
        if self.backbone not in BACKBONES:
            raise UsageError(f"the backbone is {' or '.join(BACKBONES)}, not {self.backbone!r}")

    @classmethod
    def of(cls, backbone: str) -> DetectorConfig:
        """The usual shape with this backbone; the paper's for ResNet-50."""
        if backbone == "resnet50":
            return cls(backbone, hidden=1024, mask_depth=4, level_side=14.0)
        return cls(backbone)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        return asdict(self)


def level_of(boxes: Tensor, strides: tuple[int, ...], level_side: float) -> Tensor:
    """(N,) which map serves each box: that whose stride is about its side over ``level_side``."""
    side = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1).prod(-1).sqrt()
    finest = torch.log2(torch.tensor(float(strides[0])))
    level = torch.floor(torch.log2(side / level_side) + 0.5) - finest
    return level.clamp(0, len(strides) - 1).long()


class RegionHead(nn.Module):
    """Objectness and box codes of every anchor."""

    def __init__(self, channels: int, anchors: int) -> None:
        super().__init__()
        self.shared = nn.Conv2d(channels, channels, 3, padding=1)
        self.objectness = nn.Conv2d(channels, anchors, 1)
        self.codes = nn.Conv2d(channels, 4 * anchors, 1)
        for layer in (self.objectness, self.codes):
            nn.init.normal_(layer.weight, std=0.01)

    def forward(self, levels: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Maps to logits (B, A) and codes (B, A, 4), in the order of ``anchors_of``."""
        logits, codes = [], []
        for level in levels:
            x = F.relu(self.shared(level))
            logits.append(self.objectness(x).permute(0, 2, 3, 1).flatten(1))
            codes.append(self.codes(x).permute(0, 2, 3, 1).reshape(x.shape[0], -1, 4))
        return torch.cat(logits, 1), torch.cat(codes, 1)


class BoxHead(nn.Module):
    """Particle or not, its box, and how certain an expert would be of it."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.first = nn.Linear(channels * BOX_BINS**2, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.particle = nn.Linear(hidden, 1)
        self.codes = nn.Linear(hidden, 4)
        self.certainty = nn.Linear(hidden, 1)
        nn.init.normal_(self.codes.weight, std=0.001)

    def forward(self, pooled: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, C, 7, 7) to particle logits (N,), codes (N, 4) and certainty logits (N,)."""
        x = F.relu(self.second(F.relu(self.first(pooled.flatten(1)))))
        return self.particle(x)[:, 0], self.codes(x), self.certainty(x)[:, 0]


class MaskHead(nn.Module):
    """The visible and the whole mask of a particle in its box."""

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        self.body = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(depth))
        self.up = nn.ConvTranspose2d(channels, channels, 2, 2)
        self.out = nn.Conv2d(channels, 2, 1)

    def forward(self, pooled: Tensor) -> Tensor:
        """(N, C, 14, 14) to logits (N, 2, 28, 28): what is seen, and the whole outline."""
        for layer in self.body:
            pooled = F.relu(layer(pooled))
        logits: Tensor = self.out(F.relu(self.up(pooled)))
        return logits


class Detector(nn.Module):
    """Backbone, region proposals and heads."""

    def __init__(
        self, config: DetectorConfig | None = None, encoder: NetworkConfig | None = None
    ) -> None:
        super().__init__()
        self.config = config or DetectorConfig()
        self.pyramid = (
            CompactPyramid(encoder) if self.config.backbone == "compact" else ResNetPyramid()
        )
        channels = self.pyramid.channels
        anchors = len(self.config.anchor_sizes) * len(self.config.anchor_ratios)
        self.regions = RegionHead(channels, anchors)
        self.boxes = BoxHead(channels, self.config.hidden)
        self.masks = MaskHead(channels, self.config.mask_depth)

    @property
    def roi_strides(self) -> tuple[int, ...]:
        """Strides of the maps that serve boxes, the finest first."""
        return (2, 4, 8, 16) if self.config.backbone == "compact" else (4, 8, 16, 32)

    def roi_maps(self, levels: list[Tensor]) -> list[Tensor]:
        """The maps that serve boxes, of all that the pyramid gives."""
        return levels[:4] if self.config.backbone == "compact" else levels[1:5]

    def propose(self, levels: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Objectness (B, A), codes (B, A, 4) and anchors (A, 4) from the maps of the backbone."""
        logits, codes = self.regions(levels[1:])
        shapes = [(level.shape[2], level.shape[3]) for level in levels[1:]]
        config = self.config
        anchors = anchors_of(
            shapes, self.pyramid.strides, config.anchor_sizes, config.anchor_ratios
        )
        return logits, codes, anchors

    @torch.no_grad()
    def proposals(
        self, logits: Tensor, codes: Tensor, anchors: Tensor, shape: tuple[int, int]
    ) -> Tensor:
        """The best (P, 4) regions of one image: (A,) logits and (A, 4) codes, suppressed at 0.7.

        ``config.proposals`` of them for every 65 536 pixels of the ``shape``.
        """
        most = max(1, self.config.proposals * shape[0] * shape[1] // 65536)
        count = min(3 * most, len(logits))
        best = logits.topk(count).indices
        boxes = decode_boxes(codes[best], anchors[best])
        limits = torch.tensor([shape[0], shape[1]] * 2, dtype=boxes.dtype)
        boxes = torch.minimum(boxes.clamp(min=0), limits)
        large = ((boxes[:, 2:] - boxes[:, :2]) >= 2).all(1)
        boxes, scores = boxes[large], logits[best][large]
        return boxes[nms(boxes, scores, 0.7)[:most]]

    def pool(self, levels: list[Tensor], image: int, boxes: Tensor, bins: int) -> Tensor:
        """(N, C, bins, bins) of boxes in one image, each from the map that serves it."""
        strides, maps = self.roi_strides, self.roi_maps(levels)
        which = level_of(boxes, strides, self.config.level_side)
        pooled = boxes.new_zeros(len(boxes), self.pyramid.channels, bins, bins)
        for index, (stride, level) in enumerate(zip(strides, maps, strict=True)):
            mine = which == index
            if mine.any():
                pooled[mine] = roi_align(level[image : image + 1], boxes[mine], bins, 1 / stride)
        return pooled
