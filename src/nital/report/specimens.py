"""The part of the report about specimens: the result over their fields, and how they compare."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.metrology.comparisons import Comparison, why_not_compared
from nital.metrology.specimens import Specimen, SpecimenQuantity
from nital.report.figures import Figure, size_figure, templates, write_figure
from nital.report.names import GROUPS, group_of, label_of
from nital.report.numbers import Units, common_units, format_accuracy, print_quantity

__all__ = ["render_comparisons", "render_specimen", "write_specimen_figure"]

_SIGNIFICANT = 0.05


def render_specimen(specimen: Specimen, anchors: Mapping[str, str], figure: Figure | None) -> str:
    """HTML of one specimen, to stand before the parts of its fields.

    Parameters
    ----------
    specimen
        Its result.
    anchors
        Where the part of each field is.
    figure
        Its distribution of sizes, if there is one.
    """
    from markupsafe import Markup

    return (
        templates()
        .get_template("specimen.html.j2")
        .render(
            name=specimen.name,
            condition=specimen.condition,
            fields=[(field, anchors[field]) for field in specimen.fields],
            warnings=specimen.warnings,
            groups=_groups(specimen.quantities),
            figure=figure and {"picture": Markup(figure.svg), "caption": figure.caption},
        )
    )


def _groups(quantities: Sequence[SpecimenQuantity]) -> list[dict[str, Any]]:
    rows = [_as_row(quantity) for quantity in quantities]
    units = common_units(rows)
    groups = []
    for title in dict.fromkeys([*GROUPS, *(group_of(row["name"]) for row in rows)]):
        names = list(GROUPS.get(title, ()))
        members = [row for row in rows if group_of(row["name"]) == title]
        members.sort(
            key=lambda row: (
                row["object"] or 0,
                row["phase"] or 0,
                names.index(row["name"]) if row["name"] in names else len(names),
            )
        )
        if members:
            groups.append({"title": title, "rows": [_printed(row, units) for row in members]})
    return groups


def _as_row(quantity: SpecimenQuantity) -> dict[str, Any]:
    interval = None if quantity.ci95 is None else list(quantity.ci95)
    return {**vars(quantity), "ci95": interval}


def _printed(row: dict[str, Any], units: Units) -> dict[str, Any]:
    value, interval, unit = print_quantity(row, units)
    known = row["relative_accuracy"] is not None
    needed = row["fields_needed"]
    return {
        "label": _label(row["name"], row["phase"], row["object"]),
        "value": value,
        "interval": interval,
        "unit": unit,
        "accuracy": format_accuracy(row["value"], row["ci95"]) if known else "",
        "n": row["n"],
        "needed": "" if needed is None else str(needed),
        "standard": row["standard"] or "",
        "method": row["method"].partition("; ")[0],
    }


def _label(name: str, phase: int | None, label: int | None) -> str:
    if label is not None:
        return f"{label_of(name)}, layer {label}"
    return f"{label_of(name)}, phase {phase}" if phase is not None else label_of(name)


def render_comparisons(comparisons: Sequence[Comparison], specimens: Sequence[Specimen]) -> str:
    """HTML of the tests between groups, or why there are none; empty without specimens."""
    if not comparisons:
        reason = why_not_compared(specimens)
        return "" if reason is None else f"<p class='soft'>{_capital(reason)}.</p>\n"
    rows = [
        {
            "label": _label(test.name, test.phase, test.object),
            "groups": [
                f"{name}: {mean:.4g} ± {sd:.2g} (n = {n})" for name, n, mean, sd in test.groups
            ],
            "test": test.test,
            "p": "< 0.0001" if test.p < 1e-4 else f"{test.p:.2g}",
            "differs": test.p < _SIGNIFICANT,
            "difference": _difference(test),
            "effect": f"{test.effect_name} = {test.effect:.2f}".replace("-", "−"),
        }
        for test in comparisons
    ]
    return templates().get_template("comparisons.html.j2").render(rows=rows, of=comparisons[0].of)


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _difference(test: Comparison) -> str:
    if test.difference is None or test.ci95 is None:
        return ""
    unit = "" if test.unit == "1" else f" {test.unit}"
    low, high = test.ci95
    text = f"{test.difference:+.3g}{unit} ({low:+.3g} to {high:+.3g})"
    return text.replace("-", "−").replace("um", "µm")


def write_specimen_figure(out: Path, specimen: Specimen) -> Figure | None:
    """Draw the sizes of all fields of a specimen together, and write them to ``specimens/``."""
    if specimen.target == "layers":
        return None
    sizes, unit = _sizes(out, specimen.fields)
    figure = size_figure(sizes, unit, specimen.quantities)
    if figure is not None:
        folder = out / "specimens"
        folder.mkdir(exist_ok=True)
        name = re.sub(r"[^\w.-]", "_", specimen.name)
        write_figure(folder, figure, f"{name}_sizes")
    return figure


def _sizes(out: Path, fields: Sequence[str]) -> tuple[NDArray[np.float64], str]:
    """Diameters of the objects of all fields that are off the edge; um where all are calibrated."""
    import pandas as pd

    tables = [pd.read_csv(out / field / "objects.csv") for field in fields]
    calibrated = all("ecd_um" in table for table in tables)
    if not calibrated:
        tables = [table for table in tables if "ecd_px" in table]
    unit = "um" if calibrated else "px"
    parts = [t[f"ecd_{unit}"].to_numpy()[~t["touches_edge"].to_numpy(dtype=bool)] for t in tables]
    return np.concatenate(parts).astype(float), unit
