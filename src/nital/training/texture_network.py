"""Networks that describe the texture of a crop.

The one that ships: a small convolutional network whose feature maps are pooled to their mean and
the logarithm of their standard deviation over the crop, then a head of two layers. As pooling is
all that knows the crop, the maps of a whole image are made once and pooled wherever a crop lies.

For comparison: ResNet-18 (He et al., CVPR 2016) and FENet (Xu et al., NeurIPS 2021), which pools
feature maps to their mean and to fractal dimensions: of the local power law of each map, split
softly into levels, how fast the area of each level shrinks with the size of boxes.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nital.errors import UsageError

__all__ = [
    "NETWORKS",
    "FENet",
    "FractalEncoder",
    "ResNet18",
    "TextureConfig",
    "TextureNetwork",
    "make_crop_network",
]

NETWORKS = ("compact", "resnet18", "fenet")


@dataclass(frozen=True)
class TextureConfig:
    """Widths of the texture network: of the maps at half and quarter size, head and embedding."""

    half: int = 16
    quarter: int = 40
    hidden: int = 64
    embedding: int = 16

    def widened(self, share: float) -> TextureConfig:
        """The same with a multiple of the channels; the embedding keeps its length."""
        half, quarter, hidden = (
            max(1, round(share * width)) for width in (self.half, self.quarter, self.hidden)
        )
        return TextureConfig(half, quarter, hidden, self.embedding)


class _Block(nn.Module):
    """Depthwise 5 x 5 and pointwise convolution, added to the input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 5, padding=2, groups=width, bias=False),
            nn.BatchNorm2d(width),
            nn.Conv2d(width, width, 1),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.layers(x)
        return out


class TextureNetwork(nn.Module):
    """Feature maps at a quarter of the size, statistics of a crop, and an embedding of those.

    ``local`` takes (B, 1, H, W), standardised over the image that crops come from, and returns
    (B, C, H/4, W/4); ``head`` takes (N, 2C) means and log standard deviations.
    """

    def __init__(self, config: TextureConfig | None = None) -> None:
        super().__init__()
        self.config = config or TextureConfig()
        half, quarter = self.config.half, self.config.quarter
        self.local = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(4, half, 3, padding=1, bias=False),
            nn.BatchNorm2d(half),
            nn.ReLU(),
            nn.Conv2d(half, quarter, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(quarter),
            nn.ReLU(),
            _Block(quarter),
            _Block(quarter),
        )
        self.head = nn.Sequential(
            nn.BatchNorm1d(2 * quarter, affine=False),
            nn.Linear(2 * quarter, self.config.hidden),
            nn.ReLU(),
            nn.Linear(self.config.hidden, self.config.embedding),
        )

    def statistics(self, features: Tensor) -> Tensor:
        """(B, 2C) mean and log standard deviation over the two last axes."""
        mean = features.mean((2, 3))
        spread = features.var((2, 3), unbiased=False).clamp_min(0).add(1e-3).sqrt().log()
        return torch.cat([mean, spread], dim=1)

    def forward(self, crops: Tensor, margin: int = 0) -> Tensor:
        """(B, E) embedding of (B, 1, m, m) crops; ``margin`` cells around are context only."""
        features = self.local(crops)
        if margin:
            features = features[:, :, margin:-margin, margin:-margin]
        embedded: Tensor = self.head(self.statistics(features))
        return embedded


class _Residual(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
        )
        same = stride == 1 and before == after
        self.shortcut: nn.Module = nn.Identity()
        if not same:
            self.shortcut = nn.Sequential(
                nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after)
            )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.layers(x) + self.shortcut(x))


