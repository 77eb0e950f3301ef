"""Several fields of one specimen as one result."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from nital.metrology.drawn import is_number
from nital.metrology.grain_extremes import find_duplex
from nital.metrology.intervals import Interval, student
from nital.metrology.joint import NUMBER_PER_SCALE
from nital.metrology.pooled import FieldSizes, is_percentile, pooled_interval, pooled_value
from nital.metrology.shapes import LENGTHS

__all__ = ["Specimen", "SpecimenQuantity", "specimen_of"]

PRECISION_ASKED = 0.1
_NORMAL = 1.959963984540054
# Sums over the fields, extremes of them, and what means nothing for several fields.
_SUMS = ("object_count", "object_count_certain")
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
_RATIOS = (
    "circularity_median",
    "feret_ratio_median",
    "solidity_median",
    "convexity_median",
    "inscribed_ratio_median",
    "phase_connectivity",
)
_LENGTHS_OF_SHAPE = tuple(f"{name}_median" for name in LENGTHS)
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


def specimen_of(
    name: str,
    condition: str | None,
    fields: Sequence[tuple[str, Mapping[str, Any]]],
    sizes: Mapping[str, FieldSizes] = MappingProxyType({}),
) -> Specimen:
    """Join the fields of a specimen.

    Parameters
    ----------
    name, condition
        Of the specimen.
    fields
        Name of the result folder, and ``summary.json``, of each field; at least one.
    sizes
        The whole objects of each folder, in the unit of its summary. Sizes of several fields that
        all have them are of all objects together; without, they are means over the fields.
    """
    folders = tuple(folder for folder, _ in fields)
    pooled = [sizes[folder] for folder in folders if folder in sizes]
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
    duplex = _duplex(pooled) if target == "grains" and len(pooled) == len(rows) > 1 else None
    quantities, values = [] if duplex is None else [duplex], {}
    for key, row in rows[0].items():
        if duplex is not None and key[0] == duplex.name:
            continue
        if key[0].startswith(_OF_ONE_FIELD) or not all(key in of_field for of_field in rows):
            continue
        of_fields = [of_field[key] for of_field in rows]
        joined = _joined(of_fields, error, max(_pixel_side(summary) for summary in summaries))
        if len(pooled) == len(rows) > 1:
            joined = _pooled(joined, pooled, error)
        quantities.append(joined)
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


def _pixel_side(summary: Mapping[str, Any]) -> float:
    size = summary["image"]["pixel_size"]
    return 1.0 if size is None else float(size["value"])


def _joined(rows: Sequence[Mapping[str, Any]], error: float, side: float) -> SpecimenQuantity:
    """One quantity over all fields, whose pixels have this side."""
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
        if name in _LENGTHS_OF_SHAPE:
            # Lengths between pixels may be off by half of one together, in all fields alike.
            half = math.hypot(half, side / 2.0)
        interval = mean - half, mean + half
        if unit in _DIMENSIONS or first["unit"] in ("px", "px^2"):
            interval = max(interval[0], 0.0), interval[1]
        if name in _FRACTIONS or name in _RATIOS:
            interval = max(interval[0], 0.0), min(interval[1], 1.0)
        if name == "anisotropy_index":
            interval = max(interval[0], 1.0), interval[1]
        scale = ", joined with the uncertainty of the pixel size" if error and unit != "px" else ""
        method = f"mean of {number} fields; 95 %: t interval between fields{scale}"
    accuracy = _accuracy(mean, interval)
    on_a_scale = is_number(name) or name == "astm_g_difference" or unit == "deg"
    return SpecimenQuantity(
        name, mean, unit, interval, number, sd=sd,
        relative_accuracy=None if on_a_scale else accuracy,
        fields_needed=None if on_a_scale else _needed(number, accuracy), method=method, **shared,
    )  # fmt: skip


def _duplex(fields: Sequence[FieldSizes]) -> SpecimenQuantity | None:
    """Duplex flag of the grains of all fields together; ``None`` for too few of them."""
    diameter, weight = (
        np.concatenate(of) for of in zip(*(f.of(_MATRIX, False) for f in fields), strict=True)
    )
    found = find_duplex(math.pi / 4.0 * diameter**2, weight)
    if found is None:
        return None
    method = (
        f"{found.kind or 'none'}: of the area of {len(diameter)} whole grains of {len(fields)} "
        f"fields together, {found.evidence}; a flag, for a person to confirm, has no interval"
    )
    return SpecimenQuantity(
        "duplex_grain_size", int(found.kind is not None), "1", None, len(fields), phase=None,
        object=None, sd=None, relative_accuracy=None, fields_needed=None, method=method,
        standard="ASTM E1181",
    )  # fmt: skip


def _pooled(
    found: SpecimenQuantity, fields: Sequence[FieldSizes], error: float
) -> SpecimenQuantity:
    """A size of all objects together in place of the mean over fields; others as they are."""
    value = pooled_value(fields, found.name, found.phase)
    if value is None:
        return found
    scale = _DIMENSIONS.get(found.unit, 0) * error
    interval = pooled_interval(fields, found.name, found.phase, scale)
    accuracy = _accuracy(value, interval)
    method = f"all objects of {found.n} fields together"
    if interval is not None:
        share = is_percentile(found.name)
        how = "share below it between" if share else "jackknife over"
        method += f"; 95 %: {how} the fields, Student's t"
        if scale:
            method += ", joined with the uncertainty of the pixel size"
    return replace(
        found,
        value=value,
        ci95=interval,
        relative_accuracy=accuracy,
        fields_needed=_needed(found.n, accuracy),
        method=method,
    )


def _needed(number: int, accuracy: float | None) -> int | None:
    """How many more fields bring the relative accuracy to what is asked."""
    if accuracy is None:
        return None
    return max(math.ceil(number * (accuracy / PRECISION_ASKED) ** 2) - number, 0)


def _of_scale(name: str, unit: str, mean: float, error: float) -> float:
    """Half of the 95 % interval that the pixel size, which all fields share, gives."""
    if is_number(name):
        return _NORMAL * NUMBER_PER_SCALE * error
    return _NORMAL * _DIMENSIONS.get(unit, 0) * error * abs(mean)


def _accuracy(mean: float, interval: Interval | None) -> float | None:
    if interval is None or mean <= 0.0:
        return None
    return (interval[1] - interval[0]) / 2.0 / mean
