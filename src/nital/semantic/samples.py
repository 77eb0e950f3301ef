"""From a labelled set to crops: what is read, how it is split, and how often each class occurs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nital.errors import InputError, NitalError, UsageError
from nital.evaluation.datasets import Dataset, read_dataset
from nital.evaluation.parts import Part, three_parts

__all__ = ["IGNORED", "LabelledImage", "SemanticSet", "crops_of", "load_semantic_set", "windows_of"]

IGNORED = -100
"""Class index of pixels that nobody labelled; the loss leaves them out."""


@dataclass(frozen=True)
class LabelledImage:
    """One micrograph with its truth.

    Parameters
    ----------
    name
        File name without suffix.
    image
        (H, W) float32 of zero mean and unit variance, the data bar cut off.
    truth
        (H, W) int64 class indices 0...K-1; :data:`IGNORED` where nobody labelled.
    """

    name: str
    image: NDArray[np.float32]
    truth: NDArray[np.int64]


@dataclass(frozen=True)
class SemanticSet:
    """A labelled set, read and split.

    Parameters
    ----------
    dataset
        Where it comes from.
    values, classes
        Label value and name of each class index.
    parts
        Images of the ``train``, ``validation`` and ``test`` parts.
    notes
        One sentence for each image left out and each class that no training label holds.
    """

    dataset: Dataset
    values: tuple[int, ...]
    classes: tuple[str, ...]
    parts: dict[Part, tuple[LabelledImage, ...]]
    notes: tuple[str, ...]

    def class_weights(self) -> NDArray[np.float32]:
        """(K,) class-balanced weights, of mean 1 over the labelled training pixels.

        In proportion to 1 - f, with the share f of the class: for two classes those of
        holistically nested edge detection (Xie & Tu, ICCV 2015, eq. 2), which MatSAM trains with
        (section 4.4). A class without pixels has weight 0.
        """
        counts = np.zeros(len(self.classes))
        for each in self.parts["train"]:
            counts += np.bincount(each.truth[each.truth >= 0], minlength=counts.size)
        shares = counts / max(counts.sum(), 1)
        weights = np.where(shares > 0, 1 - shares, 0)
        mean = float((weights * shares).sum())
        weights = weights / mean if mean > 0 else np.ceil(shares)
        return weights.astype(np.float32)


def load_semantic_set(folder: Path) -> SemanticSet:
    """Read a labelled set of phases, layers, boundaries or named classes and split it 6:2:2.

    Images that cannot be used (no label, another size, class numbers that are not declared, an
    RGB palette) are left out, each with a note that names the file and the remedy.

    Raises
    ------
    InputError
        When the folder is no data set, or a part has no image that can be used.
    UsageError
        When its labels are no classes, or its licence does not say that it may be trained on.
    """
    dataset = read_dataset(folder)
    settings = folder / "dataset.toml"
    if dataset.task in ("instances", "unlabelled"):
        raise UsageError(
            f"{folder}: its task is {dataset.task}, which gives no class to every pixel; give a "
            "set of phases, layers, boundaries or named classes (semantic)"
        )
    if settings.is_file() and dataset.use != "train":
        raise UsageError(
            f'{folder}: is not for training; where its licence allows it, write use = "train" '
            f"into {settings}"
        )
    classes = {v: n for v, n in dataset.classes.items() if v != dataset.unlabelled_class}
    if dataset.task == "boundaries":
        classes = {0: "grain", 1: "grain boundary"}
    images, notes = _read_images(dataset, tuple(classes))
    part_of = three_parts([each.name for each in dataset.samples])
    parts: dict[Part, tuple[LabelledImage, ...]] = {
        part: tuple(each for each in images if part_of[each.name] == part)
        for part in ("train", "validation", "test")
    }
    missing = [part for part, members in parts.items() if not members]
    if missing:
        raise InputError(
            f"{folder}: no image is left for the {missing[0]} part, {len(images)} of "
            f"{len(dataset.samples)} can be used; add labelled images, three at least"
            + "".join(f"; {note}" for note in notes)
        )
    found = SemanticSet(dataset, tuple(classes), tuple(classes.values()), parts, tuple(notes))
    empty = [
        f"{folder}: class {name!r} is in no training label, so it cannot be learnt; label it in "
        "more images"
        for name, weight in zip(found.classes, found.class_weights(), strict=True)
        if weight == 0
    ]
    return SemanticSet(dataset, found.values, found.classes, parts, (*notes, *empty))


def _read_images(dataset: Dataset, values: Sequence[int]) -> tuple[list[LabelledImage], list[str]]:
    """The images that can be used, and a sentence for each of the others."""
    from nital.io import read
    from nital.models.tiles import standardise

    images, notes = [], []
    for sample in dataset.samples:
        try:
            micrograph = read(sample.image)
            truth = dataset.read_truth(sample, micrograph.shape)[: micrograph.content_rows]
        except NitalError as error:
            notes.append(str(error))
            continue
        index = np.full(max(int(truth.max()), *values) + 1, IGNORED)
        index[list(values)] = np.arange(len(values))
        images.append(LabelledImage(sample.name, standardise(micrograph.content), index[truth]))
    return images, notes


def crops_of(
    images: Sequence[LabelledImage], side: int, count: int, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Random crops of every image, turned over at random up-down and left-right.

    Parameters
    ----------
    images
        What to cut from; those smaller than a crop are continued by reflection, unlabelled there.
    side
        Of the crops in pixels.
    count
        Crops of each image; all together come in random order.
    rng
        Decides places, flips and order.

    Yields
    ------
    (side, side) image and class indices of one crop.
    """
    padded = [_at_least(each, side) for each in images]
    for index in rng.permutation(np.repeat(np.arange(len(images)), count)):
        image, truth = padded[index]
        top, left = (int(rng.integers(0, length - side + 1)) for length in image.shape)
        window = np.s_[top : top + side, left : left + side]
        flip = (slice(None, None, rng.choice([-1, 1])), slice(None, None, rng.choice([-1, 1])))
        yield image[window][flip].copy(), truth[window][flip].copy()


def windows_of(
    images: Sequence[LabelledImage], side: int
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Crops that cover every image, the same ones every time; each pixel is labelled once."""
    for each in images:
        image, truth = _at_least(each, side)
        for top in _starts(image.shape[0], side):
            for left in _starts(image.shape[1], side):
                window = np.s_[top : top + side, left : left + side]
                yield image[window].copy(), truth[window].copy()
                truth[window] = IGNORED


def _starts(length: int, side: int) -> list[int]:
    return [min(start, length - side) for start in range(0, length, side)]


def _at_least(labelled: LabelledImage, side: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Image and truth of at least ``side`` pixels a side."""
    missing = [(0, max(0, side - length)) for length in labelled.image.shape]
    image = np.pad(labelled.image, missing, mode="symmetric")
    return image, np.pad(labelled.truth, missing, constant_values=IGNORED)
