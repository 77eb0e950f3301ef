"""Micrographs of known truth: the structure first, then how an instrument shows it."""

from nital.simulate.imaging import ImagingOptions, image_scene
from nital.simulate.scene import Scene, random_field
from nital.simulate.specimen import SimulatedMicrograph, simulate, simulate_scene

__all__ = [
    "ImagingOptions",
    "Scene",
    "SimulatedMicrograph",
    "image_scene",
    "random_field",
    "simulate",
    "simulate_scene",
]
