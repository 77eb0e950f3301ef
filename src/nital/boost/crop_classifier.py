"""Naming of regions by a classifier of crops, trained on simulated materials (SAM-I-Am, 5.2)."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.boost.crops import crops_inside
from nital.boost.texture import natural_factor
from nital.errors import ModelError, UsageError

__all__ = [
    "CropClassifier",
    "NamedRegions",
    "check_names",
    "load_crop_classifier",
    "name_regions",
]

Field = NDArray[np.float32]
WEIGHTS = Path(__file__).parent / "weights"
BATCH = 256


@dataclass(frozen=True)
class CropClassifier:
    """A network that names the material of a crop.

    ``names`` are the materials it knows, ``side`` is that of its crops in pixels, at the natural
    period of the texture.
    """

    names: tuple[str, ...]
    side: int
    sha256: str
    session: Any

    @classmethod
    def load(cls, folder: Path) -> CropClassifier:
        """Load from a folder with ``crops.json`` and ``crops.onnx``.

        Raises
        ------
        ModelError
            When a file is missing, cannot be read, or is not the one whose SHA-256 is recorded.
        """
        try:
            description = json.loads((folder / "crops.json").read_text(encoding="utf-8"))
            graph = (folder / "crops.onnx").read_bytes()
            names = tuple(str(name) for name in description["materials"])
            side, recorded = int(description["side"]), str(description["sha256"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"the crop classifier in {folder} cannot be read ({error}); train one with nital"
                " train crops"
            ) from error
        found = hashlib.sha256(graph).hexdigest()
        if found != recorded:
            raise ModelError(
                f"{folder / 'crops.onnx'} is damaged (SHA-256 differs from crops.json); copy the"
                " file again"
            )
        return cls(names, side, found, _session(graph))

    def check(self, among: tuple[str, ...]) -> None:
        """Raise :class:`UsageError` unless there are names, all of which the classifier knows."""
        unknown = [name for name in among if name not in self.names]
        if unknown or not among:
            raise UsageError(
                f"{', '.join(unknown) or 'no material'} cannot be told by the crop classifier; it"
                f" knows {', '.join(self.names)}: nital train crops makes one that knows others"
            )

    def probabilities(self, crops: Field, among: tuple[str, ...]) -> Field:
        """(N, P) probability of each of P named materials for (N, m, m) crops.

        Raises
        ------
        UsageError
            When a name is not one that the classifier knows.
        """
        self.check(among)
        columns = [self.names.index(name) for name in among]
        parts = [np.zeros((0, len(self.names)), np.float32)]
        for start in range(0, len(crops), BATCH):
            part = crops[start : start + BATCH, None].astype(np.float32)
            parts.append(self.session.run(None, {"crops": part})[0])
        logits = np.concatenate(parts)[:, columns]
        likely = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(likely / likely.sum(1, keepdims=True), dtype=np.float32)


@lru_cache(maxsize=2)
def load_crop_classifier(folder: Path = WEIGHTS) -> CropClassifier:
    """Load the classifier that ships, or one from a folder of ``nital train crops``."""
    return CropClassifier.load(folder)


def check_names(names: tuple[str, ...], folder: str | None) -> None:
    """Raise :class:`UsageError` for names that the classifier in a folder does not know."""
    (load_crop_classifier() if folder is None else load_crop_classifier(Path(folder))).check(names)


def _session(graph: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = int(os.environ.get("NITAL_THREADS", "0"))
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


@dataclass(frozen=True)
class NamedRegions:
    """The material of each region.

    ``material`` (n,) index into the names, -1 for a region without room for a crop; ``share`` (n,)
    of its crops that voted for it; ``log`` one dict per region.
    """

    material: NDArray[np.intp]
    share: Field
    log: tuple[dict[str, Any], ...]


def name_regions(
    image: Field,
    labels: NDArray[np.int32],
    names: tuple[str, ...],
    *,
    classifier: CropClassifier | None = None,
    crops: int = 10,
    seed: int = 0,
) -> NamedRegions:
    """Name the material of each region of a label image by the vote of crops inside it.

    Parameters
    ----------
    image
        (H, W) float32, standardised.
    labels
        (H, W) int32, 0 = no region.
    names
        Materials that occur.
    classifier
        Other than the one that ships.
    crops, seed
        Crops a region, and what chooses them.

    Raises
    ------
    UsageError
        When the classifier does not know a name.
    """
    from PIL import Image
    from scipy import ndimage

    classifier = classifier or load_crop_classifier()
    factor = natural_factor(image)
    size = tuple(max(1, round(side * factor)) for side in image.shape)
    resample = Image.Resampling
    view = np.array(Image.fromarray(image).resize((size[1], size[0]), resample.BILINEAR))
    regions = np.array(Image.fromarray(labels).resize((size[1], size[0]), resample.NEAREST))
    count = int(labels.max(initial=0))
    material, share = np.full(count, -1, np.intp), np.zeros(count, np.float32)
    log = []
    for index, where in enumerate(ndimage.find_objects(regions, count)):
        if where is None or min(view.shape) < classifier.side:
            continue
        rng = np.random.default_rng([seed, index])
        boxes = crops_inside(regions[where] == index + 1, classifier.side, crops, rng)
        corner = np.array([where[0].start, where[1].start])
        cut = np.stack([_crop(view, box, corner, classifier.side) for box in boxes])
        likely = classifier.probabilities(cut, names)
        votes = np.bincount(likely.argmax(1), minlength=len(names))
        tied = votes == votes.max()
        material[index] = int(np.where(tied, likely.mean(0), -1).argmax())
        share[index] = votes.max() / len(boxes)
        log.append(
            {
                "action": "name",
                "reason": names[material[index]],
                "region": index + 1,
                "share": round(float(share[index]), 4),
            }
        )
    return NamedRegions(material, share, tuple(log))


def _crop(image: Field, box: NDArray[np.int64], corner: NDArray[np.int64], side: int) -> Field:
    """A crop of full side around the middle of a box, moved inside the image."""
    middle = (box[:2] + box[2:]) // 2 + corner
    top, left = np.clip(middle - side // 2, 0, np.array(image.shape) - side)
    return image[top : top + side, left : left + side]
