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

HALF = 0.5
SHARES = (1.0, HALF)  # sides of the squares, of the side of a crop
COARSER = 2  # positions of the texture maps from one place to the next
SAMPLES = 2000
LEAST_WEIGHT = 0.02  # of a place that looks into two materials, beside 1 of one inside a material
MIXED = 0.05  # share of a mask's places that disagree with its crops from which it is parted
NARROW = 0.25  # weight of a crop of a small mask, which often shows a mixture too, beside a place
EVEN = 0.09  # mean squared distance to the centres, for each kind of evidence: one material each
FAR = 0.8  # squared distance of the two nearest centres, for each kind: two materials at least
APART = 0.375  # the same, of two groups that are cleft
CLEFT = 4.8  # distance of those two in standard deviations of theirs along it: two groups
CLEAR_CLEFT = 5.8  # the same, from which they are two however near they are,
CLEAR_SHARE = 0.15  # in even materials if either has so much: a single grain has less
INSIDE, TENTH = 0.2, 0.9  # evenness that a tenth of the places of a material have: not a mixture
AHEAD = 2  # numbers tried beyond the last that is better: two clusters of several are seldom cleft
STARTS = 16  # of k-means
LOOSER = 1.2  # mean squared distance of a clustering over that of the tightest, at most


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
    even: Field,
    under: NDArray[np.bool_],
    options: MaterialOptions,
    narrow: Field | None = None,
    worth: NDArray[np.floating] | None = None,
) -> Clusters:
    """Cluster the places under masks into materials.

    Places that look into two materials count little. Without a number, one is added to it until
    the materials are even enough, by the mean squared distance of a place to its centre
    (:data:`EVEN`), or one more would part what is alike: by the squared distance of its two nearest
    centres (:data:`FAR`), or a smaller one (:data:`APART`) where the places fall clearly into two
    groups along the line between them (:data:`CLEFT`); or would be a mixture of two others. As two
    clusters that hold several materials are seldom cleft, one number may be passed over.
    Distances are in calibrated ones.

    Parameters
    ----------
    places
        (E, h, w) of :func:`embed_places`.
    even
        (h, w) how much each of them counts, of :func:`evenness`.
    under
        (h, w) which of them lie under a mask that has room for their squares.
    options
        The number of materials and the seed.
    narrow, worth
        (M, E) crops of smaller masks, and for how many places each of them stands.
    """
    flat = places[:, under].T
    even = even[under]
    thinned = max(1, len(flat) // SAMPLES)
    samples, inside = np.ascontiguousarray(flat[::thinned]), even[::thinned]
    weights = inside
    if narrow is not None and worth is not None:
        typical = float(even.mean()) if len(even) else 1.0
        samples = np.concatenate([samples, narrow])
        inside = np.concatenate([inside, np.ones(len(narrow), dtype=np.float32)])
        light = NARROW * typical / thinned * worth
        weights = np.concatenate([weights, light]).astype(np.float32)
    kinds = options.texture_weight**2 + options.phase_weight**2
    best = _clustered(samples, weights, inside, options.number or 1, options.seed)
    tried = [best]
    while options.number is None and len(tried) < min(len(best.model.centres) + AHEAD, MAX_PHASES):
        more = _clustered(samples, weights, inside, len(tried) + 1, options.seed)
        tried.append(more)
        if _is_better(more, best, kinds):
            best = more
    curve = tuple(
        (n, round(spread, 4), round(min(apart, 1e6), 4))
        for each in tried
        for n, spread, apart in each.model.curve
    )
    return Clusters(best.model.centres, curve)


def evenness(finer: Field, options: MaterialOptions) -> Field:
    """(h, w) how likely the square around a place shows one material, 1 at most.

    A square across an interface is described by a mixture of its two sides, which is like neither,
    and may be taken for a material of its own. Its halves then differ: by more than the calibrated
    distance where they show different materials.

    Parameters
    ----------
    finer
        (E, h, w) of :func:`embed_places`, of squares half as wide as those that are judged.
    options
        Side of a crop.
    """
    reach = max(1, round(HALF * options.side / 2 / STRIDE / COARSER))
    padded = np.pad(finer, ((0, 0), (reach, reach), (reach, reach)), mode="edge")
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


@dataclass(frozen=True)
class _Clustering:
    """Clusters, and how far they are materials.

    Parameters
    ----------
    model
        The clusters.
    cleft
        Distance of the two nearest centres over the standard deviation of their samples along the
        line between them: 3.5 of samples spread evenly and cut in the middle, less than 3 of a
        bell of them.
    share
        Of the weight, that the lesser of these two has.
    pure
        Whether every cluster has places inside a material: one that has none is a mixture of two
        others.
    """

    model: PhaseModel
    cleft: float
    share: float
    pure: bool

    @property
    def scatter(self) -> float:
        """Mean squared distance to the centres."""
        return self.model.curve[-1][1]


def _is_better(more: _Clustering, best: _Clustering, kinds: float) -> bool:
    """Whether one material more is found, by ``kinds`` of evidence."""
    if not more.pure:
        return False
    clear = more.cleft >= CLEAR_CLEFT
    if best.scatter <= EVEN * kinds:
        return clear and more.share >= CLEAR_SHARE
    apart = APART if more.cleft >= CLEFT else FAR
    return clear or more.model.separation >= apart * kinds


def _clustered(
    samples: Field, weights: Field, inside: Field, number: int, seed: int
) -> _Clustering:
    """Of several clusterings hardly looser than the tightest, the one whose centres part best.

    The tightest alone often cuts one material in two where its brightness wanders, and joins two
    that are alike. ``inside`` is how likely a sample shows one material, 0...1.
    """
    found = [
        find_phases(
            samples, weights, scale=1.0, threshold=1.0, number=number, seed=seed + start, starts=1
        )
        for start in range(STARTS if number > 1 else 1)
    ]
    bar = LOOSER * min(model.curve[-1][1] for model in found)
    judged = [
        _judged(model, samples, weights, inside) for model in found if model.curve[-1][1] <= bar
    ]
    return max(judged, key=lambda each: (each.pure, each.cleft))


def _judged(model: PhaseModel, samples: Field, weights: Field, inside: Field) -> _Clustering:
    centres = model.centres
    between = ((centres[:, None] - centres[None]) ** 2).sum(-1)
    np.fill_diagonal(between, np.inf)
    pair = np.unravel_index(int(between.argmin()), between.shape)
    gap = float(np.sqrt(between[pair]))
    if not 0 < gap < np.inf:
        return _Clustering(model, 0.0, 0.0, len(centres) == 1)
    nearest = ((samples[:, None] - centres[None]) ** 2).sum(-1).argmin(1)
    along = samples @ (centres[pair[0]] - centres[pair[1]]) / gap
    mass = np.bincount(nearest, weights, len(centres))
    safe = np.maximum(mass, 1e-9)
    middle = np.bincount(nearest, weights * along, len(centres)) / safe
    variance = np.bincount(nearest, weights * (along - middle[nearest]) ** 2, len(centres)) / safe
    spread = max(float(variance[list(pair)].mean()) ** 0.5, 1e-6)
    pure = all(
        np.quantile(inside[nearest == each], TENTH) >= INSIDE
        for each in range(len(centres))
        if (nearest == each).any()
    )
    share = float(mass[list(pair)].min() / max(mass.sum(), 1e-9))
    return _Clustering(model, gap / spread, share, pure)
