"""Structure-aware points: one inside each region, whatever its shape; denser along the border."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nital.errors import UsageError
from nital.prompts.structure import StructureOptions, coarse_regions, structure_rounds


def discs(side: int = 256, pitch: int = 64, radius: int = 14) -> tuple[np.ndarray, np.ndarray]:
    """Bright discs in rows on a dark ground with a little noise, and their middles."""
    middles = np.arange(pitch // 2, side, pitch)
    rows, cols = np.mgrid[:side, :side]
    near = [np.hypot(rows - row, cols - col) < radius for row in middles for col in middles]
    image = 60.0 + 120 * np.any(near, axis=0) + np.random.default_rng(1).normal(0, 4, (side, side))
    centres = np.array([(row, col) for row in middles for col in middles])
    return image.astype(np.float32), centres


def polycrystal(side: int = 240) -> tuple[np.ndarray, np.ndarray]:
    """Even grains with thin dark boundaries between them, and their labels."""
    rng = np.random.default_rng(5)
    seeds = rng.uniform(0, side, (30, 2))
    places = np.stack(np.mgrid[:side, :side], axis=-1)[:, :, None]
    distance = np.sort(np.linalg.norm(places - seeds, axis=-1), axis=-1)
    labels = np.linalg.norm(places - seeds, axis=-1).argmin(-1)
    image = 150.0 - 110 * (distance[..., 1] - distance[..., 0] < 3)
    return (image + rng.normal(0, 3, image.shape)).astype(np.float32), labels


def test_each_disc_and_the_matrix_get_a_point() -> None:
    image, middles = discs()
    found = structure_rounds(image)
    assert found.kind == "phases"
    assert len(found.centres) == len(middles) + 1
    gaps = np.linalg.norm(found.centres[:, None] - middles[None], axis=2)
    assert (gaps.min(0) < 1.5).all()


@pytest.mark.parametrize("kind", ["auto", "grains"])
def test_nearly_each_grain_gets_a_point(kind: str) -> None:
    image, labels = polycrystal()
    found = structure_rounds(image, StructureOptions(kind))
    rows, cols = np.rint(found.centres).astype(int).T
    grains = len(np.unique(labels))
    assert len(np.unique(labels[rows, cols])) >= 0.9 * grains
    assert len(found.centres) <= 1.7 * grains


def test_grey_levels_of_one_kind_are_looked_at_by_their_edges() -> None:
    steps = np.repeat(np.linspace(90, 160, 6), 30)[None] + np.zeros((180, 1))
    assert structure_rounds(steps.astype(np.float32), StructureOptions("grains")).kind == "grains"
    noise = np.random.default_rng(0).normal(0, 1, (100, 100)).astype(np.float32)
    assert structure_rounds(noise).kind == "grains"


@pytest.mark.parametrize("shape", ["ring", "crescent"])
def test_the_point_of_a_ring_lies_in_it(shape: str) -> None:
    rows, cols = np.mgrid[:120, :120]
    away = np.hypot(rows - 60, cols - 60)
    hole = np.hypot(rows - 60, cols - (60 if shape == "ring" else 78))
    body = (away < 40) & (hole > 28)
    found = structure_rounds(np.where(body, 200, 50).astype(np.uint8), StructureOptions("phases"))
    inside = body[tuple(np.rint(found.centres).astype(int).T)]
    assert inside.sum() == 1
    assert len(found.centres) == (3 if shape == "ring" else 2)


def test_dirt_gets_no_point() -> None:
    image, middles = discs()
    for row, col in ((5, 5), (100, 64), (200, 130)):
        image[row : row + 3, col : col + 3] = 250
    assert len(structure_rounds(image).centres) == len(middles) + 1


def test_the_grid_is_as_dense_as_the_regions() -> None:
    fine = structure_rounds(discs(256, 32, 8)[0])
    coarse = structure_rounds(discs(256, 128, 40)[0])
    assert len(fine.grid) > 4 * len(coarse.grid)
    assert fine.spacing < coarse.spacing


def test_the_border_is_denser_than_the_grid() -> None:
    found = structure_rounds(discs(512, 64, 14)[0])
    along_top = found.border[found.border[:, 0] == found.border[:, 0].min()]
    assert np.diff(np.sort(along_top[:, 1])).max() < 0.7 * found.spacing
    assert found.border[:, 0].min() < found.spacing / 2


def test_a_large_image_is_looked_at_smaller_and_asked_in_its_own_pixels() -> None:
    image, middles = discs(1536, 256, 70)
    regions, _, step = coarse_regions(image)
    assert max(regions.shape) == 1024
    assert step == 1.5
    gaps = np.linalg.norm(structure_rounds(image).centres[:, None] - middles[None], axis=2)
    assert (gaps.min(0) < 3).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 2**32 - 1), st.booleans())
def test_all_points_lie_in_the_image(rows: int, cols: int, seed: int, flat: bool) -> None:
    rng = np.random.default_rng(seed)
    image = np.full((rows, cols), 7.0) if flat else rng.normal(0, 1, (rows, cols))
    found = structure_rounds(image.astype(np.float32), StructureOptions(most_points=50))
    for points in found.rounds:
        assert points.shape[1] == 2
        assert (points >= -0.5).all()
        assert (points <= [rows - 0.5, cols - 0.5]).all()
    assert len(found.grid) <= 2 * 50


def test_bad_options() -> None:
    with pytest.raises(UsageError, match="not 'blobs'"):
        StructureOptions("blobs")
    with pytest.raises(UsageError, match="at least 1 point"):
        StructureOptions(most_points=0)
    with pytest.raises(UsageError, match="an \\(H, W\\) image"):
        structure_rounds(np.zeros((3, 4, 3)))
