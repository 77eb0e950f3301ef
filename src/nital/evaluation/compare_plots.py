"""Plots of ``nital compare`` as small SVG pictures, drawn without a plotting library."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nital.evaluation.agreement import bland_altman

__all__ = ["differences_svg", "sizes_svg"]

Floats = NDArray[np.float64]
WIDTH, HEIGHT = 560, 320
LEFT, RIGHT, TOP, BOTTOM = 70, 14, 12, 46
COLOURS = ("#1f5f99", "#b03a00", "#2e7d4f", "#7a4ea3", "#8a6d00", "#b0306a", "#00797d", "#555f69")
MOST_POINTS = 1500


@dataclass(frozen=True)
class _Axes:
    """Logarithmic lengths across, anything linear up."""

    low: float
    high: float
    bottom: float
    top: float

    def across(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def up(self, value: float) -> float:
        share = (value - self.bottom) / (self.top - self.bottom)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)

    def frame(self, label: str, label_up: str, rungs: list[tuple[float, str]]) -> list[str]:
        """The frame, ticks and labels."""
        parts = []
        for value, text in rungs:
            y = self.up(value)
            parts.append(
                f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="#e3e7eb"/>'
                f'<text x="{LEFT - 7}" y="{y + 4.5}" text-anchor="end">{text}</text>'
            )
        base = HEIGHT - BOTTOM
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}" stroke="#1b1f24"/>'
        )
        for value in _decades(self.low, self.high):
            x = self.across(value)
            parts.append(
                f'<line x1="{x}" x2="{x}" y1="{base}" y2="{base + 5}" stroke="#1b1f24"/>'
                f'<text x="{x}" y="{base + 19}" text-anchor="middle">{value:g}</text>'
            )
        middle = (LEFT + WIDTH - RIGHT) / 2
        parts.append(
            f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{label}</text>'
            f'<text transform="translate(13 {(TOP + base) / 2}) rotate(-90)" '
            f'text-anchor="middle">{label_up}</text>'
        )
        return parts


def sizes_svg(diameters: dict[str, Floats], unit: str) -> str:
    """Cumulative size distributions, one line for each set; empty without any size."""
    filled = {name: values for name, values in diameters.items() if values.size}
    if not filled:
        return ""
    every = np.concatenate(list(filled.values()))
    axes = _Axes(0.9 * float(every.min()), 1.1 * float(every.max()), 0.0, 1.0)
    rungs = [(share / 4, f"{share * 25} %") for share in range(5)]
    parts = axes.frame(f"Equivalent circle diameter ({_name(unit)})", "Objects below", rungs)
    for number, (name, values) in enumerate(filled.items()):
        ordered = np.sort(values)
        shares = (np.arange(ordered.size) + 0.5) / ordered.size
        step = max(1, ordered.size // 400)
        points = " ".join(
            f"{axes.across(x)},{axes.up(y)}"
            for x, y in zip(ordered[::step].tolist(), shares[::step].tolist(), strict=True)
        )
        colour = COLOURS[number % len(COLOURS)]
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.8"/>'
            f'<text x="{LEFT + 10}" y="{TOP + 16 + 16 * number}" fill="{colour}">{_safe(name)}'
            f"</text>"
        )
    return _svg(parts, "Cumulative size distributions")


def differences_svg(first: Floats, second: Floats, unit: str) -> str:
    """Bland-Altman plot: relative difference over the mean of matched pairs; not without pairs."""
    mean = (first + second) / 2
    difference = 100 * (second - first) / mean
    found = bland_altman(first, second)
    lines = [] if found is None else [(found.bias, ""), *((v, "5 4") for v in found.limits)]
    farthest = max(float(np.abs(difference).max()), *(100 * abs(value) for value, _ in lines), 0.0)
    reach = max(10.0, 1.1 * farthest)
    axes = _Axes(0.9 * float(mean.min()), 1.1 * float(mean.max()), -reach, reach)
    step = next(s for s in (5, 10, 20, 50, 100) if reach / s < 5 or s == 100)
    rungs = [(float(v), f"{v} %") for v in range(-step * int(reach // step), int(reach) + 1, step)]
    label = f"Mean diameter of the pair ({_name(unit)})"
    parts = axes.frame(label, "Second less first", rungs)
    chosen = np.linspace(0, mean.size - 1, min(mean.size, MOST_POINTS)).astype(int)
    parts += [
        f'<circle cx="{axes.across(x)}" cy="{axes.up(y)}" r="2" fill="#1f5f99" '
        f'fill-opacity="0.45"/>'
        for x, y in zip(mean[chosen].tolist(), difference[chosen].tolist(), strict=True)
    ]
    for value, dashes in lines:
        y = axes.up(100 * value)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="#b03a00" '
            f'stroke-width="1.4" stroke-dasharray="{dashes}"/>'
        )
    return _svg(parts, "Bland-Altman plot")


def _decades(low: float, high: float) -> list[float]:
    """1, 2 and 5 in each decade between two lengths; every decade alone where they are many."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if len(decades) < 5 else (1,)
    ticks = (float(f"{step * 10.0**decade:.10g}") for decade in decades for step in steps)
    return [tick for tick in ticks if low <= tick <= high]


def _name(unit: str) -> str:
    return "µm" if unit == "um" else unit


def _safe(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _svg(parts: list[str], label: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}" font-size="13" '
        'font-family="system-ui, Segoe UI, Helvetica Neue, Arial, sans-serif" fill="#1b1f24">'
        + "\n".join(parts)
        + "</svg>"
    )
