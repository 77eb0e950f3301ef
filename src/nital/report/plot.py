"""The size distribution as a small SVG picture."""

from __future__ import annotations

import io

import numpy as np

from nital.metrology import Measurements
from nital.report.numbers import display_unit

__all__ = ["plot_sizes"]

FEWEST_OBJECTS = 8
_WIDE = 20.0


def plot_sizes(measurements: Measurements) -> str | None:
    """Return a histogram of the diameters as SVG; ``None`` for fewer than 8 objects.

    The axis is logarithmic where the sizes range over more than a factor of 20. The same numbers
    give the same bytes.
    """
    table = measurements.objects
    unit = "um" if "ecd_um" in table else "px"
    sizes = table[f"ecd_{unit}"].to_numpy()[~table["touches_edge"].to_numpy()]
    if len(sizes) < FEWEST_OBJECTS:
        return None
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

    label, factor = display_unit(unit, float(np.median(sizes)))
    sizes = sizes * factor
    low, high = float(sizes.min()), float(sizes.max())
    wide = high / low > _WIDE
    number = int(min(max(2 * len(sizes) ** (1 / 3), 6), 40))
    spaced = np.geomspace if wide else np.linspace
    edges = spaced(low, high, number + 1).tolist()
    with mpl.rc_context({"svg.hashsalt": "nital", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(5.4, 3.0), layout="constrained")
        axes = figure.subplots()
        axes.hist(sizes, edges if high > low else 1, color="#7f96ad", edgecolor="white")
        for percent in (10, 50, 90):
            axes.axvline(float(np.quantile(sizes, percent / 100)), color="#b03a00", linewidth=1)
        if wide:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_xlabel(f"Equivalent circle diameter ({label})")
        axes.set_ylabel("Objects")
        axes.spines[["top", "right"]].set_visible(False)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    return text[text.index("<svg") :]
