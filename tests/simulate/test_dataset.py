"""Sets of simulated micrographs: what is written, and that ``nital bench`` reads it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nital.cli import app
from nital.errors import UsageError
from nital.evaluation.boundaries import regions_between_lines
from nital.evaluation.datasets import read_dataset
from nital.io import read, read_labels
from nital.simulate.dataset import SetOptions, write_dataset


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("target", "task", "asked"),
    [
        ("grains", "boundaries", "grains"),
        ("phases", "phases", "phases"),
        ("particles", "instances", "particles"),
        ("layers", "layers", "layers"),
    ],
)
def test_a_set_is_read_by_the_benchmark(tmp_path: Path, target: str, task: str, asked: str) -> None:
    write_dataset(tmp_path / "set", SetOptions(target, count=2, size=96, seed=3))
    dataset = read_dataset(tmp_path / "set")
    assert (dataset.task, dataset.target, len(dataset.samples)) == (task, asked, 2)
    for sample in dataset.samples:
        micrograph = read(sample.image)
        truth = dataset.read_truth(sample, micrograph.shape)
        objects = read_labels(tmp_path / "set" / "objects" / f"{sample.name}.tif")
        phases = read_labels(tmp_path / "set" / "phases" / f"{sample.name}.tif")
        assert truth.shape == objects.shape == phases.shape == (96, 96)
        assert objects.max() >= 1
        assert np.all(phases[objects > 0] > 0)


def test_drawn_boundaries_part_the_grains(tmp_path: Path) -> None:
    write_dataset(tmp_path / "set", SetOptions("grains", count=1, size=128, seed=1, scale=30))
    drawn = read_labels(tmp_path / "set" / "labels" / "grains_0000.tif") == 1
    objects = read_labels(tmp_path / "set" / "objects" / "grains_0000.tif")
    regions = regions_between_lines(drawn)
    assert regions.max() > 5
    for region in range(1, int(regions.max()) + 1):
        assert np.unique(objects[regions == region]).size == 1


@pytest.mark.parametrize(("target", "asked", "expected"), [("phases", 3, 3), ("layers", 4, 4)])
def test_the_number_of_phases_is_the_one_asked_for(
    tmp_path: Path, target: str, asked: int, expected: int
) -> None:
    write_dataset(tmp_path, SetOptions(target, count=1, size=128, seed=2, phases=asked))
    assert read_dataset(tmp_path).phases == expected
    labels = read_labels(tmp_path / "labels" / f"{target}_0000.tif")
    assert set(np.unique(labels[labels > 0])) <= set(range(1, expected + 1))


def test_the_same_seed_gives_the_same_files_and_a_longer_set_begins_with_them(
    tmp_path: Path,
) -> None:
    for name, count in (("a", 2), ("b", 2), ("long", 3)):
        write_dataset(tmp_path / name, SetOptions("particles", count=count, size=80, seed=5))
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")
    longer = hashes(tmp_path / "long")
    first = {k: v for k, v in hashes(tmp_path / "a").items() if k != "dataset.toml"}
    assert first.items() <= longer.items()
    write_dataset(tmp_path / "other", SetOptions("particles", count=2, size=80, seed=6))
    other = hashes(tmp_path / "other")
    assert other["images/particles_0000.png"] != longer["images/particles_0000.png"]


@pytest.mark.parametrize(
    "options",
    [
        {"target": "crystals"},
        {"target": "grains", "count": 0},
        {"target": "grains", "size": 63},
        {"target": "grains", "seed": -1},
        {"target": "grains", "scale": 2.0},
        {"target": "layers", "scale": 20.0},
        {"target": "grains", "phases": 2},
        {"target": "phases", "phases": 5},
        {"target": "layers", "phases": 9},
    ],
)
def test_options_out_of_range(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        SetOptions(**options)  # type: ignore[arg-type]


class TestCommand:
    def test_says_what_comes_next(self, tmp_path: Path) -> None:
        arguments = ["simulate", "--target", "phases", "--count", "1", "--size", "64"]
        result = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "set")])
        assert result.exit_code == 0
        assert "look at" in result.output
        assert "nital bench" in result.output
        toml = (tmp_path / "set" / "dataset.toml").read_text(encoding="utf-8")
        assert "nital simulate --target phases --count 1 --size 64 --seed 0" in toml

    def test_a_set_is_never_overwritten(self, tmp_path: Path) -> None:
        (tmp_path / "dataset.toml").write_text("task = 'phases'", encoding="utf-8")
        arguments = ["simulate", "--target", "phases", "--out", str(tmp_path)]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 2
        assert "holds a data set already" in result.output
        assert [path.name for path in tmp_path.iterdir()] == ["dataset.toml"]

    def test_a_folder_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        arguments = ["simulate", "--target", "phases", "--out", str(tmp_path / "file" / "set")]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 1
        assert "choose another --out" in result.output

    def test_an_option_that_does_not_apply(self, tmp_path: Path) -> None:
        arguments = ["simulate", "--target", "layers", "--scale", "20", "--out", str(tmp_path)]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 2
        assert "scale" in result.output


class TestStem:
    def test_a_set_of_mixed_classes_can_be_scored_by_class(self, tmp_path):
        options = SetOptions("layers", count=3, size=64, phases=2, stem="mixed")
        write_dataset(tmp_path / "set", options)
        found = read_dataset(tmp_path / "set")
        assert [found.difficulty_of(sample) for sample in found.samples] == [1, 2, 3]
        assert found.phases == 2
        assert found.unlabelled_class == 0
        for sample in found.samples:
            assert set(np.unique(read_labels(sample.label))) <= {0, 1, 2}

    def test_class_three_names_the_hard_twin(self, tmp_path):
        options = SetOptions("layers", count=1, size=64, phases=3, stem="3")
        write_dataset(tmp_path / "set", options)
        assert read_dataset(tmp_path / "set").hard == {"material 2"}

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"target": "grains", "stem": "1"}, "not grains of class '1'"),
            ({"target": "layers", "stem": "4"}, "class 1, 2, 3, mixed"),
            ({"target": "layers", "stem": "1", "phases": 6}, "between 2 and 5"),
        ],
    )
    def test_impossible_sets_are_refused(self, arguments, message):
        with pytest.raises(UsageError, match=message):
            SetOptions(**arguments)
