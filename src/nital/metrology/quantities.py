"""All quantities of one field: which there are for which target."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from nital.metrology.certain import certain_findings
from nital.metrology.counts import boundary_findings, count_findings
from nital.metrology.doubts import Doubts
from nital.metrology.field import Field
from nital.metrology.grain_counts import GrainCounts
from nital.metrology.grains import grain_findings, grain_warnings
from nital.metrology.joint import join_doubts
from nital.metrology.layers import Stack, layer_findings, layer_warnings
from nital.metrology.particles import particle_findings, particle_warnings
from nital.metrology.phases import find_covers, fraction_findings, phase_findings
from nital.metrology.quantity import Finding, Quantity, in_units
from nital.metrology.shapes import Shapes, measure_shapes
from nital.metrology.sizes import Weighting, select, size_findings
from nital.segmentation import Target

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PRECISION", "interval_statement", "quantities"]

PRECISION = 0.05
_MUCH_UNCLAIMED = 0.25
_SAMPLING = (
    "One field: the 95 % intervals say how far another field of the same size, from the same "
    "place of the specimen, would scatter about the same mean, taking the parts of the field for "
    "a sample of that place"
)
_OTHERS = (
    "They know nothing of other places of the specimen, or of other specimens: measure several "
    "fields for that."
)
_FRAMED = (
    "How much of the field layers and their interfaces take up has none: the frame decides that, "
    "and not the specimen."
)

_WEIGHTINGS: dict[Target, tuple[Weighting, ...]] = {
    "grains": ("area",),
    "phases": ("area",),
    "particles": ("area", "volume"),
}


def quantities(
    field: Field,
    table: pd.DataFrame,
    target: Target,
    stack: Stack,
    scale: float | None,
    precision: float,
    doubts: Doubts,
) -> tuple[tuple[Quantity, ...], tuple[str, ...]]:
    """Compute all quantities of a field.

    Parameters
    ----------
    field, table
        What was measured, and its objects.
    target
        What the objects are.
    stack
        Its layers, if they are layers.
    scale
        Pixel size in um, or ``None``.
    precision
        Relative half width of the intervals that is asked for, when the number of objects still
        needed is forecast; > 0.
    doubts
        On objects, outlines and the pixel size.

    Returns
    -------
    quantities, warnings
        Over all objects first; then, where objects of several phases are present, per phase.
    """
    warnings = list(_warnings(table, target, scale))
    found = _everywhere(field, table, target, precision)
    shapes = None
    if target == "particles":
        shapes = measure_shapes(field, select(field, table, None, together=False).chosen)
    special, more = _of_target(field, table, target, stack, scale, shapes)
    found += special
    warnings += more
    phases = np.unique(table["phase"].to_numpy())
    if len(phases) > 1 and target != "layers":
        together = target != "particles"
        for phase in phases.tolist():
            found += count_findings(field, table, phase)
            found += size_findings(table, select(field, table, phase, together), (), 0.0)
    warnings += list(_left_open(field, target, doubts))
    found = list(join_doubts(found, field, table, target, doubts, shapes))
    return tuple(in_units(found, scale)), tuple(warnings)


def interval_statement(doubts: Doubts, target: Target) -> str:
    """Say what the intervals of one field hold, and what they do not."""
    labels = (
        "objects missed or invented and outlines that are off, as the model's confidence, what it "
        "leaves open and the logits of its masks have them"
        if doubts.judged
        else "no error of the labels, which are taken for true"
    )
    scale = (
        ""
        if not doubts.pixel_size
        else (f", and a standard uncertainty of the pixel size of {100 * doubts.pixel_size:g} %")
    )
    framed = f" {_FRAMED}" if target == "layers" else ""
    return f"{_SAMPLING}. Joined with that are {labels}{scale}. {_OTHERS}{framed}"


def _everywhere(
    field: Field, table: pd.DataFrame, target: Target, precision: float
) -> list[Finding]:
    """Counts, fractions, and sizes where there are any."""
    covers = find_covers(field, table["phase"].to_numpy())
    sampled = target != "layers"
    found = [
        *count_findings(field, table, None, sampled),
        *fraction_findings(covers, framed=not sampled),
    ]
    if target in _WEIGHTINGS:
        sample = select(field, table, None, together=target != "particles")
        wanted = precision if target == "particles" else 0.0
        found += size_findings(table, sample, _WEIGHTINGS[target], wanted)
    if target == "phases":
        found += phase_findings(covers)
    return found


def _of_target(
    field: Field,
    table: pd.DataFrame,
    target: Target,
    stack: Stack,
    scale: float | None,
    shapes: Shapes | None,
) -> tuple[list[Finding], list[str]]:
    """What only this target has."""
    if target == "grains":
        counts = GrainCounts(field, table)
        return list(grain_findings(counts, scale)), list(grain_warnings(counts))
    how = "Cauchy-Crofton in 8 directions"
    length, area = field.boundaries.block_length, field.blocks.area
    whole = None
    if target == "particles":
        outlines = field.boundaries.perimeter[1:]
        whole = np.bincount(field.block_of(table), outlines, len(area)).astype(float)
    found = list(boundary_findings(field, length, area, how, target == "layers", whole))
    if target == "phases":
        return found[:1], []
    if shapes is not None:
        found += certain_findings(field, table)
        found += particle_findings(field, table, select(field, table, None, together=False), shapes)
        return found, list(particle_warnings(table))
    if target == "layers":
        return [*found, *layer_findings(stack.profiles)], list(layer_warnings(stack))
    return found, []


def _left_open(field: Field, target: Target, doubts: Doubts) -> Iterator[str]:
    """Say where a model saw much more than it found."""
    if doubts.missed is None or field.unclaimed is None or field.unclaimed < _MUCH_UNCLAIMED:
        return
    of_field = 100.0 * field.unclaimed / (1.0 + field.unclaimed)
    what = (
        f"{of_field:.0f} % of the field belong to no mask of the model"
        if target == "grains"
        else f"the model sees {field.unclaimed:.2g} times the area of the particles found where it "
        "found none"
    )
    yield (
        f"{what}, so many {target} may have been missed, and the intervals reach far: look at the "
        "overlay, and try a higher magnification or more contrast"
    )


def _warnings(table: pd.DataFrame, target: Target, scale: float | None) -> Iterator[str]:
    if scale is None:
        numbers = ", and grain size numbers," if target == "grains" else ""
        yield (
            "no pixel size is known, so lengths are in pixels, and quantities per length or per "
            f"area{numbers} are left out: give --pixel-size to have them"
        )
    if target == "layers":
        return
    if not len(table):
        yield "there is no object, so there is nothing to count or to measure: look at the image"
    if len(table) == 1:
        yield "there is only one object, so nothing is known of how sizes scatter"
    if len(table) and bool(table["touches_edge"].all()):
        yield "every object touches the edge of the image, so there are no size statistics"
