"""Dense maps of whole images: stitched from tiles as if there were none."""

from __future__ import annotations

import numpy as np
import pytest

from nital.models.dense_maps import predict_dense
from nital.models.tiles import standardise, tiles_of
from nital.simulate import simulate

NAMES = ("foreground", "boundary", "distance")


@pytest.mark.parametrize("target", ["particles", "grains"])
def test_tiled_is_about_untiled(compact, target):
    """All but the image-wide mean that the network adds is the same: a tile has its own mean.

    That the stitching itself is exact is tested where a network without that mean is exported.
    """
    image = standardise(simulate(3, target, (416, 400)).image)
    whole = predict_dense(compact, image, target, embedding=True)
    tiled = predict_dense(compact, image, target, embedding=True, tile=160, margin=96)
    assert len(list(tiles_of(image.shape, 160, 96))) == 9
    for name in (*NAMES, "log_extent", "log_width", "embedding"):
        a, b = (getattr(maps, name).astype(float) for maps in (whole, tiled))
        assert a.shape == b.shape
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.9


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (63, 65), (97, 130)])
def test_odd_sizes_are_covered_to_the_last_pixel(compact, shape):
    image = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    maps = predict_dense(compact, image, "grains", embedding=True, tile=64, margin=0)
    half = tuple(-(-side // 2) for side in shape)
    for name in (*NAMES, "log_extent", "log_width"):
        assert getattr(maps, name).shape == half
    assert maps.embedding.shape == (compact.description["embedding_channels"], *half)
    assert (maps.log_width != 0).all()
    assert maps.embedding.any(0).all()


def test_each_tile_is_visited_once_and_progress_ends_at_one(compact):
    image = np.random.default_rng(0).standard_normal((200, 150)).astype(np.float32)
    seen, shares = [], []
    predict_dense(
        compact,
        image,
        "grains",
        visit=lambda tile, embedding: seen.append((tile, embedding.shape)),
        progress=shares.append,
        tile=64,
        margin=0,
    )
    assert [tile for tile, _ in seen] == list(tiles_of(image.shape, 64, 0))
    assert all(shape == (t.bottom - t.top, t.right - t.left) for t, shape in seen)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert len(shares) == len(seen) == 12


def test_the_embedding_is_kept_only_when_asked_for(compact):
    image = np.zeros((64, 64), np.float32)
    assert predict_dense(compact, image, "phases").embedding.shape == (0, 32, 32)


def test_discs_of_high_contrast_are_found(compact, discs):
    """Plumbing only: the right place and scale of plain shapes, whatever the weights."""
    centres = [(40, 40), (90, 110), (40, 150)]
    maps = predict_dense(compact, discs((128, 192), centres, 16), "particles")
    inside = np.zeros((64, 96), bool)
    rows, cols = np.mgrid[:64, :96] * 2 + 0.5
    for row, col in centres:
        inside |= np.hypot(rows - row, cols - col) < 15
    assert maps.foreground[inside].mean() > maps.foreground[~inside].mean() + 0.5