class ResNet18(nn.Module):
    """ResNet-18 for grey images: (B, 1, m, m) to (B, outputs), pooled to the mean."""

    def __init__(self, outputs: int, width: int = 64) -> None:
        super().__init__()
        widths = [width, width, 2 * width, 4 * width, 8 * width]
        stages: list[nn.Module] = []
        for number, (before, after) in enumerate(itertools.pairwise(widths)):
            stages += [
                _Residual(before, after, 1 if number == 0 else 2),
                _Residual(after, after, 1),
            ]
        self.backbone = nn.Sequential(
            nn.Conv2d(1, width, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
            *stages,
        )
        self.head = nn.Linear(8 * width, outputs)

    def forward(self, crops: Tensor) -> Tensor:
        out: Tensor = self.head(self.backbone(crops).mean((2, 3)))
        return out


class FractalEncoder(nn.Module):
    """Fractal dimensions of feature maps: (B, C, h, w) to (B, C * levels).

    The local exponent of a map is the slope of the logarithm of its mass in boxes of growing size
    around each place; places are shared out softly among learnt levels of the exponent, and each
    level's box-counting dimension is the slope of the logarithm of its area, as the largest in a
    box, over the size of the boxes.
    """

    def __init__(self, levels: int = 4, radii: tuple[int, ...] = (1, 2, 3)) -> None:
        super().__init__()
        self.radii = radii
        self.centres = nn.Parameter(torch.linspace(-0.5, 0.5, levels))
        self.sharpness = nn.Parameter(torch.tensor(4.0))
        sizes = torch.log(torch.tensor([2.0 * r + 1 for r in radii]))
        steps = sizes - sizes.mean()
        self.register_buffer("slope", steps / (steps**2).sum())

    def forward(self, features: Tensor) -> Tensor:
        positive = torch.relu(features) + 1e-2
        mass = [
            torch.log(nn.functional.avg_pool2d(positive, 2 * r + 1, 1, r, count_include_pad=False))
            for r in self.radii
        ]
        exponent = torch.einsum("r,rbchw->bchw", self.slope, torch.stack(mass))
        distance = (exponent[:, :, None] - self.centres[None, None, :, None, None]) ** 2
        share = torch.softmax(-self.sharpness.abs() * distance, dim=2).flatten(1, 2)
        areas = []
        for r in self.radii:
            largest = nn.functional.max_pool2d(share, 2 * r + 1, 1, r)
            areas.append(torch.log(largest.mean((2, 3)) + 1e-6))
        return torch.einsum("r,rbc->bc", self.slope, torch.stack(areas))


class FENet(nn.Module):
    """ResNet-18 whose maps are pooled to their mean and to fractal dimensions."""

    def __init__(self, outputs: int, width: int = 64, levels: int = 4) -> None:
        super().__init__()
        plain = ResNet18(outputs, width)
        self.backbone = plain.backbone[:-2]  # the maps are too small for boxes after the last stage
        self.reduce = nn.Conv2d(4 * width, width, 1)
        self.fractal = FractalEncoder(levels)
        self.head = nn.Linear(4 * width + levels * width, outputs)

    def forward(self, crops: Tensor) -> Tensor:
        features = self.backbone(crops)
        dimensions = self.fractal(self.reduce(features))
        out: Tensor = self.head(torch.cat([features.mean((2, 3)), dimensions], dim=1))
        return out


def make_crop_network(name: str, outputs: int, width: float = 1.0) -> nn.Module:
    """One of :data:`NETWORKS` from a random start: (B, 1, m, m) crops to (B, outputs).

    Parameters
    ----------
    name
        Which of them.
    outputs
        Classes, or the length of the embedding.
    width
        Channels, over those of the network as it ships or was published.

    Raises
    ------
    UsageError
        For another name, or a width that leaves no channel.
    """
    if not 0.1 <= width <= 8:
        raise UsageError(f"the width of a network is 0.1 to 8 times its own, not {width:g}")
    if name == "compact":
        return TextureNetwork(TextureConfig(embedding=outputs).widened(width))
    if name == "resnet18":
        return ResNet18(outputs, round(64 * width))
    if name == "fenet":
        return FENet(outputs, round(64 * width))
    raise UsageError(f"the network is one of {', '.join(NETWORKS)}, not {name!r}")
