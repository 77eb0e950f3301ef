"""Layers: thickness along the stack, its scatter, tilt, and the roughness of interfaces."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nital.metrology.field import Field
from nital.metrology.intervals import Interval, student
from nital.metrology.quantity import Finding
from nital.metrology.runs import find_runs
from nital.metrology.series import (
    Series,
    correlation_length_of,
    deviation_interval,
    mean_interval_of,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LayerProfile", "Stack", "layer_findings", "layer_warnings", "trace_layers"]

_FEWEST_POSITIONS = 8
_PIXEL_VARIANCE = 1.0 / 12.0
# Layers of a material are one population while their thicknesses scatter by no more than this share
# of the mean; the thickness of a thick and a thin one together describes neither.
_ALIKE = 0.25


@dataclass(frozen=True)
class LayerProfile:
    """The two interfaces of one layer, where neither is cut by the frame.

    Parameters
    ----------
    label, phase
        The layer and its material.
    along
        (k,) position along the layer in pixels, rising.
    upper, lower
        (k,) first and one past the last pixel of the layer at each position, counted down from
        the top; for upright layers counted from the left.
    upright
        Whether the layers stand upright, so that positions run down the image.
    """

    label: int
    phase: int
    along: NDArray[np.float64]
    upper: NDArray[np.float64]
    lower: NDArray[np.float64]
    upright: bool

    @property
    def slope(self) -> float:
        """Of the middle of the layer: pixels down (right, if upright) per pixel along."""
        return _line(self.along, (self.upper + self.lower) / 2.0)[0]

    @property
    def thickness(self) -> NDArray[np.float64]:
        """(k,) in pixels, square to the middle line; inclusions belong to the layer."""
        return np.asarray((self.lower - self.upper) / math.hypot(1.0, self.slope))


@dataclass(frozen=True)
class Stack:
    """All layers of a field.

    Parameters
    ----------
    profiles
        Of the layers that lie between two interfaces over at least half their length.
    cut
        Labels of those that the frame cuts.
    fragments
        Labels of those that reach over less than half the field.
    """

    profiles: tuple[LayerProfile, ...] = ()
    cut: tuple[int, ...] = ()
    fragments: tuple[int, ...] = ()


def trace_layers(field: Field, table: pd.DataFrame) -> Stack:
    """Trace every layer of a field, each an object of its table, across the stack."""
    if field.count == 0:
        return Stack()
    labels = field.labels
    down = int(np.count_nonzero(labels[1:] != labels[:-1]))
    across = int(np.count_nonzero(labels[:, 1:] != labels[:, :-1]))
    upright = across > down
    stack = labels if upright else np.ascontiguousarray(labels.T)
    runs = find_runs(stack, np.zeros(stack.shape, dtype=np.uint8), np.empty(0, dtype=np.int64))
    runs = runs.take(np.flatnonzero(runs.label > 0))
    order = np.lexsort((runs.row, runs.label))
    runs = runs.take(order)
    key = runs.label.astype(np.int64) * stack.shape[0] + runs.row
    begins = np.flatnonzero(np.diff(key, prepend=-1))
    label, along = runs.label[begins], runs.row[begins]
    upper = np.minimum.reduceat(runs.start, begins)
    lower = np.maximum.reduceat(runs.stop, begins)
    bounds = np.searchsorted(label, np.arange(1, field.count + 2))
    phase = table["phase"].to_numpy()
    profiles, cut, fragments = [], [], []
    for index in range(field.count):
        part = slice(bounds[index], bounds[index + 1])
        clear = (upper[part] > 0) & (lower[part] < stack.shape[1])
        name = int(field.names[index])
        if len(clear) < stack.shape[0] / 2:
            fragments.append(name)
            continue
        if clear.sum() < max(_FEWEST_POSITIONS, len(clear) / 2):
            cut.append(name)
            continue
        kept = [values[part][clear].astype(float) for values in (along, upper, lower)]
        profiles.append(LayerProfile(name, int(phase[index]), kept[0], kept[1], kept[2], upright))
    return Stack(tuple(profiles), tuple(cut), tuple(fragments))


def layer_findings(profiles: Sequence[LayerProfile]) -> Iterator[Finding]:
    """Thickness, tilt and interfaces of each layer, and the mean over layers that are alike."""
    means: dict[int, list[float]] = {}
    for profile in profiles:
        means.setdefault(profile.phase, []).append(float(profile.thickness.mean()))
        yield from _thickness(profile)
        yield _tilt(profile)
        yield from _interface(profile, profile.upper, "upper")
        yield from _interface(profile, profile.lower, "lower")
    for phase, values in sorted(means.items()):
        thicknesses = np.sort(np.array(values))
        if len(values) > 1 and len(means) > 1 and _are_alike(thicknesses):
            yield Finding(
                "layer_thickness_mean",
                float(thicknesses.mean()),
                1,
                _between(thicknesses),
                len(values),
                f"mean over the {len(values)} layers of the phase; 95 %: t interval between them",
                phase=phase,
            )


def _are_alike(thicknesses: NDArray[np.float64]) -> bool:
    return bool(thicknesses.std(ddof=1) <= _ALIKE * thicknesses.mean())


def _between(thicknesses: NDArray[np.float64]) -> Interval:
    """Student's t between layers; so few show nothing of how skewed they are."""
    number, mean = len(thicknesses), float(thicknesses.mean())
    half = student(number - 1) * float(thicknesses.std(ddof=1)) / math.sqrt(number)
    return max(mean - half, 0.0), mean + half


