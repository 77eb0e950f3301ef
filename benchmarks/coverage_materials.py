"""Simulated phases and layers of known truth, and what a model may do to their outlines."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from coverage_specimens import SCALE, Drawn, Structure, clean_of, measured_as
from nital.metrology.doubts import material_shift

__all__ = ["layer_structure", "phase_structure"]


def phase_structure(fraction: float, doubtful: bool) -> Structure:
    """A phase where a smooth random field is low; outlines shifted as the confidence says."""
    side, scale = 260, 5.0
    margin = int(4 * scale) + 1
    truth = {"phase_fraction": fraction, "phase_fraction_points": fraction}

    def draw(rng: np.random.Generator) -> Drawn:
        from scipy.stats import norm

        noise = rng.standard_normal((side + 2 * margin,) * 2)
        smooth = ndimage.gaussian_filter(noise, scale)[margin:-margin, margin:-margin]
        mask = smooth * (2 * math.sqrt(math.pi) * scale) < norm.ppf(fraction)
        confidence, clean = np.ones(mask.shape), None
        if doubtful:
            labels = ndimage.label(mask)[0].astype(np.int32)
            clean = clean_of(labels, "phases", np.where(mask, 2, 1).astype(np.uint8)).found
            width = 0.8
            distance = ndimage.distance_transform_edt(mask) - ndimage.distance_transform_edt(~mask)
            shift = shift_of_width(width, "phases") * rng.standard_normal()
            mask = distance > -shift
            moved = np.abs(distance + shift)
            confidence = 1.0 / (1.0 + np.exp(-moved / width))
        labels = ndimage.label(mask)[0].astype(np.int32)
        phases = np.where(mask, 2, 1).astype(np.uint8)
        if doubtful:
            return Drawn(measured_as(rng, labels, "phases", confidence, phases), clean)
        return clean_of(labels, "phases", phases)

    name = f"{'doubtful ' if doubtful else ''}{round(100 * fraction)} % phases"
    return Structure(name, "phases", 0, draw, truth, times=2)


def shift_of_width(width: float, target: str) -> float:
    """Shift of an outline across which the confidence rises as a logistic curve of this width."""
    return material_shift(target) * width * math.log(2.0)


def layer_structure(name: str, doubtful: bool, side: int = 400, times: int = 6) -> Structure:
    """One layer with two rough interfaces, whose autocorrelation is exp(-(x / (2 length))^2)."""
    thickness, rough, length = 60.0, 2.5, 12.0

    def draw(rng: np.random.Generator) -> Drawn:
        upper, lower = (
            rough * math.sqrt(2 * math.sqrt(math.pi) * length)
            * ndimage.gaussian_filter1d(rng.standard_normal(side + 200), length)[100:-100]
            for _ in range(2)
        )  # fmt: skip
        width = 1.2
        shift = shift_of_width(width, "layers") * rng.standard_normal() if doubtful else 0.0
        rows = np.arange(160.0)[:, None]
        distance = np.minimum(rows - (50 + upper), 50 + thickness + lower - rows) + shift
        mask = distance > 0
        labels = mask.astype(np.int32)
        if doubtful:
            confidence = 1.0 / (1.0 + np.exp(-np.abs(distance) / width))
            return Drawn(measured_as(rng, labels, "layers", confidence))
        return clean_of(labels, "layers")

    return Structure(
        name,
        "layers",
        1,
        draw,
        {
            "layer_thickness_mean": thickness * SCALE.value,
            "layer_tilt": 0.0,
            "interface_correlation_length_upper": 2.0 * length * SCALE.value,
            "interface_correlation_length_lower": 2.0 * length * SCALE.value,
        },
        times=times,
    )
