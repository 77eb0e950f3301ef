import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from nital.errors import UsageError
from nital.simulate.boundaries import tidy
from nital.simulate.phases import PHASE_FAMILIES, simulate_phases
from nital.simulate.precipitates import add_fine


@settings(max_examples=40, derandomize=True, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    family=st.sampled_from([None, *PHASE_FAMILIES]),
    shape=st.tuples(st.integers(64, 120), st.integers(64, 120)),
    scale=st.one_of(st.none(), st.floats(3, 120)),
    n_phases=st.sampled_from([None, None, 2, 3, 4]),
)
def test_objects_are_the_connected_regions_off_the_matrix(seed, family, shape, scale, n_phases):
    scene = simulate_phases(
        np.random.default_rng(seed), shape, scale=scale, n_phases=n_phases, family=family
    )
    count = int(scene.objects.max())
    assert scene.objects.shape == shape
    assert scene.objects.dtype == np.int32
    assert scene.phases.dtype == np.uint8
    assert 1 <= scene.phases.min() <= scene.phases.max() <= (n_phases or 4)
    assert np.array_equal(scene.objects == 0, scene.phases == 1)
    assert count >= 1
    parts = tidy(np.where(scene.phases == 1, -1, scene.objects), 0)
    assert len(np.unique(parts[scene.phases > 1])) == count
    assert tidy(scene.phases.astype(np.int32), 0).max() == parts.max()
    for field in (scene.lines, scene.height):
        assert field.shape == shape
        assert field.dtype == np.float32
        assert field.min() >= 0
        assert field.max() <= 1


@pytest.mark.parametrize("family", PHASE_FAMILIES)
def test_same_generator_state_same_scene(family):
    one, two = (
        simulate_phases(np.random.default_rng(11), (96, 80), family=family) for _ in range(2)
    )
    for name in ("objects", "phases", "lines", "height"):
        assert np.array_equal(getattr(one, name), getattr(two, name))


@pytest.mark.parametrize("wanted", [2, 3, 4])
def test_number_of_phases_is_kept(wanted):
    seen = [
        simulate_phases(np.random.default_rng(seed), (96, 96), n_phases=wanted).phases.max()
        for seed in range(20)
    ]
    assert max(seen) == wanted
    assert np.mean(np.array(seen) == wanted) > 0.8


@pytest.mark.parametrize("wanted", [0, 1, 5])
def test_impossible_number_of_phases_is_refused(wanted):
    with pytest.raises(UsageError, match="n_phases"):
        simulate_phases(np.random.default_rng(0), (64, 64), n_phases=wanted)


@pytest.mark.parametrize("family", ["round_precipitates", "carbides", "cuboids", "few_blobs"])
def test_precipitates_are_as_large_as_asked(family):
    typical = []
    for seed in range(6):
        scene = simulate_phases(np.random.default_rng(seed), (256, 256), scale=16.0, family=family)
        inner = scene.objects[1:-1, 1:-1]
        areas = np.bincount(inner.ravel())[1:]
        typical.append(np.median(np.sqrt(4 * areas[areas > 20] / np.pi)))
    assert 0.5 * 16 < np.median(typical) < 1.8 * 16


def test_fine_precipitates_touch_nothing():
    phases = np.ones((128, 128), np.uint8)
    phases[40:80, 40:80] = 2
    before = phases.copy()
    add_fine(np.random.default_rng(0), phases, phase=3, radius=2.5, density=1.0)
    fine = phases == 3
    assert ndimage.label(fine)[1] > 20
    assert not (ndimage.binary_dilation(fine, iterations=2) & (phases == 2)).any()
    assert np.array_equal(phases == 2, before == 2)
    diameters = np.sqrt(4 * np.bincount(ndimage.label(fine)[0].ravel())[1:] / np.pi)
    assert np.median(diameters) == pytest.approx(5, rel=0.3)


def test_scenes_span_sparse_to_dense():
    share = [
        float((simulate_phases(np.random.default_rng(seed), (96, 96)).phases > 1).mean())
        for seed in range(60)
    ]
    assert min(share) < 0.06
    assert max(share) > 0.6
    assert 0.15 < np.median(share) < 0.55
