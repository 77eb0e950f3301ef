"""The compact promptable network: one convolutional encoder, dense maps, and prompt decoders.

Torch is imported in ``nital.training`` and nowhere in the run-time path; the shipped model is the
ONNX export of the three modules :class:`Encoder`, :class:`ObjectDecoder`, :class:`PhaseDecoder`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = [
    "DENSE_CHANNELS",
    "CompactNetwork",
    "Encoder",
    "NetworkConfig",
    "ObjectDecoder",
    "PhaseDecoder",
]

DENSE_CHANNELS = ("foreground", "boundary", "distance", "log_extent", "log_width")
"""Dense maps at half resolution: two probabilities, the distance to the object's own boundary over
its largest (0...1), and log2 of the object's longer box side and inscribed diameter in pixels."""

N_TARGETS = 4
N_PROMPT_CHANNELS = 4  # relative row, relative column, point map, box map
POINT_SIGMA = 0.12  # of the window's half side
LOG_SCALE = 5.0  # log2 sizes are regressed around 2**LOG_SCALE pixels


@dataclass(frozen=True)
class NetworkConfig:
    """Widths of the network; stored with every checkpoint."""

    widths: tuple[int, ...] = (32, 64, 96, 160, 192)
    depths: tuple[int, ...] = (1, 2, 3, 3, 2)
    fine: int = 32
    coarse: int = 64
    embedding: int = 12
    mask_channels: int = 16
    hidden: int = 8

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        return asdict(self)

    def widened(self, share: float) -> NetworkConfig:
        """The same with a multiple of the channels; those that decoders read keep their number."""
        widths = tuple(max(4, round(share * width)) for width in self.widths)
        fine, coarse = (max(4, round(share * width)) for width in (self.fine, self.coarse))
        return replace(self, widths=widths, fine=fine, coarse=coarse)


class Block(nn.Module):
    """Residual block of two dense 3x3 convolutions, for the fine stages."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(x + self.norm2(self.conv2(y)))


class DepthwiseBlock(nn.Module):
    """Residual block of a depthwise 5x5 and a pointwise expansion, for the coarse stages."""

    def __init__(self, channels: int, expansion: int = 3) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 5, padding=2, groups=channels, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.expand = nn.Conv2d(channels, channels * expansion, 1)
        self.project = nn.Conv2d(channels * expansion, channels, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.expand(self.norm1(self.depthwise(x))))
        residual: Tensor = self.norm2(self.project(y))
        return x + residual


class GlobalContext(nn.Module):
    """Add a linear map of the image-wide mean to every position.

    A tile of a larger image is given the mean of another, shared by all tiles.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.map = nn.Linear(channels, channels)
        nn.init.zeros_(self.map.weight)

    def forward(self, x: Tensor, mean: Tensor | None = None) -> Tensor:
        context: Tensor = self.map(x.mean(dim=(2, 3)) if mean is None else mean)
        return x + context[:, :, None, None]


