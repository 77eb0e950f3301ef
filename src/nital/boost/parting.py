"""Masks that hold several textures are parted, which joining masks alone cannot do.

A mask that crosses from one material into the next makes one of both, whatever it is joined with.
So the places under the masks are clustered, not the masks: each place is described like a crop, by
squares of two sizes around it, and takes the nearest centre. The crops of a mask vote among the
same centres. A mask of which most places agree with the vote stays whole, and keeps its outline; a
mask too small for a crop of full size stays whole as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.boost.materials import MaterialOptions, TextureMaps, crop_sides
from nital.boost.phases import MAX_PHASES, PhaseModel, find_phases
from nital.boost.texture import STRIDE, squares_embedded

__all__ = ["Clusters", "cluster_places", "embed_places", "mixed_masks", "nearest_centres"]

Field = NDArray[np.float32]

SHARES = (1.0, 0.5)  # sides of the squares, of the side of a crop
COARSER = 2  # positions of the texture maps from one place to the next
SAMPLES = 2000
LEAST_WEIGHT = 0.02  # of a place that looks into two materials, beside 1 of one inside a material
MIXED = 0.05  # share of a mask's places that disagree with its crops from which it is parted
EVEN = 0.09  # mean squared distance to the centres, for each kind of evidence: one material each
APART = 0.45  # squared distance of the two nearest centres, for each kind: two materials


@dataclass(frozen=True)
class Clusters:
    """Materials of the places of an image.

    ``centres`` (P, E); ``curve`` holds for each number tried the number, the mean squared distance
    to the centres, and the squared distance of the two nearest centres.
    """

    centres: Field
    curve: tuple[tuple[int, float, float], ...]


def embed_places(
    shape: tuple[int, int],
    seen: TextureMaps,
    options: MaterialOptions,
    phase_maps: Field | None,
    share: float,
) -> Field:
    """Describe squares around places that lie ``STRIDE * COARSER`` pixels of the maps apart.

    Parameters
    ----------
    shape
        (H, W) of the image.
    seen
        Its texture.
    options
        Side of a crop, and weights.
    phase_maps
        As in :func:`nital.boost.materials.embed_crops`.
    share
        Side of the squares over that of a crop.

    Returns
    -------
    ndarray
        (E, h, w) float32, comparable with embedded crops.
    """
    raster = seen.raster(shape)
    size = max(1, round(share * options.side / STRIDE))
    kinds = []
    if seen.maps is not None and seen.model is not None:
        found = squares_embedded(seen.maps, size, seen.model, COARSER)
        kinds.append(np.float32(options.texture_weight) * found)
    if phase_maps is not None and options.phase_weight > 0:
        sides = crop_sides(size, raster, phase_maps.shape[1:])
        places = [np.arange(0, length, COARSER) + 0.5 for length in raster]
        picks = [
            np.minimum((place * length / whole).astype(np.intp), length - 1)
            for place, length, whole in zip(places, phase_maps.shape[1:], raster, strict=True)
        ]
        means = [
            ndimage.uniform_filter(layer.astype(np.float32), sides, mode="reflect")[np.ix_(*picks)]
            for layer in phase_maps
        ]
        kinds.append(np.float32(options.phase_weight) * np.stack(means))
    return np.concatenate(kinds)


def cluster_places(
    places: Field,
    under: NDArray[np.bool_],
    options: MaterialOptions,
    narrow: Field | None = None,
    worth: NDArray[np.floating] | None = None,
) -> Clusters:
    """Cluster the places under masks into materials.

    Places that look into two materials count little. Without a number, one is added to it until
    the materials are even enough, by the mean squared distance of a place to its centre
    (:data:`EVEN`), or one more would part what is alike, by the squared distance of its two nearest
    centres (:data:`APART`); both in calibrated distances.

    Parameters
    ----------
    places
        (E, h, w) of :func:`embed_places`.
    under
        (h, w) which of them lie under a mask that has room for their squares.
    options
        The number of materials and the seed.
    narrow, worth
        (M, E) crops of smaller masks, and for how many places each of them stands.
    """
    flat = places[:, under].T
    even = evenness(places, max(1, round(options.side / STRIDE / COARSER / 2)))[under]
    thinned = max(1, len(flat) // SAMPLES)
    samples, weights = np.ascontiguousarray(flat[::thinned]), even[::thinned]
    if narrow is not None and worth is not None:
        samples = np.concatenate([samples, narrow])
        typical = float(even.mean()) if len(even) else 1.0
        weights = np.concatenate([weights, worth / thinned * typical]).astype(np.float32)
    kinds = options.texture_weight**2 + options.phase_weight**2

    def clustered(number: int) -> PhaseModel:
        return find_phases(
            samples, weights, scale=1.0, threshold=1.0, number=number, seed=options.seed
        )

    tried = [clustered(options.number or 1)]
    best = tried[0]
    while options.number is None and len(tried) < MAX_PHASES:
        tried.append(clustered(len(tried) + 1))
        if _scatter(best) <= EVEN * kinds or tried[-1].separation < APART * kinds:
            break
        best = tried[-1]
    curve = tuple(
        (n, round(spread, 4), round(min(apart, 1e6), 4))
        for each in tried
        for n, spread, apart in each.curve
    )
    return Clusters(best.centres, curve)


def evenness(places: Field, reach: int) -> Field:
    """(h, w) how likely a place lies inside one material, to :data:`LEAST_WEIGHT` from 1.

    A square across an interface is described by a mixture of its two sides, which is like neither,
    and may be taken for a material of its own. The squares ``reach`` places to either side of it
    then differ: by more than the calibrated distance where they show different materials.
    """
    padded = np.pad(places, ((0, 0), (reach, reach), (reach, reach)), mode="edge")
    inner, ahead, behind = slice(reach, -reach), slice(2 * reach, None), slice(None, -2 * reach)
    across = ((padded[:, ahead, inner] - padded[:, behind, inner]) ** 2).sum(0)
    along = ((padded[:, inner, ahead] - padded[:, inner, behind]) ** 2).sum(0)
    even = np.maximum(np.exp(-np.maximum(across, along)), LEAST_WEIGHT)
    return np.asarray(even, dtype=np.float32)


def nearest_centres(
    described: list[Field], centres: Field, shape: tuple[int, int]
) -> NDArray[np.intp]:
    """(H, W) index of the centre that is nearest in the sum of several descriptions."""
    from PIL import Image

    size = (shape[1], shape[0])
    nearest = np.zeros(shape, dtype=np.intp)
    least = np.full(shape, np.inf, dtype=np.float32)
    for index, centre in enumerate(centres):
        distance = sum(((each - centre[:, None, None]) ** 2).sum(0) for each in described)
        picture = Image.fromarray(np.asarray(distance, dtype=np.float32))
        whole = np.array(picture.resize(size, Image.Resampling.BILINEAR))
        closer = whole < least
        nearest[closer], least[closer] = index, whole[closer]
    return nearest


def mixed_masks(
    owner: NDArray[np.intp], nearest: NDArray[np.intp], voted: NDArray[np.intp]
) -> Field:
    """(N,) share of the pixels of each mask whose place disagrees with the mask's crops.

    Parameters
    ----------
    owner
        (H, W) index of the mask that a pixel is drawn by, -1 without.
    nearest
        (H, W) cluster of its place.
    voted
        (N,) cluster of the mask's crops, -1 without.
    """
    drawn = owner >= 0
    masks = owner[drawn]
    other = np.bincount(masks, nearest[drawn] != voted[masks], minlength=len(voted))
    return (other / np.maximum(np.bincount(masks, minlength=len(voted)), 1)).astype(np.float32)


def _scatter(model: PhaseModel) -> float:
    return model.curve[-1][1]
