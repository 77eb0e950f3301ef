"""Each kind of input that cannot give all numbers: one clear sentence, the rest is measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from nital.run import MeasureJob, execute


@pytest.fixture
def measured(tmp_path):
    """Measure one label image; returns the sentence of a failure, or the summary."""

    def run(labels, target="grains", suffix=".npy", write=None, **changes):
        path = tmp_path / f"labels{suffix}"
        if write is None:
            np.save(path, labels)
        else:
            write(path, labels)
        out = tmp_path / "out"
        job = MeasureJob(out, target, **changes)
        record = execute([str(path)], out, lambda count: job, command=["nital"], overwrite=True)
        if record.failures:
            (sentence,) = record.failures
            assert "\n" not in sentence
            return sentence
        return json.loads((out / "labels" / "summary.json").read_text())

    return run


def said(summary, words):
    (warning,) = [warning for warning in summary["warnings"] if words in warning]
    return warning


def names(summary):
    return {row["name"] for row in summary["quantities"]}


def test_no_pixel_size(measured, voronoi):
    summary = measured(voronoi(90, (120, 120)))
    assert "give --pixel-size" in said(summary, "no pixel size is known")
    assert not any(name.startswith("astm_g_") for name in names(summary) - {"astm_g_difference"})
    assert {row["unit"] for row in summary["quantities"]} <= {"1", "px", "px^2", "deg"}


def test_fewer_than_fifty_grains(measured, voronoi):
    summary = measured(voronoi(20, (90, 90)))
    assert "is known to ±" in said(summary, "where ASTM E112 asks for 50")


def test_one_object(measured):
    labels = np.zeros((60, 60), dtype=np.int32)
    labels[20:40, 20:40] = 1
    summary = measured(labels, "particles")
    said(summary, "there is only one object")
    assert all(r["ci95"] is None for r in summary["quantities"] if r["name"].startswith("ecd_"))


def test_one_grain_has_no_two_grain_size_numbers_to_compare(measured):
    labels = np.zeros((60, 60), dtype=np.int32)
    labels[20:40, 20:40] = 1
    warnings = measured(labels)["warnings"]
    assert any("only 1 grain" in text for text in warnings)
    assert not any("differ by" in text for text in warnings)


def test_no_object(measured):
    summary = measured(np.zeros((60, 60), dtype=np.int32), "particles")
    assert "look at the image" in said(summary, "there is no object")


def test_all_objects_at_the_edge(measured):
    labels = np.repeat(np.arange(1, 5, dtype=np.int32), 15)[:, None] * np.ones(60, np.int32)
    summary = measured(labels, "particles")
    said(summary, "every object touches the edge")
    assert "ecd_mean" not in names(summary)


def test_pixels_that_are_not_square(measured, voronoi):
    def write(path, labels):
        description = "ImageJ=1.54f\nunit=um\n"
        tifffile.imwrite(
            path, labels.astype(np.uint16), resolution=(2.0, 1.0), resolutionunit=1,
            description=description, metadata=None,
        )  # fmt: skip

    summary = measured(voronoi(90, (120, 120)), suffix=".tif", write=write)
    assert summary["image"]["pixel_size"] is None
    assert "not square" in said(summary, "square")


def test_a_print_resolution_whose_pixels_are_not_square(measured, voronoi):
    def write(path, labels):
        tifffile.imwrite(
            path, labels.astype(np.uint16), resolution=(1e4 / 0.5, 1e4 / 0.8),
            resolutionunit="CENTIMETER", metadata=None,
        )  # fmt: skip

    summary = measured(voronoi(90, (120, 120)), suffix=".tif", write=write)
    assert summary["image"]["pixel_size"] is None
    assert "0.5 um wide and 0.8 um high" in said(summary, "not trusted")


def test_labels_of_another_shape_than_the_image(measured, voronoi, tmp_path):
    Image.new("L", (50, 40)).save(tmp_path / "micrograph.png")
    micrograph = Path(tmp_path / "micrograph.png")
    sentence = measured(voronoi(9, (40, 51)), micrograph=micrograph)
    assert "the labels are (40, 51) but the micrograph" in sentence
    assert "give images of the same field" in sentence


def test_labels_with_fractions(measured, voronoi):
    assert "holds fractions or NaN" in measured(voronoi(9, (40, 50)) + 0.25)


def test_whole_numbers_in_a_float_file(measured, voronoi):
    assert "object_count" in names(measured(voronoi(60, (90, 90)).astype(np.float32)))


def test_a_mask_in_place_of_labels(measured, voronoi):
    labels = voronoi(60, (90, 90))
    said(measured((labels % 5 == 0).astype(np.uint8), "particles"), "there is only one label")
