"""Two methods image by image: the score of each image under both, joined by a line (SVG).

Takes the bench.json that ``nital bench`` writes. Says on how many images the first method is
better, with the exact 95 % interval of that share.

    nital bench emps_train --methods compact,watershed --split validation --out scores
    python benchmarks/paired.py scores/bench.json compact watershed --out paired.svg
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.metrology.intervals import binomial_interval

WIDTH, HEIGHT, TOP, BASE = 420, 360, 20, 310
COLUMNS = (125, 320)
DENSITY = 50


def main() -> None:
    """Pair, draw, and print one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("bench", type=Path, help="bench.json of nital bench")
    parser.add_argument("first", help="method")
    parser.add_argument("second", help="method to compare it with")
    parser.add_argument("--metric", default="aji_plus")
    parser.add_argument("--out", type=Path, default=Path("paired.svg"))
    parser.add_argument("--quick", action="store_true", help="accepted, as all benchmarks do")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    arguments = parser.parse_args()
    rows = json.loads(arguments.bench.read_text(encoding="utf-8"))["rows"]
    pairs = paired(rows, arguments.first, arguments.second, arguments.metric)
    if not pairs:
        parser.error(f"no image of {arguments.bench} has {arguments.metric} of both methods")
    arguments.out.write_text(
        svg(pairs, (arguments.first, arguments.second), arguments.metric), encoding="utf-8"
    )
    better = sum(one > two for one, two in pairs)
    low, high = binomial_interval(better, len(pairs))
    means = np.mean(pairs, axis=0)
    text = json.dumps(
        {
            "benchmark": "paired",
            "metric": arguments.metric,
            "images": len(pairs),
            arguments.first: round(float(means[0]), 4),
            arguments.second: round(float(means[1]), 4),
            "first_better": round(better / len(pairs), 4),
            "first_better_ci95": [round(low, 4), round(high, 4)],
        }
    )
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)


def paired(
    rows: list[dict[str, Any]], first: str, second: str, metric: str
) -> list[tuple[float, float]]:
    """The metric of both methods for every image that has both."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for row in rows:
        if metric in row["metrics"]:
            key = (row["dataset"], row["image"])
            found.setdefault(key, {})[row["method"]] = row["metrics"][metric]
    return [(of[first], of[second]) for of in found.values() if first in of and second in of]


def svg(pairs: list[tuple[float, float]], names: tuple[str, str], metric: str) -> str:
    """Points of both methods, joined; blue where the first is better, red where the second is.

    Beside each column lies the density of its points.
    """

    def up(value: float) -> float:
        return round(BASE - value * (BASE - TOP), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-size="14" '
        'font-family="system-ui, Segoe UI, Arial, sans-serif" fill="#1b1f24">'
    ]
    for value in np.linspace(0, 1, 6):
        y = up(float(value))
        parts.append(
            f'<line x1="60" x2="{WIDTH - 30}" y1="{y}" y2="{y}" stroke="#e3e7eb"/>'
            f'<text x="52" y="{y + 5}" text-anchor="end">{value:.1f}</text>'
        )
    for column, values in enumerate(zip(*pairs, strict=True)):
        parts.append(_density(np.array(values), column))
    for one, two in pairs:
        colour = "#1f5f99" if one > two else "#b03a00"
        ys = (up(one), up(two))
        parts.append(
            f'<line x1="{COLUMNS[0]}" y1="{ys[0]}" x2="{COLUMNS[1]}" y2="{ys[1]}" '
            f'stroke="{colour}" stroke-opacity="0.5"/>'
        )
        parts += [
            f'<circle cx="{x}" cy="{y}" r="3.2" fill="{colour}"/>'
            for x, y in zip(COLUMNS, ys, strict=True)
        ]
    parts += [
        f'<text x="{x}" y="{BASE + 26}" text-anchor="middle">{name}</text>'
        for x, name in zip(COLUMNS, names, strict=True)
    ]
    label = f'<text transform="translate(16 {(TOP + BASE) / 2}) rotate(-90)" text-anchor="middle">'
    parts.append(f"{label}{metric}</text></svg>")
    return "\n".join(parts)


def _density(values: NDArray[np.float64], column: int) -> str:
    """Gaussian kernel density of one column's points, on the outer side (Silverman's width)."""
    heights = np.linspace(0, 1, 81)
    width = max(0.9 * float(values.std()) * len(values) ** -0.2, 0.02)
    density = np.exp(-(((heights[:, None] - values) / width) ** 2) / 2).sum(1)
    outward = (-1 if column == 0 else 1) * (6 + DENSITY * density / density.max())
    start = COLUMNS[column] + (-6 if column == 0 else 6)
    points = [
        (COLUMNS[column] + x, BASE - y * (BASE - TOP))
        for x, y in zip(outward, heights, strict=True)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polygon points="{start},{BASE} {line} {start},{TOP}" fill="#d5dbe1"/>'


if __name__ == "__main__":
    main()
