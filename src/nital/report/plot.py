"""The size distribution, or the course of layers, as a small SVG picture.

Drawn here and not by a plotting library, whose import and font search would take a quarter of
the time of a whole run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.metrology import Measurements
from nital.report.numbers import display_unit

__all__ = ["number_layout", "profile_layout", "size_layout"]

FEWEST_OBJECTS = 8
WIDTH, HEIGHT = 560, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 12, 46
_WIDE = 20.0
_MOST_LAYERS, _MOST_POINTS, _TOP_OF_PROFILE = 8, 500, 30
_MOST_SEPARATION = 4.0  # larger ones are drawn at the top
_COLOURS = ("#1f5f99", "#b03a00", "#2e7d4f", "#7a4ea3", "#8a6d00", "#b0306a", "#00797d", "#555f69")


def size_layout(
    sizes: NDArray[np.float64], unit: str, percentiles: Sequence[float] = ()
) -> dict[str, Any] | None:
    """Lay out a histogram of diameters for the template ``sizes.svg.j2``.

    The axis is logarithmic where the sizes range over more than a factor of 20.

    Parameters
    ----------
    sizes
        (n,) diameters > 0.
    unit
        Theirs, ``"um"`` or ``"px"``.
    percentiles
        Diameters in the same unit to mark with a line, those outside the axis left out.

    Returns
    -------
    ``None`` for fewer than 8 sizes. ``edges`` of the bins, in ``unit``, and ``counts`` are for the
    table of the figure.
    """
    if len(sizes) < FEWEST_OBJECTS:
        return None
    label, factor = display_unit(unit, float(np.median(sizes)))
    sizes = sizes * factor
    low, high = float(sizes.min()), float(sizes.max())
    if high <= low * (1.0 + 1e-6):
        low, high = 0.9 * low, 1.1 * high
    logarithmic = high / low > _WIDE
    number = int(min(max(2 * len(sizes) ** (1 / 3), 6), 40))
    edges = (np.geomspace if logarithmic else np.linspace)(low, high, number + 1)
    edges[0], edges[-1] = low, high
    counts, _ = np.histogram(sizes, edges)
    ceiling = int(counts.max())

    def across(values: NDArray[np.float64] | list[float]) -> list[float]:
        scale = np.log if logarithmic else np.asarray
        share = (scale(values) - scale(low)) / (scale(high) - scale(low))
        return [round(LEFT + float(s) * (WIDTH - LEFT - RIGHT), 2) for s in share]

    def up(value: float) -> float:
        return round(HEIGHT - BOTTOM - value / ceiling * (HEIGHT - TOP - BOTTOM), 2)

    ticks = _decade_ticks(low, high) if logarithmic else _even_ticks(low, high, 7)
    rungs = [tick for tick in _even_ticks(0, ceiling, 5) if tick == round(tick)]
    borders = across(edges)
    # The edges as they were before the unit was chosen hold every size.
    original = edges / factor
    original[0], original[-1] = original[0] * (1.0 - 1e-12), original[-1] * (1.0 + 1e-12)
    return {
        "edges": original,
        "counts": counts.tolist(),
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "top": TOP,
        "base": HEIGHT - BOTTOM,
        "bars": [
            (begin, up(count), round(end - begin - 1.0, 2), round(up(0) - up(count), 2))
            for begin, end, count in zip(borders, borders[1:], counts.tolist(), strict=False)
            if count
        ],
        "ticks": [(x, f"{tick:g}") for x, tick in zip(across(ticks), ticks, strict=True)],
        "rungs": [(up(tick), f"{tick:g}") for tick in rungs],
        "marks": across([at for at in np.multiply(percentiles, factor) if low <= at <= high]),
        "label": f"Equivalent circle diameter ({label})",
    }


def profile_layout(measurements: Measurements) -> dict[str, Any]:
    """Lay out the thickness of up to 8 layers along them for the template ``profile.svg.j2``."""
    size = measurements.summary["image"]["pixel_size"]
    scale, unit = (1.0, "px") if size is None else (size["value"], "um")
    layers = measurements.layers[:_MOST_LAYERS]
    thickest = max(float(layer.thickness.max()) for layer in layers) * scale
    longest = max(float(layer.along.max()) for layer in layers) * scale
    unit_up, factor_up = display_unit(unit, thickest)
    unit_along, factor_along = display_unit(unit, longest)
    high, far = thickest * factor_up * 1.03, max(longest * factor_along, 1e-9)

    def across(value: float) -> float:
        return round(LEFT + value / far * (WIDTH - LEFT - RIGHT), 2)

    def up(value: float) -> float:
        return round(HEIGHT - BOTTOM - value / high * (HEIGHT - _TOP_OF_PROFILE - BOTTOM), 2)

    lines = []
    for number, (layer, colour) in enumerate(zip(layers, _COLOURS, strict=False)):
        step = max(1, len(layer.along) // _MOST_POINTS)
        points = zip(
            (layer.along[::step] * scale * factor_along).tolist(),
            (layer.thickness[::step] * scale * factor_up).tolist(),
            strict=True,
        )
        path = " ".join(f"{across(x)},{up(y)}" for x, y in points)
        place = LEFT + number * (WIDTH - LEFT - RIGHT) / _MOST_LAYERS
        lines.append((path, colour, f"layer {layer.label}", round(place, 2)))
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "top": _TOP_OF_PROFILE,
        "base": HEIGHT - BOTTOM,
        "ticks": [(across(tick), f"{tick:g}") for tick in _even_ticks(0.0, far, 7)],
        "rungs": [(up(tick), f"{tick:g}") for tick in _even_ticks(0.0, high, 5)],
        "lines": lines,
        "label": f"Position along the layer ({unit_along})",
        "label_up": f"Thickness ({unit_up})",
    }


def number_layout(
    curve: Sequence[tuple[int, float, float]], chosen: int, *, silhouette: bool
) -> dict[str, Any]:
    """Lay out (number, silhouette or spread, separation) for the template ``number.svg.j2``."""
    first, last = curve[0][0], max(curve[-1][0], curve[0][0] + 1)
    high = min(_MOST_SEPARATION, max(1.2, *(row[2] for row in curve))) * 1.03

    def across(number: float) -> float:
        share = (number - first + 0.3) / (last - first + 0.6)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 2)

    def up(value: float) -> float:
        part = min(max(value, 0.0), high) / high
        return round(HEIGHT - BOTTOM - part * (HEIGHT - _TOP_OF_PROFILE - BOTTOM), 2)

    columns = [(2, "separation"), *([(1, "silhouette")] if silhouette else [])]
    lines = []
    for place, (column, name) in enumerate(columns):
        points = [(across(row[0]), up(row[column])) for row in curve]
        lines.append((points, _COLOURS[place], name, LEFT + 110.0 * place))
    ringed = [(across(row[0]), up(row[columns[-1][0]])) for row in curve if row[0] == chosen]
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "top": _TOP_OF_PROFILE,
        "base": HEIGHT - BOTTOM,
        "ticks": [(across(number), str(number)) for number in range(first, last + 1)],
        "rungs": [(up(tick), f"{tick:g}") for tick in _even_ticks(0.0, high, 5)],
        "one": up(1.0),
        "lines": lines,
        "ringed": ringed,
        "label": "Number of materials",
        "label_up": "Separation, silhouette" if silhouette else "Separation",
    }


def _even_ticks(low: float, high: float, most: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten between two numbers, at most this many."""
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(s * power for s in (1, 2, 5, 10, 20) if (high - low) / (s * power) <= most - 1)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{position * step:.10g}") for position in range(first, last + 1)]


def _decade_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 in each decade between two numbers; every decade alone where they are many."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if len(decades) < 5 else (1,)
    ticks = (float(f"{step * 10.0**decade:.10g}") for decade in decades for step in steps)
    return [tick for tick in ticks if low <= tick <= high]
