"""Particles that are certain, apart from all: the same sizes without the doubtful ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from nital.metrology.field import Field
from nital.metrology.quantity import Finding
from nital.metrology.sizes import select, size_findings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["certain_findings"]


def certain_findings(field: Field, table: pd.DataFrame) -> Iterator[Finding]:
    """Count and sizes of the particles whose confidence reaches the bar, names in ``_certain``.

    Nothing where no bar is set or there is no particle.

    Parameters
    ----------
    field, table
        What is measured, and its objects with their confidence.
    """
    if field.certain_from is None or field.confidence is None or not len(table):
        return
    # A confidence is kept in 255 steps; half a step decides nothing.
    certain = table["confidence"].to_numpy() >= field.certain_from - 0.5 / 255
    whom = f"particles of confidence {field.certain_from:g} and more alone"
    yield Finding(
        "object_count_certain",
        float(certain.sum()),
        0,
        None,
        len(table),
        f"{whom}, those at the edge included; a count, without interval",
    )
    sample = select(field, table, None, together=False)
    kept = certain[sample.chosen]
    sure = replace(sample, chosen=sample.chosen & certain, weight=sample.weight[kept])
    for finding in size_findings(table, sure, ("area", "volume"), 0.0):
        method = f"{finding.method}; {whom}"
        yield replace(finding, name=f"{finding.name}_certain", method=method)
