"""A whole run: its files, going on, and never spoiling what is there."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import tifffile

from nital.errors import UsageError
from nital.io import write_label_tiff
from nital.micrograph import PixelSize
from nital.report import TABLE_FILES
from nital.run import MeasureJob, execute


@pytest.fixture
def series(tmp_path, monkeypatch, voronoi):
    """Three label images, one of which is no image."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    tifffile.imwrite("in/one.tif", voronoi(30, (60, 80)))
    tifffile.imwrite("in/two.tif", voronoi(20, (50, 40)))
    (tmp_path / "in" / "broken.tif").write_text("not an image")
    return tmp_path


def run(out, *arguments, pixel_size=None, **options):
    size = None if pixel_size is None else PixelSize(pixel_size, "test")
    resume = options.get("resume", False)
    return execute(
        arguments or ["in"],
        out,
        lambda count: MeasureJob(out, "grains", size, resume),
        command=["nital", "measure", "in"],
        **options,
    )


def states(record):
    return {outcome.item.folder: outcome.state for outcome in record.outcomes}


def test_everything_is_written(series):
    out = series / "out"
    record = run(out)
    assert states(record) == {"broken": "failed", "one": "done", "two": "done"}
    visible = {path.name for path in out.iterdir() if not path.name.startswith(".")}
    files = {"report.html", "objects.parquet", "summary.csv", "run.json"}
    assert visible == files | {"one", "two"}
    figure = {"sizes.csv", "sizes.svg"}
    assert {path.name for path in (out / "one").iterdir()} == set(TABLE_FILES) | figure


def test_run_json_names_every_input(series):
    out = series / "out"
    run(out, "in", "missing.tif")
    content = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert content["command"] == ["nital", "measure", "in"]
    by_path = {entry["path"]: entry for entry in content["inputs"]}
    assert by_path["in/one.tif"]["folder"] == "one"
    assert by_path["in/one.tif"]["outcome"] == "done"
    assert by_path["in/one.tif"]["seconds"] > 0
    assert "in/broken.tif" in by_path["in/broken.tif"]["error"]
    assert "no such file" in by_path["missing.tif"]["error"]
    assert content["outcomes"] == {"failed": 2, "done": 2}


def test_tables_hold_all_images(series):
    out = series / "out"
    run(out)
    objects = pq.read_table(out / "objects.parquet").to_pandas()
    assert objects["image"].value_counts().to_dict() == {"one": 30, "two": 20}
    alone = pd.read_csv(out / "one" / "objects.csv")
    together = objects[objects["image"] == "one"].drop(columns="image")
    pd.testing.assert_frame_equal(together, alone, check_dtype=False)
    summary = pd.read_csv(out / "summary.csv")
    counts = summary[summary["quantity"] == "object_count"].set_index("image")["value"]
    assert counts.to_dict() == {"one": 30, "two": 20}


def test_calibrated_and_uncalibrated_images_share_a_table(series, voronoi):
    write_label_tiff(Path("in/two.tif"), voronoi(20, (50, 40)), PixelSize(0.5, "test"))
    out = series / "out"
    run(out)
    objects = pq.read_table(out / "objects.parquet").to_pandas().set_index("image")
    assert bool(objects.loc["one", "ecd_px"].notna().all())
    assert bool(objects.loc["one", "ecd_um"].isna().all())
    assert bool(objects.loc["two", "ecd_um"].notna().all())


def test_a_second_run_does_not_touch_the_first(series):
    out = series / "out"
    run(out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    with pytest.raises(UsageError, match="--resume"):
        run(out)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


def test_resume_does_only_what_is_missing_or_changed(series, voronoi):
    out = series / "out"
    run(out)
    assert states(run(out, resume=True)) == {
        "broken": "failed",
        "one": "unchanged",
        "two": "unchanged",
    }
    (out / "one" / "objects.csv").unlink()
    tifffile.imwrite("in/two.tif", voronoi(25, (50, 40)))
    tifffile.imwrite("in/broken.tif", voronoi(5, (50, 40)))
    assert states(run(out, resume=True)) == {"broken": "done", "one": "done", "two": "done"}
    assert set(states(run(out, resume=True)).values()) == {"unchanged"}
    assert len(pd.read_csv(out / "two" / "objects.csv")) == 25


def test_resume_with_other_options_starts_again(series):
    out = series / "out"
    run(out)
    assert states(run(out, resume=True, pixel_size=0.5))["one"] == "done"
    assert "ecd_um" in pd.read_csv(out / "one" / "objects.csv")
    assert states(run(out, resume=True, pixel_size=0.5))["one"] == "unchanged"


def test_resume_is_not_misled_by_a_damaged_summary(series):
    out = series / "out"
    run(out)
    (out / "one" / "summary.json").write_text("{")
    (out / "two" / "summary.json").write_text("[]")
    record = run(out, resume=True)
    assert {states(record)["one"], states(record)["two"]} == {"done"}


def test_overwrite_redoes(series):
    out = series / "out"
    run(out)
    assert states(run(out, overwrite=True))["one"] == "done"


def test_the_same_run_gives_the_same_bytes(series):
    run(series / "a")
    run(series / "b")
    for path in (series / "a").rglob("*"):
        if path.is_file() and path.name != "run.json":
            other = series / "b" / path.relative_to(series / "a")
            assert path.read_bytes() == other.read_bytes(), path.name


def test_what_a_killed_run_left_is_removed(series):
    out = series / "out"
    (out / ".one-12ab34cd.part").mkdir(parents=True)
    (out / ".one-12ab34cd.part" / "labels.tif").write_text("half")
    (out / ".run-12ab34cd.part.json").write_text("half")
    run(out)
    assert not list(out.rglob("*.part*"))


def test_only_failures_still_give_a_record(series):
    record = run(series / "out", "in/broken.tif")
    assert record.folders == ()
    assert len(record.failures) == 1
    assert pq.read_table(series / "out" / "objects.parquet").num_rows == 0
    assert "broken.tif" in (series / "out" / "report.html").read_text(encoding="utf-8")


def test_a_file_in_place_of_the_folder_is_bad_usage(series):
    (series / "out").write_text("")
    with pytest.raises(UsageError, match="not a folder"):
        run(series / "out")


def test_nothing_is_written_when_there_is_no_image(series):
    with pytest.raises(UsageError):
        run(series / "out", "missing.tif")
    assert not (series / "out").exists()


def test_memory_does_not_grow_with_the_number_of_images(series):
    """The report and the tables are written image by image."""
    labels = np.zeros((40, 40), dtype=np.int32)
    labels[10:20, 10:20] = 1
    for number in range(12):
        tifffile.imwrite(f"in/{number}.tif", labels)
    peaks = []
    for pattern in ("in/[0-2].tif", "in/[0-9]*.tif"):
        out = series / f"out{len(peaks)}"
        run(out, "in/0.tif")
        tracemalloc.start()
        run(out, pattern, overwrite=True)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]
