"""Classical segmenters on images whose answer is drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nital.classical import CLASSICAL_METHODS, classical_segment
from nital.errors import UsageError
from nital.evaluation import score_boundaries, score_instances, score_phases
from nital.micrograph import Micrograph
from nital.segmentation import Target

TARGETS: tuple[Target, ...] = ("grains", "phases", "particles", "layers")


def noisy(image: np.ndarray, spread: float = 4.0) -> np.ndarray:
    noise = np.random.default_rng(7).normal(0, spread, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def honeycomb(size: int = 240, spacing: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Grains and the boundaries between them, three pixels wide."""
    row, column = np.indices((size, size))
    sites = np.array(
        [
            (r, c + (spacing // 2 if (r // spacing) % 2 else 0))
            for r in range(spacing // 2, size + spacing, spacing)
            for c in range(0, size + spacing, spacing)
        ]
    )
    distance = np.hypot(row[None] - sites[:, :1, None], column[None] - sites[:, 1:, None])
    nearest = np.sort(distance, axis=0)
    drawn = nearest[1] - nearest[0] < 3
    return distance.argmin(axis=0).astype(np.int32) + 1, drawn


def discs() -> np.ndarray:
    """Labels of four discs, two of which touch."""
    row, column = np.indices((160, 200))
    labels = np.zeros(row.shape, dtype=np.int32)
    for label, (r, c, radius) in enumerate(
        [(40, 40, 18), (110, 60, 20), (110, 97, 18), (60, 150, 22)], start=1
    ):
        labels[(np.hypot(row - r, column - c) < radius) & (labels == 0)] = label
    return labels


def check_contract(result: object, target: str) -> None:
    labels, phases, confidence = result.labels, result.phases, result.confidence  # type: ignore[attr-defined]
    assert labels.dtype == np.int32
    assert phases.dtype == confidence.dtype == np.uint8
    assert labels.shape == phases.shape == confidence.shape
    assert np.array_equal(np.unique(labels[labels > 0]), np.arange(1, labels.max() + 1))
    assert (phases[labels > 0] > 0).all()
    if target in ("grains", "layers"):
        assert (labels > 0).all()


@pytest.mark.parametrize("method", ["adaptive", "otsu", "watershed", "watershed-gradient"])
@pytest.mark.parametrize("polarity", ["dark", "bright"])
def test_grains_between_lines_of_either_polarity(method: str, polarity: str) -> None:
    _, drawn = honeycomb()
    image = np.where(drawn, 60, 180) if polarity == "dark" else np.where(drawn, 220, 90)
    result = classical_segment(Micrograph(noisy(image)), method, "grains")
    scores = score_boundaries(drawn, result.labels)
    assert scores["ari"] > 0.9
    assert scores["boundary_f1"] > 0.95
    check_contract(result, "grains")


def test_canny_finds_grains_of_different_grey() -> None:
    row, column = np.indices((120, 160))
    labels = (1 + row // 60 * 2 + column // 80).astype(np.int32)
    image = np.array([0, 60, 110, 160, 210])[labels]
    result = classical_segment(Micrograph(noisy(image)), "canny", "grains")
    inside = np.ones(labels.shape, dtype=bool)
    inside[56:64] = inside[:, 76:84] = False
    drawn = ~inside
    assert score_boundaries(drawn, result.labels, tolerance=4)["boundary_f1"] > 0.95


@pytest.mark.parametrize("method", CLASSICAL_METHODS)
def test_phases_of_blobs(method: str) -> None:
    truth = np.where(discs() > 0, 2, 1)
    image = np.where(truth == 2, 170, 70)
    result = classical_segment(Micrograph(noisy(image)), method, "phases", 2)
    assert score_phases(truth, result.phases)["iou_mean"] > (0.4 if method == "adaptive" else 0.9)
    assert result.phases[0, 0] == 1 or method == "adaptive"
    check_contract(result, "phases")


@pytest.mark.parametrize("method", ["otsu", "watershed", "watershed-gradient"])
def test_three_phases_are_numbered_by_falling_area(method: str) -> None:
    row, _ = np.indices((120, 100))
    truth = np.select([row < 60, row < 100], [1, 2], 3)
    image = np.array([0, 120, 200, 40])[truth]
    result = classical_segment(Micrograph(noisy(image)), method, "phases", 3)
    assert (result.phases == truth).mean() > 0.97


@pytest.mark.parametrize("method", ["otsu", "watershed"])
@pytest.mark.parametrize("polarity", ["dark", "bright"])
def test_particles_of_either_polarity(method: str, polarity: str) -> None:
    truth = discs()
    image = np.where(truth > 0, 60 if polarity == "dark" else 200, 130)
    result = classical_segment(Micrograph(noisy(image)), method, "particles")
    scores = score_instances(truth, result.labels)
    assert scores["iou_foreground"] > 0.9
    assert scores["ap50"] == (1 if method == "watershed" else 3 / 4)
    assert set(np.unique(result.phases)) == {1, 2}
    assert (result.phases[result.labels == 0] == 1).all()
    check_contract(result, "particles")


def test_canny_and_adaptive_find_separate_particles() -> None:
    truth = discs()
    truth[truth == 3] = 0
    for method in ("canny", "adaptive"):
        image = noisy(np.where(truth > 0, 200, 90))
        labels = classical_segment(Micrograph(image), method, "particles").labels
        assert score_instances(truth, labels)["recall"] == 1


def test_layers_merge_slivers_and_share_materials() -> None:
    truth = np.repeat([1, 2, 1], 50)[:, None].repeat(120, axis=1)
    image = noisy(np.where(truth == 1, 80, 170), 20)
    result = classical_segment(Micrograph(image), "otsu", "layers", 2)
    assert result.labels.max() == 3
    assert score_phases(truth, result.phases)["iou_mean"] > 0.95
    check_contract(result, "layers")


def test_the_data_bar_is_left_out() -> None:
    image = noisy(np.where(discs() > 0, 170, 70))
    image[140:] = 255
    result = classical_segment(Micrograph(image, data_bar_row=140), "otsu", "phases")
    assert not result.labels[140:].any()
    assert not result.phases[140:].any()
    assert not result.confidence[140:].any()


def test_confidence_is_lower_where_grey_levels_meet() -> None:
    truth = discs()
    image = np.where(truth == 4, 130, np.where(truth > 0, 170, 70))
    result = classical_segment(Micrograph(noisy(image)), "otsu", "particles")
    found = {label: np.median(result.confidence[truth == label]) for label in (1, 4)}
    assert found[1] > found[4] + 20 > 20


@pytest.mark.parametrize("method", CLASSICAL_METHODS)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (40, 40)])
def test_featureless_images_give_whole_results(
    method: str, target: Target, shape: tuple[int, int]
) -> None:
    flat = Micrograph(np.full(shape, 7, dtype=np.uint16))
    result = classical_segment(flat, method, target)
    check_contract(result, target)
    assert result.labels.max() <= 1


@settings(derandomize=True, max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(CLASSICAL_METHODS), st.sampled_from(TARGETS))
def test_noise_keeps_the_contract_and_grey_scale_does_not_matter(
    seed: int, method: str, target: Target
) -> None:
    image = np.random.default_rng(seed).random((48, 64), dtype=np.float32)
    plain = classical_segment(Micrograph(image), method, target)
    check_contract(plain, target)
    scaled = classical_segment(Micrograph(image * 4), method, target)
    assert np.array_equal(plain.labels, scaled.labels)


def test_options_out_of_range_are_named() -> None:
    image = Micrograph(np.zeros((8, 8), dtype=np.uint8))
    with pytest.raises(UsageError, match="sobel"):
        classical_segment(image, "sobel", "grains")
    with pytest.raises(UsageError, match="cells"):
        classical_segment(image, "otsu", "cells")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="not 9"):
        classical_segment(image, "otsu", "phases", 9)
