"""Whether specimens, or conditions, differ, and by how much."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.metrology.intervals import Interval, student
from nital.metrology.specimens import Specimen

__all__ = [
    "Comparison",
    "compare",
    "hedges_g",
    "holm",
    "omega_squared",
    "welch_anova",
    "welch_test",
    "why_not_compared",
]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """A test whether groups differ, and by how much.

    Parameters
    ----------
    name, phase, object, unit
        The quantity.
    groups
        Name, number of values, mean and standard deviation of each group.
    of
        What the values are: the means of specimens, or those of fields.
    test
        The test, in words.
    statistic, freedom, p
        Its result; ``p`` after Holm's correction where several pairs are compared.
    difference, ci95
        Second mean less the first, and its interval; ``None`` for more than two groups.
    effect
        Hedges' g for two groups, omega squared for more.
    effect_name
        Which of them.
    """

    name: str
    phase: int | None
    object: int | None
    unit: str
    groups: tuple[tuple[str, int, float, float], ...]
    of: str
    test: str
    statistic: float
    freedom: tuple[float, ...]
    p: float
    difference: float | None
    ci95: Interval | None
    effect: float
    effect_name: str

    def as_dict(self) -> dict[str, Any]:
        """Return the entry of ``specimens.json``."""
        return asdict(self)


def compare(specimens: Sequence[Specimen]) -> tuple[Comparison, ...]:
    """Test whether conditions differ, or specimens where no conditions are named.

    With conditions, every specimen counts once, by its mean: fields of one specimen are no
    independent replicates of its condition. Each condition needs two specimens at least. Without
    conditions the fields are the replicates, and the test says only whether these specimens differ.
    """
    found: list[Comparison] = []
    conditions = [s for s in specimens if s.condition is not None]
    keys = dict.fromkeys(key for specimen in specimens for key in specimen.values)
    for key in keys:
        units = {
            quantity.unit
            for specimen in specimens
            for quantity in specimen.quantities
            if (quantity.name, quantity.phase, quantity.object) == key
        }
        if len(units) != 1:
            continue
        groups: dict[str, list[float]] = {}
        if conditions:
            of = "specimens"
            for specimen in conditions:
                if key in specimen.values:
                    mean = float(np.mean(specimen.values[key]))
                    groups.setdefault(str(specimen.condition), []).append(mean)
        else:
            of = "fields"
            for specimen in specimens:
                if key in specimen.values:
                    groups[specimen.name] = list(specimen.values[key])
        usable = {name: np.array(v) for name, v in sorted(groups.items()) if len(v) > 1}
        found += _tests(key, units.pop(), usable, of)
    return tuple(found)


def why_not_compared(specimens: Sequence[Specimen]) -> str | None:
    """Say what a comparison would need; ``None`` where there is one, or nothing to compare."""
    conditions = [s.condition for s in specimens if s.condition is not None]
    if len(specimens) < 2 or compare(specimens):
        return None
    if len(set(conditions)) > 1:
        return (
            "the conditions are not compared: that needs two specimens of each, because fields of "
            "one specimen are no replicates of its condition; add specimens, or leave the column "
            "condition out to compare the specimens themselves"
        )
    if conditions:
        return "all specimens have the same condition, so there is nothing to compare"
    return (
        "the specimens are not compared: that needs two fields of each, measured for the same "
        "target and in the same unit"
    )


def _tests(
    key: tuple[str, int | None, int | None], unit: str, groups: Mapping[str, Array], of: str
) -> list[Comparison]:
    """All groups together where they are more than two, and every pair."""
    if len(groups) < 2 or all(values.std() == 0.0 for values in groups.values()):
        return []
    name, phase, label = key
    pairs = [
        _pair(key, unit, (first, groups[first]), (second, groups[second]), of)
        for first, second in itertools.combinations(groups, 2)
        if groups[first].std() > 0.0 or groups[second].std() > 0.0
    ]
    several = len(groups) > 2
    result = []
    if several:
        statistic, freedom, p = welch_anova(list(groups.values()))
        result.append(
            Comparison(
                name, phase, label, unit, _described(groups), of, "Welch's analysis of variance",
                statistic, freedom, p, None, None, omega_squared(list(groups.values())),
                "omega squared",
            )
        )  # fmt: skip
    for test, p in zip(pairs, holm([pair.p for pair in pairs]), strict=True):
        words = f"{test.test}, p after Holm" if several else test.test
        result.append(replace(test, p=p, test=words))
    return result


def _described(groups: Mapping[str, Array]) -> tuple[tuple[str, int, float, float], ...]:
    return tuple(
        (name, len(values), float(values.mean()), float(values.std(ddof=1)))
        for name, values in groups.items()
    )


def _pair(
    key: tuple[str, int | None, int | None],
    unit: str,
    first: tuple[str, Array],
    second: tuple[str, Array],
    of: str,
) -> Comparison:
    name, phase, label = key
    one, two = first[1], second[1]
    statistic, freedom, p = welch_test(one, two)
    difference = float(two.mean() - one.mean())
    half = student(freedom) * abs(difference / statistic) if statistic else 0.0
    return Comparison(
        name, phase, label, unit, _described(dict([first, second])), of, "Welch's t test",
        statistic, (freedom,), p, difference, (difference - half, difference + half),
        hedges_g(one, two), "Hedges' g",
    )  # fmt: skip


def welch_test(one: Array, two: Array) -> tuple[float, float, float]:
    """Welch's t test: statistic, degrees of freedom, two-sided p."""
    from scipy.special import stdtr

    errors = np.array([one.var(ddof=1) / len(one), two.var(ddof=1) / len(two)])
    total = float(errors.sum())
    statistic = float(two.mean() - one.mean()) / math.sqrt(total)
    sizes = np.array([len(one), len(two)]) - 1
    freedom = total**2 / float((errors**2 / sizes).sum())
    return statistic, freedom, float(2.0 * stdtr(freedom, -abs(statistic)))