def layer_warnings(stack: Stack) -> Iterator[str]:
    """Name the layers without a thickness."""
    if stack.cut:
        yield (
            f"{_named(stack.cut)} cut by the edge of the image, so there is no thickness to measure"
        )
    if stack.fragments:
        yield (
            f"{_named(stack.fragments)} seen over less than half the field and not measured: look "
            "whether it is a layer"
        )


def _named(labels: Sequence[int]) -> str:
    names = ", ".join(str(label) for label in labels[:10]) + (" …" if len(labels) > 10 else "")
    return f"layer {names} is" if len(labels) == 1 else f"layers {names} are"


def _thickness(profile: LayerProfile) -> Iterator[Finding]:
    series = Series(profile.thickness)
    number = len(series.values)
    steps = [int(np.count_nonzero(np.diff(side))) for side in (profile.upper, profile.lower)]
    rounding = math.sqrt(sum(_PIXEL_VARIANCE / (1 + step) for step in steps))
    interval = mean_interval_of(series, rounding)
    basis = (
        f"95 %: t interval for {series.worth:.3g} independent positions, joined with the rounding "
        "of interfaces to pixels"
        if interval
        else "it varies over the whole field, so no 95 % interval"
    )
    yield _of(
        profile,
        "layer_thickness_mean",
        series.mean,
        1,
        interval,
        f"distance of the interfaces square to the layer, mean over {number} positions; {basis}",
    )
    deviation = math.sqrt(series.variance)
    interval = deviation_interval(series, deviation)
    basis = "95 %: log-normal t interval" if interval else "no 95 % interval"
    text = f"standard deviation of the thickness along the layer, pixel steps included; {basis}"
    yield _of(profile, "layer_thickness_sd", deviation, 1, interval, text)


def _tilt(profile: LayerProfile) -> Finding:
    """Angle of the layer, counter-clockwise from the rows as seen on screen."""
    middle = (profile.upper + profile.lower) / 2.0
    slope, residual = _line(profile.along, middle)
    series = Series(residual, fitted=2)
    # Two of what the positions are worth go into the line itself.
    left = max(series.worth - 2.0, 1.0)
    error = math.sqrt((series.variance + _PIXEL_VARIANCE / 2.0) / left)
    error /= float(profile.along.std())
    half = student(min(left, series.freedom)) * error / (1.0 + slope**2)
    # Upright layers lean to the right going down by the slope: 90 degrees plus that.
    tilt = math.atan(slope) - math.pi / 2.0 if profile.upright else -math.atan(slope)
    tilt = (tilt + math.pi / 2.0) % math.pi - math.pi / 2.0
    tilt, half = math.degrees(tilt), math.degrees(half)
    text = (
        "direction of the straight line through the middle of the layer, counter-clockwise from "
        f"the rows; 95 %: t interval for {series.worth:.3g} independent positions"
    )
    return _of(profile, "layer_tilt", tilt, 0, (tilt - half, tilt + half), text, unit="deg")


def _interface(
    profile: LayerProfile, position: NDArray[np.float64], which: str
) -> Iterator[Finding]:
    side = {"upper": "left", "lower": "right"}[which] if profile.upright else which
    slope, residual = _line(profile.along, position)
    square = 1.0 / math.hypot(1.0, slope)
    series = Series(residual * square, fitted=2)
    deviation = math.sqrt(max(series.variance - _PIXEL_VARIANCE * square**2, 0.0))
    interval = deviation_interval(series, deviation)
    basis = "95 %: log-normal t interval" if interval else "no 95 % interval"
    yield _of(
        profile,
        f"interface_roughness_{which}",
        deviation,
        1,
        interval,
        f"root mean square distance of the {side} interface from its straight line, less what "
        f"the rounding to pixels adds; {basis}",
    )
    if deviation > 0.0:
        length, limits = correlation_length_of(series)
        along = 1.0 / square
        scaled = None if limits is None else (limits[0] * along, limits[1] * along)
        basis = (
            "95 %: log-normal t interval, from Bartlett's variance of the autocorrelation"
            if limits
            else "the interface is too short for a 95 % interval"
        )
        yield _of(
            profile,
            f"interface_correlation_length_{which}",
            length * along,
            1,
            scaled,
            f"distance at which the autocorrelation of the {side} interface falls to 1/e; {basis}",
        )


def _of(
    profile: LayerProfile,
    name: str,
    value: float,
    dimension: int,
    interval: Interval | None,
    method: str,
    unit: str | None = None,
) -> Finding:
    return Finding(
        name,
        value,
        dimension,
        interval,
        len(profile.along),
        method,
        phase=profile.phase,
        object=profile.label,
        unit=unit,
    )


def _line(
    along: NDArray[np.float64], position: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Slope of the straight line of least squares, and the distances from it down the image."""
    offset = along - along.mean()
    slope = float((offset * position).sum() / (offset**2).sum())
    return slope, np.asarray(position - position.mean() - slope * offset)
