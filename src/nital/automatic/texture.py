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
from nital.boost.phases import PhaseModel, assign_phases, find_phases
from nital.boost.texture import natural_factor, texture_features
from nital.masks.labels import pixels_at
from nital.models.compact import CompactModel
from nital.models.tiles import standardise

__all__ = ["NO_TEXTURE", "Texture", "find_texture", "on_even_ground"]

SIDE = 60.0  # pixels, at the texture's natural period
CLEAR = 0.5  # separation, in units of the calibrated distance, from which regions have a texture
CLEAR_OF_TWO = 0.8  # the same of two, whose centres lie further apart by chance
FEWEST = {"phases": 3}  # phases from which texture counts: two are matrix and precipitates mostly
CLEAR_WEIGHT = {"phases": 2.0, "layers": 1.0}  # of such a texture beside the embedding, calibrated
FAINT_WEIGHT = {"layers": 1.0}  # of any other texture, by target; 0 where not named
FINE_SIDE = 20.0  # pixels
FINE_VIEWS = (1.0, 0.5)  # sizes at which fine texture is looked for, over the image's
FINE_SMALLEST = 240  # pixels of the shorter side of a smaller view
FINE_CLEAR = 2.1  # separation times the number, from which phases are regions of such fine texture
FINE_WEIGHT = 1.0
GREY_SHARE = 0.3  # of the variance of grey levels, that such regions explain at most
GREY_SIDE = 5  # pixels of the median that takes noise away
GROUND = 80.0  # pixels of the median that is the ground on which fine texture lies
GROUND_STEP = 4
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
        fine = _fine_regions(rescale(image, min(1.0, most)), number)
        if fine is not None:
            return fine
    weight = (CLEAR_WEIGHT if clear else FAINT_WEIGHT).get(target, 0.0)
    return Texture(maps, weight, separation)


def on_even_ground(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """A standardised (H, W) image less its ground, the median over :data:`GROUND` pixels.

    The ground of a steel is its matrix: where its brightness wanders, fields that hold the same
    structures look alike without it.
    """
    shape = (image.shape[0], image.shape[1])
    small = rescale(image, 1 / GROUND_STEP)
    ground = ndimage.median_filter(small, round(GROUND / GROUND_STEP), mode="reflect")
    ground = ndimage.gaussian_filter(ground, GROUND / GROUND_STEP / 4)
    return standardise(image - resize_map(ground, shape))


def _fine_regions(image: NDArray[np.float32], number: int) -> Texture | None:
    """Fine texture on even ground, where the phases are regions of it; else ``None``."""
    for factor in FINE_VIEWS:
        view = rescale(image, factor)
        if factor < 1 and min(view.shape) < FINE_SMALLEST:
            continue
        maps = texture_features(view, side=FINE_SIDE)
        found = _clusters(maps, number)
        clear = found.separation * number >= FINE_CLEAR
        if clear and _grey_share(maps, found, view) <= GREY_SHARE:
            even = texture_features(on_even_ground(view), side=FINE_SIDE)
            return Texture(even, FINE_WEIGHT, found.separation, FINE_SIDE)
    return None


def _clusters(maps: NDArray[np.float32], number: int) -> PhaseModel:
    flat = maps.reshape(len(maps), -1).T
    samples = np.ascontiguousarray(flat[:: max(1, len(flat) // SAMPLES)])
    weights = np.ones(len(samples), dtype=np.float32)
    return find_phases(samples, weights, scale=1.0, threshold=1.0, number=number)


def _separation(maps: NDArray[np.float32], number: int) -> tuple[float, int]:
    """Squared distance of the two nearest of ``number`` centres, and how many there are."""
    found = _clusters(maps, number)
    return found.separation, len(found.centres)


def _grey_share(maps: NDArray[np.float32], found: PhaseModel, image: NDArray[np.float32]) -> float:
    """Share of the variance of grey levels that is between the regions of clusters, 0...1.

    Little where regions are fields of bright and dark, much where each phase has its grey level.
    """
    phases, _ = assign_phases(maps.astype(np.float16), found)
    grey = ndimage.median_filter(image, GREY_SIDE)
    picked = grey[np.ix_(*pixels_at(phases.shape, image.shape))].ravel().astype(np.float64)
    region = phases.ravel()
    counts = np.maximum(np.bincount(region), 1)
    means = np.bincount(region, picked) / counts
    return 1 - float(((picked - means[region]) ** 2).mean()) / max(float(picked.var()), 1e-12)
