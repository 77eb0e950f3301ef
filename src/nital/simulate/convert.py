"""The same specimen, asked another question: particles as a phase, precipitates as particles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nital.simulate.scene import Scene, relabel_connected

__all__ = ["as_particles", "as_phases"]

LARGEST_SHARE = 0.5  # of the image that objects may cover and still be particles in a matrix


def as_particles(scene: Scene) -> Scene | None:
    """Ask a scene of phases for its regions as particles; ``None`` where they are no particles.

    Regions of all phases but the matrix become one kind of particle each. A scene whose regions
    cover more than half of the image, or in which one is larger than a quarter of all of them
    together though there are many, is a network or a matrix, not particles.
    """
    areas = np.bincount(scene.objects.ravel())[1:]
    covered = float(areas.sum()) / scene.objects.size
    dominated = len(areas) > 12 and areas.max() > 0.25 * areas.sum()
    if len(areas) == 0 or covered > LARGEST_SHARE or dominated:
        return None
    return replace(scene, target="particles")


def as_phases(scene: Scene) -> Scene:
    """Ask a scene of particles for two phases: support and whatever lies on it."""
    phases = np.where(scene.objects > 0, 2, 1).astype(np.uint8)
    return replace(
        scene,
        target="phases",
        phases=phases,
        objects=relabel_connected(phases == 2),
        uncertain=frozenset(),
        whole=(),
    )
