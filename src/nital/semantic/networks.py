"""U-Net, SegNet and TransUNet: the supervised baselines of MatSAM's Table 2, for grey images.

All take (N, C, H, W) images and return (N, classes, H, W) logits of the same height and width,
which must be multiples of ``stride``. Convolutions are padded and followed by batch normalisation,
where the papers of 2015 had neither or only one of them.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from nital.errors import UsageError

__all__ = ["ARCHITECTURES", "SegNet", "TransUNet", "UNet", "make_semantic_network"]

ARCHITECTURES = ("segnet", "transunet", "unet")


def _convolutions(channels: list[int]) -> nn.Sequential:
    """3 x 3 convolutions from each number of channels to the next, normalised, with ReLU."""
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        layers += [
            nn.Conv2d(before, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """U-Net (Ronneberger et al., MICCAI 2015): pool four times, climb back along skips.

    Parameters
    ----------
    in_channels
        Channels of the image.
    classes
        Channels of the answer.
    width
        Channels at full resolution, 64 in the paper; they double with every pooling.
    """

    stride = 16

    def __init__(self, in_channels: int = 1, classes: int = 2, width: int = 16) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(5)]
        self.encoder = nn.ModuleList(
            _convolutions([before, after, after])
            for before, after in zip([in_channels, *widths[:-1]], widths, strict=True)
        )
        self.climb = nn.ModuleList(
            nn.ConvTranspose2d(deep, shallow, 2, stride=2)
            for deep, shallow in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.decoder = nn.ModuleList(
            _convolutions([2 * each, each, each]) for each in widths[-2::-1]
        )
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (N, classes, H, W) of an image (N, C, H, W)."""
        return self.head(self.climbed(image)[-1])  # type: ignore[no-any-return]

    def climbed(self, image: Tensor) -> list[Tensor]:
        """Maps of the deepest level and of the climb from it, at 1/16, 1/8 ... 1 of the size."""
        x, skips = image, []
        for level, block in enumerate(self.encoder):
            x = block(functional.max_pool2d(x, 2) if level else x)
            skips.append(x)
        maps = [x]
        for climb, block, skip in zip(self.climb, self.decoder, skips[-2::-1], strict=True):
            maps.append(block(torch.cat((skip, climb(maps[-1])), 1)))
        return maps


