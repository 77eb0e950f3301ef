"""Texture beside the phase embedding, where regions of an image differ by it.

The texture of a place is that of the square of :data:`SIDE` pixels around it, so it says something
of wide regions only. Whether there are such regions is seen from the texture alone: clustered into
as many phases as are asked for, the nearest two centres lie close together in an image of fine
structure, whose texture is everywhere the same, and far apart where regions have their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.automatic.resample import rescale, resize_map
from nital.boost.phases import find_phases
from nital.boost.texture import natural_factor, texture_features
from nital.models.compact import CompactModel

__all__ = ["NO_TEXTURE", "Texture", "find_texture"]

SIDE = 60.0  # pixels, at the texture's natural period
CLEAR = 0.5  # separation, in units of the calibrated distance, from which regions have a texture
CLEAR_OF_TWO = 0.8  # the same of two, whose centres lie further apart by chance
FEWEST = {"phases": 3}  # phases from which texture counts: two are matrix and precipitates mostly
CLEAR_WEIGHT = {"phases": 2.0, "layers": 1.0}  # of such a texture beside the embedding, calibrated
FAINT_WEIGHT = {"layers": 1.0}  # of any other texture, by target; 0 where not named
FINE_SIDE = 20.0  # pixels
FINE_CLEAR = 0.7  # separation from which phases are regions of such fine texture
FINE_WEIGHT = 1.0
GREY_GROUPS = 3.2
"""Distance of neighbouring groups of grey levels, in their standard deviations, from which an
image has as many: evenly spread grey levels cut into equal parts have 3.5, a bell of them less
than 3."""
GREY_SIDE = 5  # pixels of the median that takes noise away
SAMPLES = 1500
LARGEST = 2048  # longest side in pixels at which texture is looked at, which bounds the memory
ASSUMED = 2  # phases to look for when their number is not given


@dataclass(frozen=True)
class Texture:
    """Texture of an image and what it is worth.

    ``maps`` (E, h, w) in units of the calibrated distance; ``weight`` of them beside the phase
    embedding; ``separation`` squared distance of the two nearest centres when clustered alone;
    ``side`` of the squares in pixels.
    """

    maps: NDArray[np.float32]
    weight: float
    separation: float
    side: float = SIDE

    @property
    def regions(self) -> bool:
        """Whether phases are regions of fine texture, in which grey levels differ."""
        return self.side == FINE_SIDE

    def beside(self, model: CompactModel, shape: tuple[int, ...]) -> NDArray[np.float16]:
        """(E, a, b) features to join to those of a compact model, at the size of its maps."""
        scale = self.weight * float(model.description["phase_threshold"]) ** 0.5
        size = (shape[0], shape[1])
        resized = np.stack([resize_map(layer, size) for layer in self.maps])
        return np.asarray(np.float32(scale) * resized, dtype=np.float16)


NO_TEXTURE = Texture(np.zeros((0, 1, 1), dtype=np.float32), 0.0, 0.0)


def find_texture(image: NDArray[np.float32], target: str, number: int | None) -> Texture:
    """Describe the texture of a standardised (H, W) image and decide what it is worth.

    Parameters
    ----------
    image
        (H, W) float32 of zero mean and unit variance.
    target
        ``"phases"`` or ``"layers"``.
    number
        Phases to find, ``None`` when it is to be estimated.
    """
    if (number or ASSUMED) < FEWEST.get(target, 2):
        return NO_TEXTURE
    most = LARGEST / max(image.shape)
    maps = texture_features(rescale(image, min(natural_factor(image), most)), side=SIDE)
    separation, apart = _separation(maps, number or ASSUMED)
    bar = CLEAR if apart > 2 else CLEAR_OF_TWO
    clear = number is not None and separation >= bar  # more weight would add to the number
    if target == "phases" and number is not None and not clear:
        view = rescale(image, min(1.0, most))
        fine = texture_features(view, side=FINE_SIDE)
        between, _ = _separation(fine, number)
        if between >= FINE_CLEAR and _grey_groups(view, number) < GREY_GROUPS:
            return Texture(fine, FINE_WEIGHT, between, FINE_SIDE)
    weight = (CLEAR_WEIGHT if clear else FAINT_WEIGHT).get(target, 0.0)
    return Texture(maps, weight, separation)


def _separation(maps: NDArray[np.float32], number: int) -> tuple[float, int]:
    """Squared distance of the two nearest of ``number`` centres, and how many there are."""
    flat = maps.reshape(len(maps), -1).T
    samples = np.ascontiguousarray(flat[:: max(1, len(flat) // SAMPLES)])
    weights = np.ones(len(samples), dtype=np.float32)
    found = find_phases(samples, weights, scale=1.0, threshold=1.0, number=number)
    return found.separation, len(found.centres)


def _grey_groups(image: NDArray[np.float32], number: int) -> float:
    """Smallest distance of neighbouring groups of grey levels, in their standard deviations."""
    quiet = ndimage.median_filter(image, GREY_SIDE).ravel()
    grey = np.ascontiguousarray(quiet[:: max(1, quiet.size // SAMPLES)])[:, None]
    weights = np.ones(len(grey), dtype=np.float32)
    found = find_phases(grey, weights, scale=1.0, threshold=1.0, number=number)
    centres = np.sort(found.centres[:, 0])
    group = np.abs(grey - centres).argmin(1)
    variance = np.array([grey[group == each].var() for each in range(len(centres))])
    spread = np.sqrt((variance[1:] + variance[:-1]) / 2)
    return float((np.diff(centres) / np.maximum(spread, 1e-6)).min(initial=np.inf))
