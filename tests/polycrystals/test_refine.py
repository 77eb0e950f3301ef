"""What is done to found grains as a whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from nital.micrograph import Micrograph
from nital.polycrystals.refine import complete_grains, without_scratches


def bicrystal(wrap: Callable[..., Any]) -> Any:
    """Two grains found where there are three: the second boundary is drawn in part."""
    labels = np.repeat([1, 2], (60, 90))[None].repeat(130, axis=0).astype(np.int32)
    image = np.random.default_rng(0).normal(170, 3, labels.shape)
    image[:, 59:61] = 90
    image[:52, 109:112] = 90
    image[60:, 109:112] = 90
    labels[120:] = 0
    image[120:] = 0
    found = wrap(labels, np.where(labels > 0, 1, 0).astype(np.uint8), target="grains")
    micrograph = Micrograph(image.clip(0, 255).astype(np.uint8), name="a", data_bar_row=120)
    return replace(found, micrograph=micrograph)


def test_a_broken_boundary_is_completed_and_said(wrap: Callable[..., Any]) -> None:
    found = complete_grains(bicrystal(wrap))
    assert found.labels.max() == 3
    assert (found.labels[:120] > 0).all()
    assert not found.labels[120:].any()
    assert found.labels[55, 90] != found.labels[55, 130]
    assert "broken boundaries were led on where the image shows them: +1 grains" in found.warnings


def test_grains_beside_pores_are_left_alone(wrap: Callable[..., Any]) -> None:
    before = bicrystal(wrap)
    phases = before.phases.copy()
    phases[:5, :5] = 2
    found = complete_grains(replace(before, phases=phases))
    np.testing.assert_array_equal(found.labels, before.labels)
    assert "boundaries were not completed" in found.warnings[-1]


def test_without_a_scratch_nothing_changes(wrap: Callable[..., Any]) -> None:
    before = bicrystal(wrap)
    assert without_scratches(before) is before
