"""Reading data set folders: layouts, splits, and what is said of bad labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nital.errors import InputError, UsageError
from nital.evaluation.datasets import (
    check_split,
    find_datasets,
    is_validation,
    read_dataset,
)

REAL = Path(__file__).parents[3] / "shared" / "data"


def save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def make(folder: Path, settings: str, labels: dict[str, np.ndarray]) -> Path:
    """Write a data set whose images are blank."""
    for name, values in labels.items():
        save(folder / "images" / f"{name}.png", np.zeros(values.shape[:2], np.uint8))
        save(folder / "labels" / f"{name}.png", values)
    (folder / "dataset.toml").write_text(settings, encoding="utf-8")
    return folder


PHASES = 'task = "phases"\n[classes]\n1 = "matrix"\n2 = "phase"\n'


def test_phases_are_read_as_declared(tmp_path: Path) -> None:
    truth = np.array([[1, 2], [2, 1]], np.uint8)
    dataset = read_dataset(make(tmp_path / "set", 'name = "Set"\n' + PHASES, {"a": truth}))
    assert (dataset.name, dataset.task, dataset.target, dataset.phases) == (
        "Set",
        "phases",
        "phases",
        2,
    )
    assert dataset.unlabelled_class == 0
    assert dataset.read_truth(dataset.samples[0], (2, 2)).tolist() == truth.tolist()


def test_boundaries_become_zero_and_one(tmp_path: Path) -> None:
    settings = 'task = "boundaries"\ntolerance = 8\n[classes]\n5 = "grain"\n7 = "grain boundary"\n'
    drawn = np.array([[5, 7], [5, 5]], np.uint8)
    dataset = read_dataset(make(tmp_path / "set", settings, {"a": drawn}))
    assert dataset.tolerance == 8
    assert dataset.target == "grains"
    assert dataset.read_truth(dataset.samples[0], (2, 2)).tolist() == [[0, 1], [0, 0]]


def test_instances_and_partial_truth(tmp_path: Path) -> None:
    settings = 'task = "instances"\n[classes]\n0 = "not labelled / pore"\nn = "grain n"\n'
    labels = np.array([[0, 700]], np.uint16)
    dataset = read_dataset(make(tmp_path / "set", settings, {"a": labels}))
    assert dataset.partial
    assert dataset.phases is None
    assert dataset.read_truth(dataset.samples[0], (1, 2)).tolist() == [[0, 700]]


def test_the_public_layout_of_matsam(tmp_path: Path) -> None:
    for name, ending in (("one", "_mask"), ("two", "_L"), ("three", "")):
        save(tmp_path / "set" / "image" / f"{name}.png", np.zeros((1, 3), np.uint8))
        save(tmp_path / "set" / "label" / f"{name}{ending}.png", np.array([[0, 255, 0]], np.uint8))
    dataset = read_dataset(tmp_path / "set")
    assert dataset.name == "set"
    assert [sample.name for sample in dataset.samples] == ["one", "three", "two"]
    for sample in dataset.samples:
        assert dataset.read_truth(sample, (1, 3)).tolist() == [[1, 2, 1]]


def test_sets_below_a_folder_are_found(tmp_path: Path) -> None:
    make(tmp_path / "all" / "b", PHASES, {"a": np.ones((2, 2), np.uint8)})
    make(tmp_path / "all" / "a", PHASES, {"a": np.ones((2, 2), np.uint8)})
    (tmp_path / "all" / "notes").mkdir()
    paths = find_datasets([tmp_path / "all", tmp_path / "all" / "a"])
    assert [path.name for path in paths] == ["a", "b"]
    with pytest.raises(InputError, match=r"is no data set; it needs images/"):
        find_datasets([tmp_path / "all" / "notes"])


def test_validation_is_about_fifteen_percent_and_ignores_folder_and_suffix() -> None:
    names = [f"image{number:05d}" for number in range(4000)]
    assert 0.13 < np.mean([is_validation(name) for name in names]) < 0.17
    held = [name for name in names if is_validation(name)]
    assert all(is_validation(f"elsewhere/{name}.png") for name in held[:20])
    assert is_validation("val_steel.png")
    assert not any(is_validation(f"train_{name}") for name in held)


def test_splits(tmp_path: Path) -> None:
    labels = {f"{part}_{n}": np.ones((2, 2), np.uint8) for part in ("train", "val") for n in (1, 2)}
    dataset = read_dataset(make(tmp_path / "set", 'use = "train"\n' + PHASES, labels))
    assert [s.name for s in dataset.split("validation")] == ["val_1", "val_2"]
    assert [s.name for s in dataset.split("train")] == ["train_1", "train_2"]
    assert len(dataset.split("all")) == 4
    only = read_dataset(make(tmp_path / "other", PHASES, labels))
    assert only.split("train") == ()
    assert len(only.split("validation")) == 4
    assert check_split("train") == "train"
    with pytest.raises(UsageError, match="'other' is not one of all, train, validation, test"):
        check_split("other")


def test_bad_labels_are_named_with_the_remedy(tmp_path: Path) -> None:
    labels = {
        "foreign": np.array([[1, 9]], np.uint8),
        "palette": np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8),
        "size": np.ones((1, 2), np.uint8),
        "missing": np.ones((1, 2), np.uint8),
        "void": np.ones((1, 2), np.uint8),
    }
    folder = make(tmp_path / "set", PHASES, labels)
    (folder / "labels" / "missing.png").unlink()
    dataset = read_dataset(folder)
    samples = {sample.name: sample for sample in dataset.samples}
    with pytest.raises(InputError, match=r"foreign.png: holds the values 9, which are not decl"):
        dataset.read_truth(samples["foreign"], (1, 2))
    with pytest.raises(InputError, match=r"palette.png: .*is not a label image"):
        dataset.read_truth(samples["palette"], (1, 2))
    with pytest.raises(InputError, match=r"size.png: is 1 x 2 pixels, its image 4 x 2; save"):
        dataset.read_truth(samples["size"], (4, 2))
    with pytest.raises(InputError, match=r"missing.png: has no label file; add .*missing.png"):
        dataset.read_truth(samples["missing"], (1, 2))
    truth = dataset.read_truth(samples["void"], (1, 2))
    assert dataset.missing_classes(truth) == ["phase"]


def test_two_values_are_expected_without_settings(tmp_path: Path) -> None:
    save(tmp_path / "image" / "a.png", np.zeros((1, 3), np.uint8))
    save(tmp_path / "label" / "a.png", np.array([[0, 100, 255]], np.uint8))
    dataset = read_dataset(tmp_path)
    with pytest.raises(InputError, match=r"holds 3 values where two were expected; declare"):
        dataset.read_truth(dataset.samples[0], (1, 3))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("task =", "is not valid TOML"),
        ('task = "cells"', "task 'cells' is not one of"),
        ('task = "phases"', "names no classes"),
        ('task = "phases"\n[classes]\nx = "matrix"\n', "must name whole numbers, not x"),
        ('tolerance = -1\n[classes]\n1 = "a"\n', "tolerance must be a positive number"),
    ],
)
def test_bad_settings_are_named(tmp_path: Path, settings: str, message: str) -> None:
    folder = make(tmp_path / "set", settings, {"a": np.ones((2, 2), np.uint8)})
    with pytest.raises(InputError, match=message):
        read_dataset(folder)


def test_a_set_without_images_is_named(tmp_path: Path) -> None:
    (tmp_path / "dataset.toml").write_text(PHASES, encoding="utf-8")
    with pytest.raises(InputError, match="holds no images; put them into"):
        read_dataset(tmp_path)


@pytest.mark.data
@pytest.mark.skipif(not REAL.is_dir(), reason="the real micrographs are not beside the repository")
def test_every_real_set_is_read() -> None:
    import nital

    sets = [read_dataset(folder) for folder in find_datasets([REAL])]
    assert len(sets) == 10
    for dataset in sets:
        if dataset.task != "unlabelled":
            sample = dataset.samples[0]
            truth = dataset.read_truth(sample, nital.read(sample.image).shape)
            assert truth.any()
