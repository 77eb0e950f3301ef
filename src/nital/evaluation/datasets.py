"""Folders of labelled micrographs: what is in them, what is wrong with them, and their split."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from nital.errors import InputError, UsageError
from nital.evaluation.parts import three_parts
from nital.io import IMAGE_SUFFIXES, read_labels
from nital.segmentation import Target

__all__ = [
    "SPLITS",
    "Dataset",
    "Sample",
    "Split",
    "Task",
    "find_datasets",
    "is_validation",
    "read_dataset",
]

Task = Literal["boundaries", "instances", "layers", "phases", "semantic", "unlabelled"]
Split = Literal["all", "train", "validation", "test"]
SPLITS: tuple[str, ...] = get_args(Split)

TARGETS: dict[str, Target] = {
    "boundaries": "grains",
    "instances": "particles",
    "layers": "layers",
    "phases": "phases",
    "semantic": "phases",
}
"""What is asked of a segmenter for each task."""

VALIDATION_SHARE = 0.15
LABEL_ENDINGS = ("", "_L", "_label", "_labels", "_mask")
FOLDER_NAMES = (("images", "labels"), ("image", "label"))


@dataclass(frozen=True)
class Sample:
    """One micrograph with its truth; ``label`` is ``None`` when the file is missing."""

    name: str
    image: Path
    label: Path | None


@dataclass(frozen=True)
class Dataset:
    """A folder of micrographs and labels of one kind.

    Parameters
    ----------
    name, folder
        As ``dataset.toml`` calls it (else the folder's name), and where it lies.
    task
        ``phases`` and ``semantic``: class numbers; ``layers``: the same, of layered materials;
        ``instances``: 0 background, 1...n objects; ``boundaries``: drawn grain boundaries;
        ``unlabelled``: nothing to score.
    classes
        Declared class numbers and names, rising.
    use
        ``"train"`` when models may be trained on it; the rest is only evaluated.
    samples
        By name.
    pixel_size_um
        Side of a pixel where all images share one.
    tolerance
        Pixels within which boundaries agree.
    partial
        Some objects were left unlabelled, so a prediction there is neither right nor wrong.
    binary
        Labels without ``dataset.toml``: two values, the lower one the matrix (class 1).
    hard
        Names of classes that experts find hard (weight 1 against 10 in SAM-I-Am's metrics).
    difficulty
        SAM-I-Am's class, 1 easy to 3 hard, by image name without suffix.
    """

    name: str
    folder: Path
    task: Task
    classes: dict[int, str]
    use: str
    samples: tuple[Sample, ...]
    pixel_size_um: float | None = None
    tolerance: float = 3.0
    partial: bool = False
    binary: bool = False
    hard: frozenset[str] = frozenset()
    difficulty: dict[str, int] = field(default_factory=dict)

    @property
    def target(self) -> Target:
        """What a segmenter is asked for."""
        return TARGETS[self.task]

    @property
    def phases(self) -> int | None:
        """Number of declared classes, for tasks that need it; class 0 is not one of them."""
        needs = self.task in ("layers", "phases", "semantic")
        return sum(value > 0 for value in self.classes) if needs else None

    def difficulty_of(self, sample: Sample) -> int | None:
        """Difficulty class of one image, where it is stated."""
        return self.difficulty.get(sample.name)

    @property
    def unlabelled_class(self) -> int | None:
        """Class number that is not scored: 0, unless 0 is declared as a class of its own."""
        name = self.classes.get(0, "unlabelled").lower()
        silent = any(word in name for word in ("unlabelled", "not labelled", "ignore"))
        return 0 if silent else None

    def split(self, which: Split) -> tuple[Sample, ...]:
        """Samples of one part: sets that are not for training are validation as a whole.

        ``"test"`` is the part that ``nital train unet`` and its like keep out of training.
        """
        if which == "all":
            return self.samples
        if which == "test":
            parts = three_parts([each.name for each in self.samples])
            return tuple(each for each in self.samples if parts[each.name] == "test")
        held_out = [self.use != "train" or is_validation(each.name) for each in self.samples]
        wanted = which == "validation"
        return tuple(s for s, held in zip(self.samples, held_out, strict=True) if held == wanted)

    def read_truth(self, sample: Sample, shape: tuple[int, int]) -> NDArray[np.int32]:
        """Read and check the truth of one sample.

        Parameters
        ----------
        sample
            One of ``samples``.
        shape
            (H, W) of the micrograph.

        Returns
        -------
        (H, W) class or object numbers; boundaries: 1 on the drawn line, else 0.

        Raises
        ------
        InputError
            One sentence with the file and the remedy: label missing, of another size, not a
            label image (an RGB palette), or with class numbers that are not declared.
        """
        if sample.label is None:
            raise InputError(
                f"{sample.image}: has no label file; add "
                f"{_labels_folder(self.folder) / sample.name}.png or take the image away"
            )
        values = read_labels(sample.label)
        if values.shape != shape:
            raise InputError(
                f"{sample.label}: is {values.shape[0]} x {values.shape[1]} pixels, its image "
                f"{shape[0]} x {shape[1]}; save the label at the size of the image"
            )
        if self.binary:
            return self._two_classes(values, sample.label)
        if self.task != "instances":
            self._check_classes(values, sample.label)
        return (values == self._boundary_class).astype(np.int32) if self._is_lines else values

    @property
    def _is_lines(self) -> bool:
        return self.task == "boundaries"

    @property
    def _boundary_class(self) -> int:
        named = [value for value, name in self.classes.items() if "boundar" in name.lower()]
        return named[0] if named else max(self.classes, default=1)

    def _two_classes(self, values: NDArray[np.int32], path: Path) -> NDArray[np.int32]:
        found = np.unique(values)
        if found.size > 2:
            raise InputError(
                f"{path}: holds {found.size} values where two were expected; declare the classes "
                f"in {self.folder / 'dataset.toml'}"
            )
        return 1 + (values > 0).astype(np.int32)

    def _check_classes(self, values: NDArray[np.int32], path: Path) -> None:
        allowed = {0, 1} if not self.classes else {0, *self.classes}
        foreign = sorted(set(np.unique(values).tolist()) - allowed)
        if foreign:
            raise InputError(
                f"{path}: holds the values {_shortened(foreign)}, which are not declared; name "
                f"them under [classes] in {self.folder / 'dataset.toml'} or correct the label"
            )

    def missing_classes(self, truth: NDArray[np.int32]) -> list[str]:
        """Names of declared classes that a truth does not hold."""
        if self.task not in ("layers", "phases", "semantic"):
            return []
        present = set(np.unique(truth).tolist())
        return [n for v, n in self.classes.items() if v not in present and v > 0]


def _shortened(values: list[int]) -> str:
    return ", ".join(map(str, values[:5])) + (" ..." if len(values) > 5 else "")


def is_validation(name: str) -> bool:
    """Whether an image is held out of training: about 15 % of names, always the same ones.

    The first 8 bytes of SHA-256 of the file name without folder and image suffix, as a fraction,
    below 0.15. Names that begin with ``train_`` or ``val_`` follow the split they state.
    """
    path = Path(name)
    stem = path.stem if path.suffix.lower() in IMAGE_SUFFIXES else path.name
    if stem.startswith(("train_", "val_")):
        return stem.startswith("val_")
    digest = hashlib.sha256(stem.encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < VALIDATION_SHARE


def find_datasets(folders: Iterable[Path]) -> list[Path]:
    """Data set folders among and directly below the given ones, in order.

    Raises
    ------
    InputError
        When a folder neither is a data set nor holds one.
    """
    found: list[Path] = []
    for folder in folders:
        below = sorted(folder.iterdir()) if folder.is_dir() and not _is_dataset(folder) else []
        inside = [folder] if _is_dataset(folder) else [f for f in below if _is_dataset(f)]
        if not inside:
            raise InputError(
                f"{folder}: is no data set; it needs images/ and labels/ with a dataset.toml, or "
                "image/ and label/"
            )
        found.extend(path for path in inside if path not in found)
    return found


def _is_dataset(folder: Path) -> bool:
    return (folder / "dataset.toml").is_file() or all(
        (folder / name).is_dir() for name in FOLDER_NAMES[1]
    )


def read_dataset(folder: str | Path) -> Dataset:
    """Read what a data set folder holds, without its pixels.

    Two layouts: ``images/`` and ``labels/`` with ``dataset.toml``; and MatSAM's public one,
    ``image/`` and ``label/`` whose files may end in ``_mask`` or ``_L`` and hold two values.

    Raises
    ------
    InputError
        When the folder is not a data set, or ``dataset.toml`` is wrong.
    """
    folder = Path(folder)
    find_datasets([folder])
    settings = folder / "dataset.toml"
    facts: dict[str, Any] = {}
    if settings.is_file():
        try:
            facts = tomllib.loads(settings.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{settings}: is not valid TOML ({error}); correct it") from error
    task = facts.get("task", "phases")
    if task not in get_args(Task):
        raise InputError(
            f"{settings}: task {task!r} is not one of {', '.join(get_args(Task))}; correct it"
        )
    classes = _classes(facts, settings, task)
    background = str(facts.get("classes", {}).get("0", "")).lower()
    return Dataset(
        name=str(facts.get("name", folder.name)),
        folder=folder,
        task=task,
        classes=classes,
        use=str(facts.get("use", "evaluate-only")),
        samples=_samples(folder),
        pixel_size_um=_number(facts, "pixel_size_um", settings),
        tolerance=_number(facts, "tolerance", settings) or 3.0,
        partial=bool(facts.get("partial", "not labelled" in background)),
        binary=not facts,
        hard=frozenset(map(str, facts.get("hard", []))),
        difficulty=_difficulty(facts, settings),
    )


def _classes(facts: dict[str, Any], settings: Path, task: str) -> dict[int, str]:
    if not facts:
        return {1: "matrix", 2: "phase"}
    declared = {str(k): str(v) for k, v in facts.get("classes", {}).items() if str(k) != "n"}
    if not all(value.isdecimal() for value in declared):
        raise InputError(
            f"{settings}: [classes] must name whole numbers, not {', '.join(declared)}; correct it"
        )
    if not declared and task in ("layers", "phases", "semantic"):
        raise InputError(f"{settings}: names no classes; list label values under [classes]")
    return dict(sorted((int(value), name) for value, name in declared.items()))


def _difficulty(facts: dict[str, Any], settings: Path) -> dict[str, int]:
    stated = facts.get("difficulty", {})
    if not all(isinstance(level, int) and level > 0 for level in stated.values()):
        raise InputError(f"{settings}: [difficulty] must give 1, 2 or 3 by image; correct it")
    return {name: int(level) for name, level in stated.items()}


def _number(facts: dict[str, Any], key: str, settings: Path) -> float | None:
    value = facts.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise InputError(f"{settings}: {key} must be a positive number, not {value!r}; correct it")
    return float(value)


def _labels_folder(folder: Path) -> Path:
    return next((folder / n for _, n in FOLDER_NAMES if (folder / n).is_dir()), folder / "labels")


def _samples(folder: Path) -> tuple[Sample, ...]:
    images = next((folder / n for n, _ in FOLDER_NAMES if (folder / n).is_dir()), None)
    files = sorted(images.iterdir()) if images is not None else []
    pictures = [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES]
    if not pictures:
        raise InputError(f"{folder}: holds no images; put them into {folder / 'images'}")
    labels_folder = _labels_folder(folder)
    labels = sorted(labels_folder.iterdir()) if labels_folder.is_dir() else []
    by_stem = {file.stem: file for file in labels if file.suffix.lower() in IMAGE_SUFFIXES}
    return tuple(
        Sample(
            picture.stem,
            picture,
            next((by_stem[s] for e in LABEL_ENDINGS if (s := picture.stem + e) in by_stem), None),
        )
        for picture in pictures
    )


def check_split(value: str) -> Split:
    """Return a split name, or say which there are.

    Raises
    ------
    UsageError
        For any other name.
    """
    if value not in SPLITS:
        raise UsageError(f"--split {value!r} is not one of {', '.join(SPLITS)}; choose one of them")
    return value  # type: ignore[return-value]
