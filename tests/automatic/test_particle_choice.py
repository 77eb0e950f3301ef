"""The choice between the compact model and the watershed, on images of known particles."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from nital.automatic.particle_choice import FEW, watershed_instead
from nital.micrograph import Micrograph


def discs(noise: float = 3.0) -> tuple[Micrograph, np.ndarray]:
    """64 dark discs on a bright ground, and their labels."""
    rows, columns = np.indices((256, 256))
    inside = np.hypot(rows % 32 - 16, columns % 32 - 16) <= 10
    grey = np.where(inside, 60, 200) + np.random.default_rng(0).normal(0, noise, inside.shape)
    labels = np.where(inside, 1 + rows // 32 * 8 + columns // 32, 0).astype(np.int32)
    return Micrograph(np.clip(grey, 0, 255).astype(np.uint8)), labels


def test_clear_convex_particles_that_the_model_took_for_one_are_taken_apart() -> None:
    micrograph, labels = discs()
    found = watershed_instead(micrograph, (labels > 0).astype(np.int32))
    assert found is not None
    assert len(found.objects) == 64


def test_a_model_that_sees_more_than_a_few_is_believed() -> None:
    micrograph, labels = discs()
    assert watershed_instead(micrograph, np.where(labels <= FEW + 1, labels, 0)) is None
    assert watershed_instead(micrograph, labels) is None


def test_texture_is_not_taken_for_particles() -> None:
    noise = ndimage.gaussian_filter(np.random.default_rng(1).normal(0, 1, (256, 256)), 3)
    grey = np.clip(128 + 60 * noise / noise.std(), 0, 255).astype(np.uint8)
    assert watershed_instead(Micrograph(grey), np.zeros((256, 256), np.int32)) is None


def test_one_large_particle_stays_one() -> None:
    rows, columns = np.indices((256, 256))
    inside = np.hypot(rows - 128, columns - 128) <= 90
    grey = np.where(inside, 190, 50).astype(np.uint8)
    assert watershed_instead(Micrograph(grey), inside.astype(np.int32)) is None
