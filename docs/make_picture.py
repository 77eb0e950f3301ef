"""Make the picture of the README from the results of ``make segment``.

``.venv/bin/python docs/make_picture.py`` reads ``examples/`` and ``out/examples/`` and writes
``docs/img/examples.png``: of each example one part, the left half as the report shows it, the right
half with the contours that Nital found.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

import nital
from nital.report.overlay import draw_picture

__all__ = ["main"]

ROOT = Path(__file__).parents[1]
NAMES = ("ferrite", "superalloy", "powder", "coating")
CORNERS = {
    "ferrite": (250, 300),
    "superalloy": (180, 200),
    "powder": (260, 180),
    "coating": (60, 32),
}
WIDTH, HEIGHT, GAP = 480, 320, 8
COLOURS = 96


def main() -> None:
    """Put the four parts together, two by two, and reduce the colours."""
    page = Image.new("RGB", (2 * WIDTH + GAP, 2 * HEIGHT + GAP), "white")
    for index, name in enumerate(NAMES):
        row, column = divmod(index, 2)
        page.paste(part(name), (column * (WIDTH + GAP), row * (HEIGHT + GAP)))
    target = ROOT / "docs" / "img" / "examples.png"
    target.parent.mkdir(exist_ok=True)
    few = page.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(target, optimize=True)
    print(f"{target}: {target.stat().st_size / 1000:.0f} kB")


def part(name: str) -> Image.Image:
    """The left half of a micrograph beside the right half of its overlay."""
    top, left = CORNERS[name]
    scale = 2 if name == "coating" else 1
    box = (left, top, left + scale * WIDTH, top + scale * HEIGHT)
    micrograph = nital.read(ROOT / "examples" / f"{name}.tif")
    before = Image.fromarray(draw_picture(micrograph, max(micrograph.shape)))
    after = Image.open(ROOT / "out" / "examples" / name / "overlay.png")
    left, right = (
        picture.convert("RGB").crop(box).resize((WIDTH, HEIGHT), Image.Resampling.BOX)
        for picture in (before, after)
    )
    half = (WIDTH // 2, 0, WIDTH, HEIGHT)
    left.paste(right.crop(half), half)
    return left


if __name__ == "__main__":
    main()
