"""Several fields of one specimen as one result, and specimens compared."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.metrology.intervals import Interval, student
from nital.metrology.joint import NUMBER_PER_SCALE, NUMBERS_OF_LENGTH

__all__ = [
    "Comparison",
    "Specimen",
    "SpecimenQuantity",
    "compare",
    "hedges_g",
    "specimen_of",
    "welch_anova",
    "welch_test",
]

Array = NDArray[np.float64]

PRECISION_ASKED = 0.1
_NORMAL = 1.959963984540054
# Sums over the fields, extremes of them, and what means nothing for several fields.
_SUMS = ("object_count",)
_SMALLEST, _LARGEST = ("astm_g_largest",), ("duplex_grain_size",)
_OF_ONE_FIELD = ("ecd_lower_limit", "anisotropy_direction", "more_objects_for_")
_DIMENSIONS = {"um": 1, "um^2": 2, "mm^-1": 1, "mm^-2": 2}
# What specimens are compared by, for each target.
_COMPARED = {
    "grains": ("astm_g_planimetric", "lineal_intercept_mean"),
    "phases": ("phase_fraction",),
    "particles": ("ecd_d50", "ecd_mean", "coverage"),
    "layers": ("layer_thickness_mean",),
}
_FRACTIONS = ("coverage", "phase_fraction", "phase_fraction_points")
_MATRIX = 1


@dataclass(frozen=True)
class SpecimenQuantity:
    """One number of a specimen.

    Parameters
    ----------
    name, unit, phase, object, standard
        As those of its fields.
    value
        Mean over the fields, unless ``method`` says otherwise.
    ci95
        Student's t over the fields, joined with the pixel size; of a single field its own.
    n
        Number of fields.
    sd
        Standard deviation between the fields; ``None`` for one.
    relative_accuracy
        Half the interval over the value (% RA / 100); ``None`` for numbers on a scale.
    fields_needed
        How many more fields bring the relative accuracy to 10 %; ``None`` where there is none.
    method
        How value and interval were found.
    """

    name: str
    value: float
    unit: str
    ci95: Interval | None
    n: int
    phase: int | None
    object: int | None
    sd: float | None
    relative_accuracy: float | None
    fields_needed: int | None
    method: str
    standard: str | None


@dataclass(frozen=True)
class Specimen:
    """The result of one specimen.

    Parameters
    ----------
    name, condition
        As grouped; the condition is ``None`` where none is given.
    fields
        Names of the result folders of its fields.
    target
        What was measured; that of all its fields.
    quantities
        Those that all fields have.
    warnings
        What a user should know.
    values
        For each quantity compared, ``(name, phase, object)``, the value of each field.
    """

    name: str
    condition: str | None
    fields: tuple[str, ...]
    target: str
    quantities: tuple[SpecimenQuantity, ...]
    warnings: tuple[str, ...]
    values: Mapping[tuple[str, int | None, int | None], tuple[float, ...]]

    def as_dict(self) -> dict[str, Any]:
        """Return the entry of ``specimens.json``."""
        return {
            "name": self.name,
            "condition": self.condition,
            "fields": list(self.fields),
            "target": self.target,
            "warnings": list(self.warnings),
            "quantities": [asdict(quantity) for quantity in self.quantities],
        }


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


def specimen_of(
    name: str,
    condition: str | None,
    fields: Sequence[tuple[str, Mapping[str, Any]]],
) -> Specimen:
    """Join the fields of a specimen.

    Parameters
    ----------
    name, condition
        Of the specimen.
    fields
        Name of the result folder, and ``summary.json``, of each field; at least one.
    """
    folders = tuple(folder for folder, _ in fields)
    summaries = [summary for _, summary in fields]
    warnings = list(_warnings(summaries))
    targets = [summary["target"]["value"] for summary in summaries]
    target = max(targets, key=targets.count)
    summaries = [s for s in summaries if s["target"]["value"] == target]
    calibrated = [s for s in summaries if s["image"]["pixel_size"] is not None]
    if calibrated and len(calibrated) < len(summaries):
        warnings.append(
            f"{len(summaries) - len(calibrated)} of {len(summaries)} fields have no pixel size and "
            "are left out: give --pixel-size to have them"
        )
        summaries = calibrated
    rows = [{_key(row): row for row in summary["quantities"]} for summary in summaries]
    error = float(max(summary.get("pixel_size_error", 0.0) for summary in summaries))
    quantities, values = [], {}
    for key, row in rows[0].items():
        if key[0].startswith(_OF_ONE_FIELD) or not all(key in of_field for of_field in rows):
            continue
        of_fields = [of_field[key] for of_field in rows]
        quantities.append(_joined(of_fields, error))
        if row["name"] in _COMPARED[target] and (key[1] != _MATRIX or key[2] is not None):
            values[key] = tuple(float(of_field["value"]) for of_field in of_fields)
    return Specimen(name, condition, folders, target, tuple(quantities), tuple(warnings), values)


def _key(row: Mapping[str, Any]) -> tuple[str, int | None, int | None]:
    return row["name"], row["phase"], row.get("object")


def _warnings(summaries: Sequence[Mapping[str, Any]]) -> list[str]:
    warnings = []
    targets = {summary["target"]["value"] for summary in summaries}
    if len(targets) > 1:
        warnings.append(
            f"its fields were taken for different things ({', '.join(sorted(targets))}), and only "
            "those of the most frequent kind count: name one by --target"
        )
    sizes = {
        round(summary["image"]["pixel_size"]["value"], 9)
        for summary in summaries
        if summary["image"]["pixel_size"] is not None
    }
    if len(sizes) > 1:
        warnings.append(
            "its fields have different pixel sizes, though fields of one specimen should be taken "
            "at one magnification"
        )
    if len(summaries) == 1:
        warnings.append(
            "one field only, so the intervals are those within the image: they know nothing of "
            "other places of the specimen"
        )
    return warnings


def _joined(rows: Sequence[Mapping[str, Any]], error: float) -> SpecimenQuantity:
    """One quantity over all fields."""
    first, number = rows[0], len(rows)
    values = np.array([float(row["value"]) for row in rows])
    shared = {"phase": first["phase"], "object": first.get("object"), "standard": first["standard"]}
    name, unit = first["name"], first["unit"]
    for names, take, words in (
        (_SUMS, np.sum, "sum over the fields"),
        (_SMALLEST, np.min, "smallest number of all fields: an extreme has no interval"),
        (_LARGEST, np.max, "1 if any field is duplex"),
    ):
        if name in names:
            value = float(take(values))
            value = int(value) if name in _SUMS else value
            return SpecimenQuantity(
                name, value, unit, None, number, sd=None, relative_accuracy=None,
                fields_needed=None, method=words, **shared,
            )  # fmt: skip
    mean = float(values.mean())
    if number == 1:
        interval = None if first["ci95"] is None else (first["ci95"][0], first["ci95"][1])
        sd, method = None, f"one field: {first['method']}"
    else:
        sd = float(values.std(ddof=1))
        scatter = student(number - 1) * sd / math.sqrt(number)
        half = math.hypot(scatter, _of_scale(name, unit, mean, error))
        interval = mean - half, mean + half
        if unit in _DIMENSIONS or first["unit"] in ("px", "px^2"):
            interval = max(interval[0], 0.0), interval[1]
        if name in _FRACTIONS:
            interval = max(interval[0], 0.0), min(interval[1], 1.0)
        scale = ", joined with the uncertainty of the pixel size" if error and unit != "px" else ""
        method = f"mean of {number} fields; 95 %: t interval between fields{scale}"
    accuracy = _accuracy(mean, interval)
    needed = None
    if accuracy is not None:
        needed = max(math.ceil(number * (accuracy / PRECISION_ASKED) ** 2) - number, 0)
    on_a_scale = name.startswith(NUMBERS_OF_LENGTH) or unit == "deg"
    return SpecimenQuantity(
        name, mean, unit, interval, number, sd=sd,
        relative_accuracy=None if on_a_scale else accuracy,
        fields_needed=None if on_a_scale else needed, method=method, **shared,
    )  # fmt: skip


def _of_scale(name: str, unit: str, mean: float, error: float) -> float:
    """Half of the 95 % interval that the pixel size, which all fields share, gives."""
    if name.startswith(NUMBERS_OF_LENGTH) and name != "astm_g_difference":
        return _NORMAL * NUMBER_PER_SCALE * error
    return _NORMAL * _DIMENSIONS.get(unit, 0) * error * abs(mean)


def _accuracy(mean: float, interval: Interval | None) -> float | None:
    if interval is None or mean <= 0.0:
        return None
    return (interval[1] - interval[0]) / 2.0 / mean


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
