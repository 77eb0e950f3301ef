"""What the booster decided, one by one, and the numbers of materials that it tried."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nital.io import atomic_write
from nital.report.figures import Figure, templates
from nital.report.plot import number_layout

__all__ = ["COLUMNS", "SHOWN", "counted", "decision_rows", "number_figure", "write_decisions"]

SHOWN = 200  # decisions that the report lists one by one; decisions.csv has all
COLUMNS = ("action", "reason", "mask", "other", "share", "area_px", "masks", "material")
_CAPTION = (
    "Numbers of materials tried. Separation: distance of the two materials most alike over the one "
    "at which regions are as likely of one material as of two; below the dashed line they "
    "would be called one. The ring marks the number taken"
)
_EVEN = (
    ": one material was added after the other until places of one were alike enough, or the next "
    "would have parted what is alike; number.csv has the mean squared distance"
)

Log = Sequence[Mapping[str, Any]]


def counted(log: Log) -> list[tuple[str, str, int]]:
    """(action, reason, how many) of a log, sorted; entries may stand for many candidates."""
    totals: Counter[tuple[str, str]] = Counter()
    for entry in log:
        totals[str(entry.get("action", "")), str(entry.get("reason", ""))] += entry.get("count", 1)
    return [(*key, number) for key, number in sorted(totals.items()) if number]


def decision_rows(log: Log) -> list[tuple[str, ...]]:
    """The decisions on single masks as text, in the order of :data:`COLUMNS`."""
    return [
        tuple(_text(entry.get(column)) for column in COLUMNS)
        for entry in log
        if "mask" in entry or "masks" in entry
    ]


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return " ".join(str(each) for each in value)
    return "" if value is None else str(value)


def write_decisions(folder: Path, log: Log) -> None:
    """Write ``decisions.csv`` where single masks were decided on."""
    rows = decision_rows(log)
    if not rows:
        return

    def write(path: Path) -> None:
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])

    atomic_write(folder / "decisions.csv", write)


def number_figure(parameters: Mapping[str, Any]) -> Figure | None:
    """The curve by which a number of materials was estimated; ``None`` where none was.

    Parameters
    ----------
    parameters
        Of a summary; ``number_curve`` below ``found`` or ``found.booster`` holds the number, its
        silhouette or spread, and its separation.
    """
    found = parameters.get("found", {})
    found = found.get("booster", found)
    curve = sorted((int(n), float(value), float(apart)) for n, value, apart in _curve(found))
    if len(curve) < 2:
        return None
    by_silhouette = found["number_rule"] == "silhouette"
    layout = number_layout(curve, int(found["number"]), silhouette=by_silhouette)
    svg = templates().get_template("number.svg.j2").render(**layout)
    header = ("materials", "silhouette" if by_silhouette else "mean_squared_distance", "separation")
    rows = ((number, f"{value:.6g}", f"{apart:.6g}") for number, value, apart in curve)
    caption = _CAPTION + (_EVEN if found["number_rule"] == "scatter" else "")
    return Figure("number", svg, "How many materials", caption, (header, *rows))


def _curve(found: Mapping[str, Any]) -> list[Sequence[float]]:
    return [row for row in found.get("number_curve", ()) if row[0] > 1]