class SegNet(nn.Module):
    """SegNet (Badrinarayanan et al., IEEE TPAMI 39 (2017) 2481): unpooling to remembered places.

    The encoder is that of VGG-16 without its fully connected layers: 13 convolutions, five
    poolings. The decoder mirrors it and puts each value back where its maximum had been.

    Parameters
    ----------
    in_channels, classes
        As for :class:`UNet`.
    width
        Channels at full resolution, 64 in the paper; at most eight times as many further down.
    """

    stride = 32

    def __init__(self, in_channels: int = 1, classes: int = 2, width: int = 16) -> None:
        super().__init__()
        w = width
        down = [
            [in_channels, w, w],
            [w, 2 * w, 2 * w],
            [2 * w, 4 * w, 4 * w, 4 * w],
            [4 * w, 8 * w, 8 * w, 8 * w],
            [8 * w, 8 * w, 8 * w, 8 * w],
        ]
        up = [channels[::-1] for channels in down[:0:-1]] + [[w, w]]
        self.encoder = nn.ModuleList(_convolutions(channels) for channels in down)
        self.decoder = nn.ModuleList(_convolutions(channels) for channels in up)
        self.head = nn.Conv2d(w, classes, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (N, classes, H, W) of an image (N, C, H, W)."""
        x, places = image, []
        for block in self.encoder:
            x = block(x)
            places.append(_first_maximum(x))
            x = functional.max_pool2d(x, 2)
        for block, place in zip(self.decoder, places[::-1], strict=True):
            x = block(functional.interpolate(x, scale_factor=2.0) * place)
        return self.head(x)  # type: ignore[no-any-return]


def _first_maximum(x: Tensor) -> Tensor:
    """1 at the first of the largest values of every 2 x 2 block, else 0: pooling's indices."""
    count, channels, height, width = x.shape
    blocks = x.reshape(count, channels, height // 2, 2, width // 2, 2)
    inside = blocks.permute(0, 1, 2, 4, 3, 5).reshape(count, channels, height // 2, width // 2, 4)
    chosen = inside.argmax(dim=-1, keepdim=True)
    places = (chosen == torch.arange(4, device=x.device)).to(x.dtype)
    apart = places.reshape(count, channels, height // 2, width // 2, 2, 2)
    return apart.permute(0, 1, 2, 4, 3, 5).reshape(count, channels, height, width)


class TransUNet(nn.Module):
    """TransUNet (Chen et al., arXiv 2102.04306): a U-Net whose deepest level is a transformer.

    A convolutional encoder pools four times; every pixel of the map at 1/16 becomes a token with a
    learnt position (interpolated where the image is of another size than the training crops); the
    decoder climbs back along skips by bilinear enlargement.

    Parameters
    ----------
    in_channels, classes, width
        As for :class:`UNet`; tokens have 16 times ``width`` channels (768 in the paper).
    layers, heads
        Of the transformer, 12 each in the paper.
    grid
        Side of the map of learnt positions: side of the training crops / 16.
    """

    stride = 16

    def __init__(
        self,
        in_channels: int = 1,
        classes: int = 2,
        width: int = 16,
        layers: int = 4,
        heads: int = 8,
        grid: int = 16,
    ) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(5)]
        self.encoder = nn.ModuleList(
            _convolutions([before, after, after])
            for before, after in zip([in_channels, *widths[:-1]], widths, strict=True)
        )
        self.position = nn.Parameter(0.02 * torch.randn(1, widths[-1], grid, grid))
        self.transformer = nn.ModuleList(_TokenMixer(widths[-1], heads) for _ in range(layers))
        self.norm = nn.LayerNorm(widths[-1])
        self.decoder = nn.ModuleList(
            _convolutions([deep + shallow, shallow, shallow])
            for deep, shallow in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.head = nn.Conv2d(width, classes, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (N, classes, H, W) of an image (N, C, H, W)."""
        x, skips = image, []
        for level, block in enumerate(self.encoder):
            x = block(functional.max_pool2d(x, 2) if level else x)
            skips.append(x)
        height, width = x.shape[2:]
        position = functional.interpolate(
            self.position, size=(height, width), mode="bilinear", align_corners=False
        )
        tokens = (x + position).flatten(2).transpose(1, 2)
        for layer in self.transformer:
            tokens = layer(tokens)
        x = self.norm(tokens).transpose(1, 2).unflatten(2, (height, width))
        for block, skip in zip(self.decoder, skips[-2::-1], strict=True):
            x = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = block(torch.cat((skip, x), 1))
        return self.head(x)  # type: ignore[no-any-return]


class _TokenMixer(nn.Module):
    """Pre-norm transformer layer: attention among all tokens, then a two-layer perceptron."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_mlp = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.to_queries_keys_values = nn.Linear(channels, 3 * channels)
        self.merge = nn.Linear(channels, channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (N, T, C) that have seen each other."""
        parts = self.to_queries_keys_values(self.before_attention(tokens)).chunk(3, dim=2)
        queries, keys, values = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in parts
        )
        seen = functional.scaled_dot_product_attention(queries, keys, values)
        tokens = tokens + self.merge(seen.transpose(1, 2).flatten(2))
        return tokens + self.mlp(self.before_mlp(tokens))  # type: ignore[no-any-return]


def make_semantic_network(
    architecture: str, in_channels: int = 1, classes: int = 2, width: int = 16
) -> UNet | SegNet | TransUNet:
    """One of :data:`ARCHITECTURES` with fresh weights.

    Raises
    ------
    UsageError
        For any other name.
    """
    makers: dict[str, type[UNet] | type[SegNet] | type[TransUNet]] = {
        "segnet": SegNet,
        "transunet": TransUNet,
        "unet": UNet,
    }
    if architecture not in makers:
        raise UsageError(
            f"architecture {architecture!r} is not one of {', '.join(ARCHITECTURES)}; choose one"
        )
    return makers[architecture](in_channels, classes, width)