def hedges_g(one: Array, two: Array) -> float:
    """Difference of the means in pooled standard deviations, without the bias of few values."""
    freedom = len(one) + len(two) - 2
    pooled = ((len(one) - 1) * one.var(ddof=1) + (len(two) - 1) * two.var(ddof=1)) / freedom
    raw = float(two.mean() - one.mean()) / math.sqrt(float(pooled))
    return raw * (1.0 - 3.0 / (4.0 * freedom - 1.0))


def welch_anova(groups: Sequence[Array]) -> tuple[float, tuple[float, float], float]:
    """Welch's one-way analysis of variance: F, degrees of freedom, p (Biometrika 38 (1951) 330)."""
    from scipy.special import fdtrc

    number = len(groups)
    weight = np.array([len(g) / max(g.var(ddof=1), 1e-300) for g in groups])
    means, sizes = np.array([g.mean() for g in groups]), np.array([len(g) for g in groups])
    grand = float((weight * means).sum() / weight.sum())
    between = float((weight * (means - grand) ** 2).sum()) / (number - 1)
    spread = float(((1.0 - weight / weight.sum()) ** 2 / (sizes - 1)).sum())
    statistic = between / (1.0 + 2.0 * (number - 2) / (number**2 - 1) * spread)
    freedom = (number**2 - 1) / (3.0 * spread)
    return statistic, (number - 1.0, freedom), float(fdtrc(number - 1, freedom, statistic))


def omega_squared(groups: Sequence[Array]) -> float:
    """Share of the variance that the groups explain, without bias; at least 0."""
    everything = np.concatenate(groups)
    total = float(((everything - everything.mean()) ** 2).sum())
    within = float(sum(((g - g.mean()) ** 2).sum() for g in groups))
    freedom = len(everything) - len(groups)
    mean_within = within / freedom
    between = total - within - (len(groups) - 1) * mean_within
    return max(between / (total + mean_within), 0.0)


def holm(values: Sequence[float]) -> list[float]:
    """Correct p values of several tests (S. Holm, Scand. J. Stat. 6 (1979) 65)."""
    order = sorted(range(len(values)), key=lambda index: values[index])
    corrected, largest = [0.0] * len(values), 0.0
    for position, index in enumerate(order):
        largest = max(largest, min(1.0, (len(values) - position) * values[index]))
        corrected[index] = largest
    return corrected
