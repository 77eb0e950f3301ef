"""The benchmark runner and what it writes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nital.errors import InputError, UsageError
from nital.evaluation.bench import Bench, plan, read_tuned, run
from nital.evaluation.datasets import find_datasets, read_dataset
from nital.evaluation.methods import parse_methods
from nital.evaluation.output import write_bench
from nital.evaluation.tables import About, as_markdown, set_tables

METHODS = parse_methods("otsu,watershed")


def bench(folder: Path, split: str = "all", jobs: int = 1) -> Bench:
    sets = [read_dataset(each) for each in find_datasets([folder])]
    work, notes = plan(sets, METHODS, split)  # type: ignore[arg-type]
    return Bench(run(work, jobs, side=64), notes)


def test_all_tasks_are_scored(
    phase_set: Path, particle_set: Path, grain_set: Path, layer_set: Path
) -> None:
    done = bench(phase_set.parent)
    assert not done.failures
    tables = {table.folder: table for table in set_tables(done)}
    assert list(tables) == ["grains", "layers", "nbs2", "particles"]
    assert tables["nbs2"].lines[0].means["iou_mean"].value > 0.95
    assert tables["nbs2"].lines[0].means["iou_mean"].interval is not None
    assert tables["particles"].lines[0].means["ap50"].value == 1
    assert tables["grains"].lines[0].means["ari"].value > 0.95
    assert tables["layers"].lines[0].means["samiam_boundary_iou"].value > 0.8
    assert [line.method for line in tables["nbs2"].lines] == ["otsu", "watershed"]
    assert all(result.peak_mb > 1 for result in done.results)


def test_rows_are_the_contract(phase_set: Path, tmp_path: Path) -> None:
    done = bench(phase_set)
    write_bench(tmp_path / "out", done, About(METHODS, ("nital", "bench"), "all", 1))
    content = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert len(content["rows"]) == 6
    row = content["rows"][0]
    assert list(row) == ["dataset", "image", "method", "seconds", "metrics"]
    assert (row["dataset"], row["image"], row["method"]) == ("nbs2", "spot 0.png", "otsu")
    assert row["metrics"]["iou_mean"] > 0.95
    assert content["summary"][0]["metrics"]["f1"]["ci95"][0] <= 1
    assert len(content["about"]["methods"][0]["configuration"]) == 16
    with (tmp_path / "out" / "bench.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert {line["metric"] for line in table} >= {"iou_mean", "seconds_median", "peak_mb_max"}
    assert float(table[0]["ci95_low"]) <= float(table[0]["mean"]) <= float(table[0]["ci95_high"])


def test_markdown_and_page_show_ours_beside_published(phase_set: Path, tmp_path: Path) -> None:
    done = bench(phase_set)
    about = About(METHODS, ("nital", "bench", "a <b>"), "all", 1)
    text = as_markdown(done, about)
    assert "| otsu | 3 | " in text
    assert "*MatSAM, published (other images; tuned per dataset; Table 4)* | 4 | 0.912 |" in text
    write_bench(tmp_path / "out", done, about)
    page = (tmp_path / "out" / "bench.html").read_text(encoding="utf-8")
    assert "MatSAM, published (other images; tuned per dataset; Table 4)" in page
    assert "a <b>" not in page
    assert "SAM-I-Am" in page
    pictures = sorted((tmp_path / "out" / "pictures" / "nbs2").iterdir())
    assert len(pictures) == 3 * 4
    assert all(f"pictures/nbs2/{path.name}" in page for path in pictures)
    with Image.open(pictures[0]) as picture:
        assert picture.size == (64, 51)


def test_the_worst_image_comes_first(particle_set: Path, tmp_path: Path) -> None:
    truth = np.zeros((64, 80), np.uint8)
    truth[2:6, 2:6] = 1
    Image.fromarray(truth).save(particle_set / "labels" / "train_3.png")
    write_bench(tmp_path, bench(particle_set), About(METHODS, ("nital",), "all", 1))
    page = (tmp_path / "bench.html").read_text(encoding="utf-8")
    assert page.index("<h3>train_3.png") < page.index("<h3>train_1.png")


def test_bad_files_are_named_and_the_rest_is_scored(phase_set: Path) -> None:
    (phase_set / "labels" / "spot 0.png").unlink()
    (phase_set / "images" / "spot 1.png").write_bytes(b"no picture")
    done = bench(phase_set)
    assert len(done.failures) == 4
    assert "spot 0.png: has no label file; add" in done.failures[0]
    assert "spot 1.png" in done.failures[2]
    (table,) = set_tables(done)
    assert [(line.count, line.wanted) for line in table.lines] == [(1, 3), (1, 3)]
    text = as_markdown(done, About(METHODS, ("nital",), "all", 1))
    assert "| otsu | 1 of 3 |" in text
    assert done.failures[0] in text


def test_an_empty_class_is_noted(phase_set: Path) -> None:
    Image.fromarray(np.ones((64, 80), np.uint8)).save(phase_set / "labels" / "spot 2.png")
    done = bench(phase_set)
    assert not done.failures
    assert "class 'phase' is empty" in done.results[-1].notes[0]


def test_splits_and_limits_are_noted(particle_set: Path, phase_set: Path) -> None:
    sets = [read_dataset(particle_set), read_dataset(phase_set)]
    work, notes = plan(sets, METHODS, "validation")
    assert [w.sample.name for w in work[:2]] == ["val_1", "val_1"]
    assert len(work) == 2 + 6
    assert notes == ()
    work, notes = plan(sets, METHODS, "train")
    assert len(work) == 6
    assert notes[0] == (
        "particles: 3 of 3 images are in the part that models are trained on; "
        "--split validation leaves them out"
    )
    assert notes[1] == "nbs2: left out, it has no images in the train part"
    work, notes = plan(sets, METHODS, "all", limit=1)
    assert len(work) == 4
    assert "nbs2: 1 of 3 images (--limit)" in notes


def test_difficulty_classes_have_lines_of_their_own(layer_set: Path) -> None:
    for kind in ("images", "labels"):
        (layer_set / kind / "b.png").write_bytes((layer_set / kind / "a.png").read_bytes())
    with (layer_set / "dataset.toml").open("a", encoding="utf-8") as settings:
        settings.write("[difficulty]\na = 1\nb = 3\n")
    (table,) = set_tables(bench(layer_set))
    names = [line.method for line in table.lines]
    assert names[:3] == ["otsu", "otsu, difficulty 1", "otsu, difficulty 3"]
    assert [line.count for line in table.lines[:3]] == [2, 1, 1]
    assert table.best("iou_mean") in ("otsu", "watershed")


@pytest.mark.slow
def test_processes_give_the_same_rows(phase_set: Path) -> None:
    def scores(done: Bench) -> list[dict[str, float]]:
        return [result.metrics for result in done.results]

    assert scores(bench(phase_set, jobs=2)) == scores(bench(phase_set))


def test_tuned_files_are_checked(tmp_path: Path) -> None:
    assert read_tuned(None) == {}
    path = tmp_path / "tuned.toml"
    with pytest.raises(InputError, match="cannot be read"):
        read_tuned(path)
    for text, error in (
        ("[nbs2", InputError),
        ("", InputError),
        ("[nbs2]\nmodel = 1\n", UsageError),
        ("[nbs2]\nnonsense = 1\n", UsageError),
        ("nbs2 = 1\n", UsageError),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(error, match=r"tuned\.toml"):
            read_tuned(path)
