import numpy as np
import pytest
from scipy.spatial import cKDTree

from nital.simulate.cells import (
    Seeds,
    cells_of,
    frame,
    grid,
    lattice_seeds,
    random_seeds,
    spectral_field,
    thin_out,
)

TWO = Seeds(np.array([[10, 10], [10, 50]], np.float32), np.array([5, 5], np.float32))


@pytest.mark.parametrize("metric", ["power", "grown", "scaled"])
def test_two_equal_seeds_share_the_plane_at_the_bisector(metric):
    cells = cells_of(grid((21, 61)), TWO, metric=metric)
    assert (cells.owner[:, :30] == 0).all()
    assert (cells.owner[:, 31:] == 1).all()
    np.testing.assert_allclose(cells.inside()[10, [10, 25, 40, 50]], [20, 5, 10, 20], atol=1e-3)


def test_power_wall_moves_towards_the_smaller_disc():
    seeds = Seeds(TWO.centres, np.array([20, 4], np.float32))
    cells = cells_of(grid((21, 61)), seeds)
    wall = 30 + (20**2 - 4**2) / (2 * 40)
    assert (cells.owner[10] == 0).sum() == int(np.floor(wall)) + 1


@pytest.mark.parametrize("aspect", [1.0, 6.0])
def test_cells_equal_the_exact_power_diagram(aspect):
    rng = np.random.default_rng(3)
    coordinates = frame(grid((120, 150)), 0.7, aspect)
    seeds = random_seeds(rng, coordinates, 14.0)
    radii = rng.uniform(3, 12, len(seeds)).astype(np.float32)
    seeds = Seeds(seeds.centres, radii)
    lift = np.sqrt(radii.max() ** 2 - radii**2)
    tree = cKDTree(np.column_stack([seeds.centres, lift]))
    points = coordinates.reshape(2, -1).T
    exact = tree.query(np.column_stack([points, np.zeros(len(points))]))[1].reshape(120, 150)
    assert (cells_of(coordinates, seeds, neighbours=10).owner != exact).mean() < 1e-3


def test_walls_within_a_group_do_not_count():
    centres = np.array([[10, 10], [10, 30], [10, 70]], np.float32)
    seeds = Seeds(centres, np.full(3, 5, np.float32))
    cells = cells_of(grid((21, 81)), seeds)
    alone = cells.inside()
    grouped = cells.inside(group=np.array([0, 0, 1]))
    assert alone[10, 20] == pytest.approx(0, abs=1e-3)
    assert grouped[10, 30] == pytest.approx(20, abs=1e-3)


def test_softness_only_takes_away_and_rounds_corners():
    rng = np.random.default_rng(0)
    coordinates = grid((80, 80))
    cells = cells_of(coordinates, lattice_seeds(rng, coordinates, 20.0, 0.2, hexagonal=False))
    hard, soft = cells.inside(), cells.inside(2.0)
    assert (soft <= hard + 1e-4).all()
    assert (hard - soft).max() > 1.0


def test_grown_disc_depth_is_the_distance_to_its_rim():
    seeds = Seeds(np.array([[20, 20]], np.float32), np.array([7], np.float32))
    depth = cells_of(grid((41, 41)), seeds, metric="grown").depth
    row, column = grid((41, 41))
    np.testing.assert_allclose(depth, np.hypot(row - 20, column - 20) - 7, atol=1e-4)


def test_turned_seed_is_an_ellipse_of_equal_area():
    turns = np.array([[0.4, 2.5]], np.float32)
    seeds = Seeds(np.array([[40, 40]], np.float32), np.array([15], np.float32), turns)
    inside = cells_of(grid((81, 81)), seeds, metric="grown").depth < 0
    assert inside.sum() == pytest.approx(np.pi * 15**2, rel=0.02)
    spread = np.linalg.eigvalsh(np.cov(np.argwhere(inside).T))
    assert np.sqrt(spread[1] / spread[0]) == pytest.approx(2.5, rel=0.03)


def test_frame_keeps_areas():
    row, column = frame(grid((9, 9)), 0.3, 4.0)
    jacobian = np.array(
        [
            [np.diff(row[:, 0])[0], np.diff(row[0])[0]],
            [np.diff(column[:, 0])[0], np.diff(column[0])[0]],
        ]
    )
    assert abs(np.linalg.det(jacobian)) == pytest.approx(1, abs=1e-4)


def test_thinned_discs_keep_their_gap():
    rng = np.random.default_rng(1)
    seeds = random_seeds(rng, grid((100, 100)), 6.0)
    kept = thin_out(seeds, 2.0)
    nearest = cKDTree(kept.centres).query(kept.centres, k=2)[0][:, 1]
    assert 10 < len(kept) < len(seeds)
    assert nearest.min() >= 2 * 3.0 + 2.0 - 1e-4


def test_spectral_field_has_its_wavelength():
    field = spectral_field(np.random.default_rng(0), (256, 256), 16.0, 0.1)
    power = np.abs(np.fft.fft2(field)) ** 2
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256)[None])
    assert 1 / np.average(frequency, weights=power) == pytest.approx(16, rel=0.1)
    assert field.std() == pytest.approx(1, abs=1e-3)
