"""Global attention of SAM's image encoder without its full-size intermediate matrices.

The published layer holds an attention matrix and a matrix of relative positions of P x P for each
head: 1.6 GB for twelve heads of 64 x 64 positions. Here a head is worked on in bands of rows.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["BandedAttention", "save_memory"]

BAND = 16  # rows of positions at once on a processor


def save_memory(encoder: nn.Module) -> None:
    """Replace the global attention layers of a transformers SAM encoder by banded ones."""
    layers: Any = encoder.get_submodule("layers")
    for layer in layers:
        if layer.window_size == 0:
            layer.attn = BandedAttention(layer.attn)


class BandedAttention(nn.Module):
    """Attention with decomposed relative positions, equal to ``SamVisionAttention``.

    Parameters
    ----------
    layer
        The layer that it replaces and whose weights it uses.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.qkv, self.proj = layer.qkv, layer.proj
        self.heads, self.scale = layer.num_attention_heads, layer.scale
        self.rel_pos_h: Tensor | None = layer.rel_pos_h if layer.use_rel_pos else None
        self.rel_pos_w: Tensor | None = layer.rel_pos_w if layer.use_rel_pos else None

    def forward(
        self, hidden_states: Tensor, output_attentions: bool = False
    ) -> tuple[Tensor, None]:
        """(B, h, w, C) to the same shape."""
        batch, height, width, _ = hidden_states.shape
        parts = self.qkv(hidden_states).reshape(batch, height * width, 3, self.heads, -1)
        out = torch.empty_like(parts[:, :, 0])
        band = BAND if hidden_states.device.type == "cpu" else height
        for index in range(batch):
            for head in range(self.heads):
                query, key, value = (parts[index, :, part, head].contiguous() for part in range(3))
                for top in range(0, height, band):
                    rows = slice(top * width, min(top + band, height) * width)
                    sums = (query[rows] * self.scale) @ key.T
                    if self.rel_pos_h is not None:
                        self._add_positions(sums, query[rows], top, (height, width))
                    out[index, rows, head] = torch.softmax(sums, dim=-1) @ value
        return self.proj(out.reshape(batch, height, width, -1)), None

    def _add_positions(self, sums: Tensor, query: Tensor, top: int, shape: tuple[int, int]) -> None:
        """Add what a query says of the distance in rows and in columns, in place."""
        height, width = shape
        bands = query.unflatten(0, (-1, width))
        by_row = _relative(self.rel_pos_h, height)[top : top + len(bands)]
        by_col = _relative(self.rel_pos_w, width)
        rows = torch.einsum("hwc,hkc->hwk", bands, by_row)
        cols = torch.einsum("hwc,wkc->hwk", bands, by_col)
        view = sums.view(len(bands), width, height, width)
        view += rows[..., None]
        view += cols[..., None, :]


def _relative(table: Tensor | None, length: int) -> Tensor:
    """(length, length, c): the entry of the table for each distance of query and key."""
    assert table is not None
    if len(table) != 2 * length - 1:
        resized = functional.interpolate(table.T[None], size=2 * length - 1, mode="linear")
        table = resized[0].T
    steps = torch.arange(length, device=table.device)
    return table[steps[:, None] - steps[None, :] + length - 1]
