"""Run lengths as COCO packs them, and as Label Studio does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nital.exchange.field import FlatRuns

__all__ = [
    "brush_from_runs",
    "coco_counts",
    "coco_text",
    "counts_from_text",
    "mask_from_brush",
    "mask_from_counts",
]

_CHANNELS = 4
# Bits of the numbers in a brush: how many values, bits of a value, four sizes of run lengths.
_TOTAL_BITS, _WORD_BITS, _SIZE_BITS = 32, 5, 4
_SIZES = (4, 8, 12, 16)


def coco_counts(runs: FlatRuns, size: int) -> list[int]:
    """Lengths of the runs of 0 and 1 in turn, the first of 0, down the columns.

    Parameters
    ----------
    runs
        Of one object, in the image flattened column by column.
    size
        Pixels of the image.
    """
    ends = runs.start + runs.length
    gaps = np.diff(runs.start, prepend=0) - np.concatenate([[0], runs.length[:-1]])
    counts = np.stack([gaps, runs.length], axis=1).ravel().tolist()
    rest = size - int(ends[-1])
    return [*counts, rest] if rest else counts


def coco_text(counts: Sequence[int]) -> str:
    """Pack counts as pycocotools does: differences to the last but one, five bits a character."""
    packed = []
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        more = True
        while more:
            bits = value & 0x1F
            value >>= 5
            more = value != (-1 if bits & 0x10 else 0)
            packed.append(chr(bits + (0x20 if more else 0) + 48))
    return "".join(packed)


def counts_from_text(text: str) -> list[int]:
    """Undo :func:`coco_text`.

    Raises
    ------
    ValueError
        The text ends inside a number.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    if shift:
        raise ValueError("a run length is cut short")
    return counts


def mask_from_counts(counts: Sequence[int], shape: tuple[int, int]) -> NDArray[np.int64]:
    """Flat indices, row by row, of the pixels that COCO counts stand for.

    Raises
    ------
    ValueError
        The counts do not fill the image.
    """
    lengths = np.asarray(counts, dtype=np.int64)
    if len(lengths) == 0 or int(lengths.min()) < 0 or int(lengths.sum()) != shape[0] * shape[1]:
        raise ValueError("run lengths that do not fill the image")
    ends = np.cumsum(lengths)
    return _by_rows(ends[1::2] - lengths[1::2], lengths[1::2], shape)


def _by_rows(
    start: NDArray[np.int64], length: NDArray[np.int64], shape: tuple[int, int]
) -> NDArray[np.int64]:
    down = spread(start, length)
    column, row = np.divmod(down, shape[0])
    return np.asarray(row * shape[1] + column)


def spread(start: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.int64]:
    """Flat indices of all pixels of some runs."""
    offset = np.arange(int(length.sum())) - np.repeat(np.cumsum(length) - length, length)
    return np.asarray(np.repeat(start, length) + offset)


def brush_from_runs(runs: FlatRuns, size: int) -> list[int]:
    """Pack a mask as Label Studio's brush: bytes of bit-packed runs of RGBA values.

    Parameters
    ----------
    runs
        Of one object, in the image flattened row by row.
    size
        Pixels of the image.
    """
    counts = coco_counts(runs, size)
    bits = [_binary(_CHANNELS * size, _TOTAL_BITS), _binary(7, _WORD_BITS)]
    bits += [_binary(width - 1, _SIZE_BITS) for width in _SIZES]
    longest = 1 << _SIZES[-1]
    for index, count in enumerate(counts):
        value = "11111111" if index % 2 else "00000000"
        left = _CHANNELS * count
        while left:
            length = min(left, longest)
            choice = next(k for k, width in enumerate(_SIZES) if length <= 1 << width)
            bits.append(f"1{_binary(choice, 2)}{_binary(length - 1, _SIZES[choice])}{value}")
            left -= length
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    packed: list[int] = np.packbits(
        np.frombuffer(text.encode(), dtype=np.uint8) - ord("0")
    ).tolist()
    return packed


def _binary(value: int, width: int) -> str:
    return f"{value:0{width}b}"


def mask_from_brush(packed: Sequence[int], shape: tuple[int, int]) -> NDArray[np.int64]:
    """Flat indices, row by row, of the pixels whose alpha a brush sets.

    Raises
    ------
    ValueError
        The bytes do not hold the (H, W) RGBA values of the image.
    """
    raw = np.asarray(packed)
    if raw.ndim != 1 or len(raw) == 0 or raw.min() < 0 or raw.max() > 255:
        raise ValueError("a brush that is not a list of bytes")
    text = (np.unpackbits(raw.astype(np.uint8)) + ord("0")).tobytes().decode()
    at = 0

    def take(width: int) -> int:
        nonlocal at
        if at + width > len(text):
            raise ValueError("a brush that is cut short")
        at += width
        return int(text[at - width : at], 2)

    total = take(_TOTAL_BITS)
    if total != _CHANNELS * shape[0] * shape[1]:
        raise ValueError("a brush of another size than its image")
    word = take(_WORD_BITS) + 1
    sizes = [take(_SIZE_BITS) + 1 for _ in range(4)]
    values = np.zeros(total, dtype=np.uint8)
    done = 0
    while done < total:
        repeated, choice = take(1), take(2)
        end = min(done + 1 + take(sizes[choice]), total)
        if repeated:
            values[done:end] = min(take(word), 255)
            done = end
        while done < end:
            values[done] = min(take(word), 255)
            done += 1
    return np.flatnonzero(values[_CHANNELS - 1 :: _CHANNELS])