def _down(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride=2, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class Level(nn.Module):
    """One step of the top-down path: upsample, add the lateral and the target's bias, refine."""

    def __init__(self, above: int, lateral: int, channels: int) -> None:
        super().__init__()
        self.above = nn.Conv2d(above, channels, 1)
        self.lateral = nn.Conv2d(lateral, channels, 1, bias=False)
        self.target = nn.Linear(N_TARGETS, channels, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.block = Block(channels)

    def forward(self, above: Tensor, lateral: Tensor, target: Tensor) -> Tensor:
        up = F.interpolate(self.above(above), size=lateral.shape[2:], mode="bilinear")
        mixed = up + self.lateral(lateral) + self.target(target)[:, :, None, None]
        refined: Tensor = self.block(F.relu(self.norm(mixed)))
        return refined


class Encoder(nn.Module):
    """Image and target to dense maps, phase embedding, and what the decoders read.

    Input: (B, 1, H, W) standardised image, H and W multiples of 32; (B, 4) one-hot target.
    Output: ``dense`` (B, 5, H/2, W/2) logits in the order of :data:`DENSE_CHANNELS`;
    ``embedding`` (B, E, H/2, W/2); ``mask_features`` (B, C, H/2, W/2); ``query`` (B, Q, H/4, W/4);
    ``target_logits`` (B, 4), which do not depend on the target given.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        widths = config.widths
        stages: list[nn.Module] = []
        for index, (width, depth) in enumerate(zip(widths, config.depths, strict=True)):
            down = _down(1, width, 5) if index == 0 else _down(widths[index - 1], width, 3)
            block = Block if index < 3 else DepthwiseBlock
            stages.append(nn.Sequential(down, *(block(width) for _ in range(depth))))
        stages[-1] = nn.Sequential(stages[-1], GlobalContext(widths[-1]))
        self.stages = nn.ModuleList(stages)
        coarse, fine = config.coarse, config.fine
        self.level16 = Level(widths[4], widths[3], coarse)
        self.level8 = Level(coarse, widths[2], coarse)
        self.level4 = Level(coarse, widths[1], coarse)
        self.level2 = Level(coarse, widths[0], fine)
        self.dense = nn.Sequential(
            nn.Conv2d(fine, fine, 3, padding=1, bias=False),
            nn.BatchNorm2d(fine),
            nn.ReLU(),
            nn.Conv2d(fine, len(DENSE_CHANNELS), 1),
        )
        self.embedding = nn.Conv2d(fine, config.embedding, 1)
        self.mask_features = nn.Conv2d(fine, config.mask_channels, 1)
        self.target_head = nn.Sequential(
            nn.BatchNorm1d(2 * sum(widths)),
            nn.Linear(2 * sum(widths), 48),
            nn.ReLU(),
            nn.Linear(48, N_TARGETS),
        )

    def forward(
        self, image: Tensor, target: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        return self.answer(self.features(image), target)

    def answer(
        self, features: list[Tensor], target: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """From the maps of the stages to the outputs."""
        s2, s4, s8, s16, s32 = features
        y = self.level16(s32, s16, target)
        y = self.level8(y, s8, target)
        query = self.level4(y, s4, target)
        fine = self.level2(query, s2, target)
        return (
            self.dense(fine),
            self.embedding(fine),
            self.mask_features(fine),
            query,
            self.target_head(self.summary(features)),
        )

    def features(self, image: Tensor) -> list[Tensor]:
        """Maps of the five stages, at strides 2, 4, 8, 16 and 32."""
        return self.features_in_context(image, None)[0]

    def features_in_context(
        self, image: Tensor, context: Tensor | None
    ) -> tuple[list[Tensor], Tensor]:
        """Maps of the five stages, and the mean (B, C) that is the image's own context.

        ``context`` (B, C) takes the place of that mean, unless it is all zeros.
        """
        features = []
        x = image
        for stage in self.stages[:-1]:
            x = stage(x)
            features.append(x)
        last = self.stages[-1]
        assert isinstance(last, nn.Sequential)
        x = last[0](x)
        own = x.mean(dim=(2, 3))
        mean = own if context is None else torch.where((context != 0).any(), context, own)
        features.append(last[1](x, mean))
        return features, own

    def summary(self, features: list[Tensor]) -> Tensor:
        """Mean and standard deviation of every channel of every stage: what the image is like."""
        means = [f.mean(dim=(2, 3)) for f in features]
        spreads = [
            ((f - m[:, :, None, None]) ** 2).mean(dim=(2, 3)).clamp(min=1e-8).sqrt()
            for f, m in zip(features, means, strict=True)
        ]
        return torch.cat(means + spreads, 1)


def sample_map(features: Tensor, points: Tensor, image_size: Tensor) -> Tensor:
    """Bilinear samples of (1, C, h, w) features at (N, P, 2) row/column image positions.

    ``image_size`` is (2,): H, W of the image that the features cover. Returns (N, P, C).
    """
    grid = (2.0 * (points + 0.5) / image_size - 1.0).flip(-1)[None]
    return F.grid_sample(features, grid, align_corners=False, padding_mode="border")[0].permute(
        1, 2, 0
    )


def mean_of_points(values: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """(N, P, C) values and (N, P) weights to the weighted mean (N, C) and a flag (N, 1) of any."""
    total = weights.sum(1, keepdim=True)
    mean = (values * weights[..., None]).sum(1) / total.clamp(min=1.0)
    return mean, (total > 0).to(values.dtype)


class ObjectDecoder(nn.Module):
    """Points and box to the mask of one object, inside a window around it.

    The prompt's feature gives the weights of a two-layer 1x1 convolution over mask features,
    relative coordinates, a map of the points and a map of the box, on a grid laid over the window.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.inputs = config.mask_channels + N_PROMPT_CHANNELS
        self.hidden = config.hidden
        n_weights = (self.inputs + 1) * self.hidden + self.hidden + 1
        n_query = 2 * config.coarse + 2 + 3
        self.controller = nn.Sequential(
            nn.Linear(n_query, 128), nn.ReLU(), nn.Linear(128, n_weights)
        )
        self.score = nn.Sequential(
            nn.Linear(config.coarse + config.mask_channels + 3, 64), nn.ReLU(), nn.Linear(64, 1)
        )

    def forward(
        self,
        mask_features: Tensor,
        query: Tensor,
        points: Tensor,
        labels: Tensor,
        boxes: Tensor,
        windows: Tensor,
        image_size: Tensor,
        unit_grid: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Decode N prompts on one image.

        Parameters
        ----------
        mask_features, query
            (1, C, h, w) maps of the encoder.
        points, labels
            (N, P, 2) row/column in pixels; (N, P) 1 = inside, 0 = outside, -1 = padding.
        boxes
            (N, 4) top, left, bottom, right in pixels; all 0 when no box is given.
        windows
            (N, 4) the part of the image that is decoded.
        image_size
            (2,) H, W as floats.
        unit_grid
            (G,) cell centres in -1...1.

        Returns
        -------
        logits (N, G, G) and score logits (N,).
        """
        weights_pos = (labels == 1).to(points.dtype)
        weights_neg = (labels == 0).to(points.dtype)
        sampled = sample_map(query, points, image_size)
        inside, _ = mean_of_points(sampled, weights_pos)
        outside, has_outside = mean_of_points(sampled, weights_neg)
        has_box = (boxes[:, 2:3] > boxes[:, 0:1]).to(points.dtype)
        sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1.0)
        box_code = torch.cat([has_box, has_box * (torch.log2(sides) - LOG_SCALE)], 1)
        any_point = weights_pos.amax(1, keepdim=True)
        code = torch.cat([inside, outside, has_outside, any_point, box_code], 1)
        weights = self.controller(code)

        centre = 0.5 * (windows[:, :2] + windows[:, 2:])
        half = 0.5 * (windows[:, 2:] - windows[:, :2])
        count, side = points.shape[0], unit_grid.shape[0]
        rows = unit_grid[None, :, None].expand(count, side, side)
        cols = unit_grid[None, None, :].expand(count, side, side)
        where = torch.stack([rows, cols], -1)  # N, G, G, 2 in the window's -1...1
        pixels = centre[:, None, None] + where * half[:, None, None] - 0.5
        flat = pixels.reshape(count, side * side, 2)
        sampled_mask = sample_map(mask_features, flat, image_size)

        relative = (points - centre[:, None]) / half[:, None]
        gap = flat.sub(centre[:, None] - 0.5).div(half[:, None])[:, :, None] - relative[:, None]
        splat = torch.exp(-(gap**2).sum(-1) / (2 * POINT_SIGMA**2))
        point_map = (splat * (weights_pos - weights_neg)[:, None]).sum(-1, keepdim=True)
        reference, _ = mean_of_points(relative, weights_pos)
        box_centre = (0.5 * (boxes[:, :2] + boxes[:, 2:]) - centre) / half
        reference = torch.where(any_point > 0, reference, box_centre)
        offsets = where.reshape(count, side * side, 2) - reference[:, None]
        above = (flat + 0.5 >= boxes[:, None, :2]).all(-1)
        below = (flat + 0.5 < boxes[:, None, 2:]).all(-1)
        box_map = (above & below).to(points.dtype)[..., None] * has_box[:, None]
        inputs = torch.cat([sampled_mask, offsets, point_map, box_map], -1)

        split = self.inputs * self.hidden
        first = weights[:, :split].reshape(-1, self.inputs, self.hidden)
        bias = weights[:, split : split + self.hidden]
        second = weights[:, split + self.hidden : split + 2 * self.hidden]
        hidden = F.relu(torch.bmm(inputs, first) + bias[:, None])
        logits = torch.bmm(hidden, second[..., None])[..., 0] + weights[:, -1:]

        probability = logits.sigmoid()
        area = probability.sum(1, keepdim=True)
        pooled = (sampled_mask * probability[..., None]).sum(1) / area.clamp(min=1e-3)
        certain = (probability * probability).sum(1, keepdim=True) / area.clamp(min=1e-3)
        share = area / (side * side)
        margin = logits.abs().clamp(max=6.0).mean(1, keepdim=True)
        score = self.score(torch.cat([inside, pooled, certain, share, margin], 1))[:, 0]
        return logits.reshape(count, side, side), score


class PhaseDecoder(nn.Module):
    """Points to everything of the same phase: nearness in the phase embedding."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(0.0))
        self.threshold = nn.Parameter(torch.tensor(2.0))
        self.score = nn.Sequential(nn.Linear(config.coarse + 3, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(
        self, embedding: Tensor, query: Tensor, points: Tensor, labels: Tensor, image_size: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Decode N prompts on one image.

        ``embedding`` (1, E, h, w); the other inputs as in :class:`ObjectDecoder`. Returns logits
        (N, h, w) and score logits (N,). Negative points push away what is like them.
        """
        weights_pos = (labels == 1).to(points.dtype)
        weights_neg = (labels == 0).to(points.dtype)
        anchor = sample_map(embedding, points, image_size)
        inside, _ = mean_of_points(anchor, weights_pos)
        outside, has_outside = mean_of_points(anchor, weights_neg)
        flat = embedding[0].flatten(1)  # E, h*w
        scale = self.log_scale.exp()
        near = self.threshold - scale * _squared_distance(inside, flat)
        far = self.threshold - scale * _squared_distance(outside, flat)
        logits = near - has_outside * F.relu(far - near + self.threshold)
        sampled_query, _ = mean_of_points(sample_map(query, points, image_size), weights_pos)
        probability = logits.sigmoid()
        share = probability.mean(1, keepdim=True)
        certain = (probability * probability).mean(1, keepdim=True) / share.clamp(min=1e-4)
        margin = logits.abs().clamp(max=6.0).mean(1, keepdim=True)
        score = self.score(torch.cat([sampled_query, certain, share, margin], 1))[:, 0]
        return logits.reshape(-1, embedding.shape[2], embedding.shape[3]), score


def _squared_distance(points: Tensor, flat: Tensor) -> Tensor:
    """(N, E) and (E, M) to squared distances (N, M)."""
    return (points**2).sum(1, keepdim=True) + (flat**2).sum(0)[None] - 2 * points @ flat


class CompactNetwork(nn.Module):
    """Encoder and both decoders, trained together and exported apart."""

    def __init__(self, config: NetworkConfig | None = None) -> None:
        super().__init__()
        self.config = config or NetworkConfig()
        self.encoder = Encoder(self.config)
        self.object_decoder = ObjectDecoder(self.config)
        self.phase_decoder = PhaseDecoder(self.config)
