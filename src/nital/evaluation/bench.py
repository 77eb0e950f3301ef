"""Run methods over labelled data sets and gather the scores."""

from __future__ import annotations

import dataclasses
import multiprocessing
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nital.errors import InputError, NitalError, UsageError
from nital.evaluation.datasets import Dataset, Sample, Split
from nital.evaluation.methods import Method, run_method, score
from nital.evaluation.resources import peak_memory
from nital.micrograph import Micrograph
from nital.segmentation import SegmentOptions

__all__ = ["Bench", "Result", "Work", "plan", "read_tuned", "run"]

FIXED_OPTIONS = ("boost", "model", "phases", "target")


@dataclass(frozen=True)
class Work:
    """One image for one method."""

    dataset: Dataset
    sample: Sample
    method: Method


@dataclass(frozen=True)
class Result:
    """What came of one piece of work.

    Parameters
    ----------
    work
        What was done.
    metrics
        Scores; empty when it failed.
    seconds
        Time that segmenting took, without reading and scoring.
    peak_mb
        Peak resident memory of the process while segmenting, in MiB.
    weights
        SHA-256 of the model's weights; ``None`` for methods without.
    failure
        The sentence that says why there is no score, or ``None``.
    notes
        What a reader of the table should know about this image.
    pictures
        Micrograph, truth and result as JPEG files, equal in size; empty when it failed.
    """

    work: Work
    metrics: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    peak_mb: float = 0.0
    weights: str | None = None
    failure: str | None = None
    notes: tuple[str, ...] = ()
    pictures: tuple[bytes, ...] = ()

    @property
    def row(self) -> dict[str, Any]:
        """As in ``bench.json``."""
        return {
            "dataset": self.work.dataset.folder.resolve().name,
            "image": self.work.sample.image.name,
            "method": self.work.method.name,
            "seconds": round(self.seconds, 4),
            "metrics": {name: round(value, 6) for name, value in self.metrics.items()},
        }


@dataclass(frozen=True)
class Bench:
    """A finished benchmark: its results in the order planned, and what was left out and why."""

    results: tuple[Result, ...]
    notes: tuple[str, ...]

    @property
    def failures(self) -> tuple[str, ...]:
        """One sentence per image and method that has no score."""
        return tuple(result.failure for result in self.results if result.failure)


def plan(
    datasets: Sequence[Dataset], methods: Sequence[Method], split: Split, limit: int | None = None
) -> tuple[tuple[Work, ...], tuple[str, ...]]:
    """List the work, methods within images within sets, and notes on what is left out.

    Parameters
    ----------
    datasets, methods
        What to run on what.
    split
        Part of the sets that may be trained on; the others are taken as a whole, and not at all
        for ``"train"``.
    limit
        At most this many images of each set: the first by the hash that also splits, so that
        they are no selection.
    """
    work: list[Work] = []
    notes: list[str] = []
    for dataset in datasets:
        name = dataset.folder.resolve().name
        if dataset.task == "unlabelled":
            notes.append(f"{name}: left out, it has no truth (task unlabelled)")
            continue
        samples = dataset.split(split)
        if not samples:
            notes.append(f"{name}: left out, it has no images in the {split} part")
        if limit is not None and len(samples) > limit:
            notes.append(f"{name}: {limit} of {len(samples)} images (--limit)")
            samples = tuple(sorted(samples, key=_by_hash)[:limit])
        seen = sum(sample in dataset.split("train") for sample in samples)
        if seen:
            notes.append(
                f"{name}: {seen} of {len(samples)} images are in the part that models are trained "
                "on; --split validation leaves them out"
            )
        notes += _known_to_models(dataset, samples, methods)
        work += [Work(dataset, sample, method) for sample in samples for method in methods]
    return tuple(work), tuple(notes)


def _known_to_models(
    dataset: Dataset, samples: Sequence[Sample], methods: Sequence[Method]
) -> list[str]:
    """A note for each supervised segmenter that has been trained on some of the images."""
    from nital.semantic.model import find_semantic_model, load_semantic_model

    notes = []
    for method in methods:
        folder = find_semantic_model(method.model)
        if folder is None:
            continue
        model = load_semantic_model(folder)
        seen = sum(sample.name in model.images_trained_on(dataset.name) for sample in samples)
        if seen:
            notes.append(
                f"{dataset.folder.resolve().name}: {method.name} was trained on {seen} of "
                f"{len(samples)} images; --split test leaves them out"
            )
    return notes


