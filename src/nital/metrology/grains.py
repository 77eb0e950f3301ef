"""Grain size: ASTM and ISO numbers, mean intercept and area, each with what it rests on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from nital.metrology.anisotropy import anisotropy, find_direction
from nital.metrology.counts import boundary_findings
from nital.metrology.grain_counts import DIRECTIONS, GrainCounts
from nital.metrology.grain_extremes import FEWEST_GRAINS, find_duplex
from nital.metrology.intervals import Interval, student
from nital.metrology.lines import Intercepts
from nital.metrology.planimetric import AreaCount
from nital.metrology.quantity import Finding
from nital.metrology.scatter import BlockScatter, ratio_interval, relative_errors
from nital.metrology.sizes import edge_weights

__all__ = [
    "astm_g_from_density",
    "astm_g_from_intercept",
    "grain_findings",
    "grain_warnings",
    "iso643_index",
]

E112 = "ASTM E112"
LARGEST_DIFFERENCE = 0.5
_PRECISION_OF_E112 = 0.1
_AREA_FACTOR, _AREA_TERM = 3.321928, -2.954
_LENGTH_FACTOR, _LENGTH_TERM = -6.643856, -3.288
_MM_PER_UM = 1e-3


def astm_g_from_density(per_mm2: float) -> float:
    """Grain size number from grains per mm^2 at 1x (ASTM E112, planimetric equation)."""
    return _AREA_FACTOR * math.log10(per_mm2) + _AREA_TERM


def astm_g_from_intercept(millimetres: float) -> float:
    """Grain size number from the mean lineal intercept in mm (ASTM E112, intercept equation)."""
    return _LENGTH_FACTOR * math.log10(millimetres) + _LENGTH_TERM


def iso643_index(per_mm2: float) -> float:
    """Grain size index from grains per mm^2, ``per_mm2 = 8 * 2 ** index`` (ISO 643)."""
    return math.log2(per_mm2) - 3.0


def grain_findings(counts: GrainCounts, scale: float | None) -> Iterator[Finding]:
    """All quantities of grain size of one field.

    Parameters
    ----------
    counts
        The counts; without a whole grain and a crossed boundary there is only the boundary
        length.
    scale
        Pixel size in um; without it there are no grain size numbers.
    """
    yield from _boundary_length(counts)
    if not counts.measurable:
        return
    yield from _by_area(counts, scale)
    yield from _by_intercepts(counts, scale)
    yield _difference(counts)
    yield from _anisotropy(counts)
    yield from _extremes(counts, scale)


def grain_warnings(counts: GrainCounts) -> Iterator[str]:
    """Sentences on what limits the grain size of one field."""
    if not counts.measurable:
        if counts.field.count:
            yield (
                "no grain lies wholly in the field, or no test line crosses a boundary, so there "
                "is no grain size: take an image that shows more grains"
            )
        return
    counted = counts.rectangle
    grains = counted.inside + counted.cut
    if grains < FEWEST_GRAINS:
        yield (
            f"only {grains} grain{'s' * (grains != 1)}, where ASTM E112 asks for "
            f"{FEWEST_GRAINS} in a field: {_achieved(counts)}"
        )
    difference = _difference(counts)
    if abs(difference.value) > LARGEST_DIFFERENCE and _is_shown(difference):
        yield (
            f"the grain size numbers by area and by intercepts differ by {difference.value:+.2f}, "
            "more "
            f"than {LARGEST_DIFFERENCE}: the grains are far from equiaxed or of very unequal "
            "size, or boundaries are missing or invented; look at the overlay"
        )


def _is_shown(found: Finding) -> bool:
    """Whether the field is large enough to show that something is not nought."""
    return found.interval is not None and not found.interval[0] <= 0.0 <= found.interval[1]


def _achieved(counts: GrainCounts) -> str:
    """Precision of the number of grains per area, and what would make it 10 %."""
    counted = counts.rectangle
    rate = float(counted.number.sum() / counted.area.sum())
    interval = ratio_interval(counted.number, counted.area, counts.field.grid)
    if interval is None:
        return "their number per area has no 95 % interval"
    accuracy = (interval[1] - interval[0]) / 2.0 / rate
    text = f"their number per area is known to ±{100 * accuracy:.0f} % (95 %, % RA)"
    fields = math.ceil((accuracy / _PRECISION_OF_E112) ** 2) - 1
    if fields > 0:
        more = "1 more field" if fields == 1 else f"{fields} more fields"
        text += f", and about {more} of this kind would make it ±{100 * _PRECISION_OF_E112:.0f} %"
    return text


def _scatter(counts: GrainCounts, interval: Interval | None) -> str:
    if interval is None:
        return "too few image blocks for a 95 % interval"
    return f"95 %: log-normal t interval over {counts.field.grid_text}"


def _converted(found: Finding, name: str, convert: Callable[[float], float]) -> Finding:
    """Return a plain number that rises or falls with a finding throughout."""
    limits = None if found.interval is None else sorted(map(convert, found.interval))
    interval = None if limits is None else (limits[0], limits[1])
    return Finding(name, convert(found.value), 0, interval, found.n, found.method, found.standard)


def _boundary_length(counts: GrainCounts) -> Iterator[Finding]:
    """Length of boundaries per area of the field, and their surface per volume."""
    network = counts.network
    if network.length.sum() > 0.0:
        yield from boundary_findings(
            counts.field,
            math.pi / 2.0 * network.number,
            network.length,
            f"Cauchy-Crofton along lines in {len(DIRECTIONS)} directions",
        )


def _by_area(counts: GrainCounts, scale: float | None) -> Iterator[Finding]:
    counted = counts.rectangle
    whole = _density(
        counts,
        counted,
        f"Saltykov rectangle: the whole field, {counted.inside} grains inside, {counted.cut} cut "
        f"ones counting 1/2, each corner 1/4; {counts.map.rule}",
    )
    yield whole
    area = _inverse(whole, "grain_area_mean")
    yield area
    if scale is None:
        return
    side = scale * _MM_PER_UM
    yield _converted(whole, "astm_g_planimetric", lambda x: astm_g_from_density(x / side**2))
    in_circles = counts.jeffries()
    if in_circles is not None:
        counted, pattern = in_circles
        found = _density(
            counts,
            counted,
            f"Jeffries circle, {pattern}: {counted.inside} grains inside, {counted.cut} cut ones "
            "counting 1/2",
        )
        yield _converted(found, "astm_g_jeffries", lambda x: astm_g_from_density(x / side**2))
    index = _converted(whole, "iso643_index", lambda x: iso643_index(x / side**2))
    yield replace(index, standard="ISO 643")


def _density(counts: GrainCounts, counted: AreaCount, text: str) -> Finding:
    interval = ratio_interval(counted.number, counted.area, counts.field.grid)
    return Finding(
        "grains_per_area",
        float(counted.number.sum() / counted.area.sum()),
        -2,
        interval,
        counted.inside + counted.cut,
        f"{text}; {_scatter(counts, interval)}",
        E112,
    )


def _inverse(found: Finding, name: str) -> Finding:
    limits = found.interval
    return replace(
        found,
        name=name,
        value=1.0 / found.value,
        dimension=-found.dimension,
        interval=None if limits is None else (1.0 / limits[1], 1.0 / limits[0]),
    )


def _by_intercepts(counts: GrainCounts, scale: float | None) -> Iterator[Finding]:
    straight = _mean_intercept(
        counts,
        counts.heyn,
        f"Heyn: straight lines in {len(DIRECTIONS)} directions, evenly spaced, ends count 1/2; "
        f"{counts.map.rule}",
    )
    yield straight
    if scale is None:
        return
    side = scale * _MM_PER_UM
    yield _converted(straight, "astm_g_intercept", lambda x: astm_g_from_intercept(x * side))
    for name, figure, along in (
        ("hilliard", "Hilliard circle", counts.hilliard()),
        ("abrams", "Abrams three circles", counts.abrams()),
    ):
        if along is not None:
            intercepts, pattern = along
            found = _mean_intercept(counts, intercepts, f"{figure}, {pattern}")
            yield _converted(found, f"astm_g_{name}", lambda x: astm_g_from_intercept(x * side))


def _mean_intercept(counts: GrainCounts, intercepts: Intercepts, text: str) -> Finding:
    rate = intercepts.number.sum() / intercepts.length.sum()
    interval = ratio_interval(intercepts.number, intercepts.length, counts.field.grid)
    found = Finding(
        "lineal_intercept_mean",
        float(rate),
        -1,
        interval,
        round(float(intercepts.number.sum())),
        f"{text}; {_scatter(counts, interval)}",
        E112,
    )
    return _inverse(found, found.name)


def _difference(counts: GrainCounts) -> Finding:
    """Grain size number by area less that by intercepts; the same at any scale.

    A grain counts in the blocks in which its area and its intercepts lie, so that both numbers are
    of the same grains. What reaches beyond neighbouring blocks is in both, and cancels.
    """
    area, lines = counts.rectangle, counts.heyn
    density = float(area.number.sum() / area.area.sum())
    per_length = float(lines.number.sum() / lines.length.sum())
    value = astm_g_from_density(density) - astm_g_from_intercept(1.0 / per_length)
    errors = (
        _AREA_FACTOR * relative_errors(counts.shared, area.area)
        + _LENGTH_FACTOR * relative_errors(lines.number, lines.length)
    ) / math.log(10.0)
    interval = None
    used = (area.area > 0) | (lines.length > 0)
    if used.sum() > 1:
        scatter = BlockScatter(counts.field.grid, used)
        half = student(scatter.freedom) * math.sqrt(max(scatter.variance(errors), 0.0))
        interval = value - half, value + half
    text = (
        "by area (Saltykov) less by intercepts (Heyn), a check: 0 for the grains of the ASTM "
        f"tables, -0.36 for Poisson-Voronoi cells; more than {LARGEST_DIFFERENCE} either way "
        f"gives a warning; 95 %: t interval over {counts.field.grid_text}"
    )
    n = area.inside + area.cut
    return Finding("astm_g_difference", value, 0, interval, n, text, E112)


def _anisotropy(counts: GrainCounts) -> Iterator[Finding]:
    number = np.stack([found.number for found in counts.directional])
    length = np.stack([found.length for found in counts.directional])
    direction = find_direction(number, length, DIRECTIONS, counts.field.grid)
    if direction is None:
        return
    stretch = anisotropy(direction, counts.along, counts.field.grid)
    if stretch is None:
        return
    n = round(float(number.sum()))
    text = f"mean intercept along {direction.degrees:.0f} degrees, where it is longest, over across"
    if stretch.interval is None:
        text += "; too few image blocks for a 95 % interval"
    else:
        text += f"; 95 %: log-normal t interval over {counts.field.grid_text}"
        text += "" if direction.shown else ", from 1, as no direction is shown at 95 %"
    yield Finding("anisotropy_index", stretch.index, 0, stretch.interval, n, text, E112)
    if direction.shown:
        yield Finding(
            "anisotropy_direction",
            direction.degrees,
            0,
            direction.interval,
            n,
            "direction of the longest intercepts, counter-clockwise from the rows, fitted to "
            f"those of {len(DIRECTIONS)} directions; 95 %: jackknife over "
            f"{counts.field.grid_text}",
            E112,
            unit="deg",
        )


def _extremes(counts: GrainCounts, scale: float | None) -> Iterator[Finding]:
    area = counts.field.objects.area()
    edge = counts.table["touches_edge"].to_numpy()
    grains = counts.map.is_grain[1:]
    largest = int(np.where(grains, area, 0.0).argmax())
    if scale is not None:
        cut = "; the edge cuts it, so it is at least this large" if edge[largest] else ""
        yield Finding(
            "astm_g_largest",
            astm_g_from_density(1.0 / (area[largest] * (scale * _MM_PER_UM) ** 2)),
            0,
            None,
            1,
            f"ALA: area of the largest grain seen{cut}; an extreme that was seen has no interval",
            "ASTM E930",
        )
    weight = np.where(grains, edge_weights(counts.field), 0.0)
    duplex = find_duplex(area[weight > 0], weight[weight > 0])
    if duplex is not None:
        yield Finding(
            "duplex_grain_size",
            0 if duplex.kind is None else 1,
            0,
            None,
            int((weight > 0).sum()),
            f"{duplex.kind or 'none'}: of the area, {duplex.evidence}; 1 where a random duplex "
            "condition of the standard is met by the sections of single grains, for a person to "
            "confirm; a flag has no interval",
            "ASTM E1181",
        )
