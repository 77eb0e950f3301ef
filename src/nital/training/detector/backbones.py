"""Backbones with a feature pyramid: Nital's compact encoder, and ResNet-50 as in the paper."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nital.errors import ModelError, UsageError
from nital.training.network import Encoder, NetworkConfig

__all__ = ["CompactPyramid", "ResNetPyramid", "load_initial"]

PARTICLES = 2  # index of the target


class CompactPyramid(nn.Module):
    """The encoder of the compact model; its top-down path is the pyramid.

    The bottom-up stages stay as the compact model's training left them, the top-down path is
    trained further unless held. ``forward`` gives maps of strides 4, 8, 16, 32, 64 for regions, and
    one of stride 2 for small boxes: the finest map beside what foreground, boundary and distance
    are read from.
    """

    strides = (4, 8, 16, 32, 64)

    def __init__(self, config: NetworkConfig | None = None) -> None:
        super().__init__()
        config = config or NetworkConfig()
        if 2 * config.fine != config.coarse:
            raise UsageError("the finest map of the encoder needs half as many channels as others")
        self.channels = config.coarse
        self.encoder = Encoder(config)

    def train(self, mode: bool = True) -> CompactPyramid:
        """Keep the statistics of the normalisation as they are."""
        super().train(mode)
        self.encoder.eval()
        return self

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 1, H, W) standardised to maps, finest first: strides 2, 4, 8, 16, 32, 64."""
        with torch.no_grad():
            s2, s4, s8, s16, s32 = self.encoder.features(image)
        target = torch.zeros(image.shape[0], 4)
        target[:, PARTICLES] = 1
        p16 = self.encoder.level16(s32, s16, target)
        p8 = self.encoder.level8(p16, s8, target)
        p4 = self.encoder.level4(p8, s4, target)
        fine = self.encoder.level2(p4, s2, target)
        p2 = torch.cat([fine, self.encoder.dense[:3](fine)], 1)
        p32 = F.max_pool2d(p16, 2)
        return [p2, p4, p8, p16, p32, F.max_pool2d(p32, 2)]


class _Bottleneck(nn.Module):
    """Residual block of ResNet-50; names as in torchvision, so that its weights load."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample: nn.Sequential | None = None
        if stride > 1 or inputs != 4 * width:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class _ResNet50(nn.Module):
    """He et al., CVPR 2016, table 1, without the classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        inputs = 64
        for number, (width, depth) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), start=1):
            blocks = []
            for index in range(depth):
                blocks.append(_Bottleneck(inputs, width, 2 if index == 0 and number > 1 else 1))
                inputs = 4 * width
            setattr(self, f"layer{number}", nn.Sequential(*blocks))

    def forward(self, x: Tensor) -> list[Tensor]:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        maps = []
        for number in range(1, 5):
            x = getattr(self, f"layer{number}")(x)
            maps.append(x)
        return maps


class ResNetPyramid(nn.Module):
    """ResNet-50 with a feature pyramid (Lin et al., CVPR 2017), the paper's backbone.

    Maps of strides 4, 8, 16, 32, 64; the finest serves small boxes too. The normalisation keeps
    its statistics, as is usual for detectors with small batches.
    """

    strides = (4, 8, 16, 32, 64)

    def __init__(self, channels: int = 256) -> None:
        super().__init__()
        self.channels = channels
        self.body = _ResNet50()
        self.inner = nn.ModuleList(nn.Conv2d(c, channels, 1) for c in (256, 512, 1024, 2048))
        self.outer = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(4))

    def train(self, mode: bool = True) -> ResNetPyramid:
        """Keep the statistics of the normalisation as they are."""
        super().train(mode)
        self.body.eval()
        return self

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 1, H, W) standardised to maps, finest first; the finest twice."""
        maps = self.body(image.expand(-1, 3, -1, -1))
        above = self.inner[3](maps[3])
        levels = [self.outer[3](above)]
        for index in (2, 1, 0):
            lateral = self.inner[index](maps[index])
            above = lateral + F.interpolate(above, size=lateral.shape[2:], mode="nearest")
            levels.insert(0, self.outer[index](above))
        return [levels[0], *levels, F.max_pool2d(levels[-1], 2)]


def load_initial(pyramid: CompactPyramid | ResNetPyramid, path: Path) -> None:
    """Load weights of a backbone.

    For the compact encoder ``weights.safetensors`` of ``nital train compact``; for ResNet-50 a
    ``.safetensors`` or ``.pth`` file with torchvision's names, read as data and never as code.

    Raises
    ------
    ModelError
        The file cannot be read or holds other weights.
    """
    import pickle

    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            weights = load_file(path)
        else:
            weights = torch.load(path, map_location="cpu", weights_only=True)
        if isinstance(pyramid, CompactPyramid):
            prefix, body = "encoder.", pyramid.encoder
            weights = {
                k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)
            }
            body.load_state_dict(weights)
        else:
            weights = {k: v for k, v in weights.items() if not k.startswith("fc.")}
            pyramid.body.load_state_dict(weights)
    except (
        OSError,
        EOFError,
        AttributeError,
        KeyError,
        RuntimeError,
        SafetensorError,
        pickle.UnpicklingError,
    ) as error:
        kind = "the compact encoder" if isinstance(pyramid, CompactPyramid) else "ResNet-50"
        raise ModelError(
            f"{path} cannot be used as weights of {kind} ({str(error).splitlines()[0]}); give"
            " another --initial"
        ) from error