def _by_hash(sample: Sample) -> str:
    import hashlib

    return hashlib.sha256(sample.name.encode()).hexdigest()


def run(
    work: Sequence[Work],
    jobs: int = 1,
    side: int = 480,
    on_result: Callable[[Result], None] | None = None,
) -> tuple[Result, ...]:
    """Do the work; an image that fails does not stop the others.

    Parameters
    ----------
    work
        From :func:`plan`.
    jobs
        Number of processes; seconds are comparable between runs with one.
    side
        Longest side of the pictures in pixels.
    on_result
        Called as each piece is done, in order.
    """
    results = []
    for result in _results(work, jobs, side):
        results.append(result)
        if on_result is not None:
            on_result(result)
    return tuple(results)


def _results(work: Sequence[Work], jobs: int, side: int) -> Iterator[Result]:
    if jobs == 1 or len(work) < 2:
        yield from (attempt(piece, side) for piece in work)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(work)), mp_context=context) as pool:
        yield from pool.map(attempt, work, [side] * len(work))


def attempt(work: Work, side: int) -> Result:
    """Do one piece of work, or say in one sentence why it could not be done."""
    try:
        return _do(work, side)
    except NitalError as error:
        return Result(work, failure=str(error))
    except MemoryError:
        sentence = f"{work.sample.image}: not enough memory for {work.method.name}; crop the image"
        return Result(work, failure=sentence)
    except Exception as error:  # a fault of ours in one image must not end a night's run
        sentence = (
            f"{work.sample.image}: internal error in {work.method.name}, "
            f"{type(error).__name__}: {error}; please report it"
        )
        return Result(work, failure=sentence)


def _do(work: Work, side: int) -> Result:
    from nital.evaluation.pictures import side_by_side

    micrograph, truth = _read(work.dataset, work.sample)
    notes = [
        f"{work.sample.label}: class {name!r} is empty; its mean is over the classes present"
        for name in work.dataset.missing_classes(truth)
    ]
    with peak_memory() as peak:
        start = time.perf_counter()
        segmentation = run_method(micrograph, work.method, work.dataset)
        seconds = time.perf_counter() - start
    return Result(
        work,
        metrics=score(truth, segmentation, work.dataset),
        seconds=seconds,
        peak_mb=peak.mebibytes,
        weights=segmentation.model.sha256,
        notes=tuple(notes),
        pictures=side_by_side(truth, segmentation, work.dataset, side),
    )


def _read(dataset: Dataset, sample: Sample) -> tuple[Micrograph, NDArray[np.int32]]:
    from nital.io import read
    from nital.micrograph import PixelSize

    micrograph = read(sample.image)
    truth = dataset.read_truth(sample, micrograph.shape)
    if micrograph.pixel_size is None and dataset.pixel_size_um is not None:
        stated = PixelSize(dataset.pixel_size_um, f"{dataset.folder.name}/dataset.toml")
        micrograph = micrograph.with_pixel_size(stated)
    return micrograph, truth


def read_tuned(path: Path | None) -> dict[str, dict[str, Any]]:
    """Read options by data set (folder name) from a TOML file; none without a file.

    Raises
    ------
    InputError
        When the file is missing or no TOML.
    UsageError
        For options that ``nital.segment`` does not know or that the task fixes.
    """
    if path is None:
        return {}
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); name a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not valid TOML ({error}); correct it") from error
    allowed = {each.name for each in dataclasses.fields(SegmentOptions)} - set(FIXED_OPTIONS)
    for name, options in tables.items():
        foreign = sorted(set(options) - allowed) if isinstance(options, dict) else [name]
        if foreign:
            raise UsageError(
                f"{path}: {', '.join(foreign)} is no option that can be tuned; give tables named "
                f"after data set folders with {', '.join(sorted(allowed)) or 'no options yet'}"
            )
    if not tables:
        raise InputError(f"{path}: holds no tables; give one per data set folder")
    return tables
