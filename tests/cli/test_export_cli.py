"""``nital export`` as a user types it, and its files measured again."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from nital.exchange import FORMATS
from nital.io import read_labels, write_label_tiff
from nital.micrograph import PixelSize


@pytest.fixture
def run_folder(tmp_path, voronoi):
    """The folder of a run over two images, as far as exports need it."""
    for number, name in enumerate(("steel", "iron")):
        folder = tmp_path / "results" / name
        folder.mkdir(parents=True)
        labels = voronoi(30, (60, 80), number)
        write_label_tiff(folder / "labels.tif", labels, PixelSize(0.5, "test"))
        phases = np.where(labels % 5 == 0, 2, 1).astype(np.uint8)
        write_label_tiff(folder / "phases.tif", phases, PixelSize(0.5, "test"))
    return tmp_path / "results"


def quantities(path):
    return json.loads(path.read_text())["quantities"]


@pytest.mark.parametrize("kind", ["geojson", "ome-zarr"])
def test_a_whole_run_and_back(nital_program, run_folder, tmp_path, kind):
    done = nital_program("export", "results", "--format", kind, "--out", "shared")
    assert done.returncode == 0, done.stderr
    suffix = FORMATS[kind].suffix
    assert sorted(path.name for path in (tmp_path / "shared").iterdir()) == [
        f"iron{suffix}",
        f"steel{suffix}",
    ]
    measured = nital_program(
        "measure", f"shared/steel{suffix}", "results/steel/labels.tif", "--target", "grains",
        "--out", "numbers",
    )  # fmt: skip
    assert measured.returncode == 0, measured.stderr
    folders = [
        entry["folder"]
        for entry in json.loads((tmp_path / "numbers/run.json").read_text())["inputs"]
    ]
    first, second = (quantities(tmp_path / "numbers" / name / "summary.json") for name in folders)
    counts = [next(q for q in found if q["name"] == "object_count") for found in (first, second)]
    assert counts[0]["value"] == counts[1]["value"] == 30
    lengths = [next(q for q in f if q["name"] == "object_area_mean") for f in (first, second)]
    assert lengths[0] == lengths[1]
    phases = [q["phase"] for q in first if q["name"] == "phase_fraction"]
    assert phases == [1, 2]


def test_one_file_for_all_images_and_label_images_from_it(nital_program, run_folder, tmp_path):
    assert nital_program("export", "results", "--format", "coco", "--out", ".").returncode == 0
    refused = nital_program("measure", "annotations.coco.json", "--target", "grains", "--out", "a")
    assert refused.returncode == 1
    assert "holds 2 images; write a label image of each by nital export" in refused.stderr
    done = nital_program("export", "annotations.coco.json", "--format", "labels", "--out", "masks")
    assert done.returncode == 0, done.stderr
    for name in ("steel", "iron"):
        np.testing.assert_array_equal(
            read_labels(tmp_path / "masks" / f"{name}.tif"),
            read_labels(run_folder / name / "labels.tif"),
        )


def test_regions_need_the_size_of_their_image(nital_program, tmp_path):
    import roifile

    box = roifile.ImagejRoi.frompoints(np.array([[1, 1], [4, 1], [4, 3], [1, 3]]), name="7")
    box.tofile(tmp_path / "steel.roi")
    Image.new("L", (80, 60), 7).save(tmp_path / "steel.png")
    words = ("measure", "steel.roi", "--target", "particles", "--out", "a")
    refused = nital_program(*words)
    assert refused.returncode == 1
    assert "give it by --micrograph" in refused.stderr
    done = nital_program(*words, "--micrograph", "steel.png", "--overwrite")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a" / "steel" / "overlay.png").is_file()


def test_what_cannot_be_exported(nital_program, run_folder, tmp_path):
    (tmp_path / "empty").mkdir()
    done = nital_program("export", "empty", "results/iron", "--format", "imagej", "--out", "rois")
    assert done.returncode == 1
    assert "empty: holds no labels.tif" in done.stderr
    assert (tmp_path / "rois" / "iron_rois.zip").is_file()
    again = nital_program("export", "results/iron", "--format", "imagej", "--out", "rois")
    assert again.returncode == 2
    assert "is there already: replace it by --overwrite" in again.stderr
