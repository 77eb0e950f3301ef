"""The files of one result: there, readable, and whole or not there."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

from nital.errors import OutputError
from nital.report import RESULT_FILES, save_result


@pytest.fixture
def segmentation(wrap, voronoi):
    return wrap(voronoi(20, (60, 80)), scale=0.25, target="grains")


def test_all_files_of_the_format_are_written(segmentation, tmp_path):
    folder = save_result(segmentation, tmp_path / "deep" / "steel")
    figure = ("sizes.csv", "sizes.svg")
    assert sorted(path.name for path in folder.iterdir()) == sorted((*RESULT_FILES, *figure))
    assert [path.name for path in folder.parent.iterdir()] == ["steel"]


def test_images_read_back_as_they_were(segmentation, tmp_path):
    folder = segmentation.save(tmp_path / "steel")
    labels = tifffile.imread(folder / "labels.tif")
    phases = tifffile.imread(folder / "phases.tif")
    confidence = tifffile.imread(folder / "confidence.tif")
    assert (labels.dtype, phases.dtype, confidence.dtype) == (np.int32, np.uint8, np.uint8)
    assert np.array_equal(labels, segmentation.labels)
    assert np.array_equal(phases, segmentation.phases)
    assert np.array_equal(confidence, segmentation.confidence)
    with Image.open(folder / "overlay.png") as picture:
        assert (picture.mode, picture.size) == ("RGB", (80, 60))


def test_tables_read_back_as_they_were(segmentation, tmp_path):
    folder = segmentation.save(tmp_path / "steel")
    measured = segmentation.measure()
    table = pd.read_csv(folder / "objects.csv")
    pd.testing.assert_frame_equal(table, measured.objects, check_dtype=False, rtol=1e-7)
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert summary == json.loads(json.dumps(measured.summary))


def test_the_same_result_has_the_same_bytes(segmentation, tmp_path):
    one, other = segmentation.save(tmp_path / "a"), segmentation.save(tmp_path / "b")
    for name in RESULT_FILES:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_no_objects_give_a_table_with_a_header_only(wrap, tmp_path):
    folder = wrap(np.zeros((5, 5), dtype=np.int32)).save(tmp_path / "empty")
    assert len((folder / "objects.csv").read_text().splitlines()) == 1


def test_saving_again_replaces_the_files_and_keeps_others(segmentation, wrap, tmp_path):
    folder = segmentation.save(tmp_path / "steel")
    (folder / "notes.txt").write_text("mine")
    wrap(np.zeros((5, 5), dtype=np.int32)).save(folder)
    assert tifffile.imread(folder / "labels.tif").shape == (5, 5)
    assert (folder / "notes.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["steel"]


def test_a_file_in_the_way_is_named(segmentation, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        segmentation.save(tmp_path / "file" / "steel")
    with pytest.raises(OutputError, match="file"):
        segmentation.save(tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_leaves_nothing(tmp_path):
    """A limit on the size of files stands for a disk that fills up."""
    script = """
        import sys
        import numpy as np
        from nital.errors import OutputError
        from nital.micrograph import Micrograph
        from nital.segmentation import ModelInfo, Segmentation
        noise = np.random.default_rng(0).integers(0, 255, (200, 200)).astype(np.uint8)
        ones = np.ones_like(noise)
        segmentation = Segmentation(
            Micrograph(noise), noise.astype(np.int32), ones, ones, "grains", "", ModelInfo("", None)
        )
        try:
            segmentation.save(sys.argv[1])
        except OutputError as error:
            print(error)
    """

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "out" / "steel")],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "disk is full" in done.stdout
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "out").iterdir()) == []
