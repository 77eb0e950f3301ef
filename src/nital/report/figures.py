"""Figures of a result as SVG, and the numbers they show as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nital.io import atomic_write
from nital.metrology import Measurements
from nital.metrology.quantity import Quantity
from nital.metrology.specimens import SpecimenQuantity
from nital.report.plot import profile_layout, size_layout

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["Figure", "figure_of", "size_figure", "templates", "write_figure"]

_SIZES = (
    "Equivalent circle diameter of the objects that do not touch the edge, as counted. Lines: d10, "
    "d50 and d90 by number of the table, which are corrected for objects cut by the edge"
)
_PERCENTILES = ("ecd_d10", "ecd_d50", "ecd_d90")


@dataclass(frozen=True)
class Figure:
    """One figure.

    Parameters
    ----------
    stem
        Of its files, ``"sizes"`` or ``"thickness"``.
    svg
        The picture.
    title, caption
        Of the figure in the report.
    rows
        The numbers, a header first.
    """

    stem: str
    svg: str
    title: str
    caption: str
    rows: tuple[tuple[Any, ...], ...]


@lru_cache(maxsize=1)
def templates() -> Environment:
    """Return the templates of the report."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("nital.report"),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )


def figure_of(measurements: Measurements) -> Figure | None:
    """Distribution of sizes, or the course of layers; ``None`` for too few objects."""
    if measurements.layers:
        return _profiles(measurements)
    table = measurements.objects
    unit = "um" if "ecd_um" in table else "px"
    whole = ~table["touches_edge"].to_numpy()
    return size_figure(table[f"ecd_{unit}"].to_numpy()[whole], unit, measurements.quantities)


def size_figure(
    sizes: NDArray[np.float64], unit: str, quantities: Sequence[Quantity | SpecimenQuantity]
) -> Figure | None:
    """Draw the distribution of diameters in ``um`` or ``px``; ``None`` for too few of them.

    The percentiles among the quantities are marked.
    """
    percentiles = [
        found.value
        for found in quantities
        if found.name in _PERCENTILES and found.phase is None and found.unit == unit
    ]
    layout = size_layout(sizes, unit, percentiles)
    if layout is None:
        return None
    edges, counts = layout.pop("edges"), layout.pop("counts")
    svg = templates().get_template("sizes.svg.j2").render(**layout)
    areas, _ = np.histogram(sizes, edges, weights=sizes**2)
    rows: list[tuple[Any, ...]] = [
        (f"ecd_from_{unit}", f"ecd_to_{unit}", "objects", "share_of_objects", "share_of_area")
    ]
    rows += [
        (f"{low:.8g}", f"{high:.8g}", int(count), f"{count / len(sizes):.6g}", f"{area:.6g}")
        for low, high, count, area in zip(
            edges, edges[1:], counts, areas / areas.sum(), strict=False
        )
    ]
    return Figure("sizes", svg, "Size distribution", _SIZES, tuple(rows))


def _profiles(measurements: Measurements) -> Figure:
    svg = templates().get_template("profile.svg.j2").render(**profile_layout(measurements))
    size = measurements.summary["image"]["pixel_size"]
    scale, unit = (1.0, "px") if size is None else (size["value"], "um")
    rows: list[tuple[Any, ...]] = [("layer", f"along_{unit}", f"thickness_{unit}")]
    for layer in measurements.layers:
        pairs = zip((layer.along * scale).tolist(), (layer.thickness * scale).tolist(), strict=True)
        rows += [(layer.label, f"{along:.8g}", f"{thickness:.8g}") for along, thickness in pairs]
    caption = "Distance of the two interfaces of each layer, square to it"
    return Figure("thickness", svg, "Thickness along the layers", caption, tuple(rows))


def write_figure(folder: Path, figure: Figure, stem: str | None = None) -> None:
    """Write ``<stem>.svg`` and ``<stem>.csv`` into a folder."""
    stem = stem or figure.stem
    header = '<?xml version="1.0" encoding="utf-8"?>\n'
    text, table = header + figure.svg, _as_csv(figure.rows)
    atomic_write(folder / f"{stem}.svg", lambda path: path.write_text(text, encoding="utf-8"))
    atomic_write(folder / f"{stem}.csv", lambda path: path.write_text(table, encoding="utf-8"))


def _as_csv(rows: Iterable[Sequence[Any]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()
